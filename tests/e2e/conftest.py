"""The image, installed with Helm on a cluster whose node runs pods; what they hold is tried on a strict STS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from testbed import image
from testbed.cluster import Cluster, requirements
from testbed.helm import CHART, NAMESPACE, Helm
from testbed.process import ReportedError
from testbed.sts import StrictSts
from tests.chart.test_flags import known

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY, TAG = image.NAME.split(":")
TEAM = "team"


@pytest.fixture(scope="session")
def archive() -> Any:
    """The image. Where neither it nor a node can be made, all tests are passed over, which `make e2e` tells."""
    try:
        image.check()
        requirements.check()
    except ReportedError as lacking:
        pytest.skip(str(lacking))
    return image.archive()


@pytest.fixture(scope="session")
def cluster(archive: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(node=True, directory=tmp_path_factory.mktemp("cluster")) as running:
        running.load_image(archive)
        for namespace in (NAMESPACE, TEAM):
            running.kubectl("create", "namespace", namespace)
            running.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
        yield running


@pytest.fixture(scope="session")
def sts(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StrictSts]:
    """At an address that pods reach."""
    with StrictSts(tmp_path_factory.mktemp("sts"), host=cluster.host_address) as running:
        yield running


@pytest.fixture(scope="session")
def helm(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    return Helm(tmp_path_factory.mktemp("helm"), cluster.kubeconfig)


@pytest.fixture(scope="session")
def installed(cluster: Cluster, helm: Helm, sts: StrictSts) -> Helm:
    """The release, ready. What the operator can't do yet is switched off."""
    several = "operator --leader-election" in known()
    values = {
        "image": {"repository": REPOSITORY, "tag": TAG, "pullPolicy": "Never"},
        "operator": {
            "replicas": 2 if several else 1,
            "env": [{"name": "AWS_ENDPOINT_URL_STS", "value": sts.endpoint}],
        },
        "leaderElection": {"enabled": several},
        "metrics": {"enabled": "operator --metrics-port" in known()},
        "injection": {"enabled": "operator --sidecar-image" in known()},
    }
    helm("install", "awssts", CHART, f"--namespace={NAMESPACE}", values=values)
    rolled_out(cluster)
    return helm


def rolled_out(cluster: Cluster) -> None:
    """Waits for the operator; the error shows what it said."""
    where = ("deployment/awssts", f"--namespace={NAMESPACE}")
    done = cluster.kubectl("rollout", "status", *where, "--timeout=120s", check=False)
    if done.returncode:
        pods = cluster.kubectl("describe", "pods", f"--namespace={NAMESPACE}").stdout
        logs = cluster.kubectl("logs", *where, "--tail=20", check=False).stdout
        pytest.fail(f"{done.stderr}\n{pods}\n{logs}")
