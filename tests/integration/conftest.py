"""One cluster and one strict STS for all tests of a worker; a namespace and an IAM user for each test.

The operator runs as a real process, under the rights of tests/data/rbac and at debug level; at the end, none of the
secret values that went through the cluster may be in its logs, nor in a status, an Event or an annotation.
"""

from __future__ import annotations

import itertools
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from testbed.cluster import Cluster
from testbed.sts import Key, StrictSts
from tests.integration.api_proxy import ApiProxy
from tests.integration.audit import Audit
from tests.integration.kube import Api
from tests.integration.leaks import Leaks, report
from tests.integration.operator_process import OperatorProcess, account_kubeconfig, install
from tests.integration.patience import eventually
from tests.integration.secrecy import Secrecy
from tests.integration.workspace import Pod, Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testbed.sts import User

NUMBERS = itertools.count(1)
SETTLED = 125  # seconds: until then AWS may just not know a new key yet


class Launch(Protocol):
    """Makes an operator that was not started yet; it ends with the test at the latest."""

    def __call__(self, kubeconfig: Path | None = None, **options: Any) -> OperatorProcess: ...


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Leaks(), "leaks")
    config.addinivalue_line("markers", "slow: takes a minute or more, most of it waiting; run in CI")


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(audit=True, directory=tmp_path_factory.mktemp("cluster")) as running:
        install(running)
        yield running


@pytest.fixture(scope="session")
def sts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StrictSts]:
    with StrictSts(tmp_path_factory.mktemp("sts")) as running:
        yield running


@pytest.fixture(scope="session")
def api(cluster: Cluster) -> Iterator[Api]:
    with Api(cluster) as client:
        yield client


@pytest.fixture(scope="session")
def secrecy(api: Api, request: pytest.FixtureRequest) -> Iterator[Secrecy]:
    """Collects from the first test on; the run fails at the end if anything secret has left."""
    with Secrecy(api) as collector:
        yield collector
    report(request.config, collector.leaks())


@pytest.fixture(scope="session")
def kubeconfig(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return account_kubeconfig(cluster, "awssts", tmp_path_factory.mktemp("operator") / "kubeconfig")


@pytest.fixture(scope="module")
def operator(
    kubeconfig: Path, sts: StrictSts, secrecy: Secrecy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OperatorProcess]:
    """One for all tests of a file that don't end it."""
    with OperatorProcess(kubeconfig, sts.endpoint, tmp_path_factory.mktemp("operator")) as running:
        secrecy.logs.add(running.log)
        running.until_started()
        yield running


@pytest.fixture
def launch(kubeconfig: Path, sts: StrictSts, secrecy: Secrecy, tmp_path: Path) -> Iterator[Launch]:
    """For tests that want an operator of their own."""
    default = kubeconfig
    with ExitStack() as stack:

        def make(kubeconfig: Path | None = None, **options: Any) -> OperatorProcess:
            folder = tmp_path / f"operator-{next(NUMBERS)}"
            made = OperatorProcess(kubeconfig or default, sts.endpoint, folder, **options)
            secrecy.logs.add(made.log)
            stack.callback(made.stop_if_running)
            return made

        yield make


@dataclass(frozen=True)
class LongSince:
    """Secrets that have been there for so long that AWS must know their keys: `unknown-iam` and `deleted-iam`."""

    space: Workspace
    user: User  # whose key is in `deleted-iam`
    made: float

    def wait(self) -> None:
        """For them to be old enough; mostly they are."""
        left = self.made + SETTLED - time.time()
        eventually(lambda: time.time() > self.made + SETTLED, "old keys", timeout=max(left, 0) + 10)


@pytest.fixture(scope="session")
def long_since(cluster: Cluster, api: Api, sts: StrictSts, secrecy: Secrecy) -> LongSince:
    assert secrecy
    space, user = Workspace(api, "long-since"), sts.user("long-since")
    cluster.kubectl("create", "namespace", space.name)
    space.keys(Key("AKIAIOSFODNN7EXAMPLE", "wrongWRONGwrongWRONGwrongWRONGwrongWRONG"), "unknown-iam", watched=False)
    space.keys(user, "deleted-iam")
    return LongSince(space, user, time.time())


@pytest.fixture
def space(cluster: Cluster, api: Api, long_since: LongSince) -> Iterator[Workspace]:
    """The test's namespace."""
    assert long_since  # made as early as can be
    made = Workspace(api, f"team-{next(NUMBERS)}")
    cluster.kubectl("create", "namespace", made.name)
    yield made
    made.clear()


@pytest.fixture
def user(sts: StrictSts) -> Iterator[User]:
    """The test's IAM user; faults are switched on for its key and end with the test."""
    yield sts.user(f"user-{next(NUMBERS)}")
    sts.clear_faults()


@pytest.fixture
def pod(space: Workspace, sts: StrictSts) -> Pod:
    """A user of the Secret `reports`."""
    return Pod(space, sts)


@pytest.fixture
def audit(cluster: Cluster) -> Audit:
    """What the operator asks of the API server from now on."""
    return Audit(cluster)


@pytest.fixture(scope="module")
def proxy(cluster: Cluster) -> Iterator[ApiProxy]:
    """A way to the API server that can be disturbed."""
    with ApiProxy(cluster) as running:
        yield running


@pytest.fixture(scope="module")
def proxied(cluster: Cluster, proxy: ApiProxy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The kubeconfig of an operator that takes that way."""
    path = tmp_path_factory.mktemp("proxied") / "kubeconfig"
    return account_kubeconfig(cluster, "awssts", path, server=proxy.url)
