"""When kubelet is to start the process again."""

import asyncio
from datetime import timedelta

from awssts.services.echoes import Echoes
from awssts.services.observations import Observations
from awssts.services.scheduler import Scheduler
from awssts.vitals import Vitals
from tests.unit.services.virtual_time import now, run

REPORTS = ("team", "reports")


def test_who_follows_has_nothing_to_complain_of() -> None:
    vitals = Vitals(None)
    assert (vitals.stuck(), vitals.deaf()) == ("", "")


def test_who_waits_for_ever_is_told() -> None:
    async def main() -> None:
        async def work(_: tuple[str, str]) -> None: ...

        vitals, scheduler = Vitals(None), Scheduler(work, now)
        vitals.at_work(scheduler, Observations())
        scheduler.add_at(REPORTS, now() + timedelta(seconds=60))
        await asyncio.sleep(350)
        assert vitals.stuck() == ""
        await asyncio.sleep(20)
        assert vitals.stuck() == "requests wait, and none has been worked on for 310 s"

    run(main())


def test_a_deaf_watch_is_told() -> None:
    async def main() -> None:
        async def work(_: tuple[str, str]) -> None: ...

        vitals, seen = Vitals(None), Observations(Echoes(asyncio.get_running_loop().time))
        vitals.at_work(Scheduler(work, now), seen)
        seen.echoes.secrets.wrote(REPORTS, 7)
        await asyncio.sleep(290)
        assert vitals.deaf() == ""
        await asyncio.sleep(20)
        assert vitals.deaf() == "no watch has told of what was written 310 s ago"
        seen.echoes.secrets.told(REPORTS, 7)
        assert vitals.deaf() == ""

    run(main())


def test_a_long_queue_is_no_reason_to_start_again() -> None:
    """A slow STS makes one: work goes on, and the next process would find the same."""

    async def main() -> None:
        async def work(_: tuple[str, str]) -> None:
            await asyncio.sleep(15)

        vitals, scheduler = Vitals(None), Scheduler(work, now, workers=8)
        vitals.at_work(scheduler, Observations())
        for number in range(1000):
            scheduler.add(("team", f"request-{number}"))
        running = asyncio.create_task(scheduler.run())
        for _ in range(120):
            await asyncio.sleep(15)
            assert vitals.stuck() == ""
        assert scheduler.lag > timedelta(minutes=20)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    run(main())


def test_workers_that_never_finish_are_told() -> None:
    async def main() -> None:
        async def work(_: tuple[str, str]) -> None:
            await asyncio.sleep(10_000)

        vitals, scheduler = Vitals(None), Scheduler(work, now, workers=2)
        vitals.at_work(scheduler, Observations())
        running = asyncio.create_task(scheduler.run())
        for number in range(3):
            scheduler.add(("team", f"request-{number}"))
        await asyncio.sleep(310)
        assert vitals.stuck() == "requests wait, and none has been worked on for 310 s"
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    run(main())
