"""Clocks that differ by less than the 15 minutes at which AWS refuses calls; and answers that can't be AWS's."""

from datetime import timedelta

import pytest

from tests.unit.builders import HOUR, MINUTE
from tests.unit.services.world import World

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize("behind", [0, 2, 6, 10, 14])
@pytest.mark.parametrize(("duration", "least"), [("15m", 4), ("1h", 19), ("12h", 200)])
def test_behind_aws_credentials_are_renewed_in_time(world: World, duration: str, least: int, behind: int) -> None:
    """They end earlier than our clock would have it. ``least``: minutes that are left in truth, at any time."""
    world.sts.skew = behind * MINUTE
    world.apply(duration=duration)
    world.settle()
    for _ in range(60):
        world.advance(15 * MINUTE if duration == "12h" else MINUTE)
        expiration = world.sts.issued[world.live()].expiration
        assert expiration - (world.clock() + world.sts.skew) >= least * MINUTE
    assert len(world.sts.calls) <= 8


@pytest.mark.parametrize("ahead", [4, 8, 12])
def test_ahead_of_aws_they_are_renewed_earlier(world: World, ahead: int) -> None:
    world.sts.skew = -ahead * MINUTE
    world.apply(duration="15m")
    world.settle()
    for _ in range(60):
        world.advance(MINUTE)
        assert world.live()
    assert world.ready() == "True Issued"
    assert len(world.sts.calls) <= 60


@pytest.mark.parametrize("left", [-HOUR, -SECOND, timedelta(), 4 * SECOND], ids=str)
def test_credentials_that_are_over_replace_none_that_live(world: World, left: timedelta) -> None:
    world.apply(duration="12h")
    world.to_renewal()
    live = world.live()
    world.sts.skew = left - 12 * HOUR
    world.advance(10 * MINUTE)
    assert world.secret()
    world.sts.skew = timedelta()
    assert world.live() == live
    assert world.ready() == "True RenewalFailing, Reconciling ClockSkew"
    assert len(world.sts.calls) < 20
    world.advance(5 * MINUTE)
    assert world.ready() == "True Issued"


def test_credentials_that_last_for_ever_are_not_believed(world: World) -> None:
    world.apply()
    world.sts.skew = 400 * 365 * 24 * HOUR
    world.advance(10 * MINUTE)
    assert world.ready() == "False StsUnavailable, Reconciling StsUnavailable"
    assert len(world.sts.calls) < 20
