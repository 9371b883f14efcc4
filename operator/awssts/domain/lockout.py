"""Slows down whoever guesses: failures are counted per name and per address, and each one costs more than the last.

Pure but for its own memory, which is bounded. Times are seconds of a clock that only goes forward.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

LONGEST = 900.0  # seconds that a key is locked at the most
FORGOTTEN = 900.0  # seconds without a failure after which a key begins anew
LARGEST = 50_000  # keys that are remembered: some 15 MB


@dataclass(slots=True)
class _Tally:
    """Failures of one key, and those attempts that are still under way."""

    failures: int
    last: float


class Lockout:
    """Counts failures by key.

    An attempt counts as failed from its beginning, and is taken back when it turns out well: so a hundred at the
    same moment get no more guesses than a hundred in a row.
    """

    def __init__(self, largest: int = LARGEST) -> None:
        self._tallies: OrderedDict[str, _Tally] = OrderedDict()
        self._largest = largest

    def begin(self, keys: Mapping[str, int], now: float) -> float:
        """Count an attempt of those keys, each with the failures that it has free; or return the seconds to wait.

        Beyond the free ones a key is locked for 1 s after its last failure, doubling to 15 min.
        """
        if (wait := self.wait(keys, now)) > 0:
            return wait
        for key in keys:
            tally = self._tallies.get(key)
            failures = 0 if tally is None or now - tally.last > FORGOTTEN else tally.failures
            self._tallies[key] = _Tally(failures + 1, now)
            self._tallies.move_to_end(key)
        while len(self._tallies) > self._largest:
            self._tallies.popitem(last=False)
        return 0.0

    def wait(self, keys: Mapping[str, int], now: float) -> float:
        """Return the seconds to wait before an attempt of those keys; 0 where there are none."""
        return max(0.0, *(self._locked(key, free, now) for key, free in keys.items()))

    def take_back(self, keys: Mapping[str, int]) -> None:
        """The attempt was no guess: it counts for nothing."""
        for key in keys:
            if (tally := self._tallies.get(key)) is not None:
                tally.failures = max(0, tally.failures - 1)

    def clear(self, key: str) -> None:
        """Forget all failures of a key."""
        self._tallies.pop(key, None)

    def _locked(self, key: str, free: int, now: float) -> float:
        tally = self._tallies.get(key)
        if tally is None or tally.failures < free:
            return 0.0
        pause = min(LONGEST, 2.0 ** min(tally.failures - free, 16))
        return tally.last + pause - now


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
