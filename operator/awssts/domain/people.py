"""The gateway's users: Secrets with the label ``awssts.dev/type: user``, and what a login of one asks for.

A login is judged and carried out as an ``AwsStsRequest`` would be that is named like the user's Secret and has its
labels and annotations. It exists in memory only.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import yaml

from awssts.domain import keys, names
from awssts.domain.callers import Caller
from awssts.domain.errors import AwsstsError, InvalidSpec, SecretInvalid, SecretKeyMissing
from awssts.domain.gateway import Asked
from awssts.domain.policy import Authentication, NamespaceFacts
from awssts.domain.policy.errors import RoleNotAllowed
from awssts.domain.policy.principal import ID, PREFIX, from_metadata, from_yaml
from awssts.domain.refusals import BadParameter, DeviceRefused
from awssts.domain.request import Identity, Request, read_spec
from awssts.domain.resources import ROLE_DURATION_MAXIMUM, Spec
from awssts.domain.status import Status

USER: Final = "user"  # value of the label
USERNAME: Final = "username"
PASSWORD_HASH: Final = "passwordHash"  # noqa: S105 - a key's name
ATTRIBUTES: Final = "attributes"
SPEC: Final = "spec"
GROUPS: Final = "groups"  # the attribute that gives them
FIELDS: Final = ("credentialsSecretRef", "mfa", "role", "region", "duration", "suspend")
PREFIX_OF_NAMES: Final = "gateway:"  # so that no user of the gateway passes for one of the cluster

_USERNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}")
_HASH = re.compile(r"\$argon2id\$[A-Za-z0-9+/$=,]{16,500}")


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user, as his Secret says."""

    identity: Identity  # of the Secret
    username: str
    password_hash: str = field(repr=False)
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    attributes: Mapping[str, tuple[str, ...]]
    spec: Mapping[str, Any]

    @property
    def suspended(self) -> bool:
        """Whether he can't log in."""
        return self.spec.get("suspend") is not False and "suspend" in self.spec


def check_username(name: str) -> str:
    """Return the name.

    Raises:
        ValueError: it can't be one.
    """
    if not _USERNAME.fullmatch(name):
        raise ValueError("a username has letters, digits and . _ @ + - in it, and begins with a letter or a digit")
    return name


def read(secret: Mapping[str, Any]) -> User:
    """Return the user whose Secret it is.

    Raises:
        AwsstsError: it can't be understood; the message names the key and repeats nothing.
    """
    metadata, data = secret["metadata"], secret.get("data") or {}
    name = metadata["name"]
    username, password_hash = _text(data, name, USERNAME), _text(data, name, PASSWORD_HASH)
    try:
        check_username(username)
    except ValueError as error:
        raise SecretInvalid(f"Secret {name!r}: {USERNAME}: {error}") from None
    if not _HASH.fullmatch(password_hash):
        raise SecretInvalid(f"Secret {name!r}: {PASSWORD_HASH} is no argon2id hash: set it with awssts user passwd")
    where, annotations = f"Secret {name}:", metadata.get("annotations") or {}
    attributes = keys.text(data[ATTRIBUTES], name, ATTRIBUTES) if ATTRIBUTES in data else ""
    user = User(
        identity=Identity(metadata["namespace"], name, metadata["uid"]),
        username=username,
        password_hash=password_hash,
        labels=metadata.get("labels") or {},
        annotations=annotations,
        attributes=from_yaml(attributes, f"{where} {ATTRIBUTES}") | from_metadata(where, annotations),
        spec=_spec(data, name),
    )
    _check(user)
    return user


def _text(data: Mapping[str, str], name: str, key: str) -> str:
    if key not in data:
        raise SecretKeyMissing(f"Secret {name!r} has no key {key}")
    return keys.text(data[key], name, key)


def _spec(data: Mapping[str, str], name: str) -> dict[str, Any]:
    text = keys.text(data[SPEC], name, SPEC) if SPEC in data else ""
    try:
        loaded = yaml.safe_load(text) or {}
    except (yaml.YAMLError, RecursionError, ValueError):
        raise SecretInvalid(f"Secret {name!r}: {SPEC} is not YAML that can be read") from None
    if not isinstance(loaded, dict) or not set(loaded) <= set(FIELDS):
        raise SecretInvalid(f"Secret {name!r}: {SPEC} has to be a mapping with none but {', '.join(FIELDS)}")
    return loaded


def _check(user: User) -> None:
    """Raise InvalidSpec where no login can work."""
    spec = _read_spec(user, user.spec)
    if isinstance(spec, InvalidSpec):
        raise spec


