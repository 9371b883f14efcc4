"""Ends the process at a moment, whatever hangs in it."""

import os
import threading
import time
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)

LAST_WORDS = 0.2  # seconds for the log


def end() -> None:
    """End the process at once, and say so where the log does not hang, too."""
    saying = threading.Thread(target=log.error, args=("what was not finished in time is cut off",), daemon=True)
    saying.start()
    saying.join(LAST_WORDS)
    os._exit(1)


class Watchdog:
    """Calls ``end`` at a moment, unless that is put off in time.

    It waits in a thread of its own: the event loop may be what hangs. Moments are ``time.monotonic``'s.
    """

    def __init__(self, end: Callable[[], None] = end) -> None:
        self._end = end
        self._changed = threading.Condition()
        self._moment: float | None = None
        self._thread: threading.Thread | None = None

    def end_at(self, moment: float) -> None:
        """Have it end then, and not at the moment that was given before."""
        with self._changed:
            sooner = self._moment is None or moment < self._moment
            self._moment = moment
            if sooner:
                self._changed.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Have it end no more."""
        with self._changed:
            thread, self._thread, self._moment = self._thread, None, None
            self._changed.notify()
        if thread is not None:
            thread.join()

    def _watch(self) -> None:
        with self._changed:
            while self._moment is not None and (left := self._moment - time.monotonic()) > 0:
                self._changed.wait(left)
            if self._moment is None:
                return
        self._end()
