"""Issuing and renewing: what users see, and what it costs."""

import pytest

from tests.unit.builders import HOUR, KEY, NOW, ROLE_ARN
from tests.unit.services.world import World


def test_first_issue_takes_one_call_and_two_writes(world: World) -> None:
    world.apply()
    assert world.costs(world.settle) == (1, 2)
    assert world.ready() == "True Issued"
    assert world.live() == world.status().access_key_id
    assert world.events.reasons == ["Issued"]


def test_what_was_asked_of_sts() -> None:
    world = World(region="eu-central-1")
    world.give_keys()
    world.apply(duration="2h", role={"arn": ROLE_ARN})
    world.settle()
    assert world.sts.calls == [
        {
            "key": KEY.access_key_id,
            "role": ROLE_ARN,
            "session_name": "team.reports",
            "region": "eu-central-1",
            "lifetime": 7200,
        }
    ]
    world.close()


def test_a_steady_state_costs_nothing(world: World) -> None:
    world.apply()
    world.settle()
    calls = len(world.cluster.calls)
    world.advance(6 * HOUR)
    world.settle()
    assert len(world.cluster.calls) == calls
    assert len(world.sts.calls) == 1


def test_a_restart_costs_nothing(world: World) -> None:
    world.apply()
    world.settle()
    calls = len(world.cluster.calls)
    world.restart()
    world.settle()
    assert len(world.cluster.calls) == calls
    assert len(world.sts.calls) == 1


def test_credentials_are_renewed_long_before_they_expire(world: World) -> None:
    world.apply()
    world.settle()
    first = world.live()
    world.advance(10 * HOUR)
    assert world.live() not in {"", first}
    assert world.ready() == "True Issued"
    assert world.events.reasons == ["Issued"], "a renewal is no news"


def test_the_account_root_gets_an_hour_and_is_renewed_by_that(world: World) -> None:
    world.sts.lifetime_maximum = 3600
    world.apply(duration="12h")
    world.settle()
    assert world.status().expiration == NOW + HOUR
    calls, _ = world.costs(lambda: world.advance(12 * HOUR))
    assert 16 <= calls <= 24, "every 36 to 40 minutes, after an hour less a third and the jitter"
    assert world.live()


@pytest.mark.parametrize("renew_before", ["20m", "40m", "59m", "3599"])
def test_a_long_renew_before_is_no_endless_loop(world: World, renew_before: str) -> None:
    world.apply(duration="1h", renewBefore=renew_before)
    world.settle()
    assert world.ready() == "True Issued"
    assert len(world.sts.calls) == 1
