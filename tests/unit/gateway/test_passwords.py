"""Hashes: right ones, wrong ones, dangerous ones; the same work for a user that there isn't."""

import asyncio
from collections.abc import AsyncIterator

import argon2
import pytest

from awssts.adapters import passwords as adapter
from awssts.adapters.passwords import Passwords
from awssts.domain.refusals import Overloaded

OLD = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)


@pytest.fixture
async def passwords(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Passwords]:
    monkeypatch.setattr(adapter, "MEMORY", 128)
    made = Passwords()
    yield made
    await made.close()


async def test_verify(passwords: Passwords) -> None:
    made = passwords.hash("right")
    assert await passwords.verify(made, "right")
    assert not await passwords.verify(made, "wrong")
    assert not await passwords.verify(None, "nobody's")
    assert await passwords.verify(OLD.hash("right"), "right")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "$argon2id$",
        "right",
        argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1, type=argon2.Type.I).hash("right"),
        OLD.hash("right").replace("m=64", "m=4194304"),
        OLD.hash("right").replace("t=1", "t=99"),
        OLD.hash("right").replace("p=1", "p=64"),
        OLD.hash("right")[:-3] + "***",
    ],
    ids=["empty", "begun", "plain", "another kind", "memory", "passes", "lanes", "broken"],
)
async def test_what_is_no_hash(passwords: Passwords, text: str) -> None:
    assert not await passwords.verify(text, "right")


async def test_renewed(passwords: Passwords) -> None:
    fresh = await passwords.renewed(OLD.hash("right"), "right")
    assert fresh is not None
    assert await passwords.verify(fresh, "right")
    assert await passwords.renewed(fresh, "right") is None


async def test_nobody_costs_the_same(passwords: Passwords, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    verify = argon2.PasswordHasher.verify

    def noting(self: argon2.PasswordHasher, text: str, password: str) -> bool:
        seen.append(text)
        return verify(self, text, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", noting)
    await passwords.verify(passwords.hash("right"), "wrong")
    await passwords.verify(None, "wrong")
    await passwords.verify("no hash", "wrong")
    known, unknown, broken = (argon2.extract_parameters(text) for text in seen)
    assert known == unknown == broken
    await passwords.verify(old := OLD.hash("right"), "wrong")  # costs no less than that
    assert [argon2.extract_parameters(text) for text in seen[3:]] == [unknown, argon2.extract_parameters(old)]


async def test_few_at_once(passwords: Passwords, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_most", 3)
    made = passwords.hash("right")
    answers = await asyncio.gather(*(passwords.verify(made, "right") for _ in range(5)), return_exceptions=True)
    assert [answer if answer is True else type(answer) for answer in answers] == [True] * 3 + [Overloaded] * 2
