"""A cluster that outlives the command which started it: `python -m testbed cluster up`, then `down`."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.cluster.cache import cache_directory
from testbed.process import ReportedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).parents[2]


def default_directory() -> Path:
    return cache_directory() / "cluster"


def remedy(directory: Path) -> str:
    chosen = "" if directory == default_directory() else f" --directory {directory}"
    return f"`python -m testbed cluster down{chosen}` ends it."


@contextmanager
def claimed(directory: Path) -> Iterator[None]:
    """Marks the directory as a running cluster's. The lock tells it from a killed one; the file has the pid."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "pid").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ReportedError(f"A cluster is running in {directory}: {remedy(directory)}") from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
        file.truncate(0)


def running(directory: Path) -> int | None:
    """The pid of the testbed that claims the directory."""
    with suppress(FileNotFoundError), (directory / "pid").open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(file.read() or 0) or None
    return None


def up(directory: Path, options: Sequence[str]) -> None:
    """Returns once the cluster is ready; it then runs until `down`, or until the machine stops."""
    if running(directory):
        raise ReportedError(f"A cluster is running in {directory}: {remedy(directory)}")
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / "testbed.log"
    said, says = os.pipe()
    command = [sys.executable, "-m", "testbed", "cluster", "run", f"--directory={directory}", *options]
    os.posix_spawn(  # not subprocess, which minds a child that is left running
        command[0],
        command,
        {**os.environ, "PYTHONPATH": str(ROOT)},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, says, 1),
            (os.POSIX_SPAWN_OPEN, 2, log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
        ],
        setsid=True,
    )
    os.close(says)
    with open(said, "rb") as first_words:  # noqa: PTH123 - a descriptor
        if not first_words.readline():
            raise ReportedError(f"The cluster didn't start:\n{log.read_text().strip()}")


def down(directory: Path) -> bool:
    """Ends the cluster and waits for its end; False if there is none."""
    pid = running(directory)
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    with (directory / "pid").open() as file:
        fcntl.flock(file, fcntl.LOCK_SH)
    return True
