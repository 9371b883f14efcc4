"""Gets a login's credentials: with the code that came with it, or when a code or somebody else's turn is through."""

import asyncio
import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from awssts.domain.errors import AwaitingTokenCode, InvalidTokenCode
from awssts.domain.plan import Cause
from awssts.domain.refusals import CodeNeeded, CodeRefused, TooLate
from awssts.domain.request import Identity, Request
from awssts.domain.view import View
from awssts.services.credential import Credential
from awssts.services.issuance import Issuance, Issued
from awssts.services.later import Later
from awssts.services.observations import Name
from awssts.services.ports import Clock

PAUSE = timedelta(seconds=1)  # between two looks whether a session is free, where nobody wakes us


class Offers(Protocol):
    """Where a login's code is offered; see ``awssts.adapters.people``."""

    def offering(self, login: Identity, code: str) -> AbstractContextManager[Callable[[], bool]]: ...


class Bell:
    """Wakes those who wait for a session; a name may have several logins that wait."""

    def __init__(self) -> None:
        self._waiting: dict[Name, asyncio.Event] = {}

    def ring(self, name: Name) -> None:
        """Wake all logins of that name."""
        if (event := self._waiting.pop(name, None)) is not None:
            event.set()

    async def wait(self, name: Name, seconds: float) -> None:
        """Wait to be woken, or for that long."""
        event = self._waiting.setdefault(name, asyncio.Event())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()


class Obtaining:
    """Gets credentials, and waits for them no longer than ``patience``."""

    def __init__(self, issuance: Issuance, offers: Offers, bell: Bell, clock: Clock, patience: timedelta) -> None:
        self._issuance = issuance
        self._offers = offers
        self._bell = bell
        self._clock = clock
        self._patience = patience

    async def obtain(self, view: View, credential: Credential, token: str) -> Issued:
        """Return what STS gives; wait for codes and for others' turns.

        Args:
            token: the code that somebody gave, whose fault it is where there are none; empty where there is none.

        Raises:
            CodeNeeded, CodeRefused: somebody has to give a code, or another.
            TooLate: there is no code within the time.
        """
        until = self._clock() + self._patience
        try:
            with self._offers.offering(view.request.identity, token) as offered:
                while True:
                    try:
                        return await self._issuance.ask(replace(view, now=self._clock()), credential, Cause.FIRST)
                    except Later as later:
                        if token and not offered():
                            raise CodeRefused("the code has been used") from None
                        await self._wait(view.request, later, until)
        except AwaitingTokenCode:
            assert view.spec.mfa is not None  # noqa: S101 - codes are for those with a device
            error = CodeRefused("AWS refused it") if token else CodeNeeded(view.spec.mfa.serial_number)
        except InvalidTokenCode:
            if not token:
                raise
            error = CodeRefused("AWS refused it")
        raise error

    async def _wait(self, request: Request, later: Later, until: datetime) -> None:
        """Wait for the code or the turn; those who wait for a turn are woken, or look again."""
        now = self._clock()
        at = min(later.until, now + PAUSE) if later.quiet else later.until
        if at > until:
            raise TooLate(later.why)
        name = request.identity.namespace, request.identity.name
        await self._bell.wait(name, max((at - now).total_seconds(), 0.05))
