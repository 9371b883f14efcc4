"""A stage with a process on it, and quiet logs."""

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from tests.unit.builders import MINUTE
from tests.unit.mfa.stage import Process, Stage


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with capture_logs():
        yield


@pytest.fixture
def stage() -> Stage:
    """A cluster with keys and seeds, a strict STS, and no request yet."""
    return Stage()


@pytest.fixture
def process(stage: Stage) -> Process:
    """The operator, started a minute before: a code may be used at once."""
    started = stage.process()
    stage.clock.advance(MINUTE)
    return started
