"""When things happen next."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from awssts.domain import schedule
from tests.unit.builders import HOUR, MINUTE, NOW, spec

SECOND = timedelta(seconds=1)
UIDS = [f"uid-{number}" for number in range(200)]
uids = st.uuids().map(str)
lifetimes = st.integers(900, 129_600).map(lambda seconds: timedelta(seconds=seconds))


def renewals(lifetime: timedelta, ahead: timedelta | None) -> list[timedelta]:
    """How long before the expiration each of many requests is renewed."""
    return [NOW + lifetime - schedule.renewal(NOW, NOW + lifetime, lifetime, ahead, uid) for uid in UIDS]


@pytest.mark.parametrize(
    ("lifetime", "ahead", "earliest", "latest"),
    [
        (12 * HOUR, None, 4 * HOUR + 24 * MINUTE, 4 * HOUR),
        (12 * HOUR, HOUR, HOUR + 6 * MINUTE, HOUR),
        (HOUR, None, 22 * MINUTE, 20 * MINUTE),
        (15 * MINUTE, None, 5.5 * MINUTE, 5 * MINUTE),
        (HOUR, 4 * HOUR, 22 * MINUTE, 20 * MINUTE),
    ],
    ids=["a third by default", "as asked", "a role's hour", "the shortest", "an hour where twelve were asked for"],
)
def test_renewal(lifetime: timedelta, ahead: timedelta | None, earliest: timedelta, latest: timedelta) -> None:
    found = renewals(lifetime, ahead)
    assert latest <= min(found)
    assert max(found) <= earliest
    assert max(found) - min(found) > (earliest - latest) * 0.9, "spread over all of the jitter"


@given(uids, lifetimes)
def test_it_is_the_same_whenever_it_is_asked(uid: str, lifetime: timedelta) -> None:
    end = NOW + lifetime
    assert schedule.renewal(NOW, end, lifetime, None, uid) == schedule.renewal(NOW, end, lifetime, None, uid)


@given(uids, st.integers(3600, 129_600), st.none() | st.integers(1200, 129_600))
def test_with_an_hour_or_more_there_are_always_20_minutes_left(uid: str, lifetime: int, ahead: int | None) -> None:
    end = NOW + timedelta(seconds=lifetime)
    asked = timedelta(seconds=ahead) if ahead else None
    at = schedule.renewal(NOW, end, end - NOW, asked, uid)
    assert at > NOW, "not at once again, however long renewBefore is"
    if ahead is None or ahead < lifetime - 600:
        assert end - at >= 20 * MINUTE


@given(uids, st.integers(1, 3600), st.none() | st.integers(1, 129_600))
def test_a_renewal_is_neither_at_once_nor_too_late(uid: str, lifetime: int, ahead: int | None) -> None:
    """Also where STS gives less than was asked for."""
    end = NOW + timedelta(seconds=lifetime)
    at = schedule.renewal(NOW, end, end - NOW, timedelta(seconds=ahead) if ahead else None, uid)
    assert NOW < at < end


@given(uids)
def test_no_valid_spec_is_renewed_all_the_time(uid: str) -> None:
    for fields in ({"duration": "1h", "renewBefore": "59m59s"}, {"duration": "15m", "renewBefore": "14m59s"}):
        found = spec(**fields)
        end = NOW + timedelta(seconds=found.lifetime)
        assert schedule.renewal(NOW, end, end - NOW, timedelta(seconds=found.renew_before or 0), uid) - NOW >= MINUTE


# Backoff.


def ceiling(failures: int) -> timedelta:
    return max(schedule.backoff(failures, uid) for uid in UIDS)


@pytest.mark.parametrize(
    ("failures", "most"), [(1, SECOND), (2, 2 * SECOND), (5, 16 * SECOND), (9, 256 * SECOND), (10, 5 * MINUTE)]
)
def test_backoff_doubles_up_to_five_minutes(failures: int, most: timedelta) -> None:
    assert most * 0.9 < ceiling(failures) <= most
    assert ceiling(10_000) <= 5 * MINUTE


@given(uids, st.integers(1, 100_000), st.none() | st.integers(-10, 129_600))
def test_backoff_is_bounded(uid: str, failures: int, left: int | None) -> None:
    delay = schedule.backoff(failures, uid, timedelta(seconds=left) if left is not None else None)
    assert timedelta(milliseconds=200) <= delay <= schedule.BACKOFF_MAXIMUM
    if left is not None and left > 4:
        assert delay <= timedelta(seconds=left) / 4, "within a quarter of what is left"


def test_backoff_is_spread() -> None:
    delays = sorted(schedule.backoff(20, uid) / SECOND for uid in UIDS)
    quarters = [delays[len(delays) * number // 4] for number in (1, 2, 3)]
    assert quarters == pytest.approx([75, 150, 225], abs=30)


def test_looks_double_up_to_a_minute() -> None:
    assert [schedule.look_again(looks) / SECOND for looks in (0, 1, 2, 5, 6, 7, 1000)] == [1, 2, 4, 32, 60, 60, 60]


@given(st.text())
def test_fractions(seed: str) -> None:
    assert 0 <= schedule.fraction(seed) < 1
    assert schedule.fraction(seed) == schedule.fraction(seed)
