"""Watches that are deaf: what was written does not come back, and how long that has been so."""

import pytest

from awssts.services.echoes import Echo, Echoes
from tests.unit.builders import HOUR, MINUTE
from tests.unit.services.world import REPORTS, World

OTHER, ELSEWHERE = ("team", "other"), ("house", "reports")


class Time:
    """Seconds that only the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def echo(time: Time) -> Echo:
    return Echo(time, apart=False)


def test_a_write_is_awaited_until_it_is_told(echo: Echo, time: Time) -> None:
    assert echo.lag == 0
    echo.wrote(REPORTS, 7)
    time.now += 90
    assert echo.lag == 90
    echo.told(REPORTS, 6)
    assert echo.lag == 90, "that was before"
    echo.told(REPORTS, 7)
    assert echo.lag == 0


def test_the_watch_may_be_faster_than_the_answer_to_the_write(echo: Echo, time: Time) -> None:
    echo.told(REPORTS, 7)
    echo.wrote(REPORTS, 7)
    time.now += 90
    assert echo.lag == 0


def test_a_write_that_changed_nothing_is_not_awaited(echo: Echo, time: Time) -> None:
    echo.told(REPORTS, 7)
    echo.wrote(REPORTS, 5)
    time.now += 90
    assert echo.lag == 0


def test_a_newer_version_of_another_answers_too(echo: Echo, time: Time) -> None:
    """Somebody changed the object once more, or deleted it between two watches: the watch lives all the same."""
    echo.wrote(REPORTS, 7)
    time.now += 90
    echo.told(OTHER, 8)
    assert echo.lag == 0


def test_the_oldest_write_counts(echo: Echo, time: Time) -> None:
    echo.wrote(REPORTS, 7)
    time.now += 60
    echo.wrote(OTHER, 8)
    time.now += 60
    assert echo.lag == 120
    echo.told(REPORTS, 7)
    assert echo.lag == 0, "the next one will tell whether it goes on"
    echo.wrote(OTHER, 9)
    time.now += 5
    assert echo.lag == 5


def test_what_is_gone_is_not_waited_for(echo: Echo, time: Time) -> None:
    echo.wrote(REPORTS, 7)
    time.now += 60
    echo.gone(OTHER)
    assert echo.lag == 60
    echo.gone(REPORTS)
    assert echo.lag == 0


def test_each_watch_answers_for_itself(time: Time) -> None:
    echoes = Echoes(time, apart=True)
    for echo in (echoes.requests, echoes.secrets):
        for name in (REPORTS, ELSEWHERE):
            echo.wrote(name, 7)
    time.now += 60
    for echo in (echoes.requests, echoes.secrets):
        for name in (REPORTS, ELSEWHERE):
            assert echoes.lag == 60
            echo.told(name, 9)
    assert echoes.lag == 0


# In the operator.


def test_what_the_operator_writes_comes_back(world: World) -> None:
    world.apply()
    world.to_renewal()
    world.advance(HOUR)
    world.restart()
    world.settle()
    assert world.lag == 0


@pytest.mark.parametrize("kind", ["request", "secret"])
def test_a_deaf_watch_is_seen_at_the_next_write(world: World, kind: str) -> None:
    world.apply()
    world.to_renewal()
    world.deaf = {kind}
    world.advance(10 * MINUTE)
    assert world.live()
    assert world.lag > 9 * 60
    world.deaf = set()
    world.relist()
    assert world.lag == 0


def test_a_request_that_went_in_between_is_not_waited_for(world: World) -> None:
    world.apply()
    world.to_renewal()
    world.deaf = {"request"}
    world.advance(2 * MINUTE)
    assert world.lag > 60
    world.cluster.delete_request(REPORTS)
    world.advance(12 * HOUR)  # whoever looks finds that it is gone
    assert world.lag == 0


def test_a_secret_that_went_in_between_is_not_waited_for(world: World) -> None:
    world.apply()
    world.to_renewal()
    world.deaf = {"secret"}
    world.advance(2 * MINUTE)
    assert world.lag > 60
    world.cluster.delete_secret(REPORTS)
    world.sweep()
    assert world.lag == 0
