"""The commands of the documents on the gateway, run as they are written there, by the names that they show."""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from awssts.adapters.authority import issue
from testbed.cluster import Cluster
from testbed.process import Process, free_port
from tests.documents import commands, saved
from tests.integration.kube import Api
from tests.integration.names import Names
from tests.integration.operator_process import ROOT
from tests.integration.patience import eventually
from tests.integration.terminal import Terminal
from tests.integration.typing_person import typed
from tests.integration.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testbed.sts import StrictSts, User

PASSWORD = "correct horse battery staple"
SHOWN = {"awssts.example.com", "gateway.example.org"}


@pytest.fixture
def fresh() -> Iterator[Cluster]:
    """A cluster that has never heard of awssts."""
    with Cluster() as running:
        yield running


def desk(people: Workspace, cluster: Cluster, sts: StrictSts, home: Path) -> Terminal:
    """An administrator's, in a folder with the certificate for what the documents call the gateway, and a password."""
    made = Terminal(cluster, people, home)
    pair, authority = issue(SHOWN, datetime.now(UTC))
    for name, content in {"tls.crt": pair.certificate, "tls.key": pair.key, "ca.crt": authority}.items():
        (home / name).write_bytes(content)
    for name in ("crds", "tests"):  # the commands are typed in a clone
        (home / name).symlink_to(ROOT / name)
    made.environment |= {
        "PASSWORD": PASSWORD,
        "AWSSTS_HOST": "127.0.0.1",
        "AWSSTS_PORT": str(free_port()),
        "AWS_ENDPOINT_URL": sts.endpoint,
    }
    return made


@contextmanager
def served(terminal: Terminal, *command: str) -> Iterator[None]:
    """A gateway; those who call it by a name of the documents reach it."""
    command = command or ("awssts", "gateway", "--namespace=people", "--certificate=tls.crt", "--key=tls.key")
    command = ("/usr/bin/env", f"--chdir={terminal.home}", *command)
    with (
        Process("gateway", command, log=terminal.home / "gateway.log", env=terminal.environment) as gateway,
        Names(int(terminal.environment["AWSSTS_PORT"])) as names,
    ):
        eventually(
            lambda: not gateway.alive or "gateway serves" in gateway.log_tail(100), "the gateway's start", timeout=90
        )
        assert gateway.alive, gateway.log_tail()
        terminal.environment |= {"HTTPS_PROXY": names.url, "NO_PROXY": "127.0.0.1"}
        yield


def test_gateway_and_laptop(fresh: Cluster, sts: StrictSts, user: User, tmp_path: Path) -> None:
    device = sts.device(user, name="anna")
    with (
        Api(fresh) as api,
        commands("docs/gateway.md") as shown,
        commands("docs/howto-laptop.md") as laptop,
        served(terminal := desk(people := Workspace(api, "people"), fresh, sts, tmp_path), *shown.command("serve")),
    ):
        people.keys(user, "anna-iam", watched=False)
        twice = [("Password:", PASSWORD), ("Repeat for confirmation:", PASSWORD)]
        answers = [*twice, *twice, ("Delete anna?", "y")]
        said = typed(shown.command("users"), answers, terminal.environment, terminal.home)
        assert PASSWORD not in said
        assert "deleted anna" in said

        details = ("--credentials-secret=anna-iam", f"--serial-number={device.serial_number}", "--password-stdin")
        terminal.run("awssts", "user", "add", "anna", "-n", "people", *details, given=f"{PASSWORD}\n")
        refused = shown.run("login", environment=terminal.environment, cwd=terminal.home)
        assert refused.startswith("Authentication failed: "), "123456 is no code of that device"

        person = {"AWSSTS_USERNAME": "anna", "SSL_CERT_FILE": str(terminal.home / "ca.crt")}
        given = f"{PASSWORD}\n{device.code()}\n"
        laptop.run("login", environment=terminal.environment | person, cwd=terminal.home, given=given)
        kept = terminal.run("awssts", "credential-process", "--gateway", "https://gateway.example.org", **person).stdout
        assert sts.client(json.loads(kept)).get_caller_identity()["Arn"] == user.arn


@pytest.mark.usefixtures("operator")
def test_from_cas(cluster: Cluster, api: Api, sts: StrictSts, user: User, tmp_path: Path) -> None:
    """The role's name is the document's; the gateway is that of the other document."""
    people, pods, lent = Workspace(api, "people"), Workspace(api, "reports"), Workspace(api, "awssts-keys")
    terminal = desk(people, cluster, sts, tmp_path)
    with suppress(sts.iam.exceptions.NoSuchEntityException):
        sts.iam.delete_role(RoleName="reports")  # another test's
    role = sts.role("reports", user.arn)
    for name in ("cas.yaml", "pods.yaml"):
        saved("docs/howto-from-cas.md", name, terminal.home)
    given = {
        "AWS_ACCESS_KEY_ID": user.access_key_id,
        "AWS_SECRET_ACCESS_KEY": user.secret_access_key,
        "PASSWORD": PASSWORD,
    }
    with commands("docs/howto-from-cas.md") as shown:
        shown.run("policy", environment=terminal.environment | given, cwd=terminal.home)
        try:
            with served(terminal):
                shown.run("user", environment=terminal.environment | given)
                file = shown.run("call", environment=terminal.environment | given, cwd=terminal.home)
                found = dict(line.split("=", 1) for line in file.splitlines() if "=" in line)
                assert "aws_access_key_id" in found, file
                names = {"AccessKeyId": "access_key_id", "SecretAccessKey": "secret_access_key"}
                names["SessionToken"] = "session_token"
                held = {key: found[f"aws_{name}"] for key, name in names.items()}
                assert ":assumed-role/reports/people." in sts.client(held).get_caller_identity()["Arn"]
                shown.run("pods", environment=terminal.environment, cwd=terminal.home)
                assert pods.status()["roleArn"] == role
        finally:
            sts.iam.delete_role(RoleName="reports")
            cluster.kubectl("delete", "awsstspolicy/people")
            for space in (pods, people, lent):
                space.clear()
