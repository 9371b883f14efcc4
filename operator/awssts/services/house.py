"""What logins rest on: users, policies and namespaces as the cluster holds them, read when somebody comes.

Nothing is watched, so an idle gateway asks for nothing, and what can't be read is not believed from before. Calls that
come close together share one reading.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from awssts.domain import digest, people
from awssts.domain.errors import AwsstsError
from awssts.domain.judgement import Held
from awssts.domain.people import User
from awssts.domain.policy import NamespaceFacts, load
from awssts.services.observations import Name, Observations
from awssts.services.ports import Json

log = structlog.get_logger(__name__)

APART = 0.2  # seconds from one reading to the next at least, however many come


class Registry(Protocol):
    """Where users, policies and namespaces are read; see ``awssts.adapters.people``."""

    def users(self, namespaces: Sequence[str]) -> AsyncIterator[Json]: ...
    def policies(self) -> AsyncIterator[Json]: ...
    async def namespace_metadata(self, name: str) -> Json | None: ...


@dataclass(frozen=True, slots=True)
class Residents:
    """One reading. ``users`` has only those who can log in: of two with one name, neither."""

    users: Mapping[str, User] = field(default_factory=dict)
    policies: Mapping[str, Held] = field(default_factory=dict)
    namespaces: Mapping[str, NamespaceFacts] = field(default_factory=dict)


class Scene(Observations):
    """What one login is judged by: all policies, and the user's namespace with his attributes."""

    def __init__(self, residents: Residents, user: User) -> None:
        super().__init__()
        self._held = residents.policies
        self._home = people.home(user, residents.namespaces[user.identity.namespace])

    @property
    def policies(self) -> list[Held]:
        """All policies."""
        return list(self._held.values())

    def namespace(self, _name: str) -> NamespaceFacts:
        """Return the user's namespace."""
        return self._home


class House:
    """Reads users, policies and namespaces.

    Args:
        tick: the time in seconds, by a clock that only goes forward.
        sleep: waits for so many seconds of that clock.
    """

    def __init__(
        self,
        registry: Registry,
        namespaces: Sequence[str],
        tick: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._registry = registry
        self._namespaces = tuple(dict.fromkeys(namespaces))  # one twice would give each of its users twice
        self._tick = tick
        self._sleep = sleep
        self._begun_at = float("-inf")
        self._read_at = float("-inf")  # when the last reading began, unless it failed
        self._residents = Residents()
        self._reading = asyncio.Lock()
        self._told: Mapping[Name, str] = {}  # what was wrong with Secrets at the last reading

    async def residents(self) -> Residents:
        """Return what the cluster holds: all that was written before this call counts.

        Raises:
            AwsstsError: it can't be read.
        """
        return await self._read_since(self._tick())

    async def reachable(self, within: float) -> None:
        """Return where the cluster can be read, or could within those last seconds and nobody has failed since.

        Raises:
            AwsstsError: it can't be read.
        """
        await self._read_since(self._tick() - within)

    async def _read_since(self, moment: float) -> Residents:
        async with self._reading:
            if self._read_at < moment:
                if (early := self._begun_at + APART - self._tick()) > 0:
                    await self._sleep(early)
                self._begun_at, self._read_at = self._tick(), float("-inf")
                self._residents = await self._read()
                self._read_at = self._begun_at
            return self._residents

    async def _read(self) -> Residents:
        policies: dict[str, Held] = {}
        async for body in self._registry.policies():
            name, spec = body["metadata"]["name"], digest.of(body.get("spec"))
            known = self._residents.policies.get(name)
            policies[name] = known if known is not None and known.digest == spec else Held(load(body), spec)
        facts = [await self._namespace(name) for name in self._namespaces]
        return Residents(await self._users(), policies, {found.name: found for found in facts})

    async def _namespace(self, name: str) -> NamespaceFacts:
        found = await self._registry.namespace_metadata(name) or {}
        return NamespaceFacts(name=name, labels=found.get("labels") or {}, annotations=found.get("annotations") or {})

    async def _users(self) -> dict[str, User]:
        """Return those who can log in, by name; say of the others what is wrong with their Secrets."""
        users, problems = list[User](), dict[Name, str]()
        async for secret in self._registry.users(self._namespaces):
            try:
                users.append(people.read(secret))
            except AwsstsError as error:
                problems[secret["metadata"]["namespace"], secret["metadata"]["name"]] = error.message
        times = Counter(user.username for user in users)
        for user in users:
            if times[user.username] > 1:
                problems[user.identity.namespace, user.identity.name] = "another Secret has the same username"
        self._tell(problems)
        return {user.username: user for user in users if times[user.username] == 1}

    def _tell(self, problems: Mapping[Name, str]) -> None:
        """Say of each Secret once what is wrong with it, for as long as that stays."""
        for place, problem in problems.items():
            if self._told.get(place) != problem:
                log.warning("this user can't log in", namespace=place[0], secret=place[1], error=problem)
        self._told = problems
