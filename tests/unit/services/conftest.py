"""A world for each test, and quiet logs."""

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from tests.unit.services.world import World


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with capture_logs():
        yield


@pytest.fixture
def world() -> Iterator[World]:
    """A cluster with keys that AWS knows, and no request yet."""
    made = World()
    made.give_keys()
    yield made
    made.close()
