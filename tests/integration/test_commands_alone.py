"""`awssts mfa` where no operator runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration import kube
from tests.integration.terminal import Terminal

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.cluster import Cluster
    from tests.integration.workspace import Workspace

DEVICE = {"serialNumber": "arn:aws:iam::123456789012:mfa/reports"}


@pytest.fixture
def terminal(cluster: Cluster, space: Workspace, tmp_path: Path) -> Terminal:
    return Terminal(cluster, space, tmp_path)


def test_a_code_that_nobody_takes_is_taken_back(terminal: Terminal, space: Workspace) -> None:
    space.request(mfa=DEVICE)
    done = terminal.run("awssts", "mfa", "reports", "123456", "--timeout=2", code=4)
    assert "no operator took the code in 2 s, so it was taken back" in done.stderr
    found = space.api.get(kube.path(kube.REQUESTS, space.name, "reports")) or {}
    assert "awssts.dev/token-code" not in found["metadata"].get("annotations", {})


def test_the_code_is_in_no_command_line(terminal: Terminal, space: Workspace) -> None:
    """Neither in ours nor in kubectl's: all of this user's are looked at while it waits."""
    space.request(mfa=DEVICE)
    running = terminal.start("awssts", "mfa", "reports", "--timeout=3")
    assert running.stdin is not None
    assert running.stderr is not None
    running.stdin.write("987654\n")
    running.stdin.flush()
    seen = terminal.run("sh", "-c", "for i in $(seq 60); do cat /proc/[0-9]*/cmdline 2>/dev/null; sleep 0.05; done")
    assert running.wait(60) == 4
    assert "patch" in seen.stdout
    assert "987654" not in seen.stdout
    running.communicate()


def test_a_suspended_request_takes_no_code(terminal: Terminal, space: Workspace) -> None:
    space.request(mfa=DEVICE, suspend=True)
    assert "is suspended" in terminal.run("awssts", "mfa", "reports", "123456", code=1).stderr


def test_a_renewal_without_an_operator(terminal: Terminal, space: Workspace) -> None:
    space.request()
    done = terminal.run("awssts", "renew", "reports", "--wait", "--timeout=1", code=1)
    assert "nothing happened in 1 s: is the operator running?" in done.stderr
    assert "is looked at, if an operator runs" in terminal.run("awssts", "status").stdout
