"""Whether this process is the one that works."""

import asyncio
import contextlib
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime

import structlog

from awssts.adapters.leases import LeaseCluster
from awssts.adapters.watchdog import Watchdog
from awssts.services.leadership import Leadership
from awssts.settings import Election

log = structlog.get_logger(__name__)


class Lead:
    """The lead of one of several processes; without an election, that of the only one."""

    def __init__(self, election: Election | None, cluster: LeaseCluster, clock: Callable[[], datetime]) -> None:
        self._cluster = cluster
        self._watchdog = Watchdog()
        self._leadership: Leadership | None = None
        if election is not None:
            identity = f"{socket.gethostname()}_{secrets.token_hex(4)}"
            name = election.namespace, election.name
            self._leadership = Leadership(cluster, name, identity, clock, time.monotonic, self._watchdog.end_at)
        self._taken = False
        self._keeping: asyncio.Task[None] | None = None

    async def take(self) -> None:
        """Return when this process may work."""
        if self._leadership is not None:
            await self._leadership.acquire()
        self._taken = True

    @contextlib.asynccontextmanager
    async def kept(self, stop: asyncio.Event) -> AsyncIterator[None]:
        """Keep the lead while the block runs, then let another process lead; where it is lost, set ``stop``.

        Raises:
            ClusterUnavailable: it was lost. The process ends before another can lead, whatever is under way.
        """
        if self._leadership is None:
            yield
            return
        keeping = self._keeping = asyncio.create_task(self._keep(self._leadership))
        keeping.add_done_callback(lambda _: stop.set())
        try:
            yield
        finally:
            await self.release()
            if not keeping.cancelled() and (lost := keeping.exception()) is not None:
                raise lost from None

    async def _keep(self, leadership: Leadership) -> None:
        try:
            await leadership.keep()
        except Exception as error:
            log.error("the lead is lost", error=str(error))  # noqa: TRY400 - the text says it all
            raise

    async def last(self) -> None:
        """Wait until all other work has ended, and this is cancelled; then let another process lead.

        The process may have to wait longer for connections that others keep open.
        """
        try:
            await asyncio.Event().wait()
        finally:
            if self.held:
                await self.release()

    async def release(self) -> None:
        """Let another process lead at once: all work has ended."""
        if self._keeping is not None and not self._keeping.done():
            self._keeping.cancel()
            await asyncio.wait([self._keeping])
        self._watchdog.stop()
        if self._leadership is not None:
            await self._leadership.release()

    async def close(self) -> None:
        """Close the connections; a lead that is still held is given up."""
        with contextlib.suppress(asyncio.CancelledError):
            await self.release()
        await self._cluster.close()

    @property
    def held(self) -> bool:
        """Whether this process works, or is about to."""
        return self._taken and (self._leadership is None or self._leadership.leads)
