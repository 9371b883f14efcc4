"""Waiting: for what is to come true, and on what is to stay so. The only place of these tests that sleeps."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

PAUSE = 0.1  # seconds between two looks


def eventually(probe: Callable[[], T], what: str, *, timeout: float = 60) -> T:
    """The first answer of `probe` that is true; the error names `what` and the last answer."""
    deadline = time.monotonic() + timeout
    while not (answer := probe()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: still not after {timeout:g} s; the last look gave {answer!r}")
        time.sleep(PAUSE)
    return answer


def throughout(probe: Callable[[], object], what: str, *, seconds: float) -> None:
    """Fails as soon as `probe` is no longer true within that time."""
    deadline = time.monotonic() + seconds
    while True:
        assert probe(), what
        if time.monotonic() > deadline:
            return
        time.sleep(PAUSE)
