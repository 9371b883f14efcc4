"""The Secret with the key for stamps: made once, shared, read again when it changes."""

import asyncio
import base64
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest

from awssts.domain.errors import ClusterConflict, ClusterForbidden, ClusterUnavailable
from awssts.domain.policy import Authentication
from awssts.domain.request import Request, parse
from awssts.domain.stamp import Doubt, Keys
from awssts.domain.subject import STAMP
from awssts.services.stamps import ATTEMPTS, SECRET, SIGNING, SOONEST, Stamps
from tests.unit.admission.reviews import ANNA, Json, by, stamped, thing
from tests.unit.builders import NOW

OLD, NEW = b"o" * 32, b"n" * 32


class FakeCluster:
    """One Secret, with versions."""

    def __init__(self, **data: bytes) -> None:
        self.data = data
        self.version = 1 if data else 0
        self.reads = 0
        self.failures: list[Exception] = []
        self.calm = asyncio.Event()  # read without trouble, after some
        self.rivals: list[bytes] = []  # what another replica writes between our read and our write

    async def secret(self, namespace: str, name: str) -> Json | None:
        assert (namespace, name) == ("awssts-system", SECRET)
        self.reads += 1
        if self.failures:
            self.calm.clear()
            raise self.failures.pop(0)
        self.calm.set()
        if not self.version:
            return None
        data = {key: base64.b64encode(value).decode() for key, value in self.data.items()}
        return {"metadata": {"resourceVersion": str(self.version)}, "data": data}

    async def write_secret(self, _namespace: str, _name: str, data: dict[str, bytes], version: str | None) -> None:
        if self.rivals:
            self.data, self.version = {SIGNING: self.rivals.pop(0)}, self.version + 1
        if (version or "0") != str(self.version):
            raise ClusterConflict("409")
        self.data, self.version = data, self.version + 1


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def made(cluster: FakeCluster, clock: Clock, **options: Any) -> Stamps:
    return Stamps(cluster, "awssts-system", clock, **options)


def asked(key: bytes = OLD) -> Request:
    there = thing(namespace="team", annotations={STAMP: stamped(ANNA, keys=Keys((key,)))})
    return parse(there)


async def test_it_is_made_once_and_shared(clock: Clock) -> None:
    cluster = FakeCluster()
    first, second = made(cluster, clock), made(cluster, clock)
    await first.load()
    await second.load()
    assert cluster.version == 1
    assert await first.keys() == await second.keys() == Keys((cluster.data[SIGNING],))
    assert len(cluster.data[SIGNING]) == 32
    other = FakeCluster()
    await made(other, clock).load()
    assert other.data != cluster.data


async def test_who_comes_second_takes_what_the_first_made(clock: Clock) -> None:
    cluster = FakeCluster()
    cluster.rivals = [OLD]
    stamps = made(cluster, clock)
    await stamps.load()
    assert await stamps.keys() == Keys((OLD,))
    assert cluster.data == {SIGNING: OLD}


async def test_a_secret_that_others_spoil_again_and_again_is_told(clock: Clock) -> None:
    cluster = FakeCluster(**{SIGNING: b"short"})
    cluster.rivals = [b"short"] * ATTEMPTS
    with pytest.raises(ClusterUnavailable, match="awssts-system/awssts-stamp-key is written by others"):
        await made(cluster, clock).load()


@pytest.mark.parametrize("spoilt", [{SIGNING: b""}, {SIGNING: b"k" * 31}, {"other": OLD}])
async def test_a_key_that_is_none_is_made_anew(clock: Clock, spoilt: dict[str, bytes]) -> None:
    cluster = FakeCluster(**spoilt)
    stamps = made(cluster, clock)
    await stamps.load()
    assert (await stamps.keys()).all == tuple(
        key for key in (cluster.data[SIGNING], spoilt.get("other")) if key is not None
    )


async def test_missing_rights_are_told_at_first(clock: Clock) -> None:
    cluster = FakeCluster()
    cluster.failures = [ClusterForbidden("the operator may not get secrets")]
    with pytest.raises(ClusterForbidden, match="may not"):
        await made(cluster, clock).load()


async def test_a_changed_key_is_seen_and_trouble_is_waited_out(clock: Clock) -> None:
    cluster = FakeCluster(**{SIGNING: OLD})
    stamps = made(cluster, clock, look=0)
    await stamps.load()
    cluster.failures = [ClusterUnavailable("away"), ClusterForbidden("no more")]
    cluster.calm.clear()
    cluster.data = {SIGNING: NEW, "before": OLD, "note": b"not a key"}
    following = asyncio.create_task(stamps.follow())
    async with asyncio.timeout(5):
        await cluster.calm.wait()
    following.cancel()
    with suppress(asyncio.CancelledError):
        await following
    assert await stamps.keys() == Keys((NEW, OLD))
    assert not cluster.failures


async def test_an_unknown_key_is_looked_for_now_and_then(clock: Clock) -> None:
    """Another replica may have made it; but an owner who writes nonsense must not have the Secret read each time."""
    cluster = FakeCluster(**{SIGNING: OLD})
    stamps = made(cluster, clock)
    await stamps.load()
    cluster.data = {SIGNING: NEW}
    assert await stamps.applicant(asked(NEW)) == Doubt.KEY
    clock.now += SOONEST
    assert isinstance(await stamps.applicant(asked(NEW)), Authentication)
    assert await stamps.applicant(asked(OLD)) == Doubt.KEY
    assert cluster.reads == 2


async def test_who_applied_a_request_is_told_or_why_not(clock: Clock) -> None:
    cluster = FakeCluster(**{SIGNING: OLD})
    stamps = made(cluster, clock)
    await stamps.load()
    who = await stamps.applicant(asked())
    assert isinstance(who, Authentication)
    assert (who.username, who.groups) == ("anna", ("developers", "system:authenticated"))
    assert await stamps.applicant(parse(thing(namespace="team"))) == Doubt.UNSTAMPED
    foreign = by(ANNA, thing(namespace="team", name="other"))
    assert await stamps.applicant(parse(foreign)) == Doubt.KEY
    assert cluster.reads == 1
    clock.now += timedelta(hours=1)
    await stamps.applicant(asked())
    assert cluster.reads == 1
