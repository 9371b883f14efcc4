"""The image, installed with Helm on a cluster whose node runs pods; what they hold is tried on a strict STS.

There is one release, from the first test to test_uninstall: the files are run in the order of their names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from testbed import image
from testbed.cluster import Cluster, kind, requirements
from testbed.cluster.kind import Kind
from testbed.helm import CHART, NAMESPACE, Helm
from testbed.process import ReportedError
from testbed.sts import StrictSts
from tests.e2e import watched as watching
from tests.e2e.pods import Team
from tests.e2e.release import rolled_out, values
from tests.e2e.views import SEEN, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.sts import User
    from tests.e2e.watched import Watched


@pytest.fixture(scope="session")
def archive() -> Any:
    """The image. Where neither it nor a node can be made, all tests are passed over, which `make e2e` tells."""
    try:
        image.check()
        if not kind.chosen():
            requirements.check()
    except ReportedError as lacking:
        pytest.skip(str(lacking))
    return image.archive()


@pytest.fixture(scope="session")
def cluster(archive: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster | Kind]:
    """The testbed's, or kind's: AWSSTS_E2E chooses."""
    directory = tmp_path_factory.mktemp("cluster")
    with Kind(directory) if kind.chosen() else Cluster(node=True, policies=True, directory=directory) as running:
        running.load_image(archive)
        yield running


@pytest.fixture(scope="session")
def sts(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StrictSts]:
    """At an address that pods reach."""
    with StrictSts(tmp_path_factory.mktemp("sts"), host=cluster.host_address) as running:
        yield running


@pytest.fixture(scope="session")
def installed(cluster: Cluster, sts: StrictSts, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Helm for the cluster; the release is ready."""
    cluster.kubectl("create", "namespace", NAMESPACE)
    cluster.kubectl("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
    helm = Helm(tmp_path_factory.mktemp("helm"), cluster.kubeconfig)
    helm("install", "awssts", CHART, f"--namespace={NAMESPACE}", values=values(cluster, sts))
    rolled_out(cluster)
    return helm


@pytest.fixture(scope="session")
def user(sts: StrictSts) -> User:
    return sts.user("team")


@pytest.fixture(scope="session")
def team(cluster: Cluster, installed: Helm, user: User) -> Team:
    assert installed is not None
    return Team.of(cluster, "team", user)


@pytest.fixture(scope="session")
def watched(cluster: Cluster, installed: Helm, sts: StrictSts) -> Watched:
    """Pods that run from the first test that asks for them to the end."""
    assert installed is not None
    user = sts.user("watched")
    return watching.start(Team.of(cluster, "watched", user), sts, user)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if views := config.stash.get(SEEN, None):
        terminalreporter.section("what pods had, each second")
        for line in table(views):
            terminalreporter.line(line)
