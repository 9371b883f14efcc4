"""An event loop whose time passes at once: what waits for an hour waits for nothing."""

import asyncio
import selectors
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any, TypeVar

from tests.unit.builders import NOW

Result = TypeVar("Result")


class _Selector(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0

    def select(self, timeout: float | None = None) -> Any:
        """Return what happened; where nothing did, move the time on instead of waiting."""
        happened = super().select(0)
        if not happened:
            if timeout is None:
                raise RuntimeError("everything waits for something that never comes")
            self.time += timeout
        return happened


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Its time starts at zero, and moves to the next timer when there is nothing else to do."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.time


def now() -> datetime:
    """The time in the running loop, as a clock on the wall tells it."""
    return NOW + timedelta(seconds=asyncio.get_running_loop().time())


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine in virtual time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
