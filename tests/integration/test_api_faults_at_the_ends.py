"""An API server that fails when the operator starts or ends: it waits, or ends so that it is started again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.process import free_port
from tests.integration.operator_process import RIGHTS, SYSTEM
from tests.integration.patience import eventually
from tests.integration.probing import probe, value
from tests.integration.workspace import Pod, Workspace, calls_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testbed.cluster import Cluster
    from testbed.sts import StrictSts, User
    from tests.integration.api_proxy import ApiProxy
    from tests.integration.conftest import Launch


@pytest.fixture(autouse=True)
def _undisturbed_at_the_end(proxy: ApiProxy) -> Iterator[None]:
    yield
    proxy.clear()


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_failed_discovery(
    launch: Launch, proxy: ApiProxy, proxied: Path, space: Workspace, user: User, status: int
) -> None:
    """The operator goes on, or ends so that it is started again; it never stays without watching."""
    space.keys(user)
    space.request()
    proxy.disturb(status, "GET", r"^/api$")
    operator = launch(proxied)
    operator.start()

    def settled() -> bool:
        return bool(space.secret()) or not operator.alive

    eventually(settled, "credentials, or the operator's end")
    if not operator.alive:
        assert operator.end() == 1
        assert operator.said().splitlines()[-1].startswith("Error: ")
        operator.start()
    space.until_ready()


@pytest.mark.parametrize("where", [r"/awsstsrequests\?limit=1", r"/awsstspolicies\?", r"/secrets\?labelSelector="])
@pytest.mark.parametrize("fault", [429, "close"])
def test_an_api_server_that_is_just_starting(
    *, launch: Launch, proxy: ApiProxy, proxied: Path, space: Workspace, user: User, fault: int | str, where: str
) -> None:
    """As after `kubectl apply -f crds/`, or where its node starts with ours."""
    space.keys(user)
    space.request()
    outage = proxy.disturb(fault, "GET", where, count=3)
    operator = launch(proxied)
    operator.start()
    space.until_ready()
    assert outage.struck == 3
    assert operator.alive


def test_a_start_during_an_outage(launch: Launch, proxy: ApiProxy, proxied: Path, space: Workspace, user: User) -> None:
    """The process stays: kubelet does not start it again, later and later, while nothing can be done."""
    space.keys(user)
    space.request()
    proxy.disturb("close", "GET", "", count=None)
    port = free_port()
    operator = launch(proxied, options=[f"--metrics-port={port}"])
    operator.start()
    eventually(lambda: operator.said().count("no start without the API server") >= 3, "some tries")
    assert probe(port, "readyz")[0] == 503
    assert "does not answer" in probe(port, "readyz")[1]
    assert probe(port, "healthz")[0] == 200
    assert value(port, "awssts_leader") == 0
    proxy.clear()
    space.until_ready()
    assert probe(port, "readyz")[0] == 200


def test_it_is_not_ready_before_the_webhook_can_be_called(
    launch: Launch, cluster: Cluster, proxy: ApiProxy, proxied: Path
) -> None:
    cluster.kubectl("apply", "--filename", RIGHTS / "webhook.yaml")
    without = proxy.disturb(500, "GET", r"/secrets/awssts-webhook-tls$", count=None)
    port = free_port()
    options = [f"--metrics-port={port}", f"--admission-port={free_port()}", f"--admission-namespace={SYSTEM}"]
    operator = launch(proxied, options=options)
    operator.start()
    operator.until_started()
    eventually(lambda: without.struck >= 2, "a look for the certificate")
    assert probe(port, "readyz") == (
        503, "cluster: ok\nwebhook: it does not listen: there is no certificate yet, or it ends\n",
    )  # fmt: skip
    proxy.clear()
    eventually(lambda: probe(port, "readyz") == (200, "cluster: ok\nwebhook: ok\n"), "the webhook")


def test_a_start_during_an_outage_can_be_stopped(launch: Launch, proxy: ApiProxy, proxied: Path) -> None:
    first = proxy.disturb("hang", "GET", "", count=None)
    operator = launch(proxied)
    operator.start()
    eventually(lambda: first.struck, "its start")
    assert operator.stop() == 0


def test_no_answer_at_the_end(
    launch: Launch, proxy: ApiProxy, proxied: Path, sts: StrictSts, space: Workspace, user: User
) -> None:
    """SIGTERM while the write of the Secret hangs: it is waited for, but not for ever."""
    space.keys(user)
    write = proxy.disturb("hang", "PATCH", r"/secrets/reports\?", count=None)
    space.request()
    operator = launch(proxied)
    operator.start()
    eventually(lambda: write.struck, "the write")
    assert operator.stop() == 0
    proxy.clear()
    operator.start()
    space.until_ready()
    assert len(calls_of(sts, user)) <= 2
    assert Pod(space, sts).identity() == user.arn
