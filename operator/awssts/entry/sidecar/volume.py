"""A Secret as kubelet mounts it, read whole.

kubelet writes each version into a folder of its own and then renames the symbolic link ``..data`` onto it
(AtomicWriter in pkg/volume/util). A version is never changed, only removed once the link points elsewhere.
"""

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from awssts.domain.vending import FILES, LARGEST, WHOLE

LINK: Final = "..data"
ATTEMPTS: Final = 5  # to read one version before it is gone

_Mark = tuple[object, ...]


class Volume:
    """The folder where the Secret is mounted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: _Mark | None = None

    def changed(self) -> dict[str, bytes] | None:
        """Return the files if they are others than at the last call, all of one version; else None.

        A folder without the link is no mounted Secret: several files there can't be told to belong together, so
        only the one is read that has everything in it.

        Raises:
            OSError: the folder is not there or can't be read.
        """
        for _ in range(ATTEMPTS):
            mark = self._mark()
            if mark == self._seen:
                return None
            files = self._files(FILES if mark[0] == LINK else (WHOLE,))
            if self._mark() == mark:
                self._seen = mark
                return files
        return None  # it changes faster than it can be read: at the next look then

    def forget(self) -> None:
        """Have the files read again at the next call, changed or not."""
        self._seen = None

    def _mark(self) -> _Mark:
        with suppress(FileNotFoundError):
            found = os.stat(self._folder / LINK)  # noqa: PTH116 - as fast as can be: each second, in every pod
            return LINK, os.readlink(self._folder / LINK), found.st_ino, found.st_mtime_ns  # noqa: PTH115
        with suppress(FileNotFoundError):
            found = os.stat(self._folder / WHOLE)  # noqa: PTH116
            return WHOLE, found.st_ino, found.st_mtime_ns, found.st_size
        return (None,)

    def _files(self, names: tuple[str, ...]) -> dict[str, bytes]:
        """Return what there is of those files, all from the folder that the link points to now."""
        folder = self._folder / LINK
        version = os.open(folder if folder.exists() else self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            found = {name: content(name, LARGEST, version) for name in names}
        finally:
            os.close(version)
        return {name: held for name, held in found.items() if held is not None}


def content(path: str | Path, most: int, folder: int | None = None) -> bytes | None:
    """Return up to a byte more than a file may have; None where there is none, nothing of what is no file.

    Raises:
        OSError: it can't be read.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK, dir_fd=folder)
    except FileNotFoundError:
        return None
    try:
        return os.read(file, most + 1) if stat.S_ISREG(os.fstat(file).st_mode) else b""
    finally:
        os.close(file)
