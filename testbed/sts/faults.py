"""What AWS and the network do to a caller now and then, switched on for the next calls or until cleared."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.sts import errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed.sts.errors import StsError

ARRIVAL = "arrival"  # before STS looks at the call
CODE = "code"  # all is checked and a code is burnt, nothing is issued
ANSWER = "answer"  # the call was carried out, the answer is on its way

# kind → when it strikes unless told otherwise; None for those that strike at one moment of their own
KINDS: dict[str, str | None] = {
    "throttle": ARRIVAL,
    "internal-failure": ARRIVAL,
    "service-unavailable": ARRIVAL,
    "region-disabled": ARRIVAL,
    "hang": ARRIVAL,  # no answer until the faults are cleared or the caller hangs up
    "slow": ARRIVAL,  # `seconds` late
    "drop": ANSWER,  # the connection is reset
    "garbage": ANSWER,  # 200, but no XML
    "skew": None,  # the clock that the call is judged by is `seconds` ahead (or behind: negative)
    "propagation": None,  # keys younger than `seconds` are unknown yet
    "expiry": None,  # new credentials live `seconds`, whatever was asked for
}
NEEDS_SECONDS = {"slow", "skew", "propagation", "expiry"}


@dataclass
class Fault:
    """One fault: `count` calls from now on, those with this operation and access key only."""

    kind: str
    phase: str | None = None
    operation: str | None = None
    access_key_id: str | None = None
    count: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no fault {self.kind!r}: use one of {', '.join(KINDS)}")
        if (self.seconds is None) == (self.kind in NEEDS_SECONDS):
            raise ValueError(f"fault {self.kind!r}: {'needs' if self.seconds is None else 'takes no'} seconds")
        if self.phase not in (None, ARRIVAL, CODE, ANSWER) or (self.phase and KINDS[self.kind] is None):
            raise ValueError(f"fault {self.kind!r} can't strike at {self.phase!r}")
        self.phase = self.phase or KINDS[self.kind]

    def strikes(self, operation: str, access_key_id: str) -> bool:
        return self.operation in (None, operation) and self.access_key_id in (None, access_key_id)

    def error(self, account: str) -> StsError | None:
        """The error answer of this fault, if it is one."""
        match self.kind:
            case "throttle":
                return errors.throttling()
            case "internal-failure":
                return errors.internal_failure()
            case "service-unavailable":
                return errors.service_unavailable()
            case "region-disabled":
                return errors.region_disabled(account)
        return None


class Faults:
    """The faults in force."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._released = asyncio.Event()

    def add(self, fault: Fault) -> None:
        self._faults.append(fault)

    def clear(self) -> None:
        """Ends all faults; hanging calls go on."""
        self._faults.clear()
        self._released.set()
        self._released = asyncio.Event()

    async def hang(self) -> None:
        await self._released.wait()

    def due(self, phase: str, operation: str, access_key_id: str) -> list[Fault]:
        """The faults that strike this call now; each is one call shorter for it."""
        return self._use(lambda fault: fault.phase == phase, operation, access_key_id)

    def seconds(self, kind: str, operation: str, access_key_id: str) -> float | None:
        """What a fault without a phase says of this call."""
        found = self._use(lambda fault: fault.kind == kind, operation, access_key_id)
        return found[-1].seconds if found else None

    def _use(self, wanted: Callable[[Fault], bool], operation: str, access_key_id: str) -> list[Fault]:
        if not self._faults:
            return []
        found = [fault for fault in self._faults if wanted(fault) and fault.strikes(operation, access_key_id)]
        for fault in found:
            if fault.count is not None:
                fault.count -= 1
        self._faults = [fault for fault in self._faults if fault.count is None or fault.count > 0]
        return found
