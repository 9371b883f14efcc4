"""What AWS and the network do now and then: told, tried again less and less often, and over without help."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.integration.patience import eventually, throughout
from tests.integration.workspace import Pod, Workspace, calls_of

if TYPE_CHECKING:
    from testbed.sts import StrictSts, User
    from tests.integration.operator_process import OperatorProcess

pytestmark = pytest.mark.usefixtures("operator")

FAULTS = [
    ("throttle", "Throttled", "STS throttles the account: Rate exceeded"),
    ("internal-failure", "StsUnavailable", "STS answered 500 InternalFailure"),
    ("service-unavailable", "StsUnavailable", "STS answered 503 ServiceUnavailable"),
    ("garbage", "StsUnavailable", "STS in us-east-1"),
    ("drop", "StsUnavailable", "STS in us-east-1 can't be reached"),
]


def fails_again(space: Workspace, times: int) -> None:
    eventually(lambda: space.status().get("failures", 0) >= times, f"{times} failures")


@pytest.mark.parametrize(("kind", "reason", "message"), FAULTS)
def test_from_the_beginning(sts: StrictSts, space: Workspace, user: User, kind: str, reason: str, message: str) -> None:
    sts.fault(kind, access_key_id=user.access_key_id)
    space.keys(user)
    space.request()
    fails_again(space, 3)
    reconciling = space.condition(kind="Reconciling")
    assert (reconciling["status"], reconciling["reason"]) == ("True", reason)
    assert message in reconciling["message"]
    assert space.condition(kind="Stalled") == {}
    assert (space.condition()["status"], space.condition()["reason"]) == ("False", reason)
    assert datetime.fromisoformat(space.status()["nextAttempt"]).tzinfo is not None
    assert space.secret() is None
    eventually(lambda: space.events() == [("Warning", reason)], "one Event, however often it fails")

    sts.clear_faults()
    status = space.until_ready()
    assert "failures" not in status
    assert "nextAttempt" not in status
    assert Pod(space, sts).identity() == user.arn
    eventually(lambda: space.events() == [("Warning", reason), ("Normal", "Issued")], "the end of it")


@pytest.mark.parametrize(("kind", "reason", "message"), FAULTS)
def test_in_a_renewal(sts: StrictSts, space: Workspace, user: User, kind: str, reason: str, message: str) -> None:
    space.keys(user)
    space.request()
    issued = space.until_ready()["accessKeyId"]
    sts.fault(kind, access_key_id=user.access_key_id)
    space.renew()
    fails_again(space, 2)
    ready = space.condition()
    assert (ready["status"], ready["reason"]) == ("True", "RenewalFailing")
    assert message in ready["message"]
    assert space.condition(kind="Reconciling")["reason"] == reason
    assert space.held_key() == issued
    assert Pod(space, sts).identity() == user.arn
    sts.clear_faults()
    space.until_renewed(issued)
    space.until_ready()
    assert Pod(space, sts).identity() == user.arn


def test_attempts_become_rarer(sts: StrictSts, space: Workspace, user: User) -> None:
    sts.fault("throttle", access_key_id=user.access_key_id)
    space.keys(user)
    space.request()
    throughout(lambda: len(calls_of(sts, user)) < 30, "a storm", seconds=10)
    assert len(calls_of(sts, user)) == space.status()["failures"]
    now = datetime.now(UTC)
    assert (datetime.fromisoformat(space.status()["nextAttempt"]) - now).total_seconds() < 5 * 60


def test_a_hanging_sts(sts: StrictSts, space: Workspace, user: User, pod: Pod) -> None:
    """It is given ten seconds; other requests don't wait for it."""
    other = sts.user(f"{user.name}-other")
    sts.fault("hang", access_key_id=user.access_key_id, count=1)
    space.keys(user)
    space.request()
    space.keys(other, "other-iam")
    space.request("other", keys="other-iam")
    space.until_ready("other")
    assert space.secret() is None
    space.until_ready()
    assert pod.identity() == user.arn
    assert ("Warning", "StsUnavailable") in space.events()


