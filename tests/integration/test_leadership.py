"""Several operators of which one works: who follows takes over without a call that isn't due."""

from __future__ import annotations

import itertools
import time
from contextlib import closing
from http.client import HTTPConnection
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from testbed.process import free_port
from tests.integration.operator_process import RIGHTS, SYSTEM
from tests.integration.patience import eventually, throughout
from tests.integration.probing import probe, value

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from testbed.cluster import Cluster
    from testbed.sts import StrictSts, User
    from tests.integration.api_proxy import ApiProxy
    from tests.integration.conftest import Launch
    from tests.integration.kube import Api
    from tests.integration.operator_process import OperatorProcess
    from tests.integration.workspace import Workspace

LEASES = itertools.count(1)
DURATION, DEADLINE, MARGIN, RETRY, HANDOVER = 15, 10, 2, 2, 1  # seconds


@pytest.fixture(autouse=True, scope="module")
def _rights(cluster: Cluster) -> None:
    cluster.kubectl("apply", "--filename", RIGHTS / "leader-election.yaml")


@pytest.fixture
def lease() -> str:
    return f"lease-{next(LEASES)}"


@pytest.fixture
def elected(launch: Launch, lease: str) -> Callable[..., OperatorProcess]:
    """Makes an operator that leads or follows."""
    options = ["--leader-election", f"--lease-namespace={SYSTEM}", f"--lease-name={lease}"]

    def make(kubeconfig: Path | None = None, *more: str) -> OperatorProcess:
        operator = launch(kubeconfig, options=[*options, *more])
        operator.start()
        return operator

    return make


def until_said(operator: OperatorProcess, what: str, timeout: float = 60) -> None:
    eventually(lambda: not operator.alive or what in operator.said(), what, timeout=timeout)
    assert operator.alive, operator.said()


def holder(api: Api, lease: str) -> str:
    path = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases/{lease}"
    return str(((api.get(path) or {}).get("spec") or {}).get("holderIdentity", ""))


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_the_next_takes_over(
    *, elected: Any, sts: StrictSts, space: Workspace, user: User, api: Api, lease: str, end: str
) -> None:
    """At once where the first is stopped, although somebody keeps a connection to it, as Prometheus does."""
    space.keys(user)
    space.request()
    first = elected(None, f"--metrics-port={(port := free_port())}")
    space.until_ready()
    second = elected()
    until_said(second, "following")
    held, leader = space.held_key(), holder(api, lease)
    sts.reset_counters()
    with closing(HTTPConnection("127.0.0.1", port)) as kept_open:
        kept_open.request("GET", "/healthz")
        assert kept_open.getresponse().read()
        before = time.monotonic()
        ending = Thread(target=getattr(first, end))
        ending.start()
        until_said(second, "leading")
        took = time.monotonic() - before
        ending.join()
    assert took < (RETRY + 2.5 if end == "stop" else DURATION + 10), f"{took:.1f} s"
    assert holder(api, lease) not in {"", leader}
    space.request("another")
    space.until_ready("another")
    assert space.held_key() == held
    assert sts.counters().total() == 1, "what was live stayed so without a call"


def test_who_can_not_renew_ends_before_another_leads(
    elected: Any, proxy: ApiProxy, proxied: Path, space: Workspace, user: User
) -> None:
    space.keys(user)
    space.request()
    first = elected(proxied)
    space.until_ready()
    second = elected()
    until_said(second, "following")
    proxy.disturb("hang", "GET", r"/leases/", count=None)
    began = time.monotonic()
    try:
        assert first.end() == 1
        ended = time.monotonic()
        assert "leading" not in second.said()
    finally:
        proxy.clear()
    assert ended - began < DURATION - MARGIN + 0.5  # for us to see it
    assert "another process may lead by now" in first.said().splitlines()[-1]
    until_said(second, "leading")


def test_who_finds_another_in_the_lease_ends_at_once(
    *, elected: Any, proxy: ApiProxy, proxied: Path, space: Workspace, user: User, api: Api, lease: str
) -> None:
    """What is under way has a second, and nothing is begun."""
    space.keys(user)
    space.request()
    operator = elected(proxied)
    held = space.until_ready()["accessKeyId"]
    write = proxy.disturb("hang", "PATCH", r"/secrets/reports\?")
    space.renew()
    eventually(lambda: write.struck, "the write")
    path = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases/{lease}"
    api.merge(path, {"spec": {"holderIdentity": "somebody", "leaseDurationSeconds": 60}})
    began = time.monotonic()
    eventually(lambda: "another process leads: somebody" in operator.said(), "the loss")
    space.request("another")
    assert operator.end() == 1
    proxy.clear()
    assert time.monotonic() - began < RETRY + HANDOVER + 1
    assert holder(api, lease) == "somebody"
    assert space.secret("another") is None
    assert space.held_key() == held


