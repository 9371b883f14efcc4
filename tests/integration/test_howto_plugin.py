"""The commands of docs/howto-kubectl-plugin.md, run as they are written there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.terminal import Terminal

if TYPE_CHECKING:
    from testbed.cluster import Cluster
    from testbed.sts import User
    from tests.integration.workspace import Workspace

ROOT = Path(__file__).parents[2]
MARKED = re.compile(r"^<!-- test: (\w+) -->\n```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = dict(MARKED.findall((ROOT / "docs" / "howto-kubectl-plugin.md").read_text()))


@pytest.mark.usefixtures("operator")
def test_what_the_howto_says(cluster: Cluster, space: Workspace, user: User, tmp_path: Path) -> None:
    terminal = Terminal(cluster, space, tmp_path)
    space.keys(user)
    space.request()
    space.until_ready()
    old = space.held_key()
    assert list(BLOCKS) == ["status", "check", "renew", "exec", "explain"]
    said = {name: terminal.run("sh", "-euc", block).stdout for name, block in BLOCKS.items()}
    assert re.search(r"^reports   True    Issued   in 1(?:1h59m|2h) +renews in \d+h", said["status"], re.MULTILINE)
    assert said["renew"].startswith("reports: renewed, ")
    assert f"AWS_ACCESS_KEY_ID={space.held_key()}\n" in said["exec"]
    assert space.held_key() != old
    assert "Allowed by default: no policy selects the request" in said["explain"]
