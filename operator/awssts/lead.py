"""Whether this process is the one that works, and what probes are told of it."""

import asyncio
import contextlib
import secrets
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from typing import Any

import structlog

from awssts.adapters.leases import LeaseCluster
from awssts.adapters.watchdog import Watchdog
from awssts.services.leadership import Leadership
from awssts.services.scheduler import Scheduler
from awssts.settings import Election

log = structlog.get_logger(__name__)

STUCK = timedelta(minutes=5)  # no call takes as long: whoever waits so long for a worker waits for ever


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
        self._scheduler: Scheduler | None = None
        self._started = False

    async def taken(self, stop: asyncio.Event) -> bool:
        """Wait for the lead; return whether it was taken before the process is to stop."""
        self._started = True
        if self._leadership is None:
            return not stop.is_set()
        loop = asyncio.get_running_loop()
        waiting: list[asyncio.Task[Any]] = [asyncio.create_task(stop.wait())]
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)  # kopf takes them over when it watches
        try:
            waiting.append(taking := asyncio.create_task(self._leadership.acquire()))
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if taking.done():
                taking.result()
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        return self._leadership.leads and not stop.is_set()

    @contextlib.asynccontextmanager
    async def kept(self, stop: asyncio.Event) -> AsyncIterator[None]:
        """Keep the lead while the block runs, then let another process lead; where it is lost, set ``stop``.

        Raises:
            ClusterUnavailable: it was lost. The process ends before another can lead, whatever is under way.
        """
        if self._leadership is None:
            yield
            return
        keeping = asyncio.create_task(self._keep(self._leadership))
        keeping.add_done_callback(lambda _: stop.set())
        try:
            yield
        finally:
            keeping.cancel()
            await asyncio.wait([keeping])
            self._watchdog.stop()
            if not keeping.cancelled() and (lost := keeping.exception()) is not None:
                raise lost from None
            await self.release()

    async def _keep(self, leadership: Leadership) -> None:
        try:
            await leadership.keep()
        except Exception as error:
            log.error("the lead is lost", error=str(error))  # noqa: TRY400 - the text says it all
            raise

    async def release(self) -> None:
        """Let another process lead at once: all work has ended."""
        self._watchdog.stop()
        if self._leadership is not None:
            await self._leadership.release()

    async def close(self) -> None:
        """Close the connections; a lead that is still held is given up."""
        with contextlib.suppress(asyncio.CancelledError):
            await self.release()
        await self._cluster.close()

    def at_work(self, scheduler: Scheduler) -> None:
        """Tell probes what is worked on."""
        self._scheduler = scheduler

    @property
    def held(self) -> bool:
        """Whether this process works."""
        return self._scheduler is not None and self.leads

    @property
    def leads(self) -> bool:
        """Whether this process may work."""
        return self._leadership is None or self._leadership.leads

    def not_started(self) -> str:
        """Say why the process is not ready; nothing where it is. Who follows is: it serves the webhook."""
        return "" if self._started else "the cluster was not reached yet"

    def stuck(self) -> str:
        """Say why the process should be started again; nothing where all is well."""
        lag = self._scheduler.lag if self._scheduler else timedelta()
        return f"a request has waited for {lag.total_seconds():.0f} s for a worker" if lag > STUCK else ""
