"""`make demo`: it goes through, tells what failed, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from testbed.demo.__main__ import STEPS

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "testbed.demo"]
SECRET = re.compile(r"[A-Za-z0-9+/=]{38,}")  # a secret access key has 40 characters, a token hundreds


@pytest.fixture
def folder() -> Iterator[Path]:
    """For all that the demo makes; a short path, for etcd's sockets."""
    with tempfile.TemporaryDirectory(prefix="demo-") as path:
        yield Path(path)


def demo(folder: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - this project's own command
        COMMAND,
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def programs_in(folder: Path) -> list[str]:
    """Running programs that were told of the folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # ended while we looked
        if str(folder) in command:
            found.append(command)
    return found


def test_all_steps(folder: Path) -> None:
    with demo(folder) as running:
        said = running.communicate()[0]
    assert running.returncode == 0, said
    table = said.partition("\nstep ")[2]
    assert [step.title for step in STEPS if step.title not in table] == []
    assert "0 calls to STS, 0 writes to the cluster" in table
    assert SECRET.findall(said) == []
    assert "\x1b" not in said  # no terminal, no colours
    assert list(folder.iterdir()) == []
    assert programs_in(folder) == []


def test_interrupted(folder: Path) -> None:
    with demo(folder) as running:
        assert running.stdout is not None
        said = ""
        for line in running.stdout:
            said += line
            if "Apply the examples" in line:
                assert len(programs_in(folder)) >= 2
                running.send_signal(signal.SIGINT)
                break
        said += running.stdout.read()
    assert running.returncode == 130, said
    assert said.endswith("Interrupted; nothing is left running.\n")
    assert list(folder.iterdir()) == []
    assert programs_in(folder) == []


def test_says_what_failed(folder: Path) -> None:
    assets = folder / "assets"
    assets.mkdir()
    for name in ("etcd", "kube-apiserver"):
        (assets / name).write_text("#!/bin/sh\necho no room on the disk; exit 3\n")
        (assets / name).chmod(0o755)
    with demo(folder, KUBEBUILDER_ASSETS=str(assets)) as running:
        said = running.communicate()[0]
    assert running.returncode == 1
    assert "✗ the API server: kube-apiserver ended with code 3" in said
    assert "no room on the disk" in said
    (logs,) = folder.glob("awssts-demo-*")
    assert f"The logs are in {logs}" in said
