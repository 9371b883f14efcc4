"""The chart, rendered by a real Helm, and what a real API server says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.cluster import Cluster
from testbed.helm import NAMESPACE, Helm

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """One that knows no cluster."""
    return Helm(tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """With controllers: they fill aggregated roles, and remove what a deleted Deployment leaves."""
    with Cluster(controllers=True, directory=tmp_path_factory.mktemp("cluster")) as running:
        running.kubectl("create", "namespace", NAMESPACE)
        yield running
