"""A private folder that is removed when the testbed ends, at the latest when the next one starts."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from testbed.cluster import cgroups

PREFIX = "awssts-cluster-"
YOUNG = 60  # seconds: a folder this new may just be being locked


class Scratch:
    """The lock on the folder tells a folder in use from one whose owner was killed."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def sweep() -> list[Path]:
    """Removes what killed testbeds have left; returns the folders."""
    return [folder for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*") if _removed(folder)]


def _removed(folder: Path) -> bool:
    with suppress(OSError):  # another process removes it, or it isn't ours
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            about = os.fstat(held)
            if about.st_uid != os.geteuid() or time.time() - about.st_mtime < YOUNG:
                return False
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            cgroups.remove(folder.name)
            shutil.rmtree(folder)
        finally:
            os.close(held)
        return True
    return False
