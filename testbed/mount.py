"""A Secret as kubelet mounts it, where there is no kubelet: for the demo, the tests and the benchmarks."""

from __future__ import annotations

import itertools
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

LINK: Final = "..data"


class MountedSecret:
    """A folder whose files change all at once, in the steps of kubelet's AtomicWriter (pkg/volume/util)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._numbers = itertools.count(1)

    def write(self, data: Mapping[str, str | bytes]) -> None:
        """The Secret's data now; what isn't in it any more goes away."""
        version = self.folder / f"..version.{os.getpid()}.{next(self._numbers)}"
        version.mkdir(mode=0o755)
        for key, value in data.items():
            file = version / key
            file.touch(mode=0o600)
            file.write_bytes(value.encode() if isinstance(value, str) else value)
        link = self.folder / LINK
        old = link.readlink() if link.is_symlink() else None
        draft = self.folder / f"{LINK}_tmp"
        draft.symlink_to(version.name)
        draft.rename(link)
        for key in data:
            if not (self.folder / key).is_symlink():
                (self.folder / key).symlink_to(Path(LINK, key))
        for found in self.folder.iterdir():
            if not found.name.startswith("..") and found.name not in data:
                found.unlink()
        if old is not None:
            shutil.rmtree(self.folder / old)
