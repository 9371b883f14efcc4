"""The commands of docs/howto-kubectl-plugin.md, run as they are written there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.documents import commands
from tests.integration.terminal import Terminal
from tests.integration.test_mfa_people import until_asked

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.cluster import Cluster
    from testbed.sts import StrictSts, User
    from tests.integration.workspace import Workspace


@pytest.mark.usefixtures("operator")
def test_what_the_howto_says(cluster: Cluster, space: Workspace, sts: StrictSts, user: User, tmp_path: Path) -> None:
    terminal = Terminal(cluster, space, tmp_path).environment
    space.keys(user)
    space.request()
    space.until_ready()
    old = space.held_key()
    with commands("docs/howto-kubectl-plugin.md") as shown:
        said = {name: shown.run(name, environment=terminal) for name in ("status", "check", "renew", "exec", "explain")}
        assert re.search(r"^reports   True    Issued   in 1(?:1h59m|2h) +renews in \d+h", said["status"], re.MULTILINE)
        assert said["renew"].startswith("reports: renewed, ")
        assert f"AWS_ACCESS_KEY_ID={space.held_key()}\n" in said["exec"]
        assert space.held_key() != old
        assert "Allowed by default: no policy selects the request" in said["explain"]
        shown.run("complete", environment=terminal, by="bash")
        device = sts.device(user)
        space.change(mfa={"serialNumber": device.serial_number})
        until_asked(space)
        assert "accepted" in shown.run("mfa", environment=terminal, given=f"{device.code()}\n")
