"""Session Secrets: one request at a time works with one, and what one process writes no other overwrites unseen."""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

from awssts.domain import session as ledgers
from awssts.domain.errors import ClusterConflict
from awssts.domain.session import Ledger, Session
from awssts.domain.view import View
from awssts.services.credential import Credential
from awssts.services.later import Later
from awssts.services.observations import Name
from awssts.services.ports import Clock, Cluster

IN_FLIGHT = timedelta(seconds=30)  # at the latest then, look again whether another's call has come through
TRIES = 3


@dataclass(frozen=True, slots=True)
class Place:
    """Where the sessions of a device are kept: beside the key that they come from, so that they are as safe."""

    credential: Credential
    device: str  # serial number
    namespace: str  # of the request: those of different namespaces share nothing, also where they are lent one key

    @property
    def name(self) -> Name:
        """Namespace and name of the session Secret."""
        owner = self.credential.metadata
        lent = "" if owner["namespace"] == self.namespace else self.namespace
        return owner["namespace"], ledgers.secret_name(owner["name"], self.device, lent)


class Ledgers:
    """Takes turns over session Secrets.

    Writes are compare-and-swap (by the resource version that was read): where two processes live for a moment,
    as at a failover, none drops what the other wrote.
    """

    def __init__(self, cluster: Cluster, clock: Clock, wake: Callable[[Name], None]) -> None:
        self._cluster = cluster
        self._clock = clock
        self._wake = wake
        self._busy: set[Name] = set()
        self._waiting: defaultdict[Name, dict[Name, None]] = defaultdict(dict)  # requests, in order
        self._awaiting: defaultdict[Name, set[Name]] = defaultdict(set)  # those who wait for something new
        self._unwritten: dict[Name, tuple[Session, ...]] = {}  # those that live

    @asynccontextmanager
    async def turn(self, view: View, place: Place) -> AsyncIterator["Turn"]:
        """Give the request its turn; raise Later where another has it. It is woken when that is through.

        All who wait are woken when there is something new for them; else the next one, who may fare no better.
        """
        name = place.name
        if name in self._busy:
            self._waiting[name][view.request.identity.namespace, view.request.identity.name] = None
            raise Later(self._clock() + IN_FLIGHT, "another request has its session", quiet=True)
        self._busy.add(name)
        self._drop_expired()
        turn = Turn(self, place, Ledger())
        try:
            turn.ledger = await self.read(place)
            yield turn
        finally:
            self._busy.discard(name)
            self._let_in(name, all_of_them=turn.news)

    def wait(self, view: View, place: Place) -> None:
        """Have the request woken when there is something new."""
        self._awaiting[place.name].add((view.request.identity.namespace, view.request.identity.name))

    def forget(self, request: Name) -> list[Name]:
        """Forget a request that is gone; return the session Secrets that nobody waits for any more."""
        left = [place for place, waiting in self._awaiting.items() if waiting == {request}]
        for place in left:
            del self._awaiting[place]
        for waiting in self._awaiting.values():
            waiting.discard(request)
        return left

    def _let_in(self, name: Name, *, all_of_them: bool) -> None:
        waiting = list(self._waiting.pop(name, {}))
        if all_of_them:
            waiting += self._awaiting.pop(name, set()) - set(waiting)
        woken = waiting if all_of_them else waiting[:1]
        if rest := waiting[len(woken) :]:
            self._waiting[name] = dict.fromkeys(rest)
        for request in woken:
            self._wake(request)

    async def read(self, place: Place) -> Ledger:
        """Return what is kept, with what could not be written yet."""
        ledger = ledgers.read(await self._cluster.secret(*place.name))
        for session in self._unwritten.get(place.name, ()):
            ledger = ledger.with_session(session, self._clock())
        return ledger

    async def write(self, place: Place, ledger: Ledger) -> Ledger:
        """Write it over the version that was read, and return it with its new one.

        Raises:
            ClusterConflict: somebody else wrote meanwhile.
        """
        owner = place.credential.metadata
        if not ledger.version:
            empty = replace(ledger, sessions=())  # the apply behind it owns the data, so that it can take it back
            metadata = await self._cluster.create_secret(ledgers.secret(place.name, empty, place.device, owner))
            ledger = replace(ledger, version=metadata["resourceVersion"])
        metadata = await self._cluster.apply_secret(ledgers.secret(place.name, ledger, place.device, owner))
        return replace(ledger, version=metadata["resourceVersion"])

    async def keep(self, place: Place, ledger: Ledger, session: Session | None) -> Ledger:
        """Write a new session, and those that could not be written before; they are kept until they are written."""
        if session is not None:
            self._unwritten[place.name] = (*self._unwritten.get(place.name, ()), session)
        for attempt in range(TRIES):
            now = self._clock()
            for unwritten in self._unwritten.get(place.name, ()):
                ledger = ledger.with_session(unwritten, now)
            try:
                ledger = await self.write(place, ledger)
                break
            except ClusterConflict:
                if attempt == TRIES - 1:
                    raise
                ledger = await self.read(place)
        self._unwritten.pop(place.name, None)
        return ledger

    def _drop_expired(self) -> None:
        """Drop what will never be written: nobody works any more with a place whose namespace is gone."""
        now = self._clock()
        for place, sessions in list(self._unwritten.items()):
            if live := tuple(session for session in sessions if session.expiration > now):
                self._unwritten[place] = live
            else:
                del self._unwritten[place]

    def owes(self, place: Place) -> bool:
        """Whether a session could not be written yet."""
        return place.name in self._unwritten


@dataclass
class Turn:
    """A request's turn over a session Secret. ``news``: those who wait will find something new."""

    _ledgers: Ledgers
    _place: Place
    ledger: Ledger
    news: bool = False

    async def keep(self, session: Session | None = None) -> None:
        """Write a new session, with those that could not be written before."""
        if session is not None or self._ledgers.owes(self._place):
            self.news = self.news or session is not None
            self.ledger = await self._ledgers.keep(self._place, self.ledger, session)

    async def purge(self, key_digest: str) -> None:
        """Drop the sessions of other keys than that: theirs was changed, and they would live for hours."""
        if any(session.key_digest != key_digest for session in self.ledger.sessions):
            self.ledger = await self._ledgers.write(self._place, self.ledger.of_key(key_digest))

    async def drop(self, session: Session) -> None:
        """Drop a session that STS takes no longer."""
        self.ledger = await self._ledgers.write(self._place, self.ledger.without(session))
