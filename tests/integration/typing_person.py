"""A person at a terminal, who answers what a program asks."""

from __future__ import annotations

import os
import pty
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def typed(command: Sequence[str], answers: Sequence[tuple[str, str]], env: Mapping[str, str], cwd: Path) -> str:
    """Runs a command on a terminal of its own; each answer is typed once its question is there. Returns all it said."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(  # noqa: S603 - the tests' own commands
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=env, cwd=cwd, start_new_session=True
    ) as running:
        os.close(theirs)
        said, seen = "", 0
        left = list(answers)
        with suppress(OSError):  # EIO: it has ended
            while data := os.read(ours, 4096):
                said += data.decode()
                if left and left[0][0] in said[seen:]:
                    seen = len(said)
                    os.write(ours, f"{left.pop(0)[1]}\n".encode())
    os.close(ours)
    assert running.returncode == 0, said
    assert left == [], said
    return said.replace("\r\n", "\n")
