"""The commands of docs/install.md and of the chart's README, run as they are written there."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from testbed.cluster import Cluster
from testbed.cluster.binaries import binary
from tests.documents import commands


def test_install_to_purge(tmp_path: Path) -> None:
    """On a cluster without nodes: what pods do is seen end to end."""
    with (
        Cluster(controllers=True, directory=tmp_path / "cluster") as cluster,
        commands("docs/install.md") as shown,
        commands("charts/awssts/README.md") as readme,
    ):
        programs = f"{Path(sys.executable).parent}:{binary('helm').parent}:{os.environ['PATH']}"
        terminal = {"PATH": programs, "HOME": str(tmp_path), "KUBECONFIG": str(cluster.kubeconfig)}
        assert "STATUS: deployed" in shown.run("install", environment=terminal)
        image = "jsonpath={.spec.template.spec.containers[0].image}"
        for block in ("upgrade", "rollback"):
            shown.run(block, environment=terminal)
            found = cluster.kubectl("get", "deployment/awssts", "--namespace=awssts-system", f"--output={image}").stdout
            assert found == "registry.example.com/awssts:0.1.0"
        shown.run("uninstall", environment=terminal)
        assert "awsstsrequests.awssts.dev" in cluster.kubectl("get", "crds", "--output=name").stdout
        shown.run("purge", environment=terminal)
        assert "awssts.dev" not in cluster.kubectl("get", "crds", "--output=name").stdout
        assert "STATUS: deployed" in readme.run("install", environment=terminal)
