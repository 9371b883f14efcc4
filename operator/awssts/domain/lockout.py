"""Slows down whoever guesses: failures are counted per name and per address, and each one costs more than the last.

Pure but for its own memory, which is bounded. Times are seconds of a clock that only goes forward.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

LONGEST = 900.0  # seconds that a key is locked at the most
FORGOTTEN = 900.0  # seconds without a failure after which a key begins anew
LARGEST = 50_000  # keys that are remembered: some 15 MB


@dataclass(slots=True)
class _Tally:
    """Failures of one key, and those attempts that are still under way."""

    failures: int = 0
    failed_at: float = 0.0
    under_way: int = 0
    begun_at: float = 0.0

    def wait(self, free: int, now: float) -> float:
        """Return the seconds until the next attempt; none where it is 0 or less."""
        failures = self.failures if now - self.failed_at <= FORGOTTEN else 0
        counted = failures + self.under_way
        if counted < free:
            return 0.0
        pause = min(LONGEST, 2.0 ** min(counted - free, 16))
        since = max(self.failed_at if failures else -inf, self.begun_at if self.under_way else -inf)
        return since + pause - now

    def begin(self, now: float) -> None:
        """One more is under way."""
        self.under_way += 1
        self.begun_at = now

    def fail(self, now: float) -> None:
        """One of those has failed."""
        self.under_way -= 1
        self.failures = 1 + (self.failures if now - self.failed_at <= FORGOTTEN else 0)
        self.failed_at = now


class Lockout:
    """Counts failures by key.

    An attempt counts as failed from its beginning, and is taken back when it turns out well: so a hundred at the
    same moment get no more guesses than a hundred in a row. Only those that failed are remembered, so whoever comes
    in between with the right password prolongs no lock.
    """

    def __init__(self, largest: int = LARGEST) -> None:
        self._tallies: OrderedDict[str, _Tally] = OrderedDict()
        self._largest = largest

    def begin(self, keys: Mapping[str, int], now: float) -> float:
        """Count an attempt of those keys, each with the failures that it has free; or return the seconds to wait.

        Beyond the free ones a key is locked for 1 s after its last failure, doubling to 15 min. What is begun ends with
        ``fail`` or with ``take_back``.
        """
        if (wait := self.wait(keys, now)) > 0:
            return wait
        for key in keys:
            self._tallies.setdefault(key, _Tally()).begin(now)
            self._tallies.move_to_end(key)
        while len(self._tallies) > self._largest:
            self._tallies.popitem(last=False)
        return 0.0

    def wait(self, keys: Mapping[str, int], now: float) -> float:
        """Return the seconds to wait before an attempt of those keys; 0 where there are none."""
        known = ((self._tallies.get(key), free) for key, free in keys.items())
        return max([0.0, *(tally.wait(free, now) for tally, free in known if tally is not None)])

    def fail(self, keys: Mapping[str, int], now: float) -> None:
        """The attempt was a wrong guess."""
        for key in keys:
            if (tally := self._tallies.get(key)) is not None:
                tally.fail(now)

    def take_back(self, keys: Mapping[str, int]) -> None:
        """The attempt was no guess: it counts for nothing."""
        for key in keys:
            if (tally := self._tallies.get(key)) is not None:
                tally.under_way -= 1

    def clear(self, key: str) -> None:
        """Forget all failures of a key."""
        if (tally := self._tallies.get(key)) is not None:
            tally.failures = 0


class Pace:
    """Bounds how often each key may come: ``rate`` a second in the long run, ``burst`` at once."""

    def __init__(self, rate: float, burst: int, largest: int = LARGEST) -> None:
        self._each = 1 / rate
        self._ahead = burst / rate
        self._due: OrderedDict[str, float] = OrderedDict()
        self._largest = largest

    def begin(self, key: str, now: float) -> float:
        """Count a coming; or return the seconds to wait. (GCRA: one number for each key.)"""
        due = max(self._due.get(key, now), now) + self._each
        if due - now > self._ahead:
            return due - now - self._ahead
        self._due[key] = due
        self._due.move_to_end(key)
        while len(self._due) > self._largest:
            self._due.popitem(last=False)
        return 0.0
