"""MFA devices: each code of one is used once, whoever gave it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from awssts.domain import record as records
from awssts.domain import totp
from awssts.domain.errors import ClusterConflict
from awssts.domain.record import Record
from awssts.domain.totp import Seed
from awssts.services.later import Later
from awssts.services.ports import Clock, Cluster

TRIES = 3
MANY = 1_000  # devices that are remembered before those go whose codes are over


class CodeUsed(Exception):  # noqa: N818 - an answer, not a failure
    """A code that was given has been used before."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device as a request names it.

    ``owner``: whom its record goes with, the Secret with its seed, else the request; as in an owner reference.
    """

    serial_number: str
    namespace: str
    owner: Mapping[str, Any]


class Devices:
    """Remembers which codes of each device were used: in memory by serial number, and in its record.

    In memory a step is taken before anything is awaited: whoever comes next gets a later one. The record is
    written by compare-and-swap before the code is used: another process, at a failover or for good, can't use it too.
    Steps count within a namespace, codes everywhere: who knows no more of a device than its number holds up nobody.

    Args:
        since: when this process took over; steps that had begun by then may be used up by another.
    """

    def __init__(self, cluster: Cluster, clock: Clock, since: datetime) -> None:
        self._cluster = cluster
        self._clock = clock
        self._since = since
        self._steps: dict[tuple[str, str], int] = {}  # by namespace and serial number
        self._codes: dict[str, Record] = {}  # by serial number

    def wait(self, device: Device) -> None:
        """Raise Later where memory tells already that no step is usable yet; says when one is."""
        now = self._clock()
        self._usable(device.serial_number, self._remembered(device, now), now)

    async def take(self, device: Device, seed: Seed) -> str:
        """Return the code of a step that may be used now; nobody gets it again.

        Raises:
            Later: no step is usable yet, or another process took one just now; says when.
        """
        recorded = await self._read(device)
        now = self._clock()
        used = self._all_used(device, recorded, now)
        step = self._usable(device.serial_number, used, now)
        code = seed.code(step)
        if used.has(code, device.serial_number):  # somebody gave it
            raise Later(totp.begin(step + 1), f"the next usable code of {device.serial_number} begins")
        try:
            await self._write(device, recorded, code, step, now)
        except ClusterConflict:
            raise Later(totp.begin(step + 1), "the next usable code begins", quiet=True) from None
        if totp.step_at(self._clock()) != step:  # the write took that long: AWS may take the code no more
            raise Later(totp.begin(totp.step_at(self._clock()) + 1), "the next usable code begins", quiet=True)
        return code

    async def take_given(self, device: Device, code: str, seed: Seed | None = None) -> None:
        """Take a code that a person or an endpoint gave. Without the seed, it may be of any step up to the next.

        Raises:
            CodeUsed: it, or a later one, has been used before.
            ClusterConflict: others write the record all the time.
        """
        for attempt in range(TRIES):
            recorded = await self._read(device)
            now = self._clock()
            used = recorded if attempt else self._all_used(device, recorded, now)  # then it is ours in memory
            step = self._step_of(code, seed, now)
            if used.has(code, device.serial_number) or (seed and step and step <= used.step):
                raise CodeUsed
            try:
                await self._write(device, recorded, code, step, now)
                break
            except ClusterConflict:
                if attempt == TRIES - 1:
                    raise

    def _usable(self, serial_number: str, used: Record, now: datetime) -> int:
        self._since = min(self._since, now)  # the clock was set back: what was used since is remembered and recorded
        step = totp.usable_step(now, self._since, used.step)
        if step != totp.step_at(now):
            raise Later(totp.begin(step), f"the next usable code of {serial_number} begins")
        return step

    def _step_of(self, code: str, seed: Seed | None, now: datetime) -> int:
        """Return the last step that a code can be of; 0 where the seed tells that it is wrong."""
        return seed.step_of(code, now) or 0 if seed else totp.step_at(now) + 1

    def _all_used(self, device: Device, recorded: Record, now: datetime) -> Record:
        return recorded.and_also(self._remembered(device, now))

    def _remembered(self, device: Device, now: datetime) -> Record:
        step = self._steps.get((device.namespace, device.serial_number), 0)
        return Record(step).and_also(self._codes.get(device.serial_number, Record())).current(now)

    def _remember(self, device: Device, code: str, step: int, now: datetime) -> None:
        serial, place = device.serial_number, (device.namespace, device.serial_number)
        if len(self._steps) >= MANY or len(self._codes) >= MANY:
            present = totp.step_at(now)
            self._steps = {known: last for known, last in self._steps.items() if last >= present}
            self._codes = {known: used for known, used in self._codes.items() if used.current(now).codes}
        self._steps[place] = max(step, self._steps.get(place, 0))
        self._codes[serial] = self._codes.get(serial, Record()).after(code, 0, serial, now)

    async def _read(self, device: Device) -> Record:
        name = records.secret_name(device.serial_number)
        return records.read(await self._cluster.secret(device.namespace, name), self._clock())

    async def _write(self, device: Device, recorded: Record, code: str, step: int, now: datetime) -> None:
        """Note in memory, then in the record that was read, that a code is used.

        Raises:
            ClusterConflict: another process wrote it meanwhile.
        """
        serial = device.serial_number
        self._remember(device, code, step, now)
        secret = records.secret(device.namespace, serial, recorded.after(code, step, serial, now), device.owner)
        if recorded.version:
            await self._cluster.apply_secret(secret)
        else:
            await self._cluster.create_secret(secret)
