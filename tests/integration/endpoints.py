"""Endpoints that policies ask: the lying server of the unit tests, for tests that are no coroutines."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Self

import pytest

from tests.unit.adapters.rest_server import JSON, LIES, RestServer, answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Endpoints:
    """The lying server in a thread of its own; what else it is to say can be chosen by path."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.server = RestServer()

    def says(self, name: str, body: Callable[[], str], status: str = "200 OK") -> str:
        """Answer so from now on; return the URL."""

        async def say(_: str, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(answer(status, body().encode(), JSON))

        self._patch.setitem(LIES, name, say)
        return self.url(name)

    def url(self, lie: str) -> str:
        return self.server.url(f"/{lie}")

    def asked(self, lie: str) -> list[str]:
        """The bodies that came in."""
        return [got.body for got in list(self.server.received) if got.target.startswith(f"/{lie}")]

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.server.__aenter__(), self._loop).result(30)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self.server.__aexit__(None, None, None), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()


@pytest.fixture
def endpoints(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoints]:
    with Endpoints(monkeypatch) as running:
        yield running
