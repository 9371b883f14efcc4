"""Control groups of pods: the kernel keeps them, empty, when their processes have ended."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")


def remove(name: str) -> None:
    """Below the root (v2), or below each controller's (v1)."""
    for top in [ROOT / name, *ROOT.glob(f"*/{name}")]:
        for folder, _, _ in os.walk(top, topdown=False):
            with suppress(OSError):  # a process is still in it; the next testbed tries again
                Path(folder).rmdir()
