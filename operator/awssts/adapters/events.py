"""Kubernetes Events: written in the background, so that no credential waits for one."""

import asyncio
import contextlib
import secrets
from datetime import UTC, datetime

import structlog

from awssts.adapters.cluster import Cluster, Json, NotFound
from awssts.domain import names
from awssts.domain.conditions import Event
from awssts.domain.errors import AwsstsError
from awssts.domain.request import Identity
from awssts.domain.status import timestamp

log = structlog.get_logger(__name__)

BACKLOG = 10_000
_FINISH = 5.0  # seconds to write what is left at the end


class EventWriter:
    """Writes Events one after the other; where the API server can't keep up, new ones are dropped and logged.

    ``about``: API version and kind of what they are about.
    """

    def __init__(
        self, cluster: Cluster, instance: str, about: tuple[str, str] = (names.API_VERSION, names.KIND)
    ) -> None:
        self._cluster = cluster
        self._about = about
        self._instance = instance
        self._waiting: asyncio.Queue[tuple[Identity, Event]] = asyncio.Queue(BACKLOG)

    def publish(self, identity: Identity, event: Event) -> None:
        """Have it written soon."""
        try:
            self._waiting.put_nowait((identity, event))
        except asyncio.QueueFull:
            log.warning("event dropped", namespace=identity.namespace, name=identity.name, reason=event.reason)

    async def run(self) -> None:
        """Write until cancelled; then what is left, for a few seconds."""
        try:
            while True:
                await self._write(*await self._waiting.get())
        finally:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_FINISH):
                    while not self._waiting.empty():
                        await self._write(*self._waiting.get_nowait())
            if not self._waiting.empty():
                log.warning("events dropped", count=self._waiting.qsize())

    async def _write(self, identity: Identity, event: Event) -> None:
        try:
            await self._cluster.create_event(identity.namespace, self._body(identity, event))
        except (AwsstsError, NotFound) as error:
            log.warning("event lost", namespace=identity.namespace, name=identity.name, error=str(error))

    def _body(self, identity: Identity, event: Event) -> Json:
        now = datetime.now(UTC)
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "namespace": identity.namespace,
                "name": f"{identity.name[:230]}.{secrets.token_hex(8)}",
            },
            "involvedObject": {
                "apiVersion": self._about[0],
                "kind": self._about[1],
                "namespace": identity.namespace,
                "name": identity.name,
                "uid": identity.uid,
            },
            "type": event.type,
            "reason": event.reason,
            "message": event.message[:1024],
            "source": {"component": "awssts"},
            "reportingComponent": names.GROUP,
            "reportingInstance": self._instance,
            "firstTimestamp": timestamp(now),
            "lastTimestamp": timestamp(now),
            "count": 1,
        }
