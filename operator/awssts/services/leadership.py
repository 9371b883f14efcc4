"""Who leads: one process at a time works, others wait to take over."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Protocol

import structlog

from awssts.domain import lease as leases
from awssts.domain.errors import AwsstsError, ClusterConflict, ClusterUnavailable
from awssts.domain.lease import Lease, Watch
from awssts.services.ports import Clock

log = structlog.get_logger(__name__)

DURATION = 15.0  # seconds, as Kubernetes's own components have it
DEADLINE = 10.0  # seconds without a renewal after which the leader stops
MARGIN = 2.0  # seconds before the Lease is over by which the leader's process is, too
HANDOVER = 1.0  # seconds to finish what is under way once another process is found to lead
RETRY = 2.0  # seconds between two tries
AT_ONCE = 0.1  # seconds until the Lease is read again that somebody else has just written
TIMEOUT = 4.0  # seconds for one try

Json = dict[str, Any]


class Leases(Protocol):
    """Leases on the API server; see ``awssts.adapters.leases``."""

    async def lease(self, namespace: str, name: str) -> Json | None: ...
    async def write_lease(self, body: Json) -> Json: ...


class Leadership:
    """Takes a Lease, and keeps it.

    Args:
        name: namespace and name of the Lease.
        identity: this process, as no other is called.
        clock: what is written into the Lease, for people.
        monotonic: seconds, for all that is decided.
        end_at: is told when, by ``monotonic``, this process has to be gone; and again with each renewal.
    """

    def __init__(
        self,
        cluster: Leases,
        name: tuple[str, str],
        identity: str,
        clock: Clock,
        monotonic: Callable[[], float],
        end_at: Callable[[float], None],
    ) -> None:
        self._cluster = cluster
        self._name = name
        self._identity = identity
        self._clock = clock
        self._monotonic = monotonic
        self._end_at = end_at
        self._watch = Watch()
        self._renewed_at = 0.0
        self.leads = False

    async def acquire(self) -> None:
        """Return when this process leads."""
        told = ""
        while True:
            try:
                async with asyncio.timeout(TIMEOUT):
                    self.leads = await self._try()
            except (AwsstsError, TimeoutError) as error:
                log.warning("the lease can't be had", error=_text(error))
            if self.leads:
                log.info("leading", lease=self._name[1], identity=self._identity)
                return
            holder = self._watch.lease.holder if self._watch.lease else ""
            if holder != told:
                log.info("following", lease=self._name[1], leader=holder)
                told = holder
            await asyncio.sleep(RETRY)

    async def keep(self) -> None:
        """Renew the Lease until cancelled.

        Raises:
            ClusterUnavailable: it could not be renewed in time, or somebody else has it. All work has to end before
                the lease does.
        """
        pause = RETRY
        try:
            while (left := self._left()) > 0:
                await asyncio.sleep(min(pause, left))
                pause = await self._renew()
        except Exception:
            self.leads = False
            raise
        self.leads = False
        raise ClusterUnavailable("the Lease could not be renewed in time: another process may lead by now")

    def _left(self) -> float:
        """Return the seconds in which a renewal counts."""
        return self._renewed_at + DEADLINE - self._monotonic()

    async def _renew(self) -> float:
        """Try to renew the Lease; return the seconds until the next try."""
        left = self._left()
        try:
            async with asyncio.timeout(min(TIMEOUT, max(left, 0.0))):
                mine = await self._try()
        except (AwsstsError, TimeoutError) as error:
            log.warning("the lease was not renewed", error=_text(error), seconds_left=round(left, 1))
            return AT_ONCE if isinstance(error, ClusterConflict) else RETRY
        if not mine:
            self._end_at(self._monotonic() + HANDOVER)
            raise ClusterUnavailable(f"another process leads: {self._watch.lease and self._watch.lease.holder}")
        return RETRY

    async def release(self) -> None:
        """Give the Lease up, so that another takes over at once. All work has ended."""
        lease = self._watch.lease
        if not self.leads or lease is None:
            return
        self.leads = False
        with contextlib.suppress(AwsstsError, TimeoutError):
            async with asyncio.timeout(TIMEOUT):
                await self._give_up(lease)

    async def _give_up(self, lease: Lease) -> None:
        try:
            await self._write(lease, "")
        except ClusterConflict:  # a renewal had been written whose answer nobody waited for any more
            now = leases.read(await self._cluster.lease(*self._name))
            if now.holder == self._identity:
                await self._write(now, "")

    async def _try(self) -> bool:
        """Read the Lease and take or renew it; return whether it is ours."""
        self._watch.see(leases.read(await self._cluster.lease(*self._name)), self._monotonic())
        if not self._watch.is_free(self._identity, self._monotonic()) or self._watch.lease is None:
            return False
        began = self._monotonic()
        await self._write(self._watch.lease, self._identity)
        self._renewed_at = began
        self._end_at(began + DURATION - MARGIN)
        return True

    async def _write(self, before: Lease, holder: str) -> None:
        body = leases.body(self._name, before, holder, DURATION, self._clock())
        self._watch.see(leases.read(await self._cluster.write_lease(body)), self._monotonic())


def _text(error: Exception) -> str:
    return error.message if isinstance(error, AwsstsError) else "no answer in time"
