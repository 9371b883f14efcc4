"""Slows down whoever guesses: failures are counted per name and per address, and each one costs more than the last.

Pure but for its own memory, which is bounded. Times are seconds of a clock that only goes forward.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

LONGEST = 900.0  # seconds that a key is locked at the most
FORGOTTEN = 900.0  # seconds without a failure after which a key begins anew
LARGEST = 50_000  # keys of a kind that are remembered: some 15 MB
FULL = 1.0  # seconds to wait where all of those are locked

Keys = Mapping[str, str]  # of an attempt, by their kind


@dataclass(slots=True)
class _Tally:
    """Failures of one key, and those attempts that are still under way."""

    failures: int = 0
    failed_at: float = -inf
    under_way: int = 0
    begun_at: float = -inf

    def wait(self, free: int, now: float) -> float:
        """Return the seconds until the next attempt; none where it is 0 or less."""
        failures = self._remembered(now)
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
        self.failures = self._remembered(now) + 1
        self.failed_at = now

    def _remembered(self, now: float) -> int:
        return self.failures if now - self.failed_at <= FORGOTTEN else 0


class _Table:
    """The keys of one kind, of which each has ``free`` failures free. The one that was used last comes last."""

    def __init__(self, free: int, largest: int) -> None:
        self._free = free
        self._largest = largest
        self._tallies: OrderedDict[str, _Tally] = OrderedDict()

    def __len__(self) -> int:
        """Return how many keys are remembered."""
        return len(self._tallies)

    def wait(self, key: str, now: float) -> float:
        """Return the seconds until the next attempt; none where it is 0 or less."""
        if (tally := self._tallies.get(key)) is not None:
            return tally.wait(self._free, now)
        return FULL if self._is_full and self._dispensable(now) is None else 0.0

    def begin(self, key: str, now: float) -> None:
        """Count an attempt, which needs not wait."""
        if key not in self._tallies and self._is_full and (old := self._dispensable(now)) is not None:
            del self._tallies[old]
        self._tallies.setdefault(key, _Tally()).begin(now)
        self._tallies.move_to_end(key)

    def fail(self, key: str, now: float) -> None:
        """Count an attempt as failed."""
        self._tallies[key].fail(now)

    def take_back(self, key: str) -> None:
        """Count an attempt no more."""
        self._tallies[key].under_way -= 1
        self._drop(key)

    def clear(self, key: str) -> None:
        """Forget all failures of a key."""
        if (tally := self._tallies.get(key)) is not None:
            tally.failures = 0
            self._drop(key)

    @property
    def _is_full(self) -> bool:
        return len(self._tallies) >= self._largest

    def _drop(self, key: str) -> None:
        tally = self._tallies[key]
        if not tally.failures and not tally.under_way:
            del self._tallies[key]

    def _dispensable(self, now: float) -> str | None:
        """Return the oldest key that holds up nobody: else whoever can name many would unlock one by naming others."""
        tallies = self._tallies.items()
        return next((key for key, tally in tallies if not tally.under_way and tally.wait(self._free, now) <= 0), None)


class Lockout:
    """Counts failures by key; of each kind of keys a number of its own is remembered.

    An attempt counts as failed from its beginning, and is taken back when it turns out well: so a hundred at the
    same moment get no more guesses than a hundred in a row. Only those that failed are remembered, so whoever comes
    in between with the right password prolongs no lock.

    Args:
        free: the failures that keys of each kind have free.
    """

    def __init__(self, free: Mapping[str, int], largest: int = LARGEST) -> None:
        self._tables = {kind: _Table(number, largest) for kind, number in free.items()}

    def __len__(self) -> int:
        """Return how many keys are remembered."""
        return sum(len(table) for table in self._tables.values())

    def begin(self, keys: Keys, now: float) -> float:
        """Count an attempt of those keys; or return the seconds to wait.

        Beyond the free ones a key is locked for 1 s after its last failure, doubling to 15 min. What is begun ends with
        ``fail`` or with ``take_back``.
        """
        if (wait := self.wait(keys, now)) > 0:
            return wait
        for kind, key in keys.items():
            self._tables[kind].begin(key, now)
        return 0.0

    def wait(self, keys: Keys, now: float) -> float:
        """Return the seconds to wait before an attempt of those keys; 0 where there are none."""
        return max(0.0, *(self._tables[kind].wait(key, now) for kind, key in keys.items()))

    def fail(self, keys: Keys, now: float) -> None:
        """The attempt was a wrong guess."""
        for kind, key in keys.items():
            self._tables[kind].fail(key, now)

    def take_back(self, keys: Keys) -> None:
        """The attempt was no guess: it counts for nothing."""
        for kind, key in keys.items():
            self._tables[kind].take_back(key)

    def clear(self, kind: str, key: str) -> None:
        """Forget all failures of a key."""
        self._tables[kind].clear(key)


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
