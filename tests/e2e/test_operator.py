"""Operators that come and go: what is issued stays, and AWS is asked for nothing that isn't due."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from testbed.helm import CHART
from tests.e2e.release import HERE, OPERATORS, asking, issued, leading, operators, rolled_out
from tests.integration.patience import eventually

if TYPE_CHECKING:
    from testbed.cluster import Cluster
    from testbed.helm import Helm
    from testbed.sts import StrictSts, User
    from tests.e2e.pods import Team

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module", autouse=True)
def requests(team: Team) -> None:
    """One to renew, which shows that an operator is at work; one to let alone."""
    team.request("renewed")
    team.request("kept")


def test_another_pod_asks_nothing_of_sts(cluster: Cluster, team: Team, sts: StrictSts, user: User) -> None:
    """But for the one renewal that shows that it is at work."""
    kept, calls = team.key("kept"), issued(sts, user)
    cluster.kubectl("delete", "pods", OPERATORS, HERE)
    rolled_out(cluster)
    team.renewed("renewed")
    assert issued(sts, user) == calls + 1
    assert team.key("kept") == kept


def test_a_rollout_refuses_nobody(cluster: Cluster, team: Team) -> None:
    """The webhooks answer all the time: who ends serves until nothing is sent to it any more."""
    with asking(cluster, team.name) as asked:
        cluster.kubectl("rollout", "restart", "deployment/awssts", HERE)
        rolled_out(cluster)
    assert asked.refused == []
    assert asked.taken > 500


def test_upgrade_and_rollback_under_way(
    cluster: Cluster, installed: Helm, team: Team, sts: StrictSts, user: User
) -> None:
    """Another value, and the one before: pods are replaced twice; nobody is refused, and AWS is asked for nothing."""
    kept, calls = team.key("kept"), issued(sts, user)
    with asking(cluster, team.name) as asked:
        changed = {"operator": {"workers": 4}}
        installed("upgrade", "awssts", CHART, HERE, "--reset-then-reuse-values", values=changed)
        rolled_out(cluster)
        assert "--workers=4" in arguments(cluster)
        installed("rollback", "awssts", HERE)
        rolled_out(cluster)
        assert "--workers=16" in arguments(cluster)
    assert asked.refused == []
    assert issued(sts, user) == calls
    team.renewed("renewed")  # so it is at work
    assert issued(sts, user) == calls + 1
    assert team.key("kept") == kept


def arguments(cluster: Cluster) -> list[str]:
    path = "jsonpath={.spec.template.spec.containers[0].args}"
    found: list[str] = json.loads(cluster.kubectl("get", "deployment/awssts", HERE, f"--output={path}").stdout)
    return found


def test_another_takes_over_from_a_leader_that_is_killed(
    cluster: Cluster, team: Team, sts: StrictSts, user: User
) -> None:
    """With one call to STS for the request that is to be renewed, and none for the others."""
    calls = issued(sts, user)
    before = eventually(lambda: leading(cluster), "a leader")
    assert len(operators(cluster)) == 2
    cluster.kill_container(before["status"]["containerStatuses"][0]["containerID"])
    team.renewed("renewed", within=90)
    after = eventually(lambda: leading(cluster), "a leader")
    assert after["metadata"]["name"] != before["metadata"]["name"]
    assert issued(sts, user) == calls + 1
    assert sts.counters().reused_codes == 0
