"""How many connections a server has, and which goes when there is no room for another."""

import asyncio
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler
from aiohttp.web_protocol import RequestHandler


class Occupancy:
    """The connections of a server, with those on which TLS has not begun yet; ``most`` at once.

    Whoever only holds one must not keep others out: the one that has asked nothing for longest goes. None goes on which
    a request is being answered.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._beginning: dict[asyncio.Task[Any], None] = {}  # asyncio's, of connections that it makes; the oldest first
        self._answering: set[RequestHandler] = set()
        self._asked: dict[RequestHandler, float] = {}  # when, on the loop's clock
        self._gone: set[RequestHandler] = set()  # that were told to go, and are still counted by the server

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Note on which connection somebody asks."""
        connection = request.protocol
        self._answering.add(connection)
        try:
            return await handler(request)
        finally:
            self._answering.discard(connection)
            self._asked[connection] = asyncio.get_running_loop().time()

    def begins(self, task: asyncio.Task[Any], there: list[RequestHandler]) -> bool:
        """Take one more, whose TLS that task begins; ``there`` are those on which it has begun, the oldest first.

        Return whether there was room, or somebody has made it.
        """
        present = set(there)
        self._gone &= present
        self._asked = {connection: when for connection, when in self._asked.items() if connection in present}
        staying = [connection for connection in there if connection not in self._gone]
        if len(staying) + len(self._beginning) >= self._most and not self._evict(staying):
            return False
        self._beginning[task] = None
        task.add_done_callback(lambda done: self._beginning.pop(done, None))
        return True

    def _evict(self, staying: list[RequestHandler]) -> bool:
        """End the oldest of those that only hold a place, of whichever kind there are more."""
        idle = [connection for connection in staying if connection not in self._answering]
        if self._beginning and len(self._beginning) >= len(idle):
            task = next(iter(self._beginning))
            del self._beginning[task]
            task.cancel()
            return True
        if not idle:
            return False
        connection = min(idle, key=lambda found: self._asked.get(found, 0.0))
        self._gone.add(connection)
        if connection.transport is not None:
            connection.transport.abort()
        return True

    def stop(self) -> None:
        """End those on which TLS has not begun."""
        for task in self._beginning:
            task.cancel()
