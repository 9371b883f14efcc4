"""The commands of docs/install.md, run as they are written there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.cluster import Cluster
from testbed.cluster.binaries import binary

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]
MARKED = re.compile(r"^<!-- test: (\w+) -->\n```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = dict(MARKED.findall((ROOT / "docs" / "install.md").read_text()))


def run(block: str, terminal: Mapping[str, str]) -> str:
    done = subprocess.run(  # noqa: S603 - this project's own documentation
        ["/bin/sh", "-euc", BLOCKS[block]], cwd=ROOT, env=terminal, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_install_to_purge(tmp_path: Path) -> None:
    """On a cluster without nodes: what pods do is seen end to end."""
    assert list(BLOCKS) == ["install", "upgrade", "rollback", "uninstall", "purge"]
    with Cluster(controllers=True, directory=tmp_path / "cluster") as cluster:
        programs = f"{Path(sys.executable).parent}:{binary('helm').parent}:{os.environ['PATH']}"
        terminal = {"PATH": programs, "HOME": str(tmp_path), "KUBECONFIG": str(cluster.kubeconfig)}
        assert "STATUS: deployed" in run("install", terminal)
        image = "jsonpath={.spec.template.spec.containers[0].image}"
        for block in ("upgrade", "rollback"):
            run(block, terminal)
            found = cluster.kubectl("get", "deployment/awssts", "--namespace=awssts-system", f"--output={image}").stdout
            assert found == "registry.example.com/awssts:0.1.0"
        run("uninstall", terminal)
        assert "awsstsrequests.awssts.dev" in cluster.kubectl("get", "crds", "--output=name").stdout
        run("purge", terminal)
        assert "awssts.dev" not in cluster.kubectl("get", "crds", "--output=name").stdout
