"""The commands of the README's quick start, run as they are written there, one block after the other."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from testbed.cluster import Cluster
from testbed.process import Process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.sts import StrictSts, User

ROOT = Path(__file__).parents[2]
MARKED = re.compile(r"^<!-- test: (\w+) -->\n```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = dict(MARKED.findall((ROOT / "README.md").read_text()))


@pytest.fixture(scope="module")
def fresh() -> Iterator[Cluster]:
    """A cluster that has never heard of awssts."""
    with Cluster() as cluster:
        yield cluster


def environment(cluster: Cluster, sts: StrictSts, user: User) -> dict[str, str]:
    """What a reader's terminal has: kubectl and awssts on PATH, a kubeconfig, keys; and the strict STS for AWS."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith("AWS")}
    return bare | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "KUBECONFIG": str(cluster.kubeconfig),
        "AWS_ENDPOINT_URL_STS": sts.endpoint,
        "AWS_ACCESS_KEY_ID": user.access_key_id,
        "AWS_SECRET_ACCESS_KEY": user.secret_access_key,
        "NO_PROXY": "127.0.0.1",
    }


def run(block: str, terminal: dict[str, str]) -> str:
    done = subprocess.run(  # noqa: S603 - this project's own README
        ["/bin/sh", "-euc", BLOCKS[block]], cwd=ROOT, env=terminal, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_quick_start(fresh: Cluster, sts: StrictSts, user: User, tmp_path: Path) -> None:
    assert list(BLOCKS) == ["crds", "operator", "request", "check", "after"]
    terminal = environment(fresh, sts, user)
    run("crds", terminal)
    fresh.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    command = ["/bin/sh", "-euc", f"exec {BLOCKS['operator']}"]
    with Process("operator", command, log=tmp_path / "operator.log", env=terminal) as operator:
        assert re.search(r"^reports +True +Issued +reports ", run("request", terminal), re.MULTILINE), (
            operator.log_tail()
        )
        assert run("check", terminal).endswith(", 0 problems\n")
        run("after", terminal)