def test_a_long_look_at_the_cluster_does_not_cost_the_lead(
    *, elected: Any, proxy: ApiProxy, proxied: Path, space: Workspace, user: User, api: Api, lease: str
) -> None:
    """The lists of a large cluster, or a slow API server: they may take longer than the Lease lasts."""
    space.keys(user)
    space.request()
    slow = proxy.disturb("hang", "GET", r"/secrets\?labelSelector=", count=1)
    first = elected(proxied)
    eventually(lambda: slow.struck, "the list")
    leader = holder(api, lease)
    leads = lambda: first.alive and holder(api, lease) == leader  # noqa: E731
    throughout(leads, "the lead is kept meanwhile", seconds=DEADLINE + 2)
    proxy.clear()
    until_said(first, "starting")
    throughout(leads, "the lead is kept afterwards", seconds=4)
    space.until_ready()


def test_a_follower_works_at_nothing(elected: Any, space: Workspace, user: User) -> None:
    first = elected()
    until_said(first, "starting")
    port = free_port()
    second = elected(None, f"--metrics-port={port}")
    until_said(second, "following")
    assert probe(port, "readyz") == (200, "cluster: ok\n")
    assert probe(port, "healthz")[0] == 200
    assert value(port, "awssts_leader") == 0
    assert "starting" not in second.said()
    assert second.stop() == 0


def test_metrics(launch: Launch, space: Workspace, user: User) -> None:
    port = free_port()
    space.keys(user)
    space.request()
    space.request("broken", keys="nobody")
    operator = launch(options=[f"--metrics-port={port}"])
    operator.start()
    status = space.until_ready()
    space.until_reason("SecretNotFound", "broken")
    labels = f'{{name="reports",namespace="{space.name}"}}'
    assert probe(port, "readyz")[0] == 200
    assert value(port, "awssts_request_ready", labels) == 1
    assert value(port, "awssts_request_ready", labels.replace("reports", "broken")) == 0
    left = (value(port, "awssts_request_expiration_timestamp_seconds", labels) or 0) - time.time()
    assert 11.9 * 3600 < left <= 12 * 3600
    assert "expiration" in status
    assert (value(port, "awssts_request_renewal_timestamp_seconds", labels) or 0) > time.time()
    assert value(port, "awssts_issuances_total", '{reason="first",result="success"}') == 1
    assert (value(port, "awssts_issuances_total", '{reason="SecretNotFound",result="failure"}') or 0) >= 1
    called = '{code="Success",operation="GetSessionToken",service="sts"}'
    assert value(port, "awssts_aws_call_duration_seconds_count", called) == 1
    assert value(port, "awssts_leader") == 1
    space.delete_request()
    eventually(lambda: value(port, "awssts_request_ready", labels) is None, "its series to leave with it")


def test_a_deaf_watch_is_seen(
    launch: Launch, proxy: ApiProxy, proxied: Path, sts: StrictSts, space: Workspace, user: User
) -> None:
    """Only that the operator's own writes do not come back tells of it."""
    port = free_port()
    sts.fault("expiry", seconds=15, access_key_id=user.access_key_id)
    space.keys(user)
    space.request()
    operator = launch(proxied, options=[f"--metrics-port={port}"])
    operator.start()
    issued = space.until_ready()["accessKeyId"]
    eventually(lambda: value(port, "awssts_watch_lag_seconds") == 0, "our own writes")
    proxy.disturb("hang", "GET", r"/(awsstsrequests|secrets)\?.*watch=", count=None)
    proxy.cut_watches()
    space.until_renewed(issued)
    eventually(lambda: (value(port, "awssts_watch_lag_seconds") or 0) > 3, "the lag")
    assert probe(port, "healthz") == (200, "schedule: ok\nwatch: ok\n"), "it may pass"
    proxy.clear()
    eventually(lambda: value(port, "awssts_watch_lag_seconds") == 0, "its end")
