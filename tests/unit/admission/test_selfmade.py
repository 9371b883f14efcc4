"""The Secret with the webhook's certificate: made once, shared, renewed in time, never trusted too late."""

import base64
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509

from awssts.adapters.authority import issue
from awssts.adapters.certificates import ServingPair
from awssts.adapters.selfmade import SECRET, SelfMade
from awssts.adapters.webhooks import Registration, registrations
from awssts.domain.errors import ClusterForbidden, ClusterUnavailable

NAMES = frozenset({"awssts-webhook.awssts-system.svc"})
BOTH = registrations(["awssts"], ["awssts"])
DAY = timedelta(days=1)


class FakeCluster:
    """One Secret, with versions, and what the API server trusts."""

    def __init__(self) -> None:
        self.data: dict[str, bytes] = {}
        self.version = 0
        self.trusted: dict[Registration, bytes] = {}
        self.failures: list[Exception] = []
        self.writes = 0
        self.race: ServingPair | None = None  # what another replica writes between our read and our write

    async def secret(self, namespace: str, name: str) -> dict[str, Any] | None:
        assert (namespace, name) == ("awssts-system", SECRET)
        if self.failures:
            raise self.failures.pop(0)
        if not self.version:
            return None
        data = {key: base64.b64encode(value).decode() for key, value in self.data.items()}
        return {"metadata": {"resourceVersion": str(self.version)}, "data": data}

    async def write_secret(self, _namespace: str, _name: str, data: dict[str, bytes], version: str | None) -> None:
        if self.race is not None:
            self.race = None
            await SelfMade(**_parts(self)).renewed()
        if (version or "0") != str(self.version):
            raise ClusterUnavailable("409")
        self.data, self.version, self.writes = data, self.version + 1, self.writes + 1

    async def trust(self, registration: Registration, bundle: bytes) -> bool:
        self.trusted[registration] = bundle
        return True


class Clock:
    """Stands still, or goes on with each look at it."""

    def __init__(self, passes: timedelta = timedelta(0)) -> None:
        self.now = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
        self._passes = passes

    def __call__(self) -> datetime:
        self.now += self._passes
        return self.now


CLOCK = Clock()


def _parts(cluster: FakeCluster, clock: Clock = CLOCK, names: frozenset[str] = NAMES) -> dict[str, Any]:
    return {
        "cluster": cluster,
        "namespace": "awssts-system",
        "names": names,
        "registrations": BOTH,
        "clock": clock,
        "look": 0,
        "retry": 0,
    }


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def trusts(bundle: bytes, pair: ServingPair) -> bool:
    """Whether one of the authorities has signed it."""
    certificate = x509.load_pem_x509_certificate(pair.certificate)
    for authority in x509.load_pem_x509_certificates(bundle):
        if authority.subject == certificate.issuer:
            certificate.verify_directly_issued_by(authority)
            return True
    return False


async def test_it_is_made_once_and_shared(cluster: FakeCluster, clock: Clock) -> None:
    first, second = (SelfMade(**_parts(cluster, clock)) for _ in range(2))
    pair = await first.renewed()
    assert await second.renewed() == pair
    assert cluster.writes == 1
    assert set(cluster.trusted) == set(BOTH)
    assert all(trusts(bundle, pair) for bundle in cluster.trusted.values())
    assert set(cluster.data) == {"ca.crt", "tls.crt", "tls.key"}


async def test_over_three_years_no_certificate_is_served_before_it_is_trusted_or_after_its_end(
    cluster: FakeCluster, clock: Clock
) -> None:
    """Two replicas look, by turns and far apart; the API server trusts what the last of them has told it."""
    replicas = [SelfMade(**_parts(cluster, clock)) for _ in range(2)]
    served = [await replica.renewed() for replica in replicas]
    end = clock.now + 3 * 365 * DAY
    turn = 0
    while clock.now < end:
        clock.now += 2 * DAY
        served[turn] = await replicas[turn].renewed()
        turn = 1 - turn
        for pair in served:
            certificate = x509.load_pem_x509_certificate(pair.certificate)
            assert certificate.not_valid_before_utc <= clock.now < certificate.not_valid_after_utc
            assert all(trusts(bundle, pair) for bundle in cluster.trusted.values())
    assert cluster.writes == 9  # one made, and four times announced and served


async def test_who_comes_second_takes_what_the_first_made(cluster: FakeCluster) -> None:
    cluster.race = issue(NAMES, CLOCK.now)[0]
    async with aclosing(SelfMade(**_parts(cluster)).pairs()) as pairs:
        pair = await anext(pairs)
    assert cluster.writes == 1
    assert pair.certificate == cluster.data["tls.crt"]


async def test_trouble_with_the_cluster_is_waited_out(cluster: FakeCluster) -> None:
    """Also missing rights, once there is something to serve."""
    cluster.failures = [ClusterUnavailable("away"), ClusterUnavailable("away")]
    async with aclosing(SelfMade(**_parts(cluster, Clock(passes=DAY))).pairs()) as pairs:
        first = await anext(pairs)
        cluster.failures = [ClusterUnavailable("away"), ClusterForbidden("no more")]
        assert await anext(pairs) != first
    assert not cluster.failures


async def test_missing_rights_are_told_at_first(cluster: FakeCluster) -> None:
    cluster.failures = [ClusterForbidden("the operator may not get secrets")]
    async with aclosing(SelfMade(**_parts(cluster)).pairs()) as pairs:
        with pytest.raises(ClusterForbidden, match="may not"):
            await anext(pairs)


@pytest.mark.parametrize(
    "spoilt",
    [
        {},
        {"tls.crt": b"x"},
        {"tls.key": b""},
        {"ca.crt": b""},
        {"ca.crt": issue(NAMES, CLOCK.now)[1]},
    ],
    ids=["empty", "no certificate", "no key", "no authority", "another authority"],
)
async def test_a_spoilt_secret_is_made_anew(cluster: FakeCluster, spoilt: dict[str, bytes]) -> None:
    selfmade = SelfMade(**_parts(cluster))
    before = await selfmade.renewed()
    cluster.data = {**cluster.data, **spoilt} if spoilt else {}
    after = await selfmade.renewed()
    assert after != before
    assert all(trusts(bundle, after) for bundle in cluster.trusted.values())


async def test_replicas_of_two_versions_do_not_fight_over_names(cluster: FakeCluster) -> None:
    old, new = SelfMade(**_parts(cluster)), SelfMade(**_parts(cluster, names=frozenset({"hooks.awssts-system.svc"})))
    await old.renewed()
    pair = await new.renewed()
    assert await old.renewed() == pair
    assert cluster.writes == 2


async def test_the_bundle_stays_small(cluster: FakeCluster) -> None:
    for number in range(8):
        await SelfMade(**_parts(cluster, names=frozenset({f"hooks-{number}.awssts-system.svc"}))).renewed()
    assert cluster.data["ca.crt"].count(b"BEGIN") == 4
