"""``python -m testbed.pythons``: the unit tests with each other Python that is promised and is on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PROMISED = ((3, 11), (3, 12), (3, 13))  # as pyproject.toml's requires-python


def candidates(minor: int) -> Iterator[str]:
    """Where such a Python may be: on PATH, or where pyenv keeps it."""
    if found := shutil.which(f"python3.{minor}"):
        yield found
    home = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(str(path) for path in home.glob(f"versions/3.{minor}.*/bin/python3"))


def interpreter(version: tuple[int, int]) -> str | None:
    """One of that version that works: a shim of pyenv's may be there and not work."""
    fits = f"import ssl, sys; sys.exit(sys.version_info[:2] != {version})"
    for candidate in candidates(version[1]):
        if subprocess.run([candidate, "-c", fits], capture_output=True, check=False).returncode == 0:
            return candidate
    return None


def test_with(python: str, version: tuple[int, int], arguments: list[str]) -> bool:
    """Whether the unit tests pass with it, in an environment of its own that uv.lock names."""
    name = ".".join(map(str, version))
    print(f"With Python {name}", flush=True)
    uv: list[str | Path] = [
        Path(sys.executable).with_name("uv"),
        "run",
        "--quiet",
        "--isolated",
        "--locked",
        f"--python={python}",
    ]
    report = ROOT / ".cache" / "reports" / f"unit-{name}.xml"
    tests = ["pytest", "-q", "-n2", "--dist=loadfile", "-p", "no:cacheprovider", "tests/unit", f"--junitxml={report}"]
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "UV_SYSTEM_CERTS": "true"}
    environment.pop("VIRTUAL_ENV", None)
    return subprocess.run([*uv, *tests, *arguments], cwd=ROOT, env=environment, check=False).returncode == 0


def main(arguments: list[str]) -> int:
    failed, lacking = [], []
    for version in PROMISED:
        if version == sys.version_info[:2]:
            continue  # `make unit` does it
        python = interpreter(version)
        if python is None:
            lacking.append(".".join(map(str, version)))
        elif not test_with(python, version, arguments):
            failed.append(".".join(map(str, version)))
    if lacking:
        print(f"Not tested with Python {', '.join(lacking)}: there is none on this machine")
    if failed:
        print(f"Failed with Python {', '.join(failed)}", file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
