"""What is counted for metrics, and what is not."""

import pytest

from awssts.domain.errors import AwsstsError, ClusterForbidden, ClusterUnavailable, Throttled
from tests.unit.builders import HOUR, MINUTE, SERIAL
from tests.unit.services.world import NAMESPACE, World

WEB = {"kind": "Deployment", "name": "web"}


def test_issuances_by_their_cause(world: World) -> None:
    world.apply()
    world.to_renewal()
    world.advance(MINUTE)
    assert world.counted.counts == {"issued first": 1, "issued due": 1}


def test_failures_by_their_reason(world: World) -> None:
    world.sts.fail(Throttled("slow down"), times=2)
    world.apply()
    world.advance(MINUTE)
    assert world.counted.counts == {"failed Throttled": 2, "issued first": 1}


def test_to_wait_for_a_person_is_no_failure(world: World) -> None:
    world.apply(mfa={"serialNumber": SERIAL})
    world.advance(HOUR)
    assert "AwaitingTokenCode" in world.ready()
    assert not world.counted.counts


@pytest.mark.parametrize("error", [ClusterUnavailable("503"), ClusterForbidden("403")], ids=lambda error: error.reason)
@pytest.mark.parametrize("call", ["secret", "apply_secret", "apply_status"])
def test_errors_of_the_cluster(world: World, call: str, error: AwsstsError) -> None:
    world.cluster.fail(call, error, times=2)
    world.apply()
    world.advance(5 * MINUTE)
    assert world.counted.counts[f"cluster {error.reason}"] == 2
    assert world.counted.counts["issued first"] == 1


def test_restarts_of_workloads(world: World) -> None:
    world.apply(rolloutRestart=[WEB])
    world.settle()
    world.apply(rolloutRestart=[WEB], target={"formats": ["Environment"]})
    world.settle()
    assert world.counted.counts["restarted False"] == 1
    world.cluster.workloads[NAMESPACE, "Deployment", "web"] = []
    world.advance(5 * MINUTE)
    assert world.counted.counts["restarted True"] == 1
