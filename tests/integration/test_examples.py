"""Each example is what it says: a manifest that a cluster takes and the operator understands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from testbed.demo import examples

if TYPE_CHECKING:
    from testbed.cluster import Cluster
    from tests.integration.workspace import Workspace

AWSSTS = Path(sys.executable).with_name("awssts")


@pytest.mark.parametrize("manifest", examples.manifests(), ids=lambda path: path.stem)
def test_is_applied(cluster: Cluster, space: Workspace, manifest: Path) -> None:
    strictly = ["--server-side", "--validate=strict", f"--namespace={space.name}"]
    done = cluster.kubectl("apply", *strictly, f"--filename={manifest}")
    assert re.search(r"^awssts\w+\.awssts\.dev/", done.stdout, re.MULTILINE)
    assert not done.stderr


@pytest.mark.parametrize("manifest", examples.manifests(), ids=lambda path: path.stem)
def test_passes_awssts_check(manifest: Path) -> None:
    done = subprocess.run(  # noqa: S603 - this project's own command
        [AWSSTS, "check", "-f", manifest], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not done.stdout.startswith("0 objects")
