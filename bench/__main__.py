"""``python -m bench``: a cold start, an idle spell and a restart with many requests."""

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from testbed.cluster import Cluster
from testbed.process import Process, wait_until
from testbed.sts import StrictSts

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
IDLE = 15.0  # seconds


class Operator:
    """The operator as a process, and what the system says of it."""

    def __init__(self, cluster: Cluster, sts: StrictSts, log: Path) -> None:
        environment = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig), "AWS_ENDPOINT_URL_STS": sts.endpoint}
        command = [sys.executable, "-m", "awssts", "operator", "--sts-rate=600", "--log-level=warning"]
        self._process = Process("operator", command, log=log, env=environment)

    @contextmanager
    def running(self) -> Iterator["Operator"]:
        """Run it within the block."""
        with self._process:
            yield self

    @property
    def rss(self) -> float:
        """Resident memory in MB."""
        return int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]) * PAGE / 1e6

    @property
    def cpu(self) -> float:
        """CPU seconds so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS


def request(number: int, region: str) -> dict[str, Any]:
    """Return one of many requests."""
    return {
        "apiVersion": "awssts.dev/v1alpha1",
        "kind": "AwsStsRequest",
        "metadata": {"name": f"bench-{number:05}", "namespace": "default"},
        "spec": {"credentialsSecretRef": {"name": "iam"}, "region": region},
    }


def ready(cluster: Cluster) -> int:
    """Return how many target Secrets there are."""
    listed = cluster.kubectl("get", "secrets", "-l", "awssts.dev/type=target", "--no-headers", "-o", "name")
    return len(listed.stdout.split())


def api_requests(cluster: Cluster, since: int) -> tuple[Counter[str], int]:
    """Return what the operator asked of the API server, by verb and resource, and where the audit log is now."""
    events = list(cluster.audit_events())
    asked: Counter[str] = Counter()
    for event in events[since:]:
        if event["userAgent"].startswith(("awssts/", "kopf/")):
            reference = event.get("objectRef", {})
            what = "/".join(filter(None, (reference.get("resource", "?"), reference.get("subresource"))))
            asked[f"{event['verb']} {what}"] += 1
    return asked, len(events)


def measure(count: int) -> None:
    """Print the figures as they come."""
    with (
        tempfile.TemporaryDirectory() as logs,
        Cluster(audit=True) as cluster,
        StrictSts(Path(logs)) as sts,
    ):
        prepare(cluster, sts, count)
        log = Path(logs) / "operator.log"
        with Operator(cluster, sts, log).running() as operator:
            began = time.monotonic()
            issued = lambda: sts.counters().total("GetSessionToken", "Success")  # noqa: E731 - kubectl would cost a core
            wait_until(lambda: issued() >= count, timeout=60 + count / 20, what="all calls to STS")
            wait_until(lambda: ready(cluster) >= count, timeout=60, what="all Secrets")
            took = time.monotonic() - began
            print(f"cold start, {count} requests: {took:.1f} s from the process's start, {operator.cpu:.1f} s of CPU")
            time.sleep(5)
            asked, mark = api_requests(cluster, 0)
            print("  API:", ", ".join(f"{what} {number}" for what, number in sorted(asked.items())))
            print(f"  STS: {sts.counters().calls}   RSS {operator.rss:.0f} MB")
            before = operator.cpu
            time.sleep(IDLE)
            asked, mark = api_requests(cluster, mark)
            print(f"idle for {IDLE:.0f} s: API {dict(asked)}, {100 * (operator.cpu - before) / IDLE:.2f} % of a core")
        sts.reset_counters()
        with Operator(cluster, sts, log).running() as operator:
            began = time.monotonic()
            wait_until(lambda: operator_watches(cluster, mark), timeout=120, what="the watches")
            took = time.monotonic() - began
            time.sleep(10)
            asked, _ = api_requests(cluster, mark)
            print(f"restart with {count} live: watching after {took:.1f} s, STS calls {sts.counters().calls or 0}")
            print("  API:", ", ".join(f"{what} {number}" for what, number in sorted(asked.items())))
            print(f"  RSS {operator.rss:.0f} MB, {operator.cpu:.1f} s of CPU")


def operator_watches(cluster: Cluster, since: int) -> bool:
    """Say whether the operator has listed all there is and watches."""
    asked, _ = api_requests(cluster, since)
    return asked["watch secrets"] > 0 and asked["watch awsstsrequests"] > 0


def prepare(cluster: Cluster, sts: StrictSts, count: int) -> None:
    """Set up the CRDs, one IAM user, and the requests."""
    cluster.kubectl("apply", "--server-side", "-f", "crds")
    cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
    user = sts.user("bench")
    literals = (f"aws_access_key_id={user.access_key_id}", f"aws_secret_access_key={user.secret_access_key}")
    cluster.kubectl("create", "secret", "generic", "iam", *(f"--from-literal={literal}" for literal in literals))
    items = [request(number, "eu-west-1") for number in range(count)]
    cluster.kubectl("create", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1000, help="how many (default: 1000)")
    measure(parser.parse_args().requests)
