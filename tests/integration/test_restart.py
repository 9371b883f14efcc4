"""Whenever the operator ends, and however: nothing is lost, and nothing is asked for twice."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.integration.patience import eventually, throughout
from tests.integration.workspace import Pod, Workspace, calls_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from testbed.sts import StrictSts, User
    from tests.integration.api_proxy import ApiProxy
    from tests.integration.audit import Audit
    from tests.integration.conftest import Launch

MANY = 100
TARGET = r"/secrets/reports\?"
STATUS = r"/awsstsrequests/reports/status\?"


def watches_are_open(audit: Audit) -> None:
    eventually(lambda: {"watch awsstsrequests", "watch secrets"} <= set(audit.asked()), "the watches")


def call_has_begun(sts: StrictSts) -> None:
    """Since the counters were reset."""
    eventually(lambda: sts.counters().concurrent_max > 0, "a call to STS")


def test_a_hundred_live_requests(
    launch: Launch,
    sts: StrictSts,
    space: Workspace,
    user: User,
    audit: Audit,
    record_property: Callable[[str, object], None],
) -> None:
    space.keys(user)
    names = [f"reports-{number}" for number in range(MANY)]
    for name in names:
        space.request(name)
    operator = launch()
    operator.start()
    for name in names:
        space.until_ready(name)
    held = {name: space.held_key(name) for name in names}
    eventually(lambda: audit.asked(space.name)["create events"] == MANY, "the last Event")
    assert operator.stop() == 0

    audit.mark()
    sts.reset_counters()
    operator.start()
    watches_are_open(audit)
    throughout(lambda: sts.counters().total() == 0, "a call to STS", seconds=5)
    asked = audit.asked()
    objects = {what: number for what, number in asked.items() if not what.startswith("get /")}  # else: discovery
    assert {what.split()[0] for what in objects} == {"list", "watch"}, asked
    assert sum(objects.values()) < 20, asked  # however many requests there are
    record_property("asked at a restart", str(objects))
    assert {name: space.held_key(name) for name in names} == held

    space.renew(names[0])
    space.until_renewed(held[names[0]], names[0])
    assert sts.counters().total() == 1


def test_while_it_was_away(launch: Launch, sts: StrictSts, space: Workspace, user: User) -> None:
    """What happened meanwhile is seen to, and nothing else."""
    space.keys(user)
    names = ["deleted", "altered", "changed", "renewed", "untouched"]
    for name in names:
        space.request(name)
    operator = launch()
    operator.start()
    held = {name: space.until_ready(name)["accessKeyId"] for name in names}
    operator.stop()
    space.delete_secret("deleted")
    space.change_secret("altered", stringData={"AWS_SECRET_ACCESS_KEY": "scribbled over by somebody"})
    space.change("changed", duration="1h")
    space.renew("renewed")
    space.request("new")
    operator.start()
    for name in ("deleted", "altered", "changed", "renewed"):
        space.until_renewed(held[name], name)
        space.until_ready(name)
    space.until_ready("new")
    assert space.held_key("untouched") == held["untouched"]
    assert len(calls_of(sts, user)) == 5 + 5


def test_another_key_while_it_was_away(launch: Launch, sts: StrictSts, space: Workspace, user: User, pod: Pod) -> None:
    space.keys(user)
    space.request()
    operator = launch()
    operator.start()
    old = space.until_ready()["accessKeyId"]
    operator.stop()
    successor = sts.user(f"{user.name}-successor")
    space.keys(successor)
    operator.start()
    space.until_renewed(old)
    assert pod.identity() == successor.arn


def test_a_request_of_the_same_name_while_it_was_away(launch: Launch, space: Workspace, user: User, pod: Pod) -> None:
    """Without garbage collection the Secret of the first is still there: it then is the second's."""
    space.keys(user)
    space.request(target={"creationPolicy": "Orphan"})
    operator = launch()
    operator.start()
    space.until_ready()
    operator.stop()
    space.delete_request()
    space.request()
    operator.start()
    space.until_ready()
    eventually(lambda: "ownerReferences" in space.metadata(), "the owner reference")
    assert pod.identity() == user.arn


def test_killed_while_sts_thinks(launch: Launch, sts: StrictSts, space: Workspace, user: User, pod: Pod) -> None:
    space.keys(user)
    sts.fault("hang", access_key_id=user.access_key_id, count=1)
    sts.reset_counters()
    space.request()
    operator = launch()
    operator.start()
    call_has_begun(sts)
    operator.kill()
    assert space.secret() is None
    operator.start()
    space.until_ready()
    assert pod.identity() == user.arn


