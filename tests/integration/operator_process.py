"""The operator as its users run it: a process with a service account's kubeconfig, and its log in a file."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Self

from testbed.process import Process
from tests.integration.patience import eventually

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from testbed.cluster import Cluster

ROOT = Path(__file__).parents[2]
RIGHTS = ROOT / "tests" / "data" / "rbac"
PROGRAM = Path(sys.executable).with_name("awssts")
SYSTEM = "awssts-system"  # the operator's own namespace


def install(cluster: Cluster) -> None:
    """The CRDs, and a service account with the rights that the operator needs and no other."""
    cluster.kubectl("apply", "--server-side", "--filename", ROOT / "crds")
    serves = ["get", "awsstsrequests,awsstspolicies", "--all-namespaces"]  # Established ones answer 429 for a moment
    eventually(lambda: cluster.kubectl(*serves, check=False).returncode == 0, "the APIs of the CRDs")
    cluster.kubectl("create", "namespace", SYSTEM)
    cluster.kubectl("apply", "--filename", RIGHTS / "cluster-wide.yaml")


def account_kubeconfig(cluster: Cluster, account: str, path: Path, server: str = "") -> Path:
    """A kubeconfig with a token of a service account in the operator's namespace; `server` may be a proxy."""
    token = cluster.kubectl("create", "token", account, f"--namespace={SYSTEM}", "--duration=8h").stdout.strip()
    address = {"server": server} if server else {"server": cluster.server, "certificate-authority": str(cluster.ca)}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "operator",
        "clusters": [{"name": "here", "cluster": address}],
        "contexts": [{"name": "operator", "context": {"cluster": "here", "user": "operator"}}],
        "users": [{"name": "operator", "user": {"token": token}}],
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(content))
    return path


class OperatorProcess:
    """`awssts operator` at debug level; it can be ended and started again, and then goes on in the same log.

    Its environment is bare: nothing of the machine's own AWS settings reaches it unless a test says so.
    """

    def __init__(
        self,
        kubeconfig: Path,
        sts_endpoint: str,
        folder: Path,
        *,
        options: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        home = folder / "home"
        home.mkdir(parents=True, exist_ok=True)
        self.log = folder / "operator.log"
        self._process = Process(
            "operator",
            [PROGRAM, "operator", "--log-level=debug", *options],
            log=self.log,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(home),
                "KUBECONFIG": str(kubeconfig),
                "AWS_ENDPOINT_URL_STS": sts_endpoint,
                "PYTHONWARNINGS": "default",
                **(environment or {}),
            },
        )

    def start(self) -> None:
        """Returns at once: what it does then is waited for where it is looked at."""
        self._process.start()

    def until_started(self) -> None:
        """An error if it ends instead: better than one test after the other that waits for it in vain."""
        eventually(lambda: not self.alive or "starting" in self.said(), "the operator's start")
        assert self.alive, self.said()

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        self._process.stop(timeout=60)
        assert self._process.returncode is not None
        return self._process.returncode

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()

    def end(self) -> int:
        """The exit code of one that ends by itself."""
        eventually(lambda: not self._process.alive, "the operator's end")
        self._process.stop()
        assert self._process.returncode is not None
        return self._process.returncode

    @property
    def alive(self) -> bool:
        return self._process.alive

    def said(self) -> str:
        """Its whole log."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def stop_if_running(self) -> None:
        self._process.stop(timeout=60)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_if_running()
