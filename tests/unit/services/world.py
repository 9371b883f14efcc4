"""A cluster, STS, users and the operator's services, on a clock that only the test moves."""

import asyncio
import dataclasses
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from awssts.domain import names
from awssts.domain.keys import KeyPair
from awssts.domain.policy import Decision
from awssts.domain.request import parse
from awssts.domain.status import READY, RECONCILING, STALLED, Condition, Status
from awssts.services.devices import Devices
from awssts.services.echoes import Echoes
from awssts.services.intake import Intake, Kind
from awssts.services.issuance import Issuance
from awssts.services.judging import Judging
from awssts.services.observations import Observations
from awssts.services.reconciler import Reconciler
from awssts.services.sessions import Sessions
from awssts.services.slots import Slots
from tests.unit.builders import KEY, Json, key_data, raw_spec
from tests.unit.services.fakes import Clock, FakeCluster, FakeEvents, FakeSts, FakeTelemetry, Killed, Name

NAMESPACE = "team"
REPORTS = (NAMESPACE, "reports")
KEYS = (NAMESPACE, "reports-iam")
UNREST = 30  # reconciliations at one moment that can't be right


class Nobody:
    """Who is asked where policies select a request: they allow it."""

    async def __call__(self, *_: Any) -> str:
        return "nobody has stamped it"

    async def decide(self, *_: Any, **__: Any) -> Decision:
        return Decision()

    async def caller_is_root(self, *_: Any, **__: Any) -> bool:
        return False


class Due:
    """The scheduler's side of the services: what is to be done now, and when the rest is."""

    def __init__(self) -> None:
        self.now: list[Name] = []
        self.later: dict[Name, datetime] = {}

    def add(self, name: Name) -> None:
        if name not in self.now:
            self.now.append(name)

    def add_at(self, name: Name, when: datetime | None) -> None:
        self.later.pop(name, None)
        if when is not None:
            self.later[name] = when


@dataclasses.dataclass
class Process:
    """One life of the operator."""

    due: Due
    reconciler: Reconciler
    intake: Intake
    observations: Observations
    slots: Slots


