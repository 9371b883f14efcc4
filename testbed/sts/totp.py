"""Codes of virtual MFA devices (RFC 6238), good once: which step a code belongs to, and which are burnt."""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyotp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STEP = 30  # seconds
DIGITS = 6
TOLERANCE = 1  # steps around the current one that are taken too, for clocks that are a little off

ALGORITHMS: dict[str, Callable[..., object]] = {
    "SHA1": hashlib.sha1,  # what AWS's own virtual devices use
    "SHA256": hashlib.sha256,
    "SHA512": hashlib.sha512,
}


@dataclass(frozen=True)
class Seed:
    """The shared secret of a device, and how its codes are made of it."""

    base32: str = field(repr=False)
    algorithm: str = "SHA1"

    def code(self, step: int) -> str:
        """The code of a step: the seconds since 1970, divided by STEP."""
        totp = pyotp.TOTP(self.base32, digits=DIGITS, digest=ALGORITHMS[self.algorithm], interval=STEP)
        return totp.generate_otp(step)

    def steps(self, code: str, now: float) -> Iterator[int]:
        """The steps near `now` that the code belongs to: none for a wrong code, hardly ever two."""
        current = int(now // STEP)
        for step in range(current - TOLERANCE, current + TOLERANCE + 1):
            if self.code(step) == code:
                yield step


class BurntCodes:
    """Which codes can't be used again: each is good for one call of any operation.

    "You cannot reuse" a code: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_mfa_sync.html
    """

    def __init__(self) -> None:
        self._steps: dict[str, deque[int]] = {}

    def spend(self, serial_number: str, seed: Seed, code: str, now: float) -> bool:
        """Burns the code; False if it is wrong or burnt already."""
        burnt = self._steps.setdefault(serial_number, deque(maxlen=2 * (2 * TOLERANCE + 1)))
        for step in seed.steps(code, now):
            if step not in burnt:
                burnt.append(step)
                return True
        return False

    def forget(self) -> None:
        """As if no code had been used: for a test that needs the current one once more."""
        self._steps.clear()
