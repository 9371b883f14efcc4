"""An API server that answers wrongly, late or not at all: nothing is lost, and STS isn't asked twice."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.integration.operator_process import OperatorProcess
from tests.integration.patience import eventually, throughout
from tests.integration.workspace import Pod, Workspace, calls_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testbed.cluster import Cluster
    from testbed.sts import StrictSts, User
    from tests.integration.api_proxy import ApiProxy
    from tests.integration.secrecy import Secrecy

SECRET = r"/secrets/reports\?"
STATUS = r"/awsstsrequests/reports/status\?"
EVENT = r"/events$"
WATCHES = r"/(awsstsrequests|secrets)\?.*watch="
FAULTS: list[int | str] = [409, 429, 500, "close", "lose"]


@pytest.fixture(scope="module")
def disturbed(
    proxied: Path, sts: StrictSts, secrecy: Secrecy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OperatorProcess]:
    """An operator that reaches the API server through the proxy."""
    with OperatorProcess(proxied, sts.endpoint, tmp_path_factory.mktemp("operator")) as running:
        secrecy.logs.add(running.log)
        running.until_started()
        yield running


@pytest.fixture(autouse=True)
def _undisturbed_at_the_end(proxy: ApiProxy) -> Iterator[None]:
    yield
    proxy.clear()


@pytest.mark.usefixtures("disturbed")
@pytest.mark.parametrize("fault", FAULTS)
def test_the_secret_is_not_taken(
    proxy: ApiProxy, sts: StrictSts, space: Workspace, user: User, pod: Pod, fault: int | str
) -> None:
    """What STS gave is kept and written later: no second call."""
    write = proxy.disturb(fault, "PATCH", SECRET, count=2)
    space.keys(user)
    space.request()
    space.until_ready()
    assert write.struck == (1 if fault == "lose" else 2)
    assert pod.identity() == user.arn
    assert len(calls_of(sts, user)) == 1


@pytest.mark.usefixtures("disturbed")
@pytest.mark.parametrize("fault", [409, 500, "close", "lose"])
def test_the_secret_is_not_taken_in_a_renewal(
    proxy: ApiProxy, sts: StrictSts, space: Workspace, user: User, pod: Pod, fault: int | str
) -> None:
    space.keys(user)
    space.request()
    issued = space.until_ready()["accessKeyId"]
    proxy.disturb(fault, "PATCH", SECRET, count=2)
    space.renew()

    def renewed() -> bool:
        assert pod.identity() == user.arn
        return space.held_key() != issued

    eventually(renewed, "new credentials")
    space.until_ready()
    assert len(calls_of(sts, user)) == 2


@pytest.mark.usefixtures("disturbed")
def test_the_write_of_the_secret_hangs(proxy: ApiProxy, sts: StrictSts, space: Workspace, user: User, pod: Pod) -> None:
    """It is given twenty seconds."""
    proxy.disturb("hang", "PATCH", SECRET)
    space.keys(user)
    space.request()
    space.until_ready()
    assert pod.identity() == user.arn
    assert len(calls_of(sts, user)) == 1


@pytest.mark.usefixtures("disturbed")
@pytest.mark.parametrize("fault", FAULTS)
def test_the_status_is_not_taken(
    proxy: ApiProxy, sts: StrictSts, space: Workspace, user: User, pod: Pod, fault: int | str
) -> None:
    write = proxy.disturb(fault, "PATCH", STATUS, count=2)
    space.keys(user)
    space.request()
    space.until_ready()
    assert write.struck >= 1
    assert pod.identity() == user.arn
    assert len(calls_of(sts, user)) == 1


@pytest.mark.usefixtures("disturbed")
@pytest.mark.parametrize("fault", [500, "close"])
def test_the_event_is_not_taken(
    proxy: ApiProxy, sts: StrictSts, space: Workspace, user: User, fault: int | str
) -> None:
    """Then there is none: no credential waits for one."""
    proxy.disturb(fault, "POST", EVENT)
    space.keys(user)
    space.request()
    space.until_ready()
    assert len(calls_of(sts, user)) == 1


@pytest.mark.usefixtures("disturbed")
@pytest.mark.parametrize("fault", [429, 500, "close"])
def test_the_keys_can_not_be_read(
    proxy: ApiProxy, sts: StrictSts, space: Workspace, user: User, pod: Pod, fault: int | str
) -> None:
    read = proxy.disturb(fault, "GET", r"/secrets/reports-iam$", count=2)
    space.keys(user)
    space.request()
    space.until_ready()
    assert read.struck == 2
    assert pod.identity() == user.arn
    assert len(calls_of(sts, user)) == 1


@pytest.mark.usefixtures("disturbed")
@pytest.mark.parametrize("what", ["cut", "gone", "refused"])
def test_watches_that_end(proxy: ApiProxy, sts: StrictSts, space: Workspace, user: User, pod: Pod, what: str) -> None:
    """Whatever happens while nothing is watched is seen afterwards: new requests, keys, changed and lost Secrets."""
    space.keys(user)
    names = ["reports", "altered", "deleted", "changed"]
    for name in names:
        space.request(name)
    held = {name: space.until_ready(name)["accessKeyId"] for name in names}
    waiting = sts.user(f"{user.name}-waiting")
    space.request("waiting", keys="waiting-iam")
    space.until_reason("SecretNotFound", "waiting")

    fault: int | str = {"cut": "close", "gone": "gone", "refused": 500}[what]
    outage = proxy.disturb(fault, "GET", WATCHES, count=4)
    assert proxy.cut_watches() >= 2
    space.request("new")
    space.keys(waiting, "waiting-iam")
    space.change_secret("altered", stringData={"AWS_SECRET_ACCESS_KEY": "scribbled over by somebody"})
    space.delete_secret("deleted")
    space.change("changed", duration="1h")
    eventually(lambda: outage.struck == 4, "the outage")

    space.until_ready("new")
    space.until_ready("waiting", timeout=90)
    for name in ("altered", "deleted", "changed"):
        space.until_renewed(held[name], name)
        space.until_ready(name)
    assert space.held_key() == held["reports"]
    assert pod.identity() == user.arn


@pytest.mark.usefixtures("disturbed")
def test_a_request_that_was_deleted_meanwhile(proxy: ApiProxy, sts: StrictSts, space: Workspace, user: User) -> None:
    """Its Secret is not made again, even if nobody told of its end."""
    sts.fault("expiry", seconds=12, access_key_id=user.access_key_id)
    space.keys(user)
    space.request()
    space.until_ready()
    outage = proxy.disturb("gone", "GET", WATCHES, count=2)
    proxy.cut_watches()
    space.delete_request()
    space.delete_secret()
    eventually(lambda: outage.struck == 2, "the outage")
    throughout(lambda: space.secret() is None, "a new Secret", seconds=14)
    assert len(calls_of(sts, user)) == 1


@pytest.mark.usefixtures("disturbed")
def test_the_only_policy_was_deleted_meanwhile(cluster: Cluster, proxy: ApiProxy, space: Workspace, user: User) -> None:
    """The list that the watch begins with again is empty: no event tells of anything."""
    policy = {
        "apiVersion": "awssts.dev/v1alpha1",
        "kind": "AwsStsPolicy",
        "metadata": {"name": space.name},
        "spec": {
            "selector": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": space.name}}},
            "authorization": {"principalAttribute": {"name": "nobody-has-it"}},
        },
    }
    cluster.kubectl("create", "--filename=-", input=json.dumps(policy))
    try:
        space.keys(user)
        space.request()
        space.until_reason("NotAuthorized")
        outage = proxy.disturb("gone", "GET", r"/awsstspolicies\?.*watch=")
        assert proxy.cut_watches("awsstspolicies") == 1
    finally:
        cluster.kubectl("delete", "awsstspolicy", space.name)
    eventually(lambda: outage.struck == 1, "the outage")
    space.until_ready()
