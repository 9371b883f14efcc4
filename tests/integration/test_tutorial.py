"""The commands of docs/tutorial.md, typed one after the other as its reader does, in several terminals."""

from __future__ import annotations

import os
import re
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from testbed import image
from testbed.cluster import requirements
from testbed.cluster.binaries import binary
from testbed.cluster.cache import cache_directory
from testbed.process import Process, ReportedError, wait_until
from tests.documents import ROOT, Commands, commands
from tests.integration.patience import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TURNOVER = 180  # seconds for kubelet to bring a changed Secret into a pod
LINE = re.compile(r"^(ASIA\w+) arn:aws:iam::123456789012:user/tutorial$", re.MULTILINE)


class Reader:
    """Somebody at a machine with a home of its own; what was built once is there."""

    def __init__(self, home: Path, shown: Commands) -> None:
        cache = home / ".cache" / "awssts"
        cache.mkdir(parents=True)
        for kept in cache_directory().iterdir():
            if kept.name != "cluster":
                (cache / kept.name).symlink_to(kept)
        away = ("AWS", "KUBE", "XDG", "MAKE", "MFLAGS")
        bare = {name: value for name, value in os.environ.items() if not name.startswith(away)}
        self.environment = bare | {
            "HOME": str(home),
            "PATH": f"{binary('helm').parent}:{os.environ['PATH']}",
            "NO_PROXY": "*",
        }
        self.logs = home
        self.shown = shown

    def types(self, *blocks: str) -> str:
        return self.shown.run(*blocks, environment=self.environment)

    @contextmanager
    def leaves_running(self, *blocks: str, says: str) -> Iterator[Process]:
        """In a terminal of its own, until it says that."""
        name = blocks[-1]
        command = ["/usr/bin/env", f"--chdir={ROOT}", *self.shown.command(*blocks)]
        with Process(name, command, log=self.logs / f"{name}.log", env=self.environment) as running:
            wait_until(lambda: says in running.log_tail(50), timeout=60, what=name, process=running)
            yield running

    def tidies_up(self) -> None:
        subprocess.run(["make", "cluster-down"], cwd=ROOT, env=self.environment, check=True)  # noqa: S607 - as a reader does


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_as_a_reader_does(tmp_path: Path) -> None:
    with commands("docs/tutorial.md") as shown:
        reader = Reader(tmp_path, shown)
        try:
            on_this_machine(reader)
            try:
                image.check()
                requirements.check()
            except ReportedError as lacking:
                pytest.skip(f"all but the last chapter: {lacking}")
            in_a_pod(reader)
        finally:
            reader.tidies_up()


def on_this_machine(reader: Reader) -> None:
    reader.types("cluster")
    with reader.leaves_running("terminal", "aws", says="listens on"):
        reader.types("terminal", "user")
        reader.types("terminal", "kinds")
        with reader.leaves_running("terminal", "operator", says="starting"):
            reader.types("terminal", "request")
            assert not (reader.logs / "tutorial-user.sh").exists()
            assert "Ready" in reader.types("terminal", "status")
            assert "credentials.json" in reader.types("terminal", "secret")
            assert reader.types("terminal", "who") == "arn:aws:iam::123456789012:user/tutorial\n"
            with reader.leaves_running("terminal", "program", says="ASIA") as program:
                reader.types("terminal", "renew")
                eventually(lambda: len(keys(program.log_tail(500))) == 2, "a call with the new key")
                assert "Traceback" not in program.log_tail(500)
            assert "Opaque" in reader.types("terminal", "damage")
    reader.types("down")


def in_a_pod(reader: Reader) -> None:
    reader.types("node")
    with reader.leaves_running("terminal", "address", "reachable", says="listens on"):
        reader.types("terminal", "address", "user")
        reader.types("terminal", "address", "install")
        reader.types("terminal", "address", "request")
        reader.types("terminal", "address", "pod")
        first = keys(reader.types("terminal", "logs"))
        reader.types("terminal", "renew")
        eventually(lambda: keys(reader.types("terminal", "logs")) - first, "the new key in the pod", timeout=TURNOVER)
        assert re.search(r"^tutorial +2/2 +Running +0 ", reader.types("terminal", "logs"), re.MULTILINE)
    reader.types("terminal", "end")


def keys(said: str) -> set[str]:
    return set(LINE.findall(said))
