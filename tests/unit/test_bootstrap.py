"""What a machine hears that lacks something."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "testbed" / "bootstrap.sh"


def bootstrap(root: Path, python: str) -> subprocess.CompletedProcess[str]:
    """Runs a copy of the script, which then makes its .venv somewhere else, with that Python."""
    (root / "testbed").mkdir()
    shutil.copy(SCRIPT, root / "testbed")
    shutil.copy(SCRIPT.parents[1] / "uv.lock", root)
    return subprocess.run(  # noqa: S603 - this project's own script
        ["/bin/sh", root / "testbed" / SCRIPT.name],
        env={**os.environ, "PYTHON": python},
        capture_output=True,
        text=True,
        check=False,
    )


def test_no_python_that_fits(tmp_path: Path) -> None:
    done = bootstrap(tmp_path, "/nonexistent/python")
    assert done.returncode == 1
    assert "Python 3.11, 3.12 or 3.13 is needed" in done.stderr
    assert "apt-get install python3 python3-venv" in done.stderr


def test_python_without_venv(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\ncase "$2" in *ensurepip*) exit 1 ;; esac\n')
    python.chmod(0o755)
    done = bootstrap(tmp_path, str(python))
    assert done.returncode == 1
    assert "apt-get install python3-venv" in done.stderr
