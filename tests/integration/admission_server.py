"""The admission server beside a test: its own thread and loop, as the operator would run it."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import yaml

from awssts.entry.admission import AdmissionServer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from awssts.entry.admission import Certificates, Injecting, Stamps
    from testbed.cluster import Cluster

MANIFEST = Path(__file__).parents[1] / "data" / "admission" / "webhooks.yaml"


def registered(cluster: Cluster, port: int, bundle: str = "") -> None:
    """The webhook configurations, with an address on loopback in place of the Service."""
    documents = list(yaml.safe_load_all(MANIFEST.read_text()))
    for document in documents:
        for webhook in document["webhooks"]:
            path = webhook["clientConfig"]["service"].get("path", "/mutate")
            webhook["clientConfig"] = {"url": f"https://127.0.0.1:{port}{path}"}
            if bundle:
                webhook["clientConfig"]["caBundle"] = bundle
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "--filename=-", input=yaml.safe_dump_all(documents))


class Parts(NamedTuple):
    """What a server is made of; `lead` has the API server call it where it stamps; `close` ends it."""

    certificates: Certificates
    stamps: Stamps
    injecting: Injecting
    operator: str
    lead: Callable[[], Awaitable[None]]
    close: Callable[[], Awaitable[None]]


class Serving:
    """From start to stop; `made` makes the parts within its loop."""

    def __init__(self, port: int, made: Callable[[], Coroutine[Any, Any, Parts]]) -> None:
        self._port = port
        self._made = made
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._failure: BaseException | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(30), "the admission server does not start"
        if self._failure:
            raise self._failure
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)
        assert not self._thread.is_alive(), "the admission server does not stop"
        if self._failure:
            raise self._failure

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - raised again where the test waits
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        parts = await self._made()
        server = AdmissionServer(
            parts.certificates,
            parts.stamps,
            parts.injecting,
            lambda: datetime.now(UTC),
            port=self._port,
            host="127.0.0.1",
            operators={parts.operator},
        )
        try:
            await server.start()
            await parts.lead()
            self._ready.set()
            following = asyncio.create_task(server.follow())
            await self._stop.wait()
            following.cancel()
            await asyncio.wait([following])
        finally:
            await server.stop()
            await parts.close()
