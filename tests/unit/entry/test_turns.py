"""Who is served when more come than can be served at once: in virtual time, by whom each peer keeps waiting."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from awssts.entry.turns import FORGOTTEN, Turns
from tests.unit.services.virtual_time import run


class House:
    """Work of some peers: when each began, and how many worked at once."""

    def __init__(self, turns: Turns, patience: float = 1000.0) -> None:
        self.turns = turns
        self.patience = patience
        self.began: list[tuple[str, float]] = []
        self.working = self.most = 0

    async def work(self, peer: str, seconds: float) -> None:
        async with self.turns.of(peer, asyncio.get_running_loop().time() + self.patience):
            self.began.append((peer, asyncio.get_running_loop().time()))
            self.working += 1
            self.most = max(self.most, self.working)
            await asyncio.sleep(seconds)
            self.working -= 1

    @property
    def order(self) -> str:
        return "".join(peer for peer, _ in self.began)


def all_of(*work: Coroutine[Any, Any, None]) -> None:
    async def together() -> None:
        await asyncio.gather(*work)

    run(together())


def test_one_works_at_a_time_and_all_come() -> None:
    house = House(Turns(at_once=1, each=1))
    all_of(*(house.work(peer, 0.1) for peer in "aabbc"))
    assert house.most == 1
    assert sorted(house.order) == ["a", "a", "b", "b", "c"]


def test_who_sends_a_lot_keeps_nobody_else_waiting() -> None:
    """One that takes little comes after the one that is at work, however many wait."""
    house = House(Turns(at_once=1, each=1))

    async def later() -> None:
        await asyncio.sleep(2.5)
        for _ in range(3):
            await house.work("x", 0.001)

    all_of(*(house.work(peer, 1.0) for peer in "abab" * 5), later())
    assert [when for peer, when in house.began if peer == "x"] == pytest.approx([3.0, 3.001, 3.002])


def test_what_was_taken_is_forgotten() -> None:
    house = House(Turns(at_once=1, each=1))

    async def after(seconds: float, *work: Coroutine[Any, Any, None]) -> None:
        await asyncio.sleep(seconds)
        await asyncio.gather(*work)

    work = (house.work(peer, 1.0) for peer in "bba")
    all_of(house.work("a", 4.0), after(4 + 3 * FORGOTTEN, *work))
    assert house.order == "abab", "half a second of a's is left, when b has taken one"


def test_one_peer_has_some_places_only() -> None:
    house = House(Turns(at_once=3, each=2))
    all_of(*(house.work(peer, 1.0) for peer in "aaab"))
    assert house.began[:3] == [("a", 0.0), ("a", 0.0), ("b", 0.0)]
    assert house.began[3] == ("a", pytest.approx(1.0))


def test_after_each_the_loop_has_as_long_for_other_things() -> None:
    house = House(Turns(at_once=1, each=1, rest=1.0))
    all_of(*(house.work("a", 0.5) for _ in range(3)))
    assert [when for _, when in house.began] == pytest.approx([0.0, 1.0, 2.0])


def test_nobody_waits_for_ever_and_who_goes_takes_no_turn() -> None:
    house = House(Turns(at_once=1, each=1), patience=5)

    async def too_late() -> None:
        with pytest.raises(TimeoutError):
            await house.work("b", 1.0)

    async def then() -> None:
        await asyncio.sleep(6)
        await house.work("c", 1.0)

    all_of(house.work("a", 10.0), too_late(), then())
    assert house.order == "ac"


def test_many_small_turns_are_a_lot() -> None:
    """Somebody who took one that was larger does not come behind them for ever."""
    house = House(Turns(at_once=1, each=1))

    async def flood() -> None:
        while asyncio.get_running_loop().time() < 2.0:
            await house.work("a", 0.0004)

    async def other() -> None:
        await house.work("x", 0.003)
        await house.work("x", 0.003)

    all_of(*(flood() for _ in range(20)), other())
    assert [when for peer, when in house.began if peer == "x"][1] < 0.1


def test_no_turn_comes_after_its_time() -> None:
    house = House(Turns(at_once=1, each=1), patience=-1.0)

    async def scene() -> None:
        with pytest.raises(TimeoutError):
            await house.work("a", 1.0)

    run(scene())
    assert not house.order


def test_only_the_work_counts_where_that_is_told() -> None:
    house = House(Turns(at_once=1, each=1, rest=1.0))

    async def scene() -> None:
        async with house.turns.of("a", 100.0) as turn:
            await asyncio.sleep(5.0)
            turn.worked = 0.5
        await house.work("b", 1.0)

    run(scene())
    assert house.began == [("b", pytest.approx(5.5))]


def test_a_turn_that_comes_as_somebody_goes_is_the_nexts() -> None:
    house = House(Turns(at_once=1, each=1))

    async def scene() -> None:
        first = asyncio.create_task(house.work("a", 1.0))
        await asyncio.sleep(0)
        second = asyncio.create_task(house.work("b", 1.0))
        await first
        asyncio.get_running_loop().call_soon(second.cancel)
        await asyncio.wait([second])
        await house.work("c", 1.0)

    run(scene())
    assert house.order == "ac"
