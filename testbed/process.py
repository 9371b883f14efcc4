"""Programs that the testbed starts: none of them outlives the testbed, however it ends."""

from __future__ import annotations

import random
import shutil
import socket
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from testbed import supervisor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

GRACE = 2.0  # seconds between SIGTERM and SIGKILL once the parent is gone: nobody waits for a tidy end then


class ReportedError(Exception):
    """What went wrong and what to do about it, in words for a person: shown without a traceback."""


class Process:
    """A program of the testbed: its output goes to a log file, and it ends when its parent ends.

    That holds for all that the program starts, too, and however the parent ends, also by SIGKILL: a
    supervisor (testbed/supervisor.py) stands between the two. PR_SET_PDEATHSIG alone wouldn't do: it fires
    when the parent's *thread* ends, and never reaches children of children.
    """

    def __init__(
        self, name: str, command: Sequence[str | Path], *, log: Path, env: Mapping[str, str] | None = None
    ) -> None:
        """`env` is the program's whole environment; without it, it inherits ours."""
        self.name = name
        self.log = log
        self._command = [str(part) for part in command]
        self._env = env
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._pid = 0

    def start(self) -> None:
        """Starts the program, also once more after its end; its output is appended to the log."""
        if self.alive:
            raise ReportedError(f"{self.name} is running already (pid {self.pid})")
        if shutil.which(self._command[0]) is None:
            raise ReportedError(f"{self.name}: no program {self._command[0]!r} here")
        self._release()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._control, theirs = socket.socketpair()
        with theirs, self.log.open("ab") as output:
            self._supervisor = subprocess.Popen(
                [sys.executable, "-I", "-S", supervisor.__file__, str(GRACE), *self._command],
                stdin=theirs.fileno(),
                stdout=output,
                stderr=output,
                env=self._env,
                start_new_session=True,  # Ctrl-C reaches the testbed only, which ends its programs in order
            )
        self._pid = int(self._control.recv(16) or 0)

    def stop(self, timeout: float = 10) -> None:
        """SIGTERM, and SIGKILL after `timeout` seconds. Without effect on a program that has ended."""
        if self._supervisor is not None:
            self._ask(supervisor.TERMINATE)
            try:
                self._supervisor.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
            self._release()

    def kill(self) -> None:
        """SIGKILL at once, for the program and all it started."""
        if self._supervisor is not None:
            self._ask(supervisor.KILL)
            self._supervisor.wait()
            self._release()

    @property
    def pid(self) -> int:
        """The program's own, not its supervisor's: for measuring it."""
        if not self._pid:
            raise ReportedError(f"{self.name} was not started")
        return self._pid

    @property
    def alive(self) -> bool:
        return self._supervisor is not None and self._supervisor.poll() is None

    @property
    def returncode(self) -> int | None:
        """The program's, negative for a signal as with subprocess; None before its end."""
        return None if self._supervisor is None else self._supervisor.poll()

    def log_tail(self, lines: int = 15) -> str:
        """The last lines of the log, for an error message."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _ask(self, wish: bytes) -> None:
        if self._control is not None:
            with suppress(OSError):  # its end came first
                self._control.send(wish)

    def _release(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None


def free_port() -> int:
    """A port to listen on, free on all addresses.

    It is from below the range that the kernel hands to outgoing connections (32768 and up) and below
    NodePorts: one that was free a moment ago isn't taken by a connection before the program listens.
    """
    while True:
        port = random.randint(20000, 29999)  # noqa: S311 - no secret
        with socket.socket() as candidate:
            candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):  # taken: try another
                candidate.bind(("", port))
                return port


def wait_until(probe: Callable[[], bool], *, timeout: float, what: str, process: Process | None = None) -> None:
    """Returns once `probe` says so; the error names `what`, and why if `process` has died."""
    deadline = time.monotonic() + timeout
    pause = 0.01
    while not probe():
        if process is not None and not process.alive:
            raise ReportedError(
                f"{what}: {process.name} ended with code {process.returncode}; the end of {process.log}:\n"
                f"{process.log_tail()}"
            )
        if time.monotonic() > deadline:
            log = f"; see {process.log}" if process is not None else ""
            raise ReportedError(f"{what}: still not after {timeout:g} s{log}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.2)
