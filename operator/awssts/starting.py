"""The start: what the cluster is asked before there is work, again and again while it does not answer."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from awssts.adapters.cluster import NotInstalled
from awssts.domain.errors import ClusterUnavailable

log = structlog.get_logger(__name__)

LONGEST = 15.0  # seconds between two tries

Found = TypeVar("Found")


class Stopped(Exception):  # noqa: N818 - not an error
    """The process is to end before it has started."""


class Start:
    """The way to the work, which ``stop`` ends at any place.

    ``unreached``: why the cluster was not reached yet, for probes; empty once it was.
    """

    def __init__(self, stop: asyncio.Event) -> None:
        self.stop = stop
        self.unreached = "it was not reached yet"

    def reached(self) -> None:
        """Note that the cluster has answered all that is needed to serve."""
        self.unreached = ""

    async def until_answered(self, ask: Callable[[], Awaitable[Found]]) -> Found:
        """Return the answer; while the API server does not give one, ask again.

        Raises:
            Stopped: the process is to end.
            AwsstsError: only a person can mend it: CRDs or rights are missing.
        """
        tries = 0
        while True:
            try:
                return await self.unless_stopped(ask())
            except NotInstalled:
                raise
            except ClusterUnavailable as error:
                pause = min(2.0**tries, LONGEST)
                log.warning("no start without the API server; it is asked again", error=error.message, seconds=pause)
                if self.unreached:
                    self.unreached = error.message
            tries += 1
            await self.unless_stopped(asyncio.sleep(pause))

    async def unless_stopped(self, work: Awaitable[Found]) -> Found:
        """Return what it comes to.

        Raises:
            Stopped: the process is to end; it was cancelled.
        """
        doing, stopping = asyncio.ensure_future(work), asyncio.create_task(self.stop.wait())
        try:
            await asyncio.wait((doing, stopping), return_when=asyncio.FIRST_COMPLETED)
            if not doing.done():
                raise Stopped
            return doing.result()
        finally:
            doing.cancel()
            stopping.cancel()
            await asyncio.gather(doing, stopping, return_exceptions=True)