def test_killed_in_a_renewal(launch: Launch, sts: StrictSts, space: Workspace, user: User, pod: Pod) -> None:
    """The old credentials stay until there are new ones."""
    space.keys(user)
    space.request()
    operator = launch()
    operator.start()
    first = space.until_ready()["accessKeyId"]
    for _ in range(3):
        sts.fault("hang", access_key_id=user.access_key_id, count=1)
        sts.reset_counters()
        space.renew()
        call_has_begun(sts)
        operator.kill()
        assert space.held_key() == first
        assert pod.identity() == user.arn
        operator.start()
        first = space.until_renewed(first)
    space.until_ready()
    assert pod.identity() == user.arn


def test_killed_before_the_secret_is_written(
    launch: Launch, proxy: ApiProxy, proxied: Path, sts: StrictSts, space: Workspace, user: User
) -> None:
    space.keys(user)
    write = proxy.disturb("hang", "PATCH", TARGET)
    space.request()
    operator = launch(proxied)
    operator.start()
    eventually(lambda: write.struck, "the write of the Secret")
    operator.kill()
    proxy.clear()
    operator.start()
    space.until_ready()
    assert Pod(space, sts).identity() == user.arn
    assert len(calls_of(sts, user)) <= 2


def test_killed_before_the_status_is_written(
    launch: Launch, proxy: ApiProxy, proxied: Path, sts: StrictSts, space: Workspace, user: User
) -> None:
    """The Secret alone tells what was issued: no other call to STS is needed."""
    space.keys(user)
    write = proxy.disturb(500, "PATCH", STATUS, count=None)
    space.request()
    operator = launch(proxied)
    operator.start()
    eventually(lambda: write.struck, "the write of the status")
    operator.kill()
    held = space.held_key()
    proxy.clear()
    operator.start()
    assert space.until_ready()["accessKeyId"] == held
    assert Pod(space, sts).identity() == user.arn
    assert len(calls_of(sts, user)) == 1


def test_a_lost_status_is_rebuilt(launch: Launch, sts: StrictSts, space: Workspace, user: User) -> None:
    space.keys(user)
    space.request()
    operator = launch()
    operator.start()
    before = space.until_ready()
    operator.stop()
    space.api.merge(
        f"/apis/awssts.dev/v1alpha1/namespaces/{space.name}/awsstsrequests/reports/status", {"status": None}
    )
    assert space.status() == {}
    operator.start()
    after = space.until_ready()
    for field in ("accessKeyId", "issuedAt", "expiration", "nextRenewal", "secretName"):
        assert after[field] == before[field]
    assert len(calls_of(sts, user)) == 1


def test_a_slow_call_is_finished_at_the_end(
    launch: Launch, sts: StrictSts, space: Workspace, user: User, pod: Pod
) -> None:
    """SIGTERM: what STS gives is written before the operator ends."""
    space.keys(user)
    sts.fault("slow", seconds=4, access_key_id=user.access_key_id, count=1)
    sts.reset_counters()
    space.request()
    operator = launch()
    operator.start()
    call_has_begun(sts)
    assert operator.stop() == 0
    assert pod.identity() == user.arn
    assert space.condition()["reason"] == "Issued"
    assert len(calls_of(sts, user)) == 1
    assert not re.search(r"Traceback|unexpected error|never awaited|was never retrieved", operator.said())


def test_the_end_does_not_wait_for_those_that_did_not_begin(
    launch: Launch, sts: StrictSts, space: Workspace, user: User
) -> None:
    space.keys(user)
    sts.fault("slow", seconds=1, access_key_id=user.access_key_id)
    sts.reset_counters()
    for number in range(100):
        space.request(f"reports-{number}")
    operator = launch()
    operator.start()
    call_has_begun(sts)
    assert operator.stop() == 0
    made = calls_of(sts, user)
    assert len(made) < 60
    written = [name for number in range(100) if space.secret(name := f"reports-{number}") is not None]
    assert len(written) == len(made)


def test_a_backoff_goes_on_after_a_restart(launch: Launch, sts: StrictSts, space: Workspace, user: User) -> None:
    space.keys(user)
    sts.fault("throttle", access_key_id=user.access_key_id)
    space.request()
    operator = launch()
    operator.start()
    eventually(lambda: space.status().get("failures", 0) >= 3, "some failures")
    operator.stop()
    failures = space.status()["failures"]
    operator.start()
    eventually(lambda: space.status()["failures"] > failures, "the next failure")
    assert space.status()["failures"] == failures + 1
    sts.clear_faults()
    assert "failures" not in space.until_ready()


@pytest.mark.parametrize("option", ["--log-format=json", "--workers=1"])
def test_options(launch: Launch, space: Workspace, user: User, option: str) -> None:
    space.keys(user)
    space.request()
    operator = launch(options=[option])
    operator.start()
    space.until_ready()
    assert operator.stop() == 0
