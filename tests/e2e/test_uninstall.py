"""The end: the CRDs stay, and so do requests and credentials; nothing waits for the operator, not even a namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.release import HERE
from tests.integration.patience import eventually

if TYPE_CHECKING:
    from testbed.cluster import Cluster
    from testbed.helm import Helm
    from tests.e2e.pods import Team

pytestmark = pytest.mark.timeout(900)


def test_uninstalled(cluster: Cluster, installed: Helm, team: Team) -> None:
    team.request("last")
    installed("uninstall", "awssts", HERE)
    listed = ("get", "all", HERE, "--output=name")
    eventually(lambda: not cluster.kubectl(*listed).stdout, "the end of the operator")
    assert team.kubectl("get", "awssts/last", "secret/last", "--output=name").split() == [
        "awsstsrequest.awssts.dev/last",
        "secret/last",
    ]
    cluster.kubectl("delete", "namespace", team.name, "--timeout=120s")
