"""Who is served when more come than can be served at once."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple

FORGOTTEN = 10.0  # seconds until half of what somebody took counts no more
NOTHING = 1e-6  # seconds: what somebody took who is forgotten. One small turn takes more, and many of them a lot


class _Taken(NamedTuple):
    seconds: float
    when: float  # on the loop's clock


@dataclass(slots=True)
class Turn:
    """One that has come. ``worked``: seconds of work in it, where that is less than the time that it took."""

    began: float
    worked: float | None = None


class Turns:
    """Lets some work at a time, first whose peer has taken least of late: who sends a lot keeps only himself waiting.

    Args:
        at_once: how many, of all peers.
        each: how many of one peer.
        rest: for how long nobody takes a place that was left, by how long it was taken.
    """

    def __init__(self, *, at_once: int, each: int, rest: float = 0.0) -> None:
        self._free = at_once
        self._each = each
        self._rest = rest
        self._working: Counter[str] = Counter()
        self._taken: dict[str, _Taken] = {}
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def of(self, peer: str, deadline: float) -> AsyncIterator[Turn]:
        """Wait for a turn until that time of the loop's clock, and have it for the block.

        Raises:
            TimeoutError: it did not come: whoever sent the work has given up by now.
        """
        loop = asyncio.get_running_loop()
        if loop.time() >= deadline:
            raise TimeoutError
        async with asyncio.timeout_at(deadline):
            await self._turn(peer)
        turn = Turn(loop.time())
        try:
            yield turn
        finally:
            taken = loop.time() - turn.began if turn.worked is None else turn.worked
            self._note(peer, taken)
            loop.call_later(taken * self._rest, self._left, peer)

    async def _turn(self, peer: str) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(peer, deque()).append(turn)
        self._call()
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it had just come
                self._left(peer)
            raise

    def _left(self, peer: str) -> None:
        self._free += 1
        self._working[peer] -= 1
        if not self._working[peer]:
            del self._working[peer]
        self._call()

    def _call(self) -> None:
        """Give turns while there are some, and somebody may have one."""
        while self._free and (peer := self._next()) is not None:
            waiting = self._waiting.pop(peer)
            turn = waiting.popleft()
            if waiting:
                self._waiting[peer] = waiting  # behind others who have taken as much
            if not turn.done():  # who waited may have gone
                self._free -= 1
                self._working[peer] += 1
                turn.set_result(None)

    def _next(self) -> str | None:
        ready = (peer for peer in self._waiting if self._working[peer] < self._each)
        return min(ready, key=self._taken_lately, default=None)

    def _taken_lately(self, peer: str) -> float:
        taken = self._taken.get(peer, _Taken(0.0, 0.0))
        return float(taken.seconds * 0.5 ** ((asyncio.get_running_loop().time() - taken.when) / FORGOTTEN))

    def _note(self, peer: str, seconds: float) -> None:
        self._taken[peer] = _Taken(self._taken_lately(peer) + seconds, asyncio.get_running_loop().time())
        self._taken = {known: taken for known, taken in self._taken.items() if self._taken_lately(known) > NOTHING}
