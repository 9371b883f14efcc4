"""``awssts user``: the gateway's users, as Secrets that can also be written by hand."""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import click
import yaml

from awssts.adapters.passwords import Passwords
from awssts.adapters.people import People
from awssts.domain import names, people
from awssts.domain.errors import AwsstsError, ClusterConflict
from awssts.domain.people import User

LEAST = 12  # characters of a password
Json = dict[str, Any]

_PLAIN = re.compile("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def check_password(password: str) -> str:
    """Return the password.

    Raises:
        ClickException: it is too short or too long.
    """
    if not LEAST <= len(password) <= 1024:
        raise click.ClickException(f"a password has {LEAST} to 1024 characters")
    return password


def secret(
    namespace: str,
    username: str,
    password: str,
    *,
    labels: Mapping[str, str],
    attributes: Sequence[tuple[str, str]],
    spec: Mapping[str, Any],
) -> Json:
    """Return the Secret of a new user.

    Raises:
        ClickException: no login of such a user could work.
    """
    values: dict[str, list[str]] = {}
    for name, value in attributes:
        values.setdefault(name, []).append(value)
    text = {people.USERNAME: username, people.PASSWORD_HASH: Passwords().hash(check_password(password))}
    text |= {people.ATTRIBUTES: yaml.safe_dump(values)} if values else {}
    text |= {people.SPEC: yaml.safe_dump(dict(spec))} if spec else {}
    made: Json = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {
            "namespace": namespace,
            "name": secret_name(username),
            "labels": {**labels, names.TYPE_LABEL: people.USER},
        },
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in text.items()},
    }
    if problem := people.problem({**made, "metadata": {**made["metadata"], "uid": ""}}):
        raise click.ClickException(problem)
    return made


def secret_name(username: str) -> str:
    """Return the name of a user's Secret: the username where Kubernetes takes it, else as much of it as it does."""
    if _PLAIN.fullmatch(username):
        return f"awssts-user-{username}"
    mark = hashlib.sha256(username.encode()).hexdigest()[:10]
    readable = re.sub("[^a-z0-9]+", "-", username.lower()).strip("-")[:40].strip("-")
    return f"awssts-user-{readable}.{mark}"


async def add(cluster: People, made: Json) -> str:
    """Create the Secret, and return what was done in words.

    Raises:
        ClickException: there is such a user.
        AwsstsError: the cluster does not take it.
    """
    where, username = made["metadata"]["namespace"], people.read({**made, "metadata": {**made["metadata"], "uid": ""}})
    found, _ = await _all(cluster, where)
    if any(user.username == username.username for user in found):
        raise click.ClickException(f"there is a user {username.username!r} in namespace {where!r}")
    try:
        await cluster.create_secret(made)
    except ClusterConflict:
        name = made["metadata"]["name"]
        raise click.ClickException(f"there is a Secret {name!r} in namespace {where!r}: delete it first") from None
    return f"added {username.username}: Secret {made['metadata']['name']} in namespace {where}"


async def passwd(cluster: People, namespace: str, username: str, password: str) -> str:
    """Give the user another password, and return what was done in words.

    Raises:
        ClickException: there is no such user, or somebody else changed him meanwhile.
        AwsstsError: the cluster does not take it.
    """
    user = await _one(cluster, namespace, username)
    fresh = Passwords().hash(check_password(password))
    if not await cluster.replace_hash(user.identity, user.password_hash, fresh):
        raise click.ClickException("somebody else changed the user at the same time: try again")
    return f"changed the password of {username}"


async def delete(cluster: People, namespace: str, username: str) -> str:
    """Delete the user's Secret, and return what was done in words.

    Raises:
        ClickException: there is no such user.
        AwsstsError: the cluster does not take it.
    """
    user = await _one(cluster, namespace, username)
    if not await cluster.delete_secret(namespace, user.identity.name, user.identity.uid):
        raise click.ClickException(f"the Secret of {username!r} is gone, or another by now")
    return f"deleted {username}: credentials that were given live on until they expire"


async def table(cluster: People, namespace: str) -> str:
    """Return the users as a table, and below it Secrets that are labelled as users and are none."""
    found, broken = await _all(cluster, namespace)
    rows = [("USERNAME", "SECRET", "CREDENTIALS", "MFA", "ROLE", "STATE"), *(_row(user) for user in found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([*(lines if found else ["no users"]), *(f"not a user: {problem}" for problem in broken)])


def _row(user: User) -> tuple[str, ...]:
    spec = user.spec
    keys = (spec.get("credentialsSecretRef") or {}).get("name", "")
    mfa, role = spec.get("mfa") or {}, spec.get("role") or {}
    giver = ("seed" if mfa.get("totpSecretRef") else "person") if mfa else "-"
    return user.username, user.identity.name, keys or "-", giver, role.get("arn", "-"), _state(user)


def _state(user: User) -> str:
    return "suspended" if user.suspended else "active"


async def _one(cluster: People, namespace: str, username: str) -> User:
    found, _ = await _all(cluster, namespace)
    user = next((user for user in found if user.username == username), None)
    if user is None:
        raise click.ClickException(f"there is no user {username!r} in namespace {namespace!r}")
    return user


async def _all(cluster: People, namespace: str) -> tuple[list[User], list[str]]:
    """Return the users by name, and what is wrong with those that are none."""
    found: list[User] = []
    broken: list[str] = []
    async for body in cluster.users([namespace]):
        try:
            found.append(people.read(body))
        except AwsstsError as error:
            broken.append(error.message)
    return sorted(found, key=lambda user: user.username), broken
