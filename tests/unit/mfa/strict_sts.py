"""A strict STS in memory: each code good once, in its step and the neighbours; only sessions that live."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Generator
from datetime import timedelta
from typing import Any

from awssts.domain import totp
from awssts.domain.errors import AwsstsError, InvalidTokenCode, SessionExpired
from awssts.domain.keys import Credentials, KeyPair
from awssts.domain.resources import Role
from tests.unit.builders import SERIAL, Json
from tests.unit.services.fakes import Clock

PHONE = "arn:aws:iam::123456789012:mfa/phone"
SEEDS = {
    SERIAL: totp.Seed("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"),
    PHONE: totp.Seed("KRSXG5CTMVRXEZLUKN2HEZLOM5ZGK43T", "SHA256"),
}
FAR = 125  # steps around the time of STS in which a code is looked up: clocks are an hour off


class Pause:
    """An await that ends when the flight is moved on."""

    def __init__(self, at: str) -> None:
        self._at = at

    def __await__(self) -> Generator[str, None, None]:
        yield self._at


@dataclasses.dataclass(frozen=True)
class Submission:
    """A code as it came to STS."""

    serial: str
    step: int
    accepted: bool


class StrictSts:
    """Takes the codes of the step now and of its neighbours, each once; and only sessions that live."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.submitted: list[Submission] = []
        self.calls: list[Json] = []
        self.issued: list[str] = []  # access key ids
        self.expired: set[str] = set()
        self.before_code: list[Callable[[str, int], None]] = []

    async def session_token(self, key: KeyPair, *, region: str | None, lifetime: int, **mfa: Any) -> Credentials:
        return await self._answer(key, lifetime, {"operation": "GetSessionToken", "region": region} | mfa)

    async def role_credentials(
        self,
        key: KeyPair | Credentials,
        role: Role,
        *,
        session_name: str,
        region: str | None,
        lifetime: int,
        **mfa: Any,
    ) -> Credentials:
        asked = {"operation": "AssumeRole", "role": role.arn, "session_name": session_name, "region": region}
        return await self._answer(key, lifetime, asked | mfa)

    @property
    def codes(self) -> int:
        """How many calls came with a code."""
        return len(self.submitted)

    @property
    def refused(self) -> int:
        """How many codes were not taken."""
        return sum(not submission.accepted for submission in self.submitted)

    def used_twice(self) -> list[tuple[str, int]]:
        """Device and step of the codes that came more than once."""
        seen = Counter((submission.serial, submission.step) for submission in self.submitted)
        return [which for which, times in seen.items() if times > 1]

    async def _answer(self, key: KeyPair | Credentials, lifetime: int, asked: Json) -> Credentials:
        await Pause("sts")
        self.calls.append(asked | {"key": key.access_key_id, "lifetime": lifetime})
        try:
            answer: Credentials | AwsstsError = self._judged(key, lifetime, asked)
        except AwsstsError as error:
            answer = error
        await Pause("sts")
        if isinstance(answer, AwsstsError):
            raise answer
        return answer

    def _judged(self, key: KeyPair | Credentials, lifetime: int, asked: Json) -> Credentials:
        if isinstance(key, Credentials) and (key.access_key_id in self.expired or key.expiration <= self.clock()):
            raise SessionExpired("the session that was to be used has expired")
        if asked.get("code"):
            self._take(asked["serial"], asked["code"])
        number = len(self.calls)
        expiration = self.clock().replace(microsecond=0) + timedelta(seconds=lifetime)
        self.issued.append(f"ASIA{number:016}")
        return Credentials(self.issued[-1], f"made-up-secret/{number}", f"made-up+token/{number}==", expiration)

    def _take(self, serial: str, code: str) -> None:
        now = totp.step_at(self.clock())
        steps = range(now - FAR, now + FAR + 1)
        step = next((step for step in steps if SEEDS[serial].code(step) == code), 0)
        for check in self.before_code:
            check(serial, step)
        burnt = any((before.serial, before.step) == (serial, step) for before in self.submitted if before.accepted)
        accepted = abs(step - now) <= 1 and not burnt
        self.submitted.append(Submission(serial, step, accepted))
        if not accepted:
            raise InvalidTokenCode("the MFA code was wrong or had been used before")
