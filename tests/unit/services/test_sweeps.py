"""What was deleted while nobody watched is found, also where a list is empty; each list is taken when it has to be."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from awssts.domain import names
from awssts.domain.errors import ClusterUnavailable
from awssts.domain.view import UNKNOWN
from awssts.services.intake import Kind
from awssts.services.sweeps import AGAIN, SETTLE, Sweeps
from tests.unit.builders import Json, body, request, written
from tests.unit.services import virtual_time
from tests.unit.services.test_intake import REPORTS, Desk

POLICY = {"metadata": {"name": "house"}, "spec": {}}


class Lists:
    """What there is, by kind; and what was asked for."""

    def __init__(self) -> None:
        self.there: dict[Kind, list[Json]] = {kind: [] for kind in Kind}
        self.asked: list[Kind] = []
        self.broken = 0

    async def _list(self, kind: Kind) -> AsyncIterator[Json]:
        self.asked.append(kind)
        if self.broken:
            self.broken -= 1
            raise ClusterUnavailable("the API server answered 503")
        for each in self.there[kind]:
            yield each

    def request_metadata(self, _: Sequence[str]) -> AsyncIterator[Json]:
        return self._list(Kind.REQUESTS)

    def target_metadata(self, _: Sequence[str]) -> AsyncIterator[Json]:
        return self._list(Kind.SECRETS)

    def policies(self) -> AsyncIterator[Json]:
        return self._list(Kind.POLICIES)

    def namespaces(self) -> AsyncIterator[Json]:
        return self._list(Kind.NAMESPACES)


class Stage(Desk):
    """An intake that knows one of each, and sweeps."""

    def __init__(self) -> None:
        super().__init__()
        self.lists, self.slept = Lists(), list[float]()
        self.sweeps = Sweeps(self.intake, self.lists, (), self.sleep)
        self.lists.there |= {
            Kind.REQUESTS: [body()["metadata"]],
            Kind.SECRETS: [written(request())["metadata"]],
            Kind.POLICIES: [POLICY],
            Kind.NAMESPACES: [{"name": "team"}],
        }
        self.intake.namespace_changed({"name": "team"})
        self.intake.policy_changed(POLICY)
        self.intake.request_changed(REPORTS, body())
        self.intake.secret_changed(REPORTS, written(request()))
        self.woken()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)

    async def until_swept(self, *plurals: str) -> None:
        running = asyncio.create_task(self.sweeps.run())
        for plural in plurals:
            self.sweeps.listing(plural)
        for _ in range(50):
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait([running])


@pytest.fixture
def stage() -> Stage:
    return Stage()


async def test_all_is_as_it_was(stage: Stage) -> None:
    await stage.sweeps.sweep()
    assert stage.lists.asked == list(Kind)
    assert not stage.woken()
    assert [len(stage.intake.known(kind)) for kind in Kind] == [1, 1, 1, 1]


@pytest.mark.parametrize("kind", Kind)
async def test_what_is_gone_is_forgotten(stage: Stage, kind: Kind) -> None:
    stage.lists.there[kind] = []
    await stage.until_swept(kind)
    assert stage.lists.asked == [kind]
    assert stage.slept == [SETTLE]
    assert stage.intake.known(kind) == set()


async def test_requests_are_worked_on_whose_target_or_policy_went(stage: Stage) -> None:
    stage.lists.there[Kind.POLICIES] = []
    await stage.until_swept(names.POLICY_PLURAL)
    assert stage.woken() == {REPORTS}
    assert not stage.seen.policies
    stage.lists.there[Kind.SECRETS] = []
    await stage.until_swept("secrets")
    assert stage.woken() == {REPORTS}
    assert stage.seen.target(REPORTS) is UNKNOWN


async def test_nothing_is_listed_for_what_is_not_watched_or_not_known(stage: Stage) -> None:
    stage.intake.request_deleted(REPORTS)
    await stage.until_swept("v1alpha1", "pods", names.PLURAL)
    assert stage.lists.asked == []
    await stage.sweeps.sweep()
    assert Kind.REQUESTS not in stage.lists.asked


def test_all_are_compared_each_hour_whatever_the_watches_do() -> None:
    async def a_day() -> list[Kind]:
        stage = Stage()
        sweeps = Sweeps(stage.intake, stage.lists, ())
        running = asyncio.create_task(sweeps.run())
        for _ in range(24 * 6):
            await asyncio.sleep(600)
            sweeps.listing("secrets")
        running.cancel()
        return stage.lists.asked

    asked = virtual_time.run(a_day())
    assert asked.count(Kind.POLICIES) == asked.count(Kind.REQUESTS) == 23
    assert asked.count(Kind.SECRETS) >= 140


async def test_a_list_that_fails_is_taken_again(stage: Stage) -> None:
    stage.lists.broken, stage.lists.there[Kind.SECRETS] = 2, []
    await stage.until_swept("secrets")
    assert stage.slept == [SETTLE, AGAIN] * 2 + [SETTLE]
    assert stage.woken() == {REPORTS}