def test_slow_calls_of_some_do_not_hold_up_all(sts: StrictSts, space: Workspace, user: User) -> None:
    """Fewer than may be under way at once."""
    other = sts.user(f"{user.name}-other")
    sts.fault("slow", seconds=5, access_key_id=user.access_key_id)
    space.keys(user)
    space.keys(other, "other-iam")
    for number in range(6):
        space.request(f"slow-{number}")
    space.request("quick", keys="other-iam")
    space.until_ready("quick")
    assert space.secret("slow-0") is None
    for number in range(6):
        space.until_ready(f"slow-{number}")


def test_a_disabled_region(sts: StrictSts, space: Workspace, user: User, pod: Pod) -> None:
    sts.fault("region-disabled", access_key_id=user.access_key_id)
    space.keys(user)
    space.request(region="eu-south-2")
    message = space.until_reason("RegionDisabled")["message"]
    assert "STS is not active in this region for the account: activate it, or set another spec.region" in message
    throughout(lambda: len(calls_of(sts, user)) == 1, "another call without a change", seconds=3)
    sts.clear_faults()
    space.change(region="eu-west-1")
    space.until_ready()
    assert pod.identity() == user.arn


def test_a_key_so_new_that_aws_does_not_know_it_yet(sts: StrictSts, space: Workspace, user: User, pod: Pod) -> None:
    sts.fault("propagation", seconds=8, access_key_id=user.access_key_id)
    space.keys(user)
    space.request()
    condition = space.until_reason("AccessKeyNotActiveYet", kind="Reconciling")
    assert "the access key is new, and AWS does not know it everywhere yet" in condition["message"]
    space.until_ready()
    assert pod.identity() == user.arn


def test_a_rotated_key_so_new_that_aws_does_not_know_it_yet(
    sts: StrictSts, space: Workspace, user: User, pod: Pod
) -> None:
    space.keys(user)
    space.request()
    issued = space.until_ready()["accessKeyId"]
    successor = sts.user(f"{user.name}-successor")
    sts.fault("propagation", seconds=6, access_key_id=successor.access_key_id)
    space.keys(successor)
    space.until_reason("AccessKeyNotActiveYet", kind="Reconciling")
    assert space.held_key() == issued
    assert pod.identity() == user.arn
    space.until_renewed(issued)
    assert pod.identity() == successor.arn
    space.until_ready()


@pytest.mark.parametrize("seconds", [3600, -3600])
def test_clocks_that_differ(sts: StrictSts, space: Workspace, user: User, pod: Pod, seconds: int) -> None:
    sts.fault("skew", seconds=seconds, access_key_id=user.access_key_id)
    space.keys(user)
    space.request()
    message = space.until_reason("ClockSkew", kind="Reconciling")["message"]
    assert re.search(r"clock", message)
    (told,) = re.findall(r"(\d+) s", message)
    assert abs(int(told) - 3600) < 120
    sts.clear_faults()
    space.until_ready()
    assert pod.identity() == user.arn


def test_no_call_is_repeated_behind_our_back(sts: StrictSts, space: Workspace, user: User) -> None:
    """The SDK's own retries are off: what is tried again is told of, and counted."""
    sts.fault("drop", access_key_id=user.access_key_id, count=1)
    space.keys(user)
    space.request()
    space.until_ready()
    assert [call.result for call in calls_of(sts, user)] == ["Dropped", "Success"]


def test_credentials_that_ran_out_while_sts_was_away(
    operator: OperatorProcess, sts: StrictSts, space: Workspace, user: User, pod: Pod
) -> None:
    """Ready is then no longer true; the Secret isn't taken away, and it is filled again as soon as that works."""
    sts.fault("expiry", seconds=6, access_key_id=user.access_key_id)
    space.keys(user)
    space.request()
    issued = space.until_ready()["accessKeyId"]
    sts.fault("throttle", access_key_id=user.access_key_id)
    eventually(lambda: space.condition()["status"] == "False", "the end of the credentials")
    assert space.condition()["reason"] == "Throttled"
    assert space.held_key() == issued
    sts.clear_faults()
    space.until_renewed(issued)
    space.until_ready()
    assert pod.identity() == user.arn
    assert operator.alive
