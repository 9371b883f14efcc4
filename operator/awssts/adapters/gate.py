"""How many calls of endpoints are under way at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from weakref import WeakValueDictionary


class GateFullError(Exception):
    """No call may begin yet."""


class Gate:
    """Lets so many calls through at once, and so many to one host; the others wait in a line, for a while.

    Args:
        patience: seconds.
    """

    def __init__(self, *, total: int, per_host: int, patience: float) -> None:
        self._all = asyncio.Semaphore(total)
        self._per_host = per_host
        self._hosts: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()  # while one is there
        self._patience = patience

    @asynccontextmanager
    async def passed(self, host: str) -> AsyncIterator[None]:
        """Be under way.

        Raises:
            GateFullError: others are, for longer than patience lasts.
        """
        of_host = self._hosts.setdefault(host, asyncio.Semaphore(self._per_host))
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(self._patience):
                    await held.enter_async_context(of_host)
                    await held.enter_async_context(self._all)
            except TimeoutError:
                raise GateFullError from None
            yield
