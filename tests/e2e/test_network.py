"""Under NetworkPolicies that count: all other tests here show that the operator works; these, what is closed."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from testbed.cluster.foundation import API_SERVICE
from tests.e2e.pods import Team, running
from tests.e2e.release import HERE, MONITORING, OPERATORS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.cluster import Cluster
    from testbed.helm import Helm
    from testbed.sts import StrictSts

PROGRAM = (Path(__file__).parent / "caller.py").read_text()
API = f"{API_SERVICE}:443"
METRICS, WEBHOOK, CLOSED = 8080, 9443, 9

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def operator(cluster: Cluster, installed: Helm) -> str:
    """The address of a pod of the operator's."""
    assert installed is not None
    path = "jsonpath={.items[0].status.podIP}"
    return cluster.kubectl("get", "pods", OPERATORS, HERE, f"--output={path}").stdout


@pytest.fixture
def host(cluster: Cluster) -> Iterator[str]:
    """Something on the host that listens."""
    with socket.create_server((cluster.host_address, 0)) as listening:
        yield f"{cluster.host_address}:{listening.getsockname()[1]}"


def calls(team: Team, name: str, *addresses: str) -> dict[str, str]:
    return team.pod(name, running(PROGRAM, {}, *addresses)).first_words()


def test_a_pod_elsewhere_reaches_the_webhook_only(team: Team, operator: str, host: str) -> None:
    bystander = team.pod("bystander", running("import time; time.sleep(600)", {})).address()
    expected = {
        f"{operator}:{WEBHOOK}": "reached",
        f"{operator}:{METRICS}": "nothing",
        f"{operator}:{CLOSED}": "nothing",
        f"{bystander}:{CLOSED}": "refused",  # no policy, so packets get there
        host: "reached",
    }
    assert calls(team, "elsewhere", *expected) == expected


def test_prometheus_reaches_the_metrics(cluster: Cluster, operator: str) -> None:
    monitoring = Team.founded(cluster, MONITORING)
    expected = {f"{operator}:{METRICS}": "reached", f"{operator}:{CLOSED}": "nothing"}
    assert calls(monitoring, "prometheus", *expected) == expected


def test_the_operator_reaches_what_it_needs(cluster: Cluster, sts: StrictSts, operator: str, host: str) -> None:
    assert operator
    expected = {sts.endpoint.removeprefix("http://"): "reached", API: "reached", host: "nothing"}
    command = ("exec", "deployment/awssts", HERE, "--", "python3", "-c", PROGRAM, *expected)
    assert json.loads(cluster.kubectl(*command).stdout) == expected
