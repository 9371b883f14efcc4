"""With the controllers of a real cluster: what goes when a request or its namespace goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.cluster import Cluster
from tests.integration.kube import Api
from tests.integration.operator_process import OperatorProcess, account_kubeconfig, install
from tests.integration.patience import eventually
from tests.integration.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.sts import StrictSts, User


@pytest.fixture(scope="module")
def controlled() -> Iterator[Cluster]:
    with Cluster(controllers=True) as running:
        install(running)
        yield running


@pytest.fixture(scope="module")
def controlled_operator(
    controlled: Cluster, sts: StrictSts, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OperatorProcess]:
    folder = tmp_path_factory.mktemp("operator")
    kubeconfig = account_kubeconfig(controlled, "awssts", folder / "kubeconfig")
    with OperatorProcess(kubeconfig, sts.endpoint, folder) as running:
        yield running


@pytest.fixture
def controlled_space(controlled: Cluster, user: User) -> Iterator[Workspace]:
    with Api(controlled) as api:
        space = Workspace(api, f"space-of-{user.name}")
        controlled.kubectl("create", "namespace", space.name)
        space.keys(user)
        yield space


@pytest.mark.usefixtures("controlled_operator")
def test_an_owned_secret_goes_with_its_request(controlled_space: Workspace) -> None:
    controlled_space.request()
    controlled_space.request("kept", target={"creationPolicy": "Orphan"})
    controlled_space.until_ready()
    controlled_space.until_ready("kept")
    controlled_space.delete_request()
    controlled_space.delete_request("kept")
    eventually(lambda: controlled_space.secret() is None, "the end of the owned Secret")
    assert controlled_space.held_key("kept")


@pytest.mark.usefixtures("controlled_operator")
def test_a_secret_is_not_made_again_for_a_request_that_is_gone(controlled_space: Workspace) -> None:
    """In the foreground the Secret goes first, then the request."""
    controlled_space.request()
    controlled_space.until_ready()
    where = f"/apis/awssts.dev/v1alpha1/namespaces/{controlled_space.name}/awsstsrequests/reports"
    controlled_space.api.delete(f"{where}?propagationPolicy=Foreground")
    eventually(lambda: controlled_space.api.get(where) is None, "the end of the request")
    eventually(lambda: controlled_space.secret() is None, "the end of the Secret")


def test_without_the_operator_a_namespace_goes(
    controlled: Cluster, controlled_operator: OperatorProcess, controlled_space: Workspace
) -> None:
    """No finalizer waits for an operator that was uninstalled."""
    controlled_space.request()
    controlled_space.until_ready()
    controlled_operator.stop()
    controlled.kubectl("delete", "namespace", controlled_space.name, "--timeout=60s")
