"""Finds what was deleted while nobody watched: the list that a watch begins with tells only of what is there."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from typing import Protocol

import structlog

from awssts.domain.errors import AwsstsError
from awssts.services.intake import Intake, Kind
from awssts.services.ports import Json

log = structlog.get_logger(__name__)

SETTLE = 5.0  # seconds for the watch's own list to be through
AGAIN = 55.0  # seconds until another, where the API server did not answer
EVERY = 3600.0  # seconds between two of all kinds, whatever the watches do


class Lists(Protocol):
    """Lists of what there is; see ``awssts.adapters.cluster``."""

    def request_metadata(self, namespaces: Sequence[str]) -> AsyncIterator[Json]: ...
    def target_metadata(self, namespaces: Sequence[str]) -> AsyncIterator[Json]: ...
    def policies(self) -> AsyncIterator[Json]: ...
    def namespaces(self) -> AsyncIterator[Json]: ...


class Sweeps:
    """Compares what is known with what there is: each time that a watch begins with a list, and every hour."""

    def __init__(
        self,
        intake: Intake,
        cluster: Lists,
        namespaces: Sequence[str],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._intake = intake
        self._cluster = cluster
        self._namespaces = namespaces
        self._sleep = sleep
        self._unsure: set[Kind] = set()
        self._due = asyncio.Event()

    def listing(self, plural: str) -> None:
        """Take in that objects of that name were listed for a watch to begin with."""
        kind = next((kind for kind in Kind if kind == plural), None)
        if kind is not None and self._intake.known(kind):
            self._unsure.add(kind)
            self._due.set()

    async def run(self) -> None:
        """Sweep until cancelled."""
        loop = asyncio.get_running_loop()
        all_due = loop.time() + EVERY
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(all_due):
                    await self._due.wait()
            await self._sleep(SETTLE)
            unsure, self._unsure = self._unsure, set()
            self._due.clear()
            if loop.time() >= all_due:
                unsure, all_due = set(Kind), loop.time() + EVERY
            await self.sweep(unsure)

    async def sweep(self, unsure: Collection[Kind] = tuple(Kind)) -> None:
        """Compare what may have gone."""
        for kind in Kind:
            if kind in unsure and self._intake.known(kind):
                await self._sweep(kind)

    async def _sweep(self, kind: Kind) -> None:
        try:
            await self._intake.sweep(kind, self._listed(kind))
        except AwsstsError as error:
            log.warning("sweep failed", kind=kind, error=error.message)
            await self._sleep(AGAIN)
            self.listing(kind)

    async def _listed(self, kind: Kind) -> AsyncIterator[Json]:
        match kind:
            case Kind.REQUESTS:
                listed = self._cluster.request_metadata(self._namespaces)
            case Kind.SECRETS:
                listed = self._cluster.target_metadata(self._namespaces)
            case Kind.NAMESPACES:
                listed = self._cluster.namespaces()
            case Kind.POLICIES:
                listed = (policy["metadata"] async for policy in self._cluster.policies())
        async for metadata in listed:
            yield metadata
