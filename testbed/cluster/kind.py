"""A cluster on kind, where Docker is, for the end-to-end tests: what they use of Cluster, by kind's own commands."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Self

from testbed.cluster.binaries import binary
from testbed.cluster.client import kubectl
from testbed.process import ReportedError

NAME = "testbed"
GATEWAYS = "{{range .IPAM.Config}}{{.Gateway}} {{end}}"


def chosen() -> bool:
    """Whether AWSSTS_E2E says kind; where it says nothing, whether nobody is root here and Docker answers."""
    if engine := os.environ.get("AWSSTS_E2E"):
        if engine not in {"kind", "node"}:
            raise ReportedError(f"AWSSTS_E2E is {engine}: it has to be kind or node")
        return engine == "kind"
    docker = shutil.which("docker")
    return (
        os.geteuid() != 0
        and docker is not None
        and subprocess.run([docker, "info"], capture_output=True, check=False).returncode == 0
    )


class Kind:
    """Started by `with`. Its network, kindnet, makes NetworkPolicies count."""

    host_address: str  # this machine's, for pods

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.kubeconfig = directory / "kubeconfig"

    def __enter__(self) -> Self:
        try:
            self._kind("create", "cluster", f"--kubeconfig={self.kubeconfig}", "--wait=180s")
            networks = run("docker", "network", "inspect", "kind", f"--format={GATEWAYS}").split()
            self.host_address = next(address for address in networks if "." in address)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._kind("delete", "cluster", f"--kubeconfig={self.kubeconfig}")

    def kubectl(
        self,
        *arguments: str | Path,
        input: str | None = None,  # noqa: A002 - as subprocess.run calls it
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        return kubectl(self.kubeconfig, self._directory / "cache", *arguments, given=input, check=check)

    def load_image(self, tar: Path) -> None:
        self._kind("load", "image-archive", tar)

    def kill_container(self, container: str) -> None:
        ctr = ("ctr", "--namespace=k8s.io", "tasks", "kill", "--signal=SIGKILL")
        run("docker", "exec", f"{NAME}-control-plane", *ctr, container.removeprefix("containerd://"))

    def _kind(self, *arguments: str | Path) -> None:
        run(binary("kind"), *arguments, f"--name={NAME}")


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ReportedError(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
    return done.stdout
