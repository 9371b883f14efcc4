"""Who guesses passwords or codes is locked, whatever he does between guesses."""

from collections.abc import Iterator
from typing import Any

import pytest

from awssts.domain.callers import Caller
from awssts.domain.errors import AwsstsError
from awssts.domain.gateway import Asked
from awssts.domain.refusals import AuthenticationFailed, CodeRefused, TooMany
from awssts.services.house import House
from awssts.services.logins import Logins
from tests.unit.gateway.test_house import Registry, Tick

RIGHT = "Mellon"


class Passwords:
    async def verify(self, password_hash: str | None, password: str) -> bool:
        return password_hash is not None and password == RIGHT

    async def renewed(self, password_hash: str, password: str) -> str | None:
        return None


class Stage:
    """Logins, each from an address of its own."""

    def __init__(self) -> None:
        self.tick = Tick()
        nowhere: Any = None
        self.logins = Logins(House(Registry(), ["people"], self.tick), Passwords(), nowhere, self.tick)
        self._addresses: Iterator[str] = (f"192.0.{n // 250}.{n % 250}" for n in range(10_000))

    async def call(self, password: str = RIGHT, error: AwsstsError | None = None, **details: Any) -> type | None:
        """Log in; what the user came for ends with that error. Return the class of what the caller sees."""
        asked = Asked(username="anna@example.org", password=password, **details)
        try:
            async with self.logins.authenticated(asked, Caller(next(self._addresses), "curl/8")):
                if error is not None:
                    raise error
        except AwsstsError as seen:
            return type(seen)
        return None

    async def guess(self) -> type | None:
        return await self.call(token="000000", error=CodeRefused("AWS refused it"))


@pytest.fixture
def stage() -> Stage:
    return Stage()


async def test_logins_without_a_code_take_back_no_wrong_codes(stage: Stage) -> None:
    seen = []
    for _ in range(3):
        seen += [await stage.guess() for _ in range(7)]
        assert await stage.call() is None
    assert seen[:8] == [CodeRefused] * 8
    assert set(seen[8:]) == {TooMany}


async def test_a_code_that_was_taken_clears_wrong_ones(stage: Stage) -> None:
    for _ in range(3):
        assert [await stage.guess() for _ in range(7)] == [CodeRefused] * 7
        assert await stage.call(token="123456") is None
        stage.logins.accepted(Asked(username="ANNA@example.org", password=RIGHT))


async def test_a_login_clears_wrong_passwords(stage: Stage) -> None:
    for _ in range(3):
        assert [await stage.call("guess") for _ in range(7)] == [AuthenticationFailed] * 7
        assert await stage.call() is None
    assert [await stage.call("guess") for _ in range(9)] == [AuthenticationFailed] * 8 + [TooMany]
    assert await stage.call() is TooMany


async def test_locked_codes_do_not_tell_whether_a_password_is_right(stage: Stage) -> None:
    for _ in range(8):
        await stage.guess()
    assert {await stage.call(password, token="000000") for password in (RIGHT, "guess")} == {TooMany}


async def test_wrong_passwords_count_also_after_codes_were_locked(stage: Stage) -> None:
    for _ in range(8):
        await stage.guess()
    stage.tick.now = 60
    seen = [await stage.call("guess", token="000000") for _ in range(9)]
    assert seen == [AuthenticationFailed] * 8 + [TooMany]
