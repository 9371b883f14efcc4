"""A reverse proxy before the API server that can answer wrongly, late or not at all."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self, TypeVar

import aiohttp
from aiohttp import web

from testbed.process import free_port

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from testbed.cluster import Cluster

T = TypeVar("T")

HOP_BY_HOP = {"connection", "content-encoding", "content-length", "host", "keep-alive", "transfer-encoding"}
HANG, CLOSE, LOSE, GONE = "hang", "close", "lose", "gone"
GONE_EVENT = {
    "type": "ERROR",
    "object": {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired", "code": 410},
}


@dataclass
class Disturbance:
    """What happens to the next `count` requests of that method whose path with its query matches.

    `what` is a status to answer with, or: hang (no answer until `clear`), close (the connection ends at once), lose
    (the request is carried out, then the connection ends without an answer), gone (a watch that begins with 410).
    """

    what: int | str
    method: str
    where: re.Pattern[str]
    count: int | None
    struck: int = 0

    def strikes(self, request: web.BaseRequest) -> bool:
        if self.count is not None and self.struck >= self.count:
            return False
        return request.method == self.method and self.where.search(request.raw_path) is not None


@dataclass
class ApiProxy:
    """Runs in a thread of its own; plain HTTP on this side."""

    cluster: Cluster
    port: int = field(default_factory=free_port)
    _disturbances: list[Disturbance] = field(default_factory=list)
    _watches: list[web.BaseRequest] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def disturb(self, what: int | str, method: str, where: str, count: int | None = 1) -> Disturbance:
        made = Disturbance(what, method, re.compile(where), count)
        self._disturbances.append(made)
        return made

    def clear(self) -> None:
        """All goes through again; hanging requests go on."""
        self._disturbances.clear()
        self._run(self._release())

    def cut_watches(self, where: str = "") -> int:
        """Resets the connections of open watches, and says of how many."""
        return self._run(self._cut(re.compile(where)))

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._run(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    # --- in the thread ---------------------------------------------------------------------------------

    async def _start(self) -> None:
        trusted = ssl.create_default_context(cafile=str(self.cluster.ca))
        self._released = asyncio.Event()
        self._upstream = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=trusted, limit=0), timeout=aiohttp.ClientTimeout(total=None)
        )
        self._runner = web.ServerRunner(
            web.Server(self._answer, handler_cancellation=True, access_log=None), shutdown_timeout=1
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def _end(self) -> None:
        await self._release()
        await self._cut(re.compile(""))
        await self._runner.cleanup()
        await self._upstream.close()

    async def _release(self) -> None:
        self._released.set()
        self._released = asyncio.Event()

    async def _cut(self, where: re.Pattern[str]) -> int:
        chosen = [request for request in self._watches if where.search(request.raw_path)]
        for request in chosen:
            _close(request)
        return len(chosen)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        disturbance = next((each for each in self._disturbances if each.strikes(request)), None)
        if disturbance is None:
            return await self._forward(request)
        disturbance.struck += 1
        match disturbance.what:
            case "hang":
                await self._released.wait()
                return await self._forward(request)
            case "close":
                _close(request)
            case "lose":
                await self._forward(request, answered=False)
                _close(request)
            case "gone":
                return web.Response(text=json.dumps(GONE_EVENT) + "\n", content_type="application/json")
        status = disturbance.what if isinstance(disturbance.what, int) else 500
        return web.json_response({"kind": "Status", "code": status, "message": "disturbed by a test"}, status=status)

    async def _forward(self, request: web.BaseRequest, *, answered: bool = True) -> web.StreamResponse:
        async with self._upstream.request(
            request.method,
            self.cluster.server + request.raw_path,
            data=await request.read() or None,
            headers=_end_to_end(request.headers),
        ) as answer:
            if "watch=" in request.raw_path and answered:
                return await self._stream(request, answer)
            body = await answer.read()
            return web.Response(status=answer.status, body=body, headers=_end_to_end(answer.headers))

    async def _stream(self, request: web.BaseRequest, answer: aiohttp.ClientResponse) -> web.StreamResponse:
        response = web.StreamResponse(status=answer.status, headers=_end_to_end(answer.headers))
        self._watches.append(request)
        try:
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
        except (aiohttp.ClientError, ConnectionError):
            _close(request)  # either side has gone
        finally:
            self._watches = [other for other in self._watches if other is not request]
        return response


def _end_to_end(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in HOP_BY_HOP}


def _close(request: web.BaseRequest) -> None:
    if request.transport is not None:
        request.transport.abort()
