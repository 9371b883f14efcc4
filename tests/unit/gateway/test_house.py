"""What logins rest on is read when somebody comes, once for all who come together; Events are few."""

import asyncio
import copy
from collections.abc import AsyncIterator, Sequence

import pytest
from structlog.testing import capture_logs

from awssts.domain.callers import Caller
from awssts.domain.conditions import Event
from awssts.domain.errors import AccessDenied, ClusterUnavailable
from awssts.domain.judgement import selected
from awssts.domain.people import User
from awssts.domain.policy.principal import from_metadata
from awssts.domain.refusals import AuthenticationFailed
from awssts.domain.request import Identity
from awssts.services.audit import Audit
from awssts.services.house import House, Scene
from tests.unit.builders import HOUR, NOW, Json, credentials, request
from tests.unit.gateway.test_people import secret, user
from tests.unit.services.fakes import FakeEvents


class Registry:
    """Users, policies and a namespace."""

    def __init__(self) -> None:
        self.secrets: list[Json] = [secret(attributes="team: [a]")]
        self.bodies: list[Json] = [{"metadata": {"name": "house"}, "spec": {"priority": 1}}]
        self.readings = 0
        self.begun = asyncio.Event()
        self.broken = False

    async def users(self, namespaces: Sequence[str]) -> AsyncIterator[Json]:
        assert set(namespaces) == {"people"}
        for each in self.secrets * len(namespaces):
            await asyncio.sleep(0)
            yield copy.deepcopy(each)

    async def policies(self) -> AsyncIterator[Json]:
        self.readings += 1
        self.begun.set()
        if self.broken:
            raise ClusterUnavailable("the API server answered 503")
        for body in self.bodies:
            yield body

    async def namespace_metadata(self, name: str) -> Json | None:
        return {"name": name, "labels": {"env": "prod"}}


class Tick:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
def tick() -> Tick:
    return Tick()


@pytest.fixture
def house(registry: Registry, tick: Tick) -> House:
    return House(registry, ["people"], tick, tick.sleep)


async def test_read_once_for_all(house: House, registry: Registry) -> None:
    found = await asyncio.gather(*(house.residents() for _ in range(5)))
    assert list(found[0].users) == ["anna@example.org"]
    assert registry.readings == 1


async def test_what_was_written_just_before_counts(house: House, registry: Registry, tick: Tick) -> None:
    added, registry.secrets = registry.secrets, []
    assert (await house.residents()).users == {}
    registry.secrets = added
    tick.now += 0.001
    assert (await house.residents()).users


async def test_what_is_written_while_it_is_read_counts_for_who_comes_then(
    house: House, registry: Registry, tick: Tick
) -> None:
    reading = asyncio.create_task(house.residents())
    await registry.begun.wait()
    tick.now += 0.001
    await asyncio.gather(reading, *(house.residents() for _ in range(5)))
    assert registry.readings == 2


async def test_many_calls_are_few_readings(house: House, registry: Registry, tick: Tick) -> None:
    while tick.now < 10:
        tick.now += 0.01
        await house.residents()
    assert registry.readings == pytest.approx(50, abs=2)


async def test_what_was_read_before_is_not_believed(house: House, registry: Registry, tick: Tick) -> None:
    await house.residents()
    registry.broken = True
    tick.now = 5
    for _ in range(2):
        with pytest.raises(ClusterUnavailable):
            await house.residents()
    registry.broken = False
    assert (await house.residents()).users


async def test_failed_readings_are_few_too(house: House, registry: Registry, tick: Tick) -> None:
    registry.broken = True
    while tick.now < 10:
        with pytest.raises(ClusterUnavailable):
            await house.residents()
    assert registry.readings == pytest.approx(50, abs=2)


async def test_who_asks_whether_it_is_ready_costs_little(house: House, registry: Registry, tick: Tick) -> None:
    while tick.now < 60:
        await house.reachable(within=10)
        tick.now += 0.01
    assert registry.readings == pytest.approx(6, abs=1)


