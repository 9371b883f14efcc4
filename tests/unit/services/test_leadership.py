"""Two processes and one Lease, in virtual time: at most one leads, and one does when the other is gone."""

import asyncio
import copy
from collections.abc import Callable
from typing import Any

import pytest

from awssts.domain.errors import ClusterConflict, ClusterUnavailable
from awssts.services.leadership import AT_ONCE, DEADLINE, DURATION, HANDOVER, MARGIN, RETRY, TIMEOUT, Leadership
from awssts.settings import Shard
from tests.unit.builders import Json
from tests.unit.services.virtual_time import now, run

NAME = ("awssts-system", "awssts")


class Api:
    """One Lease, with resource versions; ``trouble`` is raised or waited for at each call."""

    def __init__(self) -> None:
        self.stored: Json | None = None
        self.trouble: Callable[[str], Any] | None = None
        self.writes = 0

    async def lease(self, namespace: str, name: str) -> Json | None:
        await self._troubled("get")
        assert (namespace, name) == NAME
        return copy.deepcopy(self.stored)

    async def write_lease(self, body: Json) -> Json:
        await self._troubled("write")
        version = body["metadata"].get("resourceVersion")
        if version != (self.stored["metadata"]["resourceVersion"] if self.stored else None):
            raise ClusterConflict("the object was changed meanwhile")
        self.writes += 1
        self.stored = copy.deepcopy(body) | {"metadata": {**body["metadata"], "resourceVersion": str(self.writes)}}
        await self._troubled("written")
        return copy.deepcopy(self.stored)

    async def _troubled(self, call: str) -> None:
        if self.trouble is not None:
            await self.trouble(call)

    @property
    def spec(self) -> Json:
        assert self.stored is not None
        spec: Json = self.stored["spec"]
        return spec


def process(api: Api, identity: str, end_at: Callable[[float], None] = lambda _: None) -> Leadership:
    return Leadership(api, NAME, identity, now, passed, end_at)


def passed() -> float:
    return asyncio.get_running_loop().time()


def test_the_first_leads_at_once() -> None:
    async def main() -> None:
        api = Api()
        one = process(api, "one")
        await one.acquire()
        assert (one.leads, passed()) == (True, 0)
        assert api.spec["holderIdentity"] == "one"
        assert (api.spec["leaseDurationSeconds"], api.spec["leaseTransitions"]) == (DURATION, 0)
        assert api.spec["acquireTime"] == api.spec["renewTime"] == "2026-11-23T16:00:00.000000Z"

    run(main())


def test_who_keeps_it_keeps_others_out() -> None:
    async def main() -> None:
        api = Api()
        one, two = process(api, "one"), process(api, "two")
        await one.acquire()
        keeping, waiting = asyncio.create_task(one.keep()), asyncio.create_task(two.acquire())
        await asyncio.sleep(600)
        assert not keeping.done()
        assert not two.leads
        assert api.writes in {600 / RETRY, 1 + 600 / RETRY}
        keeping.cancel()
        await waiting  # one was killed
        assert api.spec["leaseTransitions"] == 1
        assert DURATION - RETRY <= passed() - 600 <= DURATION + 2 * RETRY

    run(main())


def test_it_is_given_up_at_the_end() -> None:
    async def main() -> None:
        api = Api()
        one, two = process(api, "one"), process(api, "two")
        await one.acquire()
        waiting = asyncio.create_task(two.acquire())
        await asyncio.sleep(5)
        await one.release()
        assert api.spec["holderIdentity"] == ""
        await waiting
        assert passed() <= 5 + RETRY
        await one.release()
        assert api.spec["holderIdentity"] == "two", "it is no longer his to give up"

    run(main())


def test_it_is_given_up_although_the_answer_to_its_last_renewal_is_under_way() -> None:
    async def main() -> None:
        api = Api()
        one = process(api, "one")
        await one.acquire()

        async def slow(call: str) -> None:
            if call == "written":
                await asyncio.sleep(1)

        api.trouble = slow
        keeping = asyncio.create_task(one.keep())
        await asyncio.sleep(RETRY + 0.5)
        assert api.writes == 2
        keeping.cancel()
        await asyncio.wait([keeping])
        await one.release()
        assert api.spec["holderIdentity"] == ""

    run(main())


async def refuse(_: str) -> None:
    raise ClusterUnavailable("the API server answered 500")


async def hang(_: str) -> None:
    await asyncio.Event().wait()


async def lose(call: str) -> None:
    if call == "written":
        raise ClusterUnavailable("the answer was lost")


