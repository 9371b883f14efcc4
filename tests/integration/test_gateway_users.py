"""`awssts user`: what it writes is what the gateway reads, and no password is shown anywhere."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import argon2
import pytest

from tests.integration import gateways, kube, policies
from tests.integration.gateways import People
from tests.integration.operator_process import PROGRAM
from tests.integration.patience import eventually

if TYPE_CHECKING:
    from testbed.cluster import Cluster
    from testbed.sts import StrictSts, User

place, gateway, people, device = gateways.place, gateways.gateway, gateways.people, policies.device
PASSWORD = "a password for a person"


@pytest.fixture
def awssts(cluster: Cluster, people: People) -> Awssts:
    return Awssts(cluster, people.space.name)


class Awssts:
    """`awssts user …` as the administrator."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._namespace = namespace

    def __call__(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - this project's own command
            [PROGRAM, "user", *arguments, f"--namespace={self._namespace}"],
            input=given,
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "KUBECONFIG": str(self._cluster.kubeconfig)},
        )


def test_a_life(people: People, awssts: Awssts, sts: StrictSts, user: User) -> None:
    role = sts.role(f"{user.name}-reports", user.arn)
    people.space.keys(user, "life-iam", watched=False)
    name = "Anna.Life@example.org"
    added = awssts(
        "add", name, "--password-stdin", "--credentials-secret=life-iam", f"--role-arn={role}", "--duration=30m",
        "--attribute=team=a", "--attribute=team=b", "--label=team=a",
        given=PASSWORD + "\n",
    )  # fmt: skip
    assert added.returncode == 0, added.stderr
    secret = added.stdout.split("Secret ")[1].split()[0]
    assert f"added {name}: Secret awssts-user-anna-life-example-org." in added.stdout
    assert people.space.metadata(secret)["labels"] == {"awssts.dev/type": "user", "team": "a"}
    people.settle()
    assert f":assumed-role/{user.name}-reports/" in people.identity(people.call(name, PASSWORD))
    again = awssts("add", name, "--password-stdin", given=PASSWORD + "\n")
    assert (again.returncode, "there is a user" in again.stderr) == (1, True)

    listed = awssts("list").stdout.splitlines()
    row = next(line for line in listed if line.startswith(name))
    assert row.split() == [name, secret, "life-iam", "-", role, "active"]

    changed = awssts("passwd", name, "--password-stdin", given=PASSWORD + "2\n")
    assert changed.stdout == f"changed the password of {name}\n", changed.stderr
    people.settle()
    assert people.call(name, PASSWORD).status == 401
    assert people.call(name, PASSWORD + "2").status == 200

    deleted = awssts("delete", name, "--yes")
    assert deleted.stdout.startswith(f"deleted {name}"), deleted.stderr
    people.settle()
    assert people.call(name, PASSWORD + "2").status == 401
    assert awssts("delete", name, "--yes").returncode == 1
    said = [added, again, changed, deleted]
    assert not any(PASSWORD in done.stdout + done.stderr for done in said)


def test_what_is_refused(people: People, awssts: Awssts) -> None:
    cases = [
        (["system:admin"], PASSWORD, "a username has letters"),
        (["berta"], "short", "a password has 12 to 1024 characters"),
        (["berta", "--role-arn=reports"], PASSWORD, "spec.role.arn"),
        (["berta", "--duration=1m"], PASSWORD, "spec.duration"),
        (["berta", "--seed-secret=x"], PASSWORD, "--seed-secret needs --serial-number"),
        (["berta", "--attribute=x"], PASSWORD, "write NAME=VALUE"),
        (["berta", "--label=not a label=x"], PASSWORD, "Kubernetes refuses the object"),
    ]
    for arguments, password, message in cases:
        done = awssts("add", *arguments, "--password-stdin", given=password + "\n")
        assert done.returncode != 0
        assert message in done.stderr
        assert "Traceback" not in done.stderr
        assert PASSWORD not in done.stderr
    assert awssts("passwd", "nobody", "--password-stdin", given=PASSWORD + "\n").returncode == 1
    people.space.secret_of("broken", {"username": "broken"}, labels={"awssts.dev/type": "user"})
    assert "not a user: Secret 'broken' has no key passwordHash" in awssts("list").stdout
    people.space.delete_secret("broken")


def test_old_hashes_are_renewed(people: People, user: User) -> None:
    """When he logs in; the password stays."""
    anna = people.add(keys=user)
    old = argon2.PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(gateways.PASSWORD)
    people.space.change_secret(anna, stringData={"passwordHash": old})
    people.settle()
    assert people.call(anna).status == 200
    fresh = eventually(lambda: _another(people, anna, old), "the new hash")
    assert argon2.extract_parameters(fresh or "").memory_cost == 32_768
    people.settle()
    assert people.call(anna).status == 200
    assert _another(people, anna, fresh or "") is None


def _another(people: People, name: str, old: str) -> str | None:
    held = (people.space.secret(name) or {})["passwordHash"]
    return held if held != old else None


def test_keys_in_the_secret_of_the_user(people: People, user: User) -> None:
    anna = people.add()
    keys = {"aws_access_key_id": user.access_key_id, "aws_secret_access_key": user.secret_access_key}
    people.space.change_secret(anna, stringData=keys)
    people.settle()
    assert people.identity(people.call(anna)) == user.arn
    assert people.space.api.get(kube.path(kube.SECRETS, people.space.name, anna))
