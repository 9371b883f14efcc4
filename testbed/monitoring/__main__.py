"""``python -m testbed.monitoring``: a run with two operators, their troubles and a real Prometheus, as a picture.

What happens is what the dashboard is for: renewals, a renewal that was asked for, an AWS that throttles, a role that is
not trusted, a device whose person is away, an operator that is killed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from testbed.cluster import Cluster
from testbed.monitoring import dashboard, drawing
from testbed.monitoring.prometheus import Prometheus
from testbed.process import Process, ReportedError, free_port, wait_until
from testbed.sts import StrictSts, allow

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "docs" / "images" / "dashboard.png"
TEAMS = ("shop", "reports")
SHORT = 180.0  # seconds that credentials live in this run: some renewals are to be seen in it
POLICY = {
    "apiVersion": "awssts.dev/v1alpha1",
    "kind": "AwsStsPolicy",
    "metadata": {"name": "sensitive"},
    "spec": {
        "selector": {"requestSelector": {"matchLabels": {"sensitive": "yes"}}},
        "mfa": {"providers": [{"name": "totp", "type": "Totp"}], "triggers": {"global": {"provider": "totp"}}},
    },
}


class Stage:
    """The cluster, an STS, and two operators of which one leads."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self.cluster = stack.enter_context(Cluster(directory=folder / "cluster"))
        self.sts = stack.enter_context(StrictSts(folder))
        self.cluster.kubectl("apply", "--server-side", f"--filename={ROOT / 'crds'}")
        self.cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        self.user = self.sts.user("dashboard")
        for team in TEAMS:
            self.cluster.kubectl("create", "namespace", team)
            pair = (self.user.access_key_id, self.user.secret_access_key)
            self.secret(team, "iam", aws_access_key_id=pair[0], aws_secret_access_key=pair[1])
        self.ports = {name: free_port() for name in ("awssts-a", "awssts-b")}
        self.operators = [stack.enter_context(self._operator(name, folder)) for name in self.ports]

    def _operator(self, name: str, folder: Path) -> Process:
        command = [
            sys.executable,
            "-m",
            "awssts",
            "operator",
            "--leader-election",
            f"--metrics-port={self.ports[name]}",
        ]
        environment = {
            **os.environ,
            "KUBECONFIG": str(self.cluster.kubeconfig),
            "AWS_ENDPOINT_URL_STS": self.sts.endpoint,
            "AWSSTS_LEASE_NAMESPACE": "default",
        }
        return Process(name, command, log=folder / f"{name}.log", env=environment)

    def secret(self, namespace: str, name: str, **values: str) -> None:
        given = (f"--from-literal={key}={value}" for key, value in values.items())
        self.cluster.kubectl("create", "secret", "generic", name, f"--namespace={namespace}", *given)

    def request(self, namespace: str, name: str, labels: dict[str, str] | None = None, **spec: Any) -> None:
        body = {
            "apiVersion": "awssts.dev/v1alpha1",
            "kind": "AwsStsRequest",
            "metadata": {"name": name, "namespace": namespace, "labels": labels or {}},
            "spec": {"credentialsSecretRef": {"name": "iam"}, "duration": "15m", **spec},
        }
        self.cluster.kubectl("apply", "--server-side", "--filename=-", input=json.dumps(body))


def setting(stage: Stage) -> None:
    """Requests of every kind."""
    stage.sts.fault("expiry", seconds=SHORT)
    stage.cluster.kubectl("apply", "--server-side", "--filename=-", input=json.dumps(POLICY))
    role = stage.sts.role("reports", {"Statement": [allow(stage.user.arn)]})
    device = stage.sts.device(stage.user)
    stage.secret("shop", "device", seed=device.seed)
    for name in ("web", "cart", "search"):
        stage.request("shop", name)
    for name in ("daily", "hourly"):
        stage.request("reports", name, role={"arn": role})
    mfa = {"serialNumber": device.serial_number, "totpSecretRef": {"name": "device", "key": "seed"}}
    stage.request("shop", "payments", {"sensitive": "yes"}, mfa=mfa)
    stage.request("reports", "untrusted", role={"arn": role.replace("reports", "not-ours")})
    stage.request("reports", "by-a-person", mfa={"serialNumber": device.serial_number})


def drama(stage: Stage, seconds: float) -> None:
    """What happens meanwhile, at shares of the time."""
    began = time.monotonic()
    acts: list[tuple[float, Callable[[], object]]] = [
        (0.25, lambda: stage.cluster.kubectl("annotate", "awssts/web", "awssts.dev/renew=now", "--namespace=shop")),
        (0.40, lambda: stage.sts.fault("throttle", count=25)),
        (0.62, stage.operators[0].kill),
    ]
    for share, act in acts:
        time.sleep(max(began + share * seconds - time.monotonic(), 0))
        act()
    time.sleep(max(began + seconds - time.monotonic(), 0))


def run(minutes: float, file: Path) -> None:
    """Draws the picture of that many minutes."""
    with tempfile.TemporaryDirectory(prefix="awssts-monitoring-") as folder, ExitStack() as stack:
        stage = Stage(stack, Path(folder))
        targets = {name: f"127.0.0.1:{port}" for name, port in stage.ports.items()}
        prometheus = stack.enter_context(Prometheus(Path(folder) / "prometheus", targets))
        wait_until(lambda: bool(prometheus.now("awssts_leader == 1")), timeout=60, what="a leader")
        start = time.time()
        print(f"Working for {minutes:g} minutes", file=sys.stderr)
        setting(stage)
        drama(stage, minutes * 60)
        drawing.draw(dashboard.panels(), prometheus, start, time.time(), file)
    print(file)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m testbed.monitoring", description="Draws the dashboard of a run.")
    parser.add_argument("--minutes", type=float, default=15, help="how long (default: 15)")
    parser.add_argument("--output", type=Path, default=PICTURE, help="the PNG")
    arguments = parser.parse_args()
    try:
        run(arguments.minutes, arguments.output)
    except ReportedError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(1)
