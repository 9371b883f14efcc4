"""Guessing costs more each time; memory is bounded; addresses are believed from proxies only."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from awssts.domain.callers import Caller, address_of
from awssts.domain.lockout import FORGOTTEN, FULL, LONGEST, Lockout, Pace

FREE = {"user": 3, "site": 1}
KEY = {"user": "anna"}


def made(largest: int = 100) -> Lockout:
    return Lockout(FREE, largest)


def begin(lockout: Lockout, times: int, now: float = 0.0) -> list[float]:
    return [lockout.begin(KEY, now) for _ in range(times)]


def fail(lockout: Lockout, times: int, now: float = 0.0) -> list[float]:
    """Begin, and fail where that was allowed."""
    waits = []
    for _ in range(times):
        waits.append(lockout.begin(KEY, now))
        if waits[-1] == 0:
            lockout.fail(KEY, now)
    return waits


def test_free_ones_then_ever_longer() -> None:
    lockout, now = made(), 100.0
    assert fail(lockout, 3, now) == [0, 0, 0]
    waits = []
    for _ in range(14):
        waits.append(lockout.begin(KEY, now))
        now += waits[-1]
        assert fail(lockout, 1, now) == [0]
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, *[LONGEST] * 4]


def test_right_ones_cost_nothing() -> None:
    lockout = made()
    for _ in range(20):
        assert lockout.begin(KEY, 0) == 0
        lockout.take_back(KEY)
    fail(lockout, 3)
    lockout.clear("user", "anna")
    assert lockout.begin(KEY, 0) == 0


def test_what_is_under_way_counts() -> None:
    """So that a hundred at once are no more guesses than a hundred in a row."""
    lockout = made()
    assert begin(lockout, 10, 0) == [0] * 3 + [1] * 7
    lockout.take_back(KEY)
    assert begin(lockout, 2, 0) == [0, 1]
    for _ in range(3):
        lockout.fail(KEY, 5)
    assert [lockout.wait(KEY, 5), lockout.wait(KEY, 6)] == [1, 0]


def test_refused_attempts_prolong_nothing() -> None:
    lockout = made()
    fail(lockout, 3)
    assert [lockout.begin(KEY, now / 10) for now in range(10)] == [1 - now / 10 for now in range(10)]
    assert lockout.begin(KEY, 1.0) == 0


def test_is_forgotten() -> None:
    lockout = made()
    fail(lockout, 3)
    assert fail(lockout, 3, FORGOTTEN + 1) == [0, 0, 0]


def test_right_ones_between_prolong_nothing() -> None:
    """An office behind one address: somebody mistypes now and then, others log in all the time."""
    lockout, now = made(), 0.0
    while now < 100 * FORGOTTEN:
        assert fail(lockout, 2, now) == [0, 0]
        for _ in range(4):
            now += FORGOTTEN / 3
            assert lockout.begin(KEY, now) == 0
            lockout.take_back(KEY)


def test_right_ones_do_not_hold_up_a_lock() -> None:
    lockout = made()
    fail(lockout, 3, 0)
    assert begin(lockout, 2, 1) == [0, 2]
    lockout.take_back(KEY)
    assert lockout.wait(KEY, 1) == 0


def test_the_longest_lock_counts() -> None:
    lockout, both = made(), {"user": "anna", "site": "10.0.0.1"}
    assert lockout.begin({"site": "10.0.0.1"}, 0) == 0
    assert lockout.begin(both, 0) == 1
    assert lockout.begin(KEY, 0) == 0  # what was refused did not count


@given(st.lists(st.sampled_from("abcdef"), max_size=60))
def test_memory_is_bounded(names: list[str]) -> None:
    lockout, pace = made(largest=3), Pace(1, 2, largest=3)
    for now, name in enumerate(names):
        if lockout.begin({"site": name}, now) == 0:
            lockout.fail({"site": name}, now)
        pace.begin(name, now)
        assert len(lockout) <= 3
        assert len(pace._due) <= 3  # noqa: SLF001 - what is bounded


def test_right_ones_take_no_memory() -> None:
    lockout = made()
    fail(lockout, 2)
    assert lockout.begin(KEY | {"site": "10.0.0.1"}, 0) == 0
    assert len(lockout) == 2
    lockout.take_back(KEY | {"site": "10.0.0.1"})
    assert len(lockout) == 1
    lockout.clear("user", "anna")
    assert len(lockout) == 0


def test_who_is_locked_stays_so_whoever_else_fails() -> None:
    """Neither other addresses nor other names push one out."""
    lockout = made(largest=3)
    assert fail(lockout, 4, 0) == [0, 0, 0, 1]
    for number in range(20):
        for other in {"site": f"10.0.0.{number}"}, {"user": f"user-{number}"}:
            assert lockout.begin(other, 0.5) == (FULL if "site" in other and number >= 3 else 0)
            if "user" in other or number < 3:
                lockout.fail(other, 0.5)
    assert lockout.wait(KEY, 0.5) == 0.5


def test_where_all_are_locked_newcomers_wait() -> None:
    lockout, keys = made(largest=2), [{"site": f"10.0.0.{number}"} for number in range(3)]
    for key in keys[:2]:
        lockout.begin(key, 0)
        lockout.fail(key, 0)
    assert [lockout.begin(key, 0.5) for key in keys] == [0.5, 0.5, FULL]
    assert lockout.begin(keys[2], 1) == 0  # in the place of the oldest
    assert len(lockout) == 2
    lockout.take_back(keys[2])
    assert [lockout.wait(key, 0.5) for key in keys] == [0, 0.5, 0]


def test_pace() -> None:
    pace = Pace(rate=2, burst=3)
    assert [pace.begin("a", 10.0) for _ in range(5)] == [0, 0, 0, 0.5, 0.5]
    assert pace.begin("b", 10.0) == 0
    assert pace.begin("a", 10.5) == 0
    assert pace.begin("a", 10.5) == 0.5
    assert [pace.begin("a", 100.0) for _ in range(4)] == [0, 0, 0, 0.5]


PROXIES = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.1", [], "192.0.2.1"),
        ("192.0.2.1", ["198.51.100.1"], "192.0.2.1"),  # no proxy of ours
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["203.0.113.9, 198.51.100.1"], "198.51.100.1"),  # the first is what the caller says
        ("10.0.0.1", ["203.0.113.9, 198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", ["203.0.113.9", "198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", ["198.51.100.1, nonsense"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9, 198.51.100.1:51234, 10.0.0.2:443"], "198.51.100.1"),
        ("10.0.0.1", ["[2001:db8::1]:51234"], "2001:db8::1"),
        ("10.0.0.1", ["[2001:db8::1]"], "2001:db8::1"),
        ("10.0.0.1", ["2001:db8::1:443"], "2001:db8::1:443"),  # no port: IPv6 has brackets before one
        ("10.0.0.1", ["198.51.100.1, []:1"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1, :1"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1:port"], "10.0.0.1"),
        ("10.0.0.1", ["", ","], "10.0.0.1"),
        ("::ffff:10.0.0.1", ["::ffff:198.51.100.1"], "198.51.100.1"),
        ("fd00::1", ["2001:db8::1"], "2001:db8::1"),
        ("fe80::1%eth0", [], "fe80::1"),
        ("", ["198.51.100.1"], ""),
    ],
)
def test_addresses(peer: str, forwarded: list[str], address: str) -> None:
    assert address_of(peer, forwarded, PROXIES) == address


@pytest.mark.parametrize(
    ("address", "site"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("", ""),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.1"),
    ],
)
def test_sites(address: str, site: str) -> None:
    assert Caller(address).site == site
