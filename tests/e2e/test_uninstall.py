"""The end: the CRDs stay, requests and credentials; nothing else does, and nothing waits, not even a namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.helm import NAMESPACE
from tests.chart.made import made
from tests.e2e.release import HERE
from tests.integration.patience import eventually, throughout

if TYPE_CHECKING:
    from testbed.cluster import Cluster
    from testbed.helm import Helm
    from tests.e2e.pods import Team

KEPT = {
    f"Namespace /{NAMESPACE}",
    "CustomResourceDefinition /awsstspolicies.awssts.dev",
    "CustomResourceDefinition /awsstsrequests.awssts.dev",
    "APIService /v1alpha1.awssts.dev",
}

pytestmark = pytest.mark.timeout(900)


def test_uninstalled(cluster: Cluster, installed: Helm, team: Team) -> None:
    team.request("last")
    installed("uninstall", "awssts", HERE)
    eventually(lambda: ours(cluster) == KEPT, "the end of all but the CRDs", timeout=90)
    throughout(lambda: ours(cluster) == KEPT, "an operator that has ended made something", seconds=5)
    assert team.kubectl("get", "awssts/last", "secret/last", "--output=name").split() == [
        "awsstsrequest.awssts.dev/last",
        "secret/last",
    ]
    cluster.kubectl("delete", "namespace", team.name, "--timeout=120s")


def ours(cluster: Cluster) -> set[str]:
    """All that is in the release's namespace, and what of the cluster's is called after it."""
    return {each for each in made(cluster) if f" {NAMESPACE}/" in each or "awssts" in each}
