"""The commands of the README's quick start, run as they are written there, one block after the other."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from testbed.cluster import Cluster
from testbed.process import Process
from tests.documents import commands

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.sts import StrictSts, User


@pytest.fixture(scope="module")
def fresh() -> Iterator[Cluster]:
    """A cluster that has never heard of awssts."""
    with Cluster() as cluster:
        yield cluster


def environment(cluster: Cluster, sts: StrictSts, user: User, home: Path) -> dict[str, str]:
    """What a reader's terminal has: kubectl on PATH, a kubeconfig, keys; and the strict STS for AWS."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith("AWS")}
    (home / "bin").mkdir()
    for program in ("kubectl", "python3"):
        (home / "bin" / program).symlink_to(Path(sys.executable).with_name(program))
    return bare | {
        "HOME": str(home),
        "PATH": f"{home}/bin:{os.environ['PATH']}",
        "KUBECONFIG": str(cluster.kubeconfig),
        "AWS_ENDPOINT_URL_STS": sts.endpoint,
        "AWS_ACCESS_KEY_ID": user.access_key_id,
        "AWS_SECRET_ACCESS_KEY": user.secret_access_key,
        "NO_PROXY": "127.0.0.1",
    }


def test_quick_start(fresh: Cluster, sts: StrictSts, user: User, tmp_path: Path) -> None:
    terminal = environment(fresh, sts, user, tmp_path)
    with commands("README.md") as shown:
        shown.run("crds", environment=terminal)
        fresh.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        shown.run("pip", environment=terminal)
        assert (tmp_path / ".awssts" / "bin" / "awssts").exists()
        with Process("operator", shown.command("operator"), log=tmp_path / "operator.log", env=terminal) as operator:
            said = shown.run("request", environment=terminal)
            assert re.search(r"^reports +True +Issued +reports ", said, re.MULTILINE), operator.log_tail()
            assert shown.run("check", environment=terminal).endswith(", 0 problems\n")
            shown.run("after", environment=terminal)
        shown.run("end", environment=terminal)
        assert not (tmp_path / ".awssts").exists()
