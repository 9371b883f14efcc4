"""What the steps of the demo work with: a cluster, a strict STS, an IAM user, the operator."""

from __future__ import annotations

import base64
import json
import os
import shlex
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from testbed.cluster import Cluster
from testbed.process import Process, wait_until
from testbed.sts.client import StrictSts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from testbed.demo.screen import Screen
    from testbed.sidecar import SidecarProcess
    from testbed.sts.client import User

ROOT = Path(__file__).parents[2]
OPERATOR = "awssts-operator"  # its user in the cluster
WRITES = {"create", "update", "patch", "delete", "deletecollection"}


class Stage:
    """Everything that runs ends with the `with` block; the logs stay in `logs`."""

    user: User
    operator: Process
    sidecar: SidecarProcess
    program: Process  # behind the sidecar

    def __init__(self, screen: Screen, logs: Path) -> None:
        self.screen = screen
        self.logs = logs
        self.cluster = Cluster(audit=True, directory=logs)
        self.sts = StrictSts(logs)
        self.running = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.running.close()

    def kubectl(self, *arguments: str, shown: str = "", **options: Any) -> str:
        """Runs kubectl where everybody can see it; `shown` instead of arguments that are hard to read."""
        self.screen.command(f"kubectl {shown or shlex.join(arguments)}")
        answer = self.cluster.kubectl(*arguments, **options).stdout
        self.screen.output(answer)
        return answer

    def object(self, *arguments: str) -> dict[str, Any]:
        """An object of the cluster, unseen."""
        found: dict[str, Any] = json.loads(self.cluster.kubectl("get", *arguments, "--output=json").stdout)
        return found

    def secret(self, name: str) -> dict[str, str]:
        """A Secret's data, decoded; nothing of it is shown."""
        data = self.object("secret", name).get("data", {})
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def wait(self, probe: Callable[[], bool], what: str) -> None:
        wait_until(probe, timeout=60, what=what, process=self.operator)

    def start_operator(self) -> None:
        """Returns once the operator watches requests and Secrets."""
        seen = len(self.by_operator())
        if not hasattr(self, "operator"):
            command = [sys.executable, "-m", "awssts", "operator"]
            self.operator = Process("operator", command, log=self.logs / "operator.log", env=self._environment())
            self.running.callback(self.operator.stop)
        self.operator.start()
        self.wait(lambda: self._watched(seen) >= {"awsstsrequests", "secrets"}, "the operator's watches")

    def by_operator(self) -> list[dict[str, Any]]:
        """What the operator has asked the API server so far, from the audit log."""
        return [event for event in self.cluster.audit_events() if event["user"]["username"] == OPERATOR]

    def writes(self, since: int) -> int:
        """How often the operator has written, from its request number `since` on."""
        return sum(event["verb"] in WRITES for event in self.by_operator()[since:])

    def aws_environment(self) -> dict[str, str]:
        """The environment of a program that calls AWS here, with nothing of the caller's own AWS settings."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS")}
        return kept | {
            "AWS_ENDPOINT_URL_STS": self.sts.endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }

    def _environment(self) -> dict[str, str]:
        kubeconfig = self.cluster.user_kubeconfig(OPERATOR)
        return self.aws_environment() | {"KUBECONFIG": str(kubeconfig)}

    def _watched(self, since: int) -> set[str]:
        return {event["objectRef"]["resource"] for event in self._begun_watches(since)}

    def _begun_watches(self, since: int) -> Iterator[dict[str, Any]]:
        for event in self.by_operator()[since:]:
            if event["verb"] == "watch" and event["responseStatus"]["code"] == 200:
                yield event
