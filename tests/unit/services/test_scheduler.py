"""The work queue, in virtual time: hours pass at once."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta

import pytest

from awssts.services.observations import Name
from awssts.services.scheduler import Scheduler
from tests.unit.builders import NOW
from tests.unit.services.virtual_time import now, run

A, B, C = ("team", "a"), ("team", "b"), ("team", "c")
Work = Callable[[Name], Awaitable[datetime | None]]


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


class Worked:
    """Work that takes no time, unless told to, and notes when each name was worked on."""

    def __init__(self) -> None:
        self.log: list[tuple[str, float]] = []
        self.next: dict[Name, list[datetime | Exception | None]] = {}
        self.seconds = 0.0
        self.at_once = Counter[Name]()
        self.most_at_once = Counter[Name]()

    async def __call__(self, name: Name) -> datetime | None:
        self.log.append((name[1], asyncio.get_running_loop().time()))
        self.at_once[name] += 1
        self.most_at_once[name] = max(self.most_at_once[name], self.at_once[name])
        await asyncio.sleep(self.seconds)
        self.at_once[name] -= 1
        following = self.next.get(name, [])
        found = following.pop(0) if following else None
        if isinstance(found, Exception):
            raise found
        return found

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.log]


@contextlib.asynccontextmanager
async def running(work: Work, *, workers: int = 4) -> AsyncIterator[Scheduler]:
    scheduler = Scheduler(work, now, workers=workers)
    task = asyncio.create_task(scheduler.run())
    await asyncio.sleep(0)
    yield scheduler
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def test_what_is_added_is_worked_on_at_once() -> None:
    async def main() -> None:
        async with running(worked := Worked()) as scheduler:
            scheduler.add(A)
            await asyncio.sleep(1)
        assert worked.log == [("a", 0.0)]

    run(main())


def test_what_is_due_later_comes_in_order_of_time() -> None:
    async def main() -> None:
        async with running(worked := Worked()) as scheduler:
            for name, seconds in ((A, 3600), (B, 60), (C, 86_400)):
                scheduler.add_at(name, after(seconds))
            await asyncio.sleep(100_000)
        assert worked.names == ["b", "a", "c"]
        assert [at for _, at in worked.log] == pytest.approx([60, 3600, 86_400], abs=0.01)

    run(main())


def test_a_new_time_replaces_the_old() -> None:
    async def main() -> None:
        async with running(worked := Worked()) as scheduler:
            scheduler.add_at(A, after(50))
            scheduler.add_at(A, after(5))
            scheduler.add_at(B, after(5))
            scheduler.add_at(B, after(50))
            scheduler.add_at(C, after(5))
            scheduler.add_at(C, None)
            await asyncio.sleep(1000)
        assert [(name, round(at)) for name, at in worked.log] == [("a", 5), ("b", 50)]

    run(main())


def test_what_the_work_returns_is_the_next_time() -> None:
    async def main() -> None:
        worked = Worked()
        worked.next[A] = [after(10), after(20), None]
        async with running(worked) as scheduler:
            scheduler.add(A)
            await asyncio.sleep(1000)
        assert [round(at) for _, at in worked.log] == [0, 10, 20]

    run(main())


def test_a_time_that_has_passed_is_now() -> None:
    async def main() -> None:
        async with running(worked := Worked()) as scheduler:
            await asyncio.sleep(100)
            scheduler.add_at(A, after(50))
            await asyncio.sleep(1)
        assert [round(at) for _, at in worked.log] == [100]

    run(main())


def test_added_many_times_it_is_worked_on_once() -> None:
    async def main() -> None:
        async with running(worked := Worked()) as scheduler:
            for _ in range(5):
                scheduler.add(A)
            assert scheduler.depth == 1
            await asyncio.sleep(1)
        assert worked.names == ["a"]

    run(main())


def test_added_while_it_is_worked_on_it_is_worked_on_again_afterwards() -> None:
    async def main() -> None:
        worked = Worked()
        worked.seconds = 10
        async with running(worked) as scheduler:
            scheduler.add(A)
            await asyncio.sleep(5)
            scheduler.add(A)
            scheduler.add(A)
            await asyncio.sleep(100)
        assert worked.log == [("a", 0.0), ("a", 10.0)]

    run(main())


def test_due_while_it_is_worked_on_it_is_not_worked_on_twice_at_once() -> None:
    async def main() -> None:
        worked = Worked()
        worked.seconds = 10
        async with running(worked) as scheduler:
            scheduler.add(A)
            scheduler.add_at(A, after(5))
            await asyncio.sleep(100)
        assert worked.most_at_once[A] == 1
        assert worked.log == [("a", 0.0), ("a", 10.0)]

    run(main())


def test_many_workers_never_share_a_name_and_miss_none() -> None:
    async def main() -> None:
        chance, worked = random.Random(7), Worked()  # noqa: S311 - an order to test with
        worked.seconds = 0.3
        names = [("team", str(number)) for number in range(20)]
        async with running(worked, workers=8) as scheduler:
            for _ in range(500):
                name = chance.choice(names)
                if chance.random() < 0.5:
                    scheduler.add(name)
                else:
                    scheduler.add_at(name, now() + timedelta(seconds=chance.random()))
                await asyncio.sleep(chance.random() / 10)
            await asyncio.sleep(10)
        assert max(worked.most_at_once.values()) == 1
        assert {name for _, name in names} == set(worked.names)

    run(main())


def test_no_more_than_there_are_workers_at_once() -> None:
    async def main() -> None:
        worked = Worked()
        worked.seconds = 10
        async with running(worked, workers=2) as scheduler:
            for name in (A, B, C):
                scheduler.add(name)
            await asyncio.sleep(1)
            assert scheduler.depth == 1
            await asyncio.sleep(100)
        assert worked.log == [("a", 0.0), ("b", 0.0), ("c", 10.0)]

    run(main())


def test_a_bug_in_the_work_stops_neither_the_others_nor_itself_for_ever() -> None:
    async def main() -> None:
        worked = Worked()
        worked.next[A] = [RuntimeError("a bug")]
        async with running(worked, workers=1) as scheduler:
            scheduler.add(A)
            scheduler.add(B)
            await asyncio.sleep(100)
        assert [(name, round(at)) for name, at in worked.log] == [("a", 0), ("b", 0), ("a", 30)]

    run(main())


def test_stopping_finishes_what_is_worked_on_and_begins_nothing() -> None:
    async def main() -> None:
        worked, finished = Worked(), []
        worked.seconds = 10

        async def work(name: Name) -> None:
            await worked(name)
            finished.append(name)

        scheduler = Scheduler(work, now, workers=1)
        task = asyncio.create_task(scheduler.run())
        scheduler.add(A)
        scheduler.add(B)
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert finished == [A]
        assert worked.names == ["a"]
        assert asyncio.get_running_loop().time() == 10

    run(main())


def test_nothing_is_begun_when_it_is_no_longer_allowed() -> None:
    async def main() -> None:
        worked, leads = Worked(), True
        worked.seconds = 10
        scheduler = Scheduler(worked, now, workers=2, allowed=lambda: leads)
        task = asyncio.create_task(scheduler.run())
        for name in (A, B, C):
            scheduler.add(name)
        scheduler.add_at(("team", "d"), after(15))
        await asyncio.sleep(5)
        leads = False
        await asyncio.sleep(60)
        assert worked.log == [("a", 0.0), ("b", 0.0)]
        assert not worked.at_once.total(), "what had been begun is finished"
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    run(main())


def test_lag_is_how_long_the_oldest_waits_for_a_worker() -> None:
    async def main() -> None:
        scheduler = Scheduler(Worked(), now)
        assert scheduler.lag == timedelta()
        scheduler.add_at(A, after(10))
        assert scheduler.lag == timedelta(), "it is not due"
        scheduler.add(B)
        await asyncio.sleep(20)
        scheduler.add(A)
        await asyncio.sleep(20)
        assert (scheduler.lag, scheduler.depth) == (timedelta(seconds=40), 2)
        working = asyncio.create_task(scheduler.run())
        await asyncio.sleep(1)
        assert (scheduler.lag, scheduler.depth) == (timedelta(), 0)
        working.cancel()
        await asyncio.wait([working])

    run(main())


class Hung(Scheduler):
    """Looks once what is due, and never again."""

    async def _tick(self) -> None:
        self._release_due()
        await asyncio.Event().wait()


def test_lag_is_also_how_long_nobody_has_seen_that_a_name_is_due() -> None:
    async def main() -> None:
        scheduler = Hung(Worked(), now)
        task = asyncio.create_task(scheduler.run())
        await asyncio.sleep(0)
        scheduler.add_at(A, after(50))
        scheduler.add_at(A, after(100))
        await asyncio.sleep(90)
        assert scheduler.lag == timedelta(), "the earlier time was replaced"
        await asyncio.sleep(610)
        assert (scheduler.lag, scheduler.depth) == (timedelta(seconds=600), 0)
        task.cancel()
        await asyncio.wait([task])

    run(main())


def test_a_clock_that_is_set_forward_is_no_lag() -> None:
    async def main() -> None:
        offset = timedelta()
        scheduler = Scheduler(Worked(), lambda: now() + offset)
        task = asyncio.create_task(scheduler.run())
        scheduler.add_at(A, after(3600))
        await asyncio.sleep(10)
        offset = timedelta(days=1)
        lags = []
        for _ in range(60):
            lags.append(scheduler.lag)
            await asyncio.sleep(1)
        assert timedelta() < max(lags) <= timedelta(seconds=30)
        assert lags[-1] == timedelta()
        task.cancel()
        await asyncio.wait([task])

    run(main())


def test_times_that_were_replaced_take_no_memory_for_ever() -> None:
    async def main() -> None:
        scheduler = Scheduler(worked := Worked(), now)
        for second in range(5000):
            scheduler.add_at(A, after(10_000 - second))
            scheduler.add_at(B, after(10_000 + second))
        assert len(scheduler._heap) < 100  # noqa: SLF001 - memory can't be seen from outside
        task = asyncio.create_task(scheduler.run())
        await asyncio.sleep(20_000)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert [(name, round(at)) for name, at in worked.log] == [("a", 5001), ("b", 14_999)]

    run(main())


def test_a_clock_that_is_set_forward_is_seen_within_half_a_minute() -> None:
    async def main() -> None:
        offset, worked = timedelta(), Worked()
        scheduler = Scheduler(worked, lambda: now() + offset)
        task = asyncio.create_task(scheduler.run())
        scheduler.add_at(A, after(3600))
        await asyncio.sleep(10)
        offset = timedelta(hours=1)
        await asyncio.sleep(30)
        assert worked.names == ["a"]
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    run(main())
