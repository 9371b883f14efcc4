"""Whether watches still deliver: what this process has written has to come back through them."""

from collections.abc import Callable
from dataclasses import dataclass

Name = tuple[str, str]  # namespace and name


@dataclass(slots=True)
class _Watch:
    told: int = 0  # the newest version that it has told of
    awaited: int = 0  # version of the oldest write that it has not told of; 0 where there is none
    since: float = 0.0
    writer: Name = ("", "")


class Echo:
    """The writes and the watches of one kind of objects.

    It costs no call, and a few numbers for each watch: a watch tells of versions in their order, so that a newer one
    answers for all before. A write while another is awaited is passed over; the next one will do.

    Args:
        monotonic: seconds.
        apart: whether each namespace has a watch of its own; else there is one for all.
    """

    def __init__(self, monotonic: Callable[[], float], *, apart: bool) -> None:
        self._monotonic = monotonic
        self._apart = apart
        self._watches: dict[str, _Watch] = {}

    def _watch(self, name: Name) -> _Watch:
        return self._watches.setdefault(name[0] if self._apart else "", _Watch())

    def wrote(self, name: Name, version: int) -> None:
        """Take in that a write of ours has made that version. One that changed nothing has made none."""
        watch = self._watch(name)
        if version > watch.told and not watch.awaited:
            watch.awaited, watch.since, watch.writer = version, self._monotonic(), name

    def told(self, name: Name, version: int) -> None:
        """Take in that a watch, or the list that it began with, told of that version."""
        watch = self._watch(name)
        watch.told = max(watch.told, version)
        if watch.awaited <= version:
            watch.awaited = 0

    def gone(self, name: Name) -> None:
        """Take in that the object is gone: it may have been before a watch could tell of it."""
        watch = self._watch(name)
        if watch.writer == name:
            watch.awaited = 0

    @property
    def lag(self) -> float:
        """Seconds for which the oldest write has not come back; zero where all have."""
        now = self._monotonic()
        return max((now - watch.since for watch in self._watches.values() if watch.awaited), default=0.0)


class Echoes:
    """Those of requests and of Secrets."""

    def __init__(self, monotonic: Callable[[], float], *, apart: bool = False) -> None:
        self.requests = Echo(monotonic, apart=apart)
        self.secrets = Echo(monotonic, apart=apart)

    @property
    def lag(self) -> float:
        """Seconds for which the oldest write has not come back; zero where all have."""
        return max(self.requests.lag, self.secrets.lag)
