"""What the API server may answer."""

from datetime import timedelta

import pytest

from awssts.domain.errors import (
    AwsstsError,
    ClusterForbidden,
    ClusterUnavailable,
    TargetRejected,
)
from tests.unit.builders import HOUR, MINUTE, NOW, OTHER_KEY, key_data, request, written
from tests.unit.services.world import REPORTS, World

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize("error", [ClusterUnavailable("503"), ClusterForbidden("403")], ids=lambda error: error.reason)
@pytest.mark.parametrize("done", [False, True], ids=["refused", "answer lost"])
def test_what_sts_gave_is_written_at_the_next_attempt(world: World, error: AwsstsError, done: bool) -> None:
    world.apply()
    world.to_renewal()
    live = world.live()
    world.cluster.fail("apply_secret", error, times=2, done=done)
    world.advance(2 * SECOND)
    assert world.live() != "" if done else world.live() == live
    world.advance(6 * MINUTE)
    assert world.ready() == "True Issued"
    assert world.live() not in {"", live}
    assert len(world.sts.calls) == 2, "one for the first, one for the renewal"


def test_ready_stays_true_while_the_cluster_takes_no_secret(world: World) -> None:
    world.apply()
    world.to_renewal()
    world.cluster.fail("apply_secret", times=3)
    world.clock.advance(2 * SECOND)
    world.settle()  # the operator's own status wakes it, too
    assert world.ready() == "True RenewalFailing, Reconciling ClusterUnavailable"


def test_a_secret_that_the_cluster_never_takes_stalls(world: World) -> None:
    world.apply()
    world.settle()
    world.cluster.fail("apply_secret", TargetRejected("labels: invalid value"), times=99)
    world.apply(target={"template": {"labels": {"team": "not valid!"}}})
    world.settle()
    assert world.ready() == "True RenewalFailing, Stalled TargetRejected"
    assert world.costs(lambda: world.advance(HOUR))[1] <= 2 * 5
    world.cluster.faults.clear()
    world.apply()
    world.settle()
    assert world.ready() == "True Issued"


@pytest.mark.parametrize("call", ["request", "secret", "secret_metadata", "apply_status"])
@pytest.mark.parametrize("done", [False, True], ids=["refused", "answer lost"])
def test_any_other_call_is_simply_made_again(world: World, call: str, done: bool) -> None:
    world.apply()
    world.cluster.fail(call, times=3, done=done)
    world.settle()
    world.advance(MINUTE)
    assert world.ready() == "True Issued"
    assert len(world.sts.calls) == 1


def test_another_secret_in_the_meantime_is_not_overwritten(world: World) -> None:
    """Between the look and the write somebody deletes the target and makes a Secret of its name: 409."""
    world.apply()
    world.to_renewal()
    world.cluster.delete_secret(REPORTS)
    world.cluster.put_secret(REPORTS, key_data(OTHER_KEY))
    theirs = world.secret()
    world.advance(2 * MINUTE)
    assert world.secret() == theirs
    assert world.ready() == "False TargetConflict, Stalled TargetConflict"


def test_an_event_older_than_our_own_status_is_passed_over(world: World) -> None:
    world.apply()
    old = world.cluster.requests[REPORTS]
    world.settle()
    world.deliver("MODIFIED", "request", old)
    assert world.costs(world.settle) == (0, 0)


def test_a_lost_status_is_rebuilt_from_the_secret(world: World) -> None:
    world.apply()
    world.settle()
    whole = world.status()
    world.cluster.requests[REPORTS].pop("status")
    world.restart()
    assert world.costs(world.settle) == (0, 1)
    assert world.status() == whole


def test_a_target_made_by_an_earlier_version_is_recognized(world: World) -> None:
    """What is on the Secret is all that a new process needs: no read, no call."""
    made = written(request(), issued_at=NOW - HOUR)
    world.apply()
    world.cluster.put_secret(
        REPORTS, made["data"], labels=made["metadata"]["labels"], annotations=made["metadata"]["annotations"]
    )
    world.settle()
    assert world.costs(world.restart) == (0, 0)
    assert world.status().expiration == NOW + 11 * HOUR
    assert not world.sts.calls


def test_a_status_that_the_cluster_never_takes_is_tried_ever_more_seldom(world: World) -> None:
    world.apply()
    world.cluster.fail("apply_status", ClusterForbidden("no right to the status"), times=10_000)
    world.advance(10 * MINUTE)
    tried = world.cluster.calls.count("apply_status")
    assert tried < 20
    world.advance(HOUR)
    assert world.cluster.calls.count("apply_status") - tried < 30
    assert (len(world.sts.calls), world.cluster.calls.count("apply_secret")) == (1, 1)


def test_what_sts_gave_is_written_though_the_layout_was_mended_meanwhile(world: World) -> None:
    world.cluster.fail("apply_secret", TargetRejected("labels: invalid value"), times=1)
    world.apply(target={"template": {"labels": {"team": "not valid!"}}})
    world.settle()
    assert world.ready() == "False TargetRejected, Stalled TargetRejected"
    world.apply()
    world.settle()
    assert world.ready() == "True Issued"
    assert len(world.sts.calls) == 1
