"""A workload that is restarted when its credentials change, and at no other time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.e2e.pods import Pod, consuming
from tests.e2e.release import HERE, OPERATORS, rolled_out
from tests.integration.patience import eventually

if TYPE_CHECKING:
    from testbed.cluster import Cluster
    from testbed.sts import StrictSts
    from tests.e2e.pods import Team

LABELS = {"app": "shop"}

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module", autouse=True)
def shop(team: Team, sts: StrictSts) -> None:
    """A Deployment with variables, and the request that gives it these."""
    team.request("shop", target={"formats": ["Environment"]}, rolloutRestart=[{"kind": "Deployment", "name": "shop"}])
    spec = consuming(sts, {"envFrom": [{"secretRef": {"name": "shop"}}]})
    template = {"metadata": {"labels": LABELS}, "spec": spec}
    team.apply("Deployment", "shop", {"selector": {"matchLabels": LABELS}, "template": template})
    team.kubectl("rollout", "status", "deployment/shop", "--timeout=120s")


def pods(team: Team) -> list[str]:
    """Those that stay."""
    listed = json.loads(team.kubectl("get", "pods", "--selector=app=shop", "--output=json"))["items"]
    return [each["metadata"]["name"] for each in listed if "deletionTimestamp" not in each["metadata"]]


def test_after_a_renewal(team: Team) -> None:
    (before,) = pods(team)
    assert Pod(team, before).first_words()["key"] == team.key("shop")
    key = team.renewed("shop")
    eventually(lambda: before not in pods(team), "another pod", timeout=120)
    team.kubectl("rollout", "status", "deployment/shop", "--timeout=120s")
    (after,) = pods(team)
    assert Pod(team, after).first_words()["key"] == key


def test_not_by_another_operator(cluster: Cluster, team: Team) -> None:
    before = pods(team), team.kubectl("get", "deployment/shop", "--output=jsonpath={.metadata.generation}")
    team.request("other")
    cluster.kubectl("delete", "pods", OPERATORS, HERE)
    rolled_out(cluster)
    team.renewed("other")  # so it is at work
    assert (pods(team), team.kubectl("get", "deployment/shop", "--output=jsonpath={.metadata.generation}")) == before