class World:
    """What a test acts upon. Every act of a user is followed by ``settle()`` or ``advance(…)``."""

    def __init__(self, *, region: str | None = None) -> None:
        self.clock = Clock()
        self.cluster = FakeCluster(self.clock)
        self.sts = FakeSts(self.clock)
        self.events = FakeEvents()
        self.counted = FakeTelemetry()
        self._region = region
        self._loop = asyncio.Runner()
        self.cluster.watches.append(self.deliver)
        self._watched: set[Name] = set()
        self.deaf: set[str] = set()  # kinds whose watch delivers nothing
        self._process = self._started()

    def close(self) -> None:
        self._loop.close()

    # The operator.

    def _started(self) -> Process:
        seen, due = Observations(Echoes(lambda: self.clock().timestamp())), Due()
        nobody: Any = Nobody()
        devices = Devices(self.cluster, self.clock, since=self.clock())
        slots = Slots(16, self.clock, wake=due.add)
        sessions = Sessions(
            cluster=self.cluster,
            sts=self.sts,
            devices=devices,
            codes=nobody,
            slots=slots,
            clock=self.clock,
            wake=due.add,
        )
        judging = Judging(
            cluster=self.cluster,
            observations=seen,
            decider=nobody,
            callers=nobody,
            slots=slots,
            clock=self.clock,
            applicant=nobody,
            plugins={},
        )
        reconciler = Reconciler(
            cluster=self.cluster,
            issuance=Issuance(self.cluster, self.sts, sessions, self.clock),
            judging=judging,
            events=self.events,
            observations=seen,
            clock=self.clock,
            region=self._region,
            telemetry=self.counted,
        )
        return Process(due, reconciler, Intake(seen, reconciler, due), seen, slots)  # type: ignore[arg-type]

    def restart(self) -> None:
        """End the process and start another, which first lists what there is."""
        self._process = self._started()
        for name, secret in self.cluster.secrets.items():
            match secret["metadata"]["labels"].get(names.TYPE_LABEL):
                case names.TARGET:
                    self._process.observations.see_target(secret["metadata"])
                case names.CREDENTIALS:
                    self._process.observations.see_credentials(name, secret["data"])
        self.relist()

    def relist(self) -> None:
        """Begin the watches anew."""
        for request in self.cluster.requests.values():
            self.deliver("ADDED", "request", request)
        for secret in self.cluster.secrets.values():
            self.deliver("ADDED", "secret", secret)

    def deliver(self, event: str, kind: str, found: Json) -> None:
        """What kopf calls when a watch tells of an object; that of Secrets is for labelled ones."""
        if kind in self.deaf:
            return
        intake = self._process.intake
        name = found["metadata"]["namespace"], found["metadata"]["name"]
        if kind == "request":
            if event == "DELETED":
                intake.request_deleted(name)
            else:
                intake.request_changed(name, found)
        elif event != "DELETED" and names.TYPE_LABEL in found["metadata"]["labels"]:
            self._watched.add(name)
            intake.secret_changed(name, found)
        elif name in self._watched:
            self._watched.discard(name)
            intake.secret_deleted(name, found)

    def sweep(self) -> None:
        """Compare with all targets that there are."""
        self._loop.run(self._process.intake.sweep(Kind.SECRETS, self.cluster.target_metadata(())))

    def settle(self) -> None:
        """Have the operator do all that is to be done now."""
        self._loop.run(self._settle())

    async def _settle(self) -> None:
        for _ in range(UNREST):
            self._take_due()
            if not self._process.due.now:
                return
            await self._work_on(self._process.due.now.pop(0))
        raise AssertionError("the operator does not come to rest")

    def _take_due(self) -> None:
        due = self._process.due
        for name in [name for name, when in due.later.items() if when <= self.clock.now]:
            due.add_at(name, None)
            due.add(name)

    async def _work_on(self, name: Name) -> None:
        process = self._process
        try:
            process.due.add_at(name, await process.reconciler.reconcile(name))
        except Killed:
            self._process = self._started()  # restart() lists; here nobody has yet
            raise

    def work_together(self, *names_: Name) -> None:
        """Work on several requests at the same time, as several workers do."""

        async def all_of_them() -> None:
            process = self._process
            process.due.now = [name for name in process.due.now if name not in names_]
            nexts = await asyncio.gather(*(process.reconciler.reconcile(name) for name in names_))
            for name, when in zip(names_, nexts, strict=True):
                process.due.add_at(name, when)

        self._loop.run(all_of_them())

    def advance(self, by: timedelta) -> None:
        """Let time pass; what becomes due is done on the way."""
        self.settle()
        end = self.clock.now + by
        while (when := min(self._process.due.later.values(), default=end)) < end:
            self.clock.now = max(when, self.clock.now)
            self.settle()
        self.clock.now = end
        self.settle()

    def until(self, moment: datetime) -> None:
        """Let time pass up to a moment."""
        self.advance(max(moment - self.clock.now, timedelta()))

    @property
    def resting(self) -> bool:
        """Whether the operator has nothing more to do before the next renewal."""
        due, renewal = self._process.due.later.get(REPORTS), self.status().next_renewal
        seen = self.status().observed_generation == self.cluster.requests[REPORTS]["metadata"]["generation"]
        return seen and renewal is not None and due is not None and due > renewal - timedelta(seconds=2)

    def to_renewal(self) -> None:
        """Let the request be issued, and time pass until a second before its renewal."""
        self.settle()
        renewal = self.status().next_renewal
        assert renewal is not None
        self.until(renewal - timedelta(seconds=1))

    # Administrators.

    @property
    def lag(self) -> float:
        """Seconds for which a watch has not told of what was written."""
        return self._process.observations.echoes.lag

    @property
    def slots(self) -> Slots:
        return self._process.slots

    def see_policy(self, body: Json) -> None:
        self._process.observations.see_namespace({"name": NAMESPACE})
        self._process.intake.policy_changed(body)

    def lose_policy(self, name: str) -> None:
        self._process.intake.policy_deleted(name)

    # Users.

    def apply(self, name: str = "reports", *, annotations: dict[str, str] | None = None, **fields: Any) -> None:
        """Apply a request; what isn't given is what it was by default."""
        self.cluster.put_request((NAMESPACE, name), raw_spec(**fields), annotations or {})

    def give_keys(self, pair: KeyPair = KEY, *, labelled: bool = False, known: bool = True) -> None:
        """Write the credentials Secret, and have AWS know the key."""
        if known:
            self.sts.secret_keys[pair.access_key_id] = pair.secret_access_key
        labels = {names.TYPE_LABEL: names.CREDENTIALS} if labelled else {}
        self.cluster.put_secret(KEYS, key_data(pair), labels=labels)

    # What came of it.

    def status(self, name: Name = REPORTS) -> Status:
        return parse(self.cluster.requests[name]).status

    def ready(self, name: Name = REPORTS) -> str:
        """The Ready condition as a word or two, with the reason of what stands beside it."""
        found = self.status(name)
        ready = found.condition(READY)
        beside = next((c for kind in (STALLED, RECONCILING) if (c := found.condition(kind))), None)
        told = f"{ready.status} {ready.reason}" if ready else "-"
        return f"{told}, {beside.type} {beside.reason}" if beside else told

    def condition(self, kind: str, name: Name = REPORTS) -> Condition:
        found = self.status(name).condition(kind)
        assert found is not None
        return found

    def secret(self, name: Name = REPORTS) -> Json | None:
        return self.cluster.secrets.get(name)

    def live(self, name: Name = REPORTS) -> str:
        """The access key id that pods use with success now; empty when there is none."""
        return self.sts.holds_live(self.secret(name))

    def costs(self, act: Callable[[], object]) -> tuple[int, int]:
        """How many calls to STS and writes to the cluster something makes."""
        before = len(self.sts.calls), len(self.cluster.writes)
        act()
        return len(self.sts.calls) - before[0], len(self.cluster.writes) - before[1]
