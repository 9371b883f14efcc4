"""Workloads are restarted when the Secret's content has changed, each until it is done, and never otherwise."""

import pytest

from awssts.domain import names
from awssts.domain.errors import AwsstsError, ClusterForbidden, ClusterUnavailable
from tests.unit.builders import HOUR, MINUTE, Json
from tests.unit.services.world import NAMESPACE, World

WEB, JOBS = {"kind": "Deployment", "name": "web"}, {"kind": "StatefulSet", "name": "jobs"}


@pytest.fixture
def used(world: World) -> World:
    """A request whose credentials two workloads use."""
    for workload in (WEB, JOBS):
        world.cluster.workloads[NAMESPACE, workload["kind"], workload["name"]] = []
    world.apply(rolloutRestart=[WEB, JOBS])
    world.settle()
    return world


def restarts(world: World) -> list[int]:
    return [len(found) for found in world.cluster.workloads.values()]


def failed(world: World) -> dict[str, str]:
    told = world.status().rollout
    return {failure.name: failure.message for failure in told.failed} if told else {}


def test_the_first_credentials_restart_nothing(used: World) -> None:
    assert used.ready() == "True Issued"
    assert restarts(used) == [0, 0]
    assert used.costs(used.restart) == (0, 0)
    assert used.costs(used.settle) == (0, 0)


def test_each_renewal_restarts_all_once(used: World) -> None:
    for number in (1, 2):
        used.to_renewal()
        used.advance(2 * MINUTE)
        assert restarts(used) == [number, number]
    first, second = used.cluster.workloads[NAMESPACE, "Deployment", "web"]
    assert first != second
    assert used.costs(used.restart) == (0, 0)
    assert used.costs(used.settle) == (0, 0)
    assert restarts(used) == [2, 2]


def test_another_layout_is_another_content(used: World) -> None:
    used.apply(rolloutRestart=[WEB, JOBS], target={"formats": ["Environment"]})
    used.settle()
    assert restarts(used) == [1, 1]


@pytest.mark.parametrize(
    "change",
    [
        {"renewBefore": "5h", "annotations": {"team.example/owner": "jane"}},
        {"target": {"template": {"labels": {"team.example/tier": "gold"}}}},
        {"target": {"template": {"annotations": {"team.example/owner": "jane"}}}},
        {"target": {"creationPolicy": "Orphan"}},
        {"target": {"formats": ["CredentialProcess", "CredentialsFile", "Environment"]}},
    ],
    ids=str,
)
def test_what_changes_no_content_restarts_nothing(used: World, change: Json) -> None:
    """The Secret itself may be written anew: pods see its data only."""
    data = (used.secret() or {})["data"]
    used.apply(rolloutRestart=[WEB, JOBS], **change)
    used.settle()
    assert (used.secret() or {})["data"] == data
    assert restarts(used) == [0, 0]


def test_a_workload_that_is_named_later_is_not_restarted_for_what_it_has(used: World) -> None:
    used.apply()
    used.settle()
    assert used.status().rollout is None
    used.apply(rolloutRestart=[WEB])
    used.settle()
    assert restarts(used) == [0, 0]
    used.apply(annotations={names.RENEW: "1"}, rolloutRestart=[WEB])
    used.settle()
    assert restarts(used) == [1, 0]


@pytest.mark.parametrize(
    "error", [ClusterUnavailable("the API server answered 503"), ClusterForbidden("Kubernetes refuses the operator")]
)
def test_a_failure_is_told_and_tried_again(used: World, error: AwsstsError) -> None:
    used.cluster.fail("patch_workload", error)
    used.apply(annotations={names.RENEW: "1"}, rolloutRestart=[WEB, JOBS])
    used.settle()
    assert failed(used) == {"web": error.message}
    assert restarts(used) == [0, 1]
    assert used.ready() == "True Issued", "the credentials are there"
    used.advance(2 * MINUTE)
    assert failed(used) == {}
    assert restarts(used)[0] == 1


def test_a_failure_is_over_when_the_content_is_the_former_again(used: World) -> None:
    used.cluster.fail("patch_workload", ClusterUnavailable("the API server answered 503"), times=2)
    before = used.status().rollout
    used.apply(rolloutRestart=[WEB, JOBS], target={"formats": ["Environment"]})
    used.settle()
    assert failed(used).keys() == {"web", "jobs"}
    used.apply(rolloutRestart=[WEB, JOBS])
    used.settle()
    assert used.status().rollout == before, "nobody runs with anything else"
    used.advance(10 * MINUTE)
    assert restarts(used) == [0, 0]
    assert used.costs(used.restart) == (0, 0)
    assert used.costs(used.settle) == (0, 0)


def test_who_was_restarted_meanwhile_is_restarted_for_the_former_content(used: World) -> None:
    used.cluster.fail("patch_workload", ClusterUnavailable("the API server answered 503"))
    used.apply(rolloutRestart=[WEB, JOBS], target={"formats": ["Environment"]})
    used.settle()
    assert (failed(used).keys(), restarts(used)) == ({"web"}, [0, 1])
    used.apply(rolloutRestart=[WEB, JOBS])
    used.advance(10 * MINUTE)
    told = used.status().rollout
    assert told is not None
    assert failed(used) == {}
    assert {found[-1] for found in used.cluster.workloads.values()} == {told.content}


def test_a_workload_that_is_not_there_is_waited_for(used: World) -> None:
    del used.cluster.workloads[NAMESPACE, "Deployment", "web"]
    used.to_renewal()
    used.advance(HOUR)
    assert failed(used) == {"web": "there is none of that name: create it, or mend spec.rolloutRestart"}
    assert used.cluster.calls.count("patch_workload") < 2 * 50
    assert used.events.reasons.count("RolloutRestartFailed") == 1
    used.cluster.workloads[NAMESPACE, "Deployment", "web"] = []
    used.advance(10 * MINUTE)
    assert failed(used) == {}
    assert used.events.reasons[-1] == "RolloutRestarted"


def test_a_crash_in_between_costs_no_second_rollout(used: World) -> None:
    """The same patch again: Kubernetes makes no new pods for it."""
    used.to_renewal()
    used.cluster.fail("apply_status", ClusterUnavailable("no answer"), times=3)
    used.advance(2 * MINUTE)
    used.restart()
    used.settle()
    for found in used.cluster.workloads.values():
        assert len(set(found)) == 1


def test_suspended_restarts_nothing(used: World) -> None:
    used.apply(rolloutRestart=[WEB, JOBS], suspend=True, target={"formats": ["Environment"]})
    used.settle()
    assert restarts(used) == [0, 0]
