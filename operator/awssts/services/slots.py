"""Who may wait for endpoints now: a few requests at once, and fewer of one namespace."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from awssts.services.later import Later
from awssts.services.observations import Name
from awssts.services.ports import Clock

OF_ONE = 4  # the most for one namespace: half of the calls that go to one host at once
LOST = timedelta(seconds=30)  # a slot may be kept for one who needs it no more: then, look whether it is so


class Slots:
    """Half of the workers may wait for endpoints; the rest is for requests that nobody has to be asked about.

    Whoever gets no slot joins a line and is woken when one is free, by namespaces in rotation: the requests of one,
    however many and however slow their endpoints are, keep those of others waiting for no more than their own slots.

    Args:
        for_each_name: shares are of names, with one slot each: for people, who are in one namespace.
    """

    def __init__(
        self, workers: int, clock: Clock, wake: Callable[[Name], None], *, for_each_name: bool = False
    ) -> None:
        self.most = max(1, workers // 2)
        self.most_of_one = 1 if for_each_name else min(OF_ONE, max(1, self.most // 4))
        self._for_each_name = for_each_name
        self._clock = clock
        self._wake = wake
        self._held: Counter[str] = Counter()  # by whose share it is: a namespace's
        self._waiting: dict[str, dict[Name, None]] = {}  # names by namespace, both in order

    @contextmanager
    def held(self, name: Name) -> Iterator[None]:
        """Hold a slot.

        Raises:
            Later: there is none; the request will be woken.
        """
        namespace = self._whose(name)
        if not self._room(namespace):
            self._waiting.setdefault(namespace, {})[name] = None
            raise Later(self._clock() + LOST, "endpoints answer other requests", quiet=True)
        self.leave(name)
        self._held[namespace] += 1
        try:
            yield
        finally:
            self._held[namespace] -= 1
            if not self._held[namespace]:
                del self._held[namespace]
            self._let_in()

    def _room(self, namespace: str) -> int:
        """Return how many more of the namespace may hold one."""
        return min(self.most - self._held.total(), self.most_of_one - self._held[namespace])

    def _let_in(self) -> None:
        """Wake as many as there is room for; a namespace that is served goes to the end of the line."""
        free = self.most - self._held.total()
        for namespace in list(self._waiting):
            woken = list(self._waiting[namespace])[: min(free, self._room(namespace))]
            for name in woken:
                self.leave(name)
                self._wake(name)
            free -= len(woken)
            if woken and namespace in self._waiting:
                self._waiting[namespace] = self._waiting.pop(namespace)

    def leave(self, name: Name) -> None:
        """Take a name off the line: it waits no more, or is gone."""
        whose = self._whose(name)
        names = self._waiting.get(whose, {})
        names.pop(name, None)
        if not names:
            self._waiting.pop(whose, None)

    def _whose(self, name: Name) -> str:
        return "/".join(name) if self._for_each_name else name[0]
