"""Finds out who somebody is, without telling him anything until the password was right."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Protocol

import structlog

from awssts.domain.callers import Caller
from awssts.domain.errors import AwsstsError
from awssts.domain.gateway import Asked
from awssts.domain.lockout import Keys, Lockout, Pace
from awssts.domain.people import User
from awssts.domain.refusals import AuthenticationFailed, CodeRefused, DeviceRefused, TooMany
from awssts.domain.request import Identity
from awssts.services.house import House, Residents

log = structlog.get_logger(__name__)

USER, CODE, SITE = "user", "code", "site"  # what failures are counted by: a name's passwords, its codes, an address
FREE = {USER: 8, CODE: 8, SITE: 40}  # failures before a lock; many people can be behind one address
RATE, BURST = 2.0, 40  # calls a second of one address in the long run, and at once


class Passwords(Protocol):
    """Who knows hashes; see ``awssts.adapters.passwords``."""

    async def verify(self, password_hash: str | None, password: str) -> bool: ...
    async def renewed(self, password_hash: str, password: str) -> str | None: ...


class Hashes(Protocol):
    """Where hashes are kept; see ``awssts.adapters.people``."""

    async def replace_hash(self, user: Identity, old: str, new: str) -> bool: ...


class Logins:
    """Authenticates by password, slowly for those who guess.

    Args:
        tick: the time in seconds, by a clock that only goes forward.
    """

    def __init__(self, house: House, passwords: Passwords, hashes: Hashes, tick: Callable[[], float]) -> None:
        self._house = house
        self._passwords = passwords
        self._hashes = hashes
        self._tick = tick
        self._lockout = Lockout(FREE)
        self._pace = Pace(RATE, BURST)

    @asynccontextmanager
    async def authenticated(self, asked: Asked, caller: Caller) -> AsyncIterator[tuple[User, Residents]]:
        """Yield the user, and the reading that he is of.

        Within the block is done what he came for; what comes of it tells whether it was a guess.

        A wrong password counts against name and address, a wrong code or device against the name's codes and the
        address. Only a code that was taken clears those (``accepted``): else who has the password could go on
        guessing between logins that need none.

        Raises:
            TooMany: name or address is locked, or comes too often.
            AuthenticationFailed: there is no such user, or it is not his password.
            AwsstsError: the cluster can't be read.
        """
        name = asked.username.casefold()
        keys, codes = {USER: name, SITE: caller.site}, {CODE: name, SITE: caller.site}
        guesses = bool(asked.token or asked.serial_number)
        now = self._tick()
        wait = self._pace.begin(caller.site, now)
        wait = wait or (self._lockout.wait(codes, now) if guesses else 0) or self._lockout.begin(keys, now)
        if wait > 0:
            raise TooMany(wait)
        with self._unless_guessed(keys):
            user, residents = await self._user(asked)
        if not guesses:  # there is nothing more to guess, and it may take long
            yield user, residents
        elif (wait := self._lockout.begin(codes, self._tick())) > 0:
            raise TooMany(wait)
        else:
            with self._unless_guessed(codes):
                yield user, residents
        self._lockout.clear(USER, name)
        await self._renew_hash(user, asked.password)

    def accepted(self, asked: Asked) -> None:
        """Forget the name's wrong codes: the one that came with the login was right."""
        self._lockout.clear(CODE, asked.username.casefold())

    @contextmanager
    def _unless_guessed(self, keys: Keys) -> Iterator[None]:
        """Tell at the end of the block what the attempt was: a wrong guess, or nothing to count."""
        try:
            yield
        except (AuthenticationFailed, CodeRefused, DeviceRefused):
            self._lockout.fail(keys, self._tick())
            raise
        except BaseException:
            self._lockout.take_back(keys)
            raise
        self._lockout.take_back(keys)

    async def _user(self, asked: Asked) -> tuple[User, Residents]:
        residents = await self._house.residents()
        user = residents.users.get(asked.username)
        right = await self._passwords.verify(user.password_hash if user else None, asked.password)
        if user is None:
            raise AuthenticationFailed("unknown user")
        if not right or user.suspended:
            raise AuthenticationFailed("suspended" if right else "wrong password", user.identity)
        return user, residents

    async def _renew_hash(self, user: User, password: str) -> None:
        """Keep the password by today's parameters. It has time: a failure is only logged."""
        try:
            fresh = await self._passwords.renewed(user.password_hash, password)
            if fresh is not None and await self._hashes.replace_hash(user.identity, user.password_hash, fresh):
                log.info("password hash renewed", namespace=user.identity.namespace, secret=user.identity.name)
        except AwsstsError as error:
            log.warning("password hash not renewed", secret=user.identity.name, reason=error.reason)
