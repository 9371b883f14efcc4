"""Programs of Debian's packages, taken out of them without installing anything."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.cluster.cache import cache_directory, locked
from testbed.process import ReportedError

if TYPE_CHECKING:
    from collections.abc import Mapping


def program(name: str, *packages: str) -> tuple[Path, Mapping[str, str]]:
    """The program on PATH, or else of the first of these packages; and the environment that it takes.

    The other packages hold the libraries that it loads.
    """
    if (installed := shutil.which(name)) is not None:
        return Path(installed), {}
    folder = cache_directory() / "debian" / packages[0]
    with locked(folder, what=name):
        if not (folder / "usr/bin" / name).exists():
            _unpack(folder, packages)
    libraries = sorted({str(found.parent) for found in folder.glob("usr/lib/*/*.so*")})
    return folder / "usr/bin" / name, {"LD_LIBRARY_PATH": os.pathsep.join(libraries)} if libraries else {}


def _unpack(folder: Path, packages: tuple[str, ...]) -> None:
    get, unpack = shutil.which("apt-get"), shutil.which("dpkg-deb")
    if get is None or unpack is None:
        raise ReportedError(f"{packages[0]} is needed: it is not on PATH, and this is no Debian to fetch it from")
    for package in packages:
        fetch = [get, "download", "-qq", package]
        done = subprocess.run(fetch, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:  # a new machine has no lists of packages yet
            subprocess.run([get, "update", "-qq"], capture_output=True, check=False)
            done = subprocess.run(fetch, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ReportedError(f"{package} can't be fetched from Debian's mirror: {done.stderr.strip()}")
    for archive in folder.glob("*.deb"):
        subprocess.run([unpack, "-x", archive, folder], check=True)
        archive.unlink()
