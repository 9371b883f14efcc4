"""What running pods had each second: past the end of what they began with, while operators came and went.

It takes the quarter of an hour that those credentials live, less what the other tests took meanwhile; `-m "not slow"`
leaves it out.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.views import SEEN
from tests.integration.patience import eventually

if TYPE_CHECKING:
    from tests.e2e.views import View
    from tests.e2e.watched import Watched

REPORTS = Path(__file__).parents[2] / ".cache" / "reports"
BEYOND = 15  # seconds after the end of the first credentials
PAUSE = 30  # seconds between two calls that a machine with other work may need

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def views(watched: Watched, request: pytest.FixtureRequest) -> list[View]:
    """Of each kind of use, past the end of the credentials that all began with."""
    first = [pod.first_words() for pod in watched.pods.values()]
    end = max(line["at"] + line["left"] for line in first) + BEYOND
    eventually(lambda: time.time() > end, "the end of the first credentials", timeout=1200)
    seen = request.config.stash[SEEN] = watched.views()
    for view in seen:
        view.write(REPORTS)
    return seen


def test_never_missing_never_expired(views: list[View], watched: Watched) -> None:
    for view in views:
        assert view.errors == [], view.use
        assert view.least_left > 0, view.use
        assert view.longest_pause < PAUSE, view.use
        assert {line["arn"] for line in view.lines} == {watched.user.arn}, view.use


def test_who_can_takes_the_new_ones(views: list[View]) -> None:
    """And never goes back; variables are what they were at the start."""
    job, *others = views
    assert len(job.keys) == 1
    for view in others:
        assert len(view.keys) == len(set(view.keys)) >= 2, view.use


def test_nothing_was_started_again(views: list[View], watched: Watched) -> None:
    assert [pod.restarts() for pod in watched.pods.values()] == [0] * len(views)