async def test_it_is_not_ready_ten_seconds_after_it_could_be_read(house: House, registry: Registry, tick: Tick) -> None:
    await house.reachable(within=10)
    registry.broken = True
    tick.now = 9
    await house.reachable(within=10)
    tick.now = 10.1
    with pytest.raises(ClusterUnavailable):
        await house.reachable(within=10)
    registry.broken = False
    await house.reachable(within=10)


async def test_it_is_not_ready_once_a_login_has_found_out(house: House, registry: Registry, tick: Tick) -> None:
    await house.reachable(within=10)
    registry.broken = True
    tick.now = 1
    with pytest.raises(ClusterUnavailable):
        await house.residents()
    with pytest.raises(ClusterUnavailable):
        await house.reachable(within=10)


async def test_policies_are_compiled_once(house: House, registry: Registry, tick: Tick) -> None:
    first = (await house.residents()).policies["house"]
    tick.now = 2
    assert (await house.residents()).policies["house"] is first
    registry.bodies[0] = {"metadata": {"name": "house"}, "spec": {"priority": 2}}
    tick.now = 4
    assert (await house.residents()).policies["house"] is not first
    registry.bodies.clear()
    tick.now = 6
    assert (await house.residents()).policies == {}


def called(name: str, **data: str) -> Json:
    """A user's Secret of that name."""
    made = secret(**data)
    made["metadata"] |= {"name": name, "uid": f"uid-of-{name}"}
    return made


async def test_of_two_with_one_name_neither(house: House, registry: Registry) -> None:
    registry.secrets += [called("anna-too"), called("broken", passwordHash="x")]
    assert (await house.residents()).users == {}


async def test_what_is_wrong_is_told_once(house: House, registry: Registry, tick: Tick) -> None:
    """And anew where it was mended or gone meanwhile."""

    async def told() -> list[str]:
        tick.now += 1
        with capture_logs() as lines:
            await house.residents()
        return [line["secret"] for line in lines]

    registry.secrets = wrong = [called("anna"), called("anna-too"), called("broken", passwordHash="x")]
    assert sorted(await told()) == ["anna", "anna-too", "broken"]
    assert await told() == []
    registry.secrets = [called("anna"), called("anna-too", passwordHash="x")]
    assert await told() == ["anna-too"]
    registry.secrets = []
    assert await told() == []
    registry.secrets = wrong
    assert sorted(await told()) == ["anna", "anna-too", "broken"]


async def test_a_namespace_that_is_named_twice(registry: Registry, tick: Tick) -> None:
    assert (await House(registry, ["people", "people"], tick).residents()).users


async def test_a_scene_has_the_attributes_of_its_user(house: House) -> None:
    residents = await house.residents()
    scene = Scene(residents, residents.users["anna@example.org"])
    home = scene.namespace("people")
    assert from_metadata("", home.annotations) == {"team": ("a",), "id": ("anna@example.org",)}
    assert [held.policy.name for held in selected(scene.policies, request(namespace="people"), home)] == ["house"]


def about(user: User) -> Identity:
    return user.identity


def test_events_are_few(tick: Tick) -> None:
    events, anna, caller = FakeEvents(), user(), Caller("192.0.2.1")
    audit = Audit(events, tick)
    for _ in range(3):
        audit.refused(caller, AuthenticationFailed("wrong password", about(anna)), None)
        audit.refused(caller, AuthenticationFailed("unknown user"), None)
        audit.refused(caller, AccessDenied("no"), anna)
        audit.issued(caller, anna, credentials(expiration=NOW + HOUR))
    assert events.reasons == ["AuthenticationFailed", "AccessDenied", "LoggedIn"]
    assert events.published[-1] == Event("Normal", "LoggedIn", "credentials until 2026-11-23T17:00:00Z, to 192.0.2.1")
    tick.now = 61
    audit.issued(caller, anna, credentials(expiration=NOW + HOUR))
    assert events.reasons[3:] == ["LoggedIn"]
