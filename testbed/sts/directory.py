"""IAM as moto keeps it, read in place; and what moto's IAM hasn't got: root keys, other algorithms."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.models import iam_backends

from testbed.sts.identities import Role, User
from testbed.sts.totp import ALGORITHMS, Seed

if TYPE_CHECKING:
    from collections.abc import Iterator

PARTITION = "aws"


@dataclass(frozen=True)
class LongTermKey:
    """An access key of a user or of the root."""

    user: User
    access_key_id: str
    secret_access_key: str = field(repr=False)
    created: datetime
    active: bool = True


class Directory:
    """Users, keys, devices and roles. Reads only, so moto may change them in another thread."""

    def __init__(self) -> None:
        self._root_keys: dict[str, LongTermKey] = {}
        self._algorithms: dict[str, str] = {}

    def key(self, access_key_id: str) -> LongTermKey | None:
        """The key and its user, also if it is inactive."""
        if access_key_id in self._root_keys:
            return self._root_keys[access_key_id]
        for backend in _backends():
            key = backend.access_keys.get(access_key_id)
            user = key and key.user_name and backend.users.get(key.user_name)
            if user:
                created = key.create_date.replace(tzinfo=UTC)
                return LongTermKey(
                    _user(backend, user),
                    access_key_id,
                    key.secret_access_key,
                    created,
                    key.status == "Active",
                )
        return None

    def exists(self, identity: User | Role) -> bool:
        """Whether the user or role is still there: another of the same name isn't it."""
        backend = iam_backends[identity.account][PARTITION]
        if isinstance(identity, Role):
            return identity.role_id in backend.roles
        user = backend.users.get(identity.name)
        return identity.is_root or (user is not None and user.id == identity.user_id)

    def role(self, arn: str) -> Role | None:
        """The role with exactly this ARN, path and all."""
        account = arn.split(":")[4]
        if account not in iam_backends:
            return None
        name = arn.rpartition("/")[2]  # moto keeps roles by id: comparing names is quicker than making ARNs
        for role in list(iam_backends[account][PARTITION].roles.values()):
            if role.name == name and role.arn == arn:
                return Role(
                    arn=arn,
                    role_id=role.id,
                    name=role.name,
                    account=account,
                    trust_policy=role.assume_role_policy_document,
                    max_session_duration=int(role.max_session_duration or 3600),
                    tags=_tags(role.tags),
                )
        return None

    def has_device(self, user: User, serial_number: str) -> bool:
        """Whether the device is enabled for this user."""
        found = iam_backends[user.account][PARTITION].users.get(user.name)
        return found is not None and serial_number in found.mfa_devices

    def seed(self, user: User, serial_number: str) -> Seed | None:
        """The seed of a virtual device; None for one of hardware, whose seed nobody knows."""
        device = iam_backends[user.account][PARTITION].virtual_mfa_devices.get(serial_number)
        if device is None:
            return None
        return Seed(device.base32_string_seed, self._algorithms.get(serial_number, "SHA1"))

    def set_algorithm(self, serial_number: str, algorithm: str) -> None:
        """Makes a device's codes with another hash than AWS's SHA1."""
        if algorithm not in ALGORITHMS:
            raise ValueError(f"no algorithm {algorithm!r}: use one of {', '.join(ALGORITHMS)}")
        self._algorithms[serial_number] = algorithm

    def create_root_key(self) -> LongTermKey:
        """A key of the account root: IAM has no call for it, it is made in the console only."""
        account = DEFAULT_ACCOUNT_ID
        root = User(arn=f"arn:{PARTITION}:iam::{account}:root", user_id=account, account=account)
        key = LongTermKey(
            root,
            "AKIA" + base64.b32encode(os.urandom(10)).decode(),
            base64.b64encode(os.urandom(30)).decode(),
            datetime.now(UTC),
        )
        self._root_keys[key.access_key_id] = key
        return key


def _backends() -> Iterator[Any]:
    for account in list(iam_backends):
        yield iam_backends[account][PARTITION]


def _user(backend: Any, user: Any) -> User:
    return User(
        user.arn,
        user.id,
        user.account_id,
        user.name,
        _tags(backend.tagger.list_tags_for_resource(user.arn)["Tags"]),
    )


def _tags(tags: Any) -> dict[str, str]:
    pairs = tags.values() if isinstance(tags, dict) else tags or ()
    return {pair["Key"]: pair["Value"] for pair in pairs}
