"""The path that only the API server knows: the same for all replicas, and good for an hour or two."""

from datetime import UTC, datetime, timedelta

import pytest

from awssts.domain import calling
from awssts.domain.calling import LIFE, known, leads, path
from awssts.domain.stamp import Keys
from tests.unit.admission.reviews import KEYS

NOW = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
OTHER = Keys((b"o" * 32,))


def test_it_is_long_and_of_the_key_and_the_hour() -> None:
    assert len(path(KEYS, NOW)) == len(calling.ROOT) + 1 + 32
    assert path(KEYS, NOW) == path(KEYS, NOW + 29 * MINUTE)
    assert len({path(KEYS, NOW), path(OTHER, NOW), path(KEYS, NOW + LIFE)}) == 3


@pytest.mark.parametrize(
    ("late", "good"),
    [(timedelta(), True), (LIFE, True), (-LIFE, True), (89 * MINUTE, True), (2 * LIFE, False), (-2 * LIFE, False)],
)
def test_it_is_good_for_a_time(late: timedelta, good: bool) -> None:
    """Clocks of replicas differ, and the registration is looked at every five minutes only."""
    assert known(path(KEYS, NOW), KEYS, NOW + late) is good


def test_that_of_an_old_key_counts_while_the_key_does() -> None:
    assert known(path(OTHER, NOW), Keys((*KEYS.all, *OTHER.all)), NOW)
    assert not known(path(OTHER, NOW), KEYS, NOW)


@pytest.mark.parametrize("wrong", ["/mutate", "/mutate/", "/mutate/é", "/mutate/\udcff", ""])
def test_no_other_is_known(wrong: str) -> None:
    assert not known(wrong, KEYS, NOW)


@pytest.mark.parametrize(
    ("address", "stamps"),
    [("", True), ("/", True), ("/mutate", True), ("/mutate/x", True), ("/mutated", False), ("/inject", False)],
)
def test_what_leads_to_stamps(address: str, stamps: bool) -> None:
    assert leads(address) is stamps
