"""A person's terminal: `awssts` and kubectl on the PATH, a kubeconfig, nothing of AWS."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testbed.cluster import Cluster
    from tests.integration.workspace import Workspace

PROGRAMS = Path(sys.executable).parent


class Terminal:
    """Runs commands there. Its kubeconfig's context names the test's namespace, as `kubectl config` does it."""

    def __init__(self, cluster: Cluster, space: Workspace, home: Path, kubeconfig: Path | None = None) -> None:
        self.home = home
        config = home / "kubeconfig"
        config.touch(mode=0o600)
        config.write_text((kubeconfig or cluster.kubeconfig).read_text())
        bare = {name: value for name, value in os.environ.items() if not name.startswith(("AWS", "KUBE"))}
        self.environment = bare | {
            "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
            "HOME": str(home),
            "KUBECONFIG": str(config),
            "PYTHONWARNINGS": "error",
        }
        self.run("kubectl", "config", "set-context", "--current", f"--namespace={space.name}")

    def run(
        self, *words: str, given: str = "", code: int | None = 0, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command with `given` on its standard input; an error if it exits with another code."""
        done = subprocess.run(  # noqa: S603 - the tests' own commands
            words,
            input=given,
            env=self.environment | variables,
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
            timeout=150,
        )
        assert code in {None, done.returncode}, (words, done.returncode, done.stdout, done.stderr)
        return done

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Starts a command with pipes."""
        pipe = subprocess.PIPE
        return subprocess.Popen(  # noqa: S603 - the tests' own commands
            words, env=self.environment, cwd=self.home, stdin=pipe, stdout=pipe, stderr=pipe, text=True
        )
