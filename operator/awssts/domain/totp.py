"""TOTP as AWS's virtual devices do it (RFC 6238): six digits, 30 seconds a step."""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyotp

STEP = 30  # seconds
DIGITS = 6
FAR = timedelta(minutes=10)  # a step further in the future was used by no true clock
LEAST_SEED = 14  # bytes: RFC 4226 asks for 128 bits, pyotp for 112
LEAST_LEFT = 3  # seconds that a step must still have for the call to arrive in it

_ALGORITHMS: dict[str, Callable[..., Any]] = {
    "SHA1": hashlib.sha1,
    "SHA256": hashlib.sha256,
    "SHA512": hashlib.sha512,
}


@dataclass(frozen=True, slots=True)
class Seed:
    """What a device's codes are made from."""

    secret: str = field(repr=False)  # base32, upper case, padded
    algorithm: str = "SHA1"

    def code(self, step: int) -> str:
        """Return the code of a step."""
        return pyotp.TOTP(self.secret, digits=DIGITS, digest=_ALGORITHMS[self.algorithm], interval=STEP).at(step * STEP)

    def step_of(self, code: str, now: datetime) -> int | None:
        """Return the step whose code it is, among those that AWS would take now; None where it is of none."""
        current = step_at(now)
        return next((step for step in (current, current - 1, current + 1) if self.code(step) == code), None)


def read(text: str) -> Seed:
    """Return the seed that a Secret holds: base32, with or without padding and spaces, or an ``otpauth://`` URI.

    Raises:
        ValueError: it is neither, or a device that AWS does not have; the message does not repeat it.
    """
    if text.startswith("otpauth:"):
        return _from_uri(text)
    return Seed(_base32(text))


def step_at(moment: datetime) -> int:
    """Return the step that a moment is in."""
    return int(moment.timestamp() // STEP)


def begin(step: int) -> datetime:
    """Return when a step begins."""
    return datetime.fromtimestamp(step * STEP, UTC)


def usable_step(now: datetime, since: datetime, used: int) -> int:
    """Return the first step whose code may be used: now, or at its beginning.

    It begins after ``since`` (what another process used before, we can't know), comes after the last one
    ``used``, and has three seconds left.
    """
    step = max(step_at(now), step_at(since) + 1, used + 1)
    if step == step_at(now) and begin(step + 1) - now < timedelta(seconds=LEAST_LEFT):
        step += 1
    return step


def _from_uri(text: str) -> Seed:
    try:
        parts = urlsplit(text)
        query = {name.lower(): values[0] for name, values in parse_qs(parts.query).items()}
    except ValueError:
        raise ValueError("the otpauth:// URI can't be read") from None
    if parts.netloc != "totp":
        raise ValueError("the otpauth:// URI is not one of type totp")
    if not query.get("secret"):
        raise ValueError("the otpauth:// URI has no secret")
    if query.get("digits", "6") != "6" or query.get("period", "30") != "30":
        raise ValueError("the otpauth:// URI asks for other than 6 digits every 30 s, which AWS does not take")
    algorithm = query.get("algorithm", "SHA1").upper().replace("-", "")
    if algorithm not in _ALGORITHMS:
        raise ValueError(f"the otpauth:// URI names an algorithm other than {', '.join(_ALGORITHMS)}")
    return Seed(_base32(query["secret"]), algorithm)


def _base32(text: str) -> str:
    secret = "".join(text.split()).replace("-", "").rstrip("=").upper()
    secret += "=" * (-len(secret) % 8)
    try:
        decoded = base64.b32decode(secret)
    except ValueError:  # its text could repeat the seed
        decoded = b""
    if not decoded:
        raise ValueError("it is neither base32 nor an otpauth:// URI")
    if len(decoded) < LEAST_SEED:
        raise ValueError("it is too short for a TOTP seed: those of AWS have 64 characters")
    return secret
