"""What STS may answer."""

from datetime import timedelta

import pytest

from awssts.domain.errors import (
    AccessDenied,
    AwsstsError,
    ClockSkew,
    InvalidAccessKey,
    InvalidSecretKey,
    RegionDisabled,
    RequestRefused,
    SessionExpired,
    StsUnavailable,
    Throttled,
)
from tests.unit.builders import HOUR, MINUTE
from tests.unit.services.world import World

SECOND = timedelta(seconds=1)


TRANSIENT = [
    Throttled("STS throttles the account"),
    StsUnavailable("STS can't be reached"),
    ClockSkew("the clocks differ"),
    SessionExpired("over"),
]
PERMANENT = [
    AccessDenied("not allowed"),
    InvalidAccessKey("no such key"),
    InvalidSecretKey("wrong"),
    RequestRefused("too long"),
    RegionDisabled("not active"),
]


@pytest.mark.parametrize("error", TRANSIENT, ids=lambda error: error.reason)
def test_a_transient_failure_is_tried_again_soon(world: World, error: AwsstsError) -> None:
    world.apply()
    world.to_renewal()
    live = world.live()
    world.sts.fail(error, times=3)
    world.advance(2 * SECOND)
    assert world.ready() == f"True RenewalFailing, Reconciling {error.reason}"
    assert world.live() == live
    assert world.status().next_attempt
    world.advance(MINUTE)
    assert world.ready() == "True Issued"
    assert len(world.sts.calls) == 5
    assert world.events.reasons == ["Issued", error.reason, "Issued"], "one for each change, none for a retry"


@pytest.mark.parametrize("error", PERMANENT, ids=lambda error: error.reason)
def test_a_permanent_failure_is_tried_again_every_quarter_of_an_hour(world: World, error: AwsstsError) -> None:
    world.advance(HOUR)  # AWS knows the key by now
    world.apply()
    world.to_renewal()
    live = world.live()
    world.sts.fail(error, times=99)
    world.advance(2 * SECOND)
    assert world.ready() == f"True RenewalFailing, Stalled {error.reason}"
    assert world.costs(lambda: world.advance(HOUR))[0] == 4
    assert world.live() == live
    world.advance(4 * HOUR)
    assert world.ready() == f"False {error.reason}, Stalled {error.reason}", "they expired"


@pytest.mark.parametrize("error", PERMANENT, ids=lambda error: error.reason)
def test_a_changed_input_is_tried_at_once_after_a_permanent_failure(world: World, error: AwsstsError) -> None:
    world.advance(HOUR)
    world.apply()
    world.sts.fail(error)
    world.settle()
    world.apply(duration="3h")
    world.settle()
    assert world.ready() == "True Issued"


def test_a_restart_keeps_the_backoff(world: World) -> None:
    world.apply()
    world.sts.fail(PERMANENT[0])
    world.settle()
    world.restart()
    assert world.costs(world.settle) == (0, 0)


def test_a_new_key_that_aws_does_not_know_yet_is_no_mistake(world: World) -> None:
    world.apply()
    world.sts.secret_keys.clear()
    world.settle()
    assert world.ready() == "False AccessKeyNotActiveYet, Reconciling AccessKeyNotActiveYet"
    world.advance(15 * SECOND)
    world.give_keys()
    world.advance(MINUTE)
    assert world.ready() == "True Issued"


def test_attempts_do_not_wait_until_it_is_too_late(world: World) -> None:
    """With little left of the credentials, the next attempt is within a quarter of that."""
    world.apply(duration="15m")
    world.settle()
    world.sts.fail(TRANSIENT[0], times=99)
    world.advance(14 * MINUTE)
    found = world.status()
    assert found.next_attempt
    assert found.expiration
    assert found.next_attempt - world.clock() <= (found.expiration - world.clock()) / 4 + SECOND
