"""The commands of docs/gateway.md and docs/howto-laptop.md, run as they are written there, by the names they show."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from awssts.adapters.authority import issue
from testbed.process import Process, free_port
from tests.documents import Commands, commands
from tests.integration.names import Names
from tests.integration.operator_process import ROOT
from tests.integration.patience import eventually
from tests.integration.terminal import Terminal
from tests.integration.typing_person import typed
from tests.integration.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testbed.cluster import Cluster
    from testbed.sts import StrictSts, User
    from tests.integration.kube import Api

PASSWORD = "correct horse battery staple"
SHOWN = {"awssts.example.com", "gateway.example.org"}


@pytest.fixture
def terminal(cluster: Cluster, api: Api, sts: StrictSts, tmp_path: Path) -> Terminal:
    """An administrator's, in a folder with the certificate for what the documents call the gateway, and a password."""
    made = Terminal(cluster, Workspace(api, "people"), tmp_path)
    pair, authority = issue(SHOWN, datetime.now(UTC))
    for name, content in {"tls.crt": pair.certificate, "tls.key": pair.key, "ca.crt": authority}.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "password.txt").write_text(PASSWORD)
    (tmp_path / "tests").symlink_to(ROOT / "tests")  # the commands are typed in a clone
    made.environment |= {
        "AWSSTS_HOST": "127.0.0.1",
        "AWSSTS_PORT": str(free_port()),
        "AWS_ENDPOINT_URL": sts.endpoint,
    }
    return made


@contextmanager
def served(terminal: Terminal, shown: Commands, block: str) -> Iterator[None]:
    """The gateway of a block; those who call it by a name of the documents reach it."""
    command = ["/usr/bin/env", f"--chdir={terminal.home}", *shown.command(block)]
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


def test_gateway_and_laptop(terminal: Terminal, api: Api, sts: StrictSts, user: User) -> None:
    device = sts.device(user, name="anna")
    with (
        commands("docs/gateway.md") as shown,
        commands("docs/howto-laptop.md") as laptop,
        served(terminal, shown, "serve"),
    ):
        Workspace(api, "people").keys(user, "anna-iam", watched=False)
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
