"""Looks after the registrations of the admission webhooks, and says when they don't hold."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Protocol

import structlog

from awssts.domain import registration
from awssts.domain.errors import AwsstsError
from awssts.domain.registration import Duty, Expected, Plural
from awssts.services.ports import Json

log = structlog.get_logger(__name__)

LOOK = 300.0  # seconds between looks
SOONEST = 5.0  # seconds between looks, whoever calls
STAMPING: Plural = "mutatingwebhookconfigurations"
FIRST = 10.0  # seconds until the first one: who installs the operator may be installing them just now


class Cluster(Protocol):
    """The Kubernetes API; see ``awssts.adapters.webhooks``."""

    async def webhook_configuration(self, plural: Plural, name: str) -> Json | None: ...
    async def lead(self, plural: Plural, name: str, path: str) -> None: ...


class Registrations:
    """Both configurations of one name.

    Args:
        path: returns the path that the webhook which stamps has to be called at.
    """

    def __init__(
        self,
        cluster: Cluster,
        name: str,
        duties: Mapping[Plural, tuple[Duty, ...]],
        expected: Expected,
        path: Callable[[], Awaitable[str]],
        *,
        first: float = FIRST,
        look: float = LOOK,
    ) -> None:
        self._cluster = cluster
        self._name = name
        self._duties = duties
        self._expected = expected
        self._path = path
        self._hurry = asyncio.Event()
        self._pauses = first, look
        self._told: dict[Plural, list[str]] = {}

    async def watch(self) -> None:
        """Look again and again, until cancelled."""
        pause, look = self._pauses
        with suppress(AwsstsError):  # the first look tells
            await self._lead(STAMPING)
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._hurry.wait()
            self._hurry.clear()
            await self.look()
            pause = look
            await asyncio.sleep(min(SOONEST, look))

    def hurry(self) -> None:
        """Look soon: somebody calls at a path that is not the one, perhaps because the registration was put back."""
        self._hurry.set()

    async def look(self) -> None:
        """Look once, and say what has changed."""
        for plural, duties in self._duties.items():
            try:
                await self._lead(plural)
                found = await self._cluster.webhook_configuration(plural, self._name)
                wrong = registration.problems(found, duties, self._expected)
            except AwsstsError as error:
                wrong = [f"it can't be looked after: {error.message}"]
            if wrong != self._told.get(plural, []):
                self._tell(plural, wrong)
            self._told[plural] = wrong

    async def _lead(self, plural: Plural) -> None:
        if plural == STAMPING:
            await self._cluster.lead(plural, self._name, await self._path())

    def _tell(self, plural: Plural, wrong: list[str]) -> None:
        if not wrong:
            log.info("the admission webhook's registration holds again", kind=plural, name=self._name)
        for problem in wrong:
            log.warning(
                "the admission webhook's registration does not hold: what goes past it is not checked, and who "
                "applied it counts as unknown",
                kind=plural,
                name=self._name,
                problem=problem,
            )
