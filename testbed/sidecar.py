"""The sidecar as a process, beside a Secret as kubelet mounts it: for the demo, the tests and the benchmarks."""

from __future__ import annotations

import http.client
import sys
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Self

from testbed.mount import MountedSecret
from testbed.process import Process, free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping

PROGRAM = Path(sys.executable).with_name("awssts")


class SidecarProcess:
    """`awssts sidecar` with ports of its own; it ends with the `with` block."""

    def __init__(self, folder: Path, *options: str, log: Path | None = None) -> None:
        self.mounted = MountedSecret(folder / "mount")
        self.mounted.folder.mkdir()
        self.token_file = folder / "token"
        self.port, self.health_port = free_port(), free_port()
        self.command = [
            str(PROGRAM),
            "sidecar",
            f"--dir={self.mounted.folder}",
            f"--port={self.port}",
            f"--health-port={self.health_port}",
            f"--token-file={self.token_file}",
            "--create-token",
            *options,
        ]
        self.process = Process("sidecar", self.command, log=log or folder / "sidecar.log")

    @property
    def environment(self) -> Mapping[str, str]:
        """What a container gets, for its SDK to find the sidecar."""
        return {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{self.port}/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(self.token_file),
        }

    def start(self) -> None:
        """Returns once it listens, with credentials or without."""
        self.process.start()
        wait_until(self._alive, timeout=30, what="the sidecar", process=self.process)

    def stop(self) -> None:
        self.process.stop()

    def status(self, path: str) -> int:
        """That of an answer on the port for probes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.health_port, timeout=10)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        finally:
            connection.close()

    def _alive(self) -> bool:
        try:
            return self.status("/healthz") == HTTPStatus.OK
        except OSError:
            return False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