def _read_spec(user: User, raw: Mapping[str, Any]) -> Spec | InvalidSpec:
    """Return the spec; the keys are in the user's own Secret unless it says where."""
    whole = {"credentialsSecretRef": {"name": user.identity.name}} | dict(raw)
    return read_spec(whole, f"login of {user.identity.name}")  # no Secret has such a name: nothing is written


def login(user: User, asked: Asked, now: datetime, mark: str) -> Request:
    """Return the request that a login is. ``mark`` tells it from the user's others.

    Raises:
        RoleNotAllowed, DeviceRefused: the user's own role or device is another.
        BadParameter: the duration is too long for a role.
        InvalidSpec: the user's Secret can't be understood.
    """
    spec = _read_spec(user, _wanted(user, asked))
    if isinstance(spec, InvalidSpec):
        raise spec
    annotations = {
        **asked.wishes,
        **{key: value for key, value in user.annotations.items() if key != names.LAST_APPLIED},
        names.TOKEN_CODE: asked.token,
    }
    return Request(
        identity=Identity(user.identity.namespace, user.identity.name, f"{user.identity.uid}/{mark}"),
        generation=0,
        resource_version="",
        created=now,
        labels=user.labels,
        annotations=annotations,
        spec=spec,
        status=Status(),
        owner={"apiVersion": "v1", "kind": "Secret", "name": user.identity.name, "uid": user.identity.uid},
    )


def _wanted(user: User, asked: Asked) -> dict[str, Any]:
    """Return the raw spec: what the Secret says, and what the call may choose."""
    raw = {key: value for key, value in user.spec.items() if key != "suspend"}
    if asked.role_arn is not None:
        own = raw.get("role")
        if own is not None and own.get("arn") != asked.role_arn:
            raise RoleNotAllowed("the user's Secret gives another role")
        raw["role"] = own or {"arn": asked.role_arn}
    if asked.duration is not None:
        if raw.get("role") is not None and asked.duration > ROLE_DURATION_MAXIMUM:
            raise BadParameter("duration must be at most 12h with a role")
        raw["duration"] = asked.duration
    if device := _device(raw.get("mfa"), asked):
        raw["mfa"] = device
    return raw


def _device(own: Mapping[str, Any] | None, asked: Asked) -> dict[str, Any] | None:
    """Return the device: the user's; where he has none, the one that the call names, which AWS knows to be his."""
    if own is None:
        if asked.serial_number is None:
            if asked.token:
                raise BadParameter("token: you have no device; name it as serialNumber")
            return None
        return {"serialNumber": asked.serial_number}
    if asked.serial_number not in {None, own.get("serialNumber")}:
        raise DeviceRefused("the user's Secret gives another device")
    return {**own, "when": "Always"} if asked.token else dict(own)  # who gives a code wants it used


def chose_device(user: User, asked: Asked) -> bool:
    """Whether the call names the device, and the user's Secret does not: only AWS can tell whose it is."""
    return asked.serial_number is not None and user.spec.get("mfa") is None


def applicant(user: User, caller: Caller) -> Authentication:
    """Return who logs in, as policies look at him: the gateway has seen his password."""
    extra = {"address": (caller.address,), "userAgent": (caller.user_agent,)}
    return Authentication(
        username=PREFIX_OF_NAMES + user.username,
        uid=user.identity.uid,
        groups=user.attributes.get(GROUPS, ()),
        extra={name: values for name, values in extra.items() if any(values)},
    )


def home(user: User, namespace: NamespaceFacts) -> NamespaceFacts:
    """Return the user's namespace as policies see it at his login: with his attributes, as trusted as its own.

    Who writes the Secrets of users decides who they are: he could as well set their passwords. What the namespace
    says itself hides what a user's Secret says, but for the id, which is the username.
    """
    given = {PREFIX + name: json.dumps(values, ensure_ascii=False) for name, values in user.attributes.items()}
    known = {**namespace.labels, **namespace.annotations}
    annotations = {key: value for key, value in given.items() if key not in known} | dict(namespace.annotations)
    annotations[PREFIX + ID] = given.get(PREFIX + ID, json.dumps([user.username]))
    return NamespaceFacts(name=namespace.name, labels=namespace.labels, annotations=annotations)


def problem(secret: Mapping[str, Any]) -> str:
    """Return what is wrong with a user's Secret; empty where nothing is."""
    try:
        read(secret)
    except AwsstsError as error:
        return error.message
    return ""