async def dawdle(_: str) -> None:
    await asyncio.sleep(TIMEOUT - 0.5)
    raise ClusterUnavailable("the API server answered 500")


@pytest.mark.parametrize("trouble", [refuse, hang, dawdle])
@pytest.mark.parametrize("after", [0.0, 1.9, 21.3])
def test_who_can_not_renew_stops_in_time(trouble: Any, after: float) -> None:
    async def main() -> None:
        api, moments = Api(), list[float]()
        one = process(api, "one", moments.append)
        await one.acquire()
        keeping = asyncio.create_task(one.keep())
        await asyncio.sleep(after)
        api.trouble = trouble
        with pytest.raises(ClusterUnavailable, match="may lead by now"):
            await keeping
        assert not one.leads
        renewed_at = passed() - DEADLINE
        assert after - RETRY <= renewed_at <= after
        assert moments[-1] == pytest.approx(renewed_at + DURATION - MARGIN), "then it is gone, whatever hangs"

    run(main())


def test_a_bug_costs_the_lead() -> None:
    """What is not renewed any more is not held."""

    async def main() -> None:
        api = Api()
        one = process(api, "one")
        await one.acquire()
        api.spec["leaseDurationSeconds"] = "a while"
        with pytest.raises(ValueError, match="a while"):
            await one.keep()
        assert not one.leads

    run(main())


def test_a_while_without_the_api_server_is_survived() -> None:
    async def main() -> None:
        api = Api()
        one = process(api, "one")
        await one.acquire()
        keeping = asyncio.create_task(one.keep())
        api.trouble = refuse
        await asyncio.sleep(DEADLINE - RETRY - 0.5)
        api.trouble = None
        await asyncio.sleep(600)
        assert not keeping.done()
        keeping.cancel()

    run(main())


def test_a_lost_answer_is_no_lost_lease() -> None:
    async def main() -> None:
        api = Api()
        api.trouble = lose
        one = process(api, "one")
        waiting = asyncio.create_task(one.acquire())
        await asyncio.sleep(1)
        api.trouble = None
        await waiting
        assert passed() <= 1 + RETRY + TIMEOUT

    run(main())


def test_who_finds_another_in_it_stops_at_once() -> None:
    async def main() -> None:
        api, moments = Api(), list[float]()
        one, two = process(api, "one", moments.append), process(api, "two")
        await one.acquire()
        api.spec["holderIdentity"] = ""
        await two.acquire()
        with pytest.raises(ClusterUnavailable, match="another process leads: two"):
            await one.keep()
        assert not one.leads
        assert (passed(), moments[-1]) == (RETRY, RETRY + HANDOVER), "and is gone soon, whatever hangs"

    run(main())


def test_who_is_written_over_looks_at_once() -> None:
    async def main() -> None:
        api = Api()
        one = process(api, "one")
        await one.acquire()

        async def taken(call: str) -> None:
            if call == "write":
                api.trouble = None
                api.spec["holderIdentity"] = ""
                await process(api, "two").acquire()

        api.trouble = taken
        with pytest.raises(ClusterUnavailable, match="another process leads: two"):
            await one.keep()
        assert passed() == pytest.approx(RETRY + AT_ONCE)

    run(main())


@pytest.mark.parametrize("spec", [None, {}, {"holderIdentity": None}, {"holderIdentity": "", "leaseTransitions": 3}])
def test_a_lease_that_nobody_holds(spec: Json | None) -> None:
    async def main() -> None:
        api = Api()
        api.stored = {"metadata": {"resourceVersion": "7"}, "spec": spec}
        one = process(api, "one")
        await one.acquire()
        assert passed() == 0

    run(main())


def test_each_namespace_is_of_one_shard() -> None:
    shards = [Shard.read(f"{index}/3") for index in range(3)]
    owners = [[shard.index for shard in shards if shard.has(f"team-{number}")] for number in range(300)]
    assert all(len(found) == 1 for found in owners)
    counts = [owners.count([index]) for index in range(3)]
    assert min(counts) > 70, counts
    assert [shard.named("awssts") for shard in shards] == ["awssts-0", "awssts-1", "awssts-2"]
    assert Shard.read("0/1").named("awssts") == "awssts"


@pytest.mark.parametrize("text", ["", "1", "1/1", "3/2", "-1/2", "0/0", "a/b", "0/2/3", "²/3"])
def test_no_shard(text: str) -> None:
    with pytest.raises(ValueError, match="is no part of a whole"):
        Shard.read(text)
