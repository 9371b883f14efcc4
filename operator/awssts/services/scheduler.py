"""A work queue with a heap: names are worked on now or at a time, each by one worker at once."""

import asyncio
import contextlib
import heapq
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog

from awssts.services.observations import Name
from awssts.services.ports import Clock

log = structlog.get_logger(__name__)

NAP = 30.0  # seconds: the wall clock may be set while we sleep
SET_BACK = timedelta(minutes=1)  # a wall clock that falls behind by more was set
AFTER_A_BUG = timedelta(seconds=30)

Work = Callable[[Name], Awaitable[datetime | None]]


class Scheduler:
    """Calls ``work(name)`` for every name that is due; what it returns is the name's next time.

    A name that is added while it is worked on is worked on again afterwards. There is one time a name: a new
    one replaces the old.

    Args:
        allowed: whether anything may be worked on; when it is not, nothing is begun any more.
    """

    def __init__(
        self, work: Work, clock: Clock, *, workers: int = 16, allowed: Callable[[], bool] = lambda: True
    ) -> None:
        self._work = work
        self._allowed = allowed
        self._clock = clock
        self._workers = workers
        self._ready: asyncio.Queue[Name] = asyncio.Queue()
        self._queued: dict[Name, datetime] = {}  # since when, the oldest first
        self._busy: set[Name] = set()
        self._again: set[Name] = set()
        self._due: dict[Name, datetime] = {}
        self._heap: list[tuple[datetime, Name]] = []
        self._earlier = asyncio.Event()
        self._moved_at = 0.0  # when a worker took up or finished something last, by the loop's clock
        self._looked_at: float | None = None  # when what is due was queued last, by the loop's clock
        self._stopping = False

    def add(self, name: Name) -> None:
        """Work on it as soon as a worker is free."""
        if name in self._busy:
            self._again.add(name)
        elif name not in self._queued:
            self._queued[name] = self._clock()
            self._ready.put_nowait(name)

    def add_at(self, name: Name, when: datetime | None) -> None:
        """Work on it then; None takes back an earlier time."""
        if when is None:
            self._due.pop(name, None)
        elif self._due.get(name) != when:
            self._due[name] = when
            heapq.heappush(self._heap, (when, name))
            if len(self._heap) > 2 * len(self._due) + 64:
                self._heap = [(due, name) for name, due in self._due.items()]
                heapq.heapify(self._heap)
            if self._heap[0][1] == name:
                self._earlier.set()

    @property
    def depth(self) -> int:
        """How many names wait for a worker."""
        return self._ready.qsize()

    @property
    def lag(self) -> timedelta:
        """How long the oldest name has waited for a worker, or to be queued for one; zero when none does."""
        now = self._clock()
        queued = next(iter(self._queued.values()), now)
        return max(now - queued, self._overdue(now), timedelta())

    @property
    def stuck(self) -> timedelta:
        """How long something has waited while no worker took up or finished anything; zero where work goes on.

        A long queue is no reason to start again: a slow STS makes one, and it would be there again.
        """
        now, idle = self._clock(), timedelta(seconds=asyncio.get_running_loop().time() - self._moved_at)
        waited = now - next(iter(self._queued.values()), now)
        return max(min(waited, idle), self._overdue(now), timedelta())

    def _overdue(self, now: datetime) -> timedelta:
        """How long the first name has been due; no longer than nobody looked: the wall clock may have been set."""
        self._drop_replaced()
        overdue = now - self._heap[0][0] if self._heap else timedelta()
        if self._looked_at is None:
            return overdue
        return min(overdue, timedelta(seconds=asyncio.get_running_loop().time() - self._looked_at))

    async def run(self) -> None:
        """Work until cancelled; what is being worked on then is finished first."""
        self._moved()
        workers = [asyncio.create_task(self._worker(), name=f"worker-{number}") for number in range(self._workers)]
        try:
            await self._tick()
        finally:
            await self._finish(workers)

    async def _finish(self, workers: list[asyncio.Task[None]]) -> None:
        self._stopping = True
        for _ in workers:
            self._ready.put_nowait(_STOP)
        await asyncio.gather(*workers)

    async def _tick(self) -> None:
        loop, before, then = asyncio.get_running_loop(), self._clock(), asyncio.get_running_loop().time()
        while True:
            pause = self._release_due()
            self._earlier.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._earlier.wait(), min(pause, NAP))
            expected = before + timedelta(seconds=loop.time() - then)
            before, then = self._clock(), loop.time()
            if expected - before > SET_BACK:
                log.warning("the clock was set back", seconds=round((expected - before).total_seconds()))
                for name in self._due:
                    self.add(name)

    def _release_due(self) -> float:
        """Queue what is due; return the seconds until the next is."""
        now, self._looked_at = self._clock(), asyncio.get_running_loop().time()
        self._drop_replaced()
        while self._heap and self._heap[0][0] <= now:
            _, name = heapq.heappop(self._heap)
            del self._due[name]
            self.add(name)
            self._drop_replaced()
        return max((self._heap[0][0] - now).total_seconds(), 0.001) if self._heap else NAP

    def _drop_replaced(self) -> None:
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)

    async def _worker(self) -> None:
        while True:
            name = await self._ready.get()
            if name is _STOP or self._stopping or not self._allowed():
                return
            self._moved()
            self._queued.pop(name, None)
            self._busy.add(name)
            try:
                self.add_at(name, await self._work(name))
            except Exception:
                log.exception("unexpected error", namespace=name[0], name=name[1])
                self.add_at(name, self._clock() + AFTER_A_BUG)
            finally:
                self._moved()
                self._busy.discard(name)
                if name in self._again:
                    self._again.discard(name)
                    self.add(name)

    def _moved(self) -> None:
        self._moved_at = asyncio.get_running_loop().time()


_STOP: Name = ("", "")
