"""A cluster, a strict STS and processes of the operator over them, moved on by hand from one await to the next.

Each call has two points to stop at: before anything was done, and before its answer is here. What is stopped there
can go on, fail, or never come back; others act meanwhile, and time passes.
"""

import base64
import copy
import json
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from itertools import cycle, islice
from typing import Any, TypeVar

from awssts.domain import names, totp
from awssts.domain.errors import ClusterConflict, ClusterUnavailable, StsUnavailable
from awssts.domain.request import parse
from awssts.domain.status import READY, Status
from awssts.services.devices import Devices
from awssts.services.intake import Intake
from awssts.services.issuance import Issuance
from awssts.services.observations import Observations
from awssts.services.ports import Silence
from awssts.services.reconciler import Reconciler
from awssts.services.sessions import Sessions
from awssts.services.slots import Slots
from tests.unit.builders import KEY, SERIAL, Json, encoded, key_data, raw_spec
from tests.unit.mfa.strict_sts import SEEDS, Pause, StrictSts
from tests.unit.services.fakes import Clock, FakeCluster, FakeEvents, Name
from tests.unit.services.world import NAMESPACE, Due

T = TypeVar("T")

LONGEST = 2_000  # awaits that a flight may take: more can't be right


class Flight:
    """Something under way in a process; ``at`` tells what it waits for: cluster or sts."""

    def __init__(self, work: Coroutine[Any, None, Any]) -> None:
        self._work = work
        self.at = ""
        self.landed = False
        self.result: Any = None
        self.error: Exception | None = None
        self.step()

    def step(self, error: Exception | None = None) -> None:
        """Move on to the next await; or have this one fail."""
        if self.landed:
            return
        try:
            self.at = self._work.throw(error) if error else self._work.send(None)
        except StopIteration as end:
            self.landed, self.result = True, end.value
        except Exception as failure:  # noqa: BLE001 - kept for whoever asks
            self.landed, self.error = True, failure

    def fail(self) -> None:
        """Lose the call: before it was done or after, as the point is."""
        self.step(ClusterUnavailable("no answer") if self.at == "cluster" else StsUnavailable("no answer"))

    def end(self) -> Any:
        """Go on to the end; return the result or raise the error."""
        together(self)
        if self.error is not None:
            raise self.error
        return self.result

    def drop(self) -> None:
        """End the process that it is in."""
        self._work.close()
        self.landed = True


def together(*flights: Flight) -> None:
    """Move on flights in turn until all have landed."""
    for flight in islice(cycle(flights), LONGEST * len(flights)):
        if all(each.landed for each in flights):
            return
        flight.step()
    assert all(each.landed for each in flights), "it never ends"


class Cluster(FakeCluster):
    """The API server; a resource version in what is applied is a condition, as for the real one."""

    async def _answer(self, call: str, act: Callable[[], T]) -> T:
        self.calls.append(call)
        await Pause("cluster")
        answer = act()
        await Pause("cluster")
        return answer

    def _apply_secret(self, applied: Json) -> Json:
        metadata = applied["metadata"]
        wanted = metadata.pop("resourceVersion", None)
        there = self.secrets.get((metadata["namespace"], metadata["name"]))
        if wanted is not None and (there is None or there["metadata"]["resourceVersion"] != wanted):
            raise ClusterConflict("the API server answered 409: the object has been modified")
        return super()._apply_secret(applied)

    async def create_secret(self, secret: Json) -> Json:
        return await self._answer("create_secret", lambda: self._create_secret(copy.deepcopy(secret)))

    def _create_secret(self, secret: Json) -> Json:
        if (secret["metadata"]["namespace"], secret["metadata"]["name"]) in self.secrets:
            raise ClusterConflict("the API server answered 409: it already exists")
        return super()._apply_secret(secret)

    def steps(self, device: str = SERIAL) -> list[int]:
        """The last step that the record of a device tells of, where there is one."""
        found = (secret["metadata"]["annotations"] for secret in self.secrets.values())
        return [int(note[names.STEP]) for note in found if note.get(names.DEVICE) == device and names.STEP in note]

    def sessions(self) -> list[Json]:
        """The session Secrets."""
        kind = names.TYPE_LABEL
        return [secret for secret in self.secrets.values() if secret["metadata"]["labels"].get(kind) == names.SESSION]

    def kept(self) -> list[Json]:
        """The sessions in them."""
        values = [value for secret in self.sessions() for value in secret["data"].values()]
        return [json.loads(base64.b64decode(value)) for value in values]


class NoPolicies:
    """Judges nothing."""

    def forget(self, *_: Any) -> None:
        pass

    def guard(self, *_: Any) -> str:
        return ""

    def standing(self, *_: Any) -> None:
        return None

    def slot(self, *_: Any) -> AbstractContextManager[None]:
        return nullcontext()

    async def judge(self, *_: Any) -> None:
        return None


class Process:
    """One life of the operator; its clock may be ahead of or behind that of STS."""

    def __init__(self, cluster: Cluster, sts: StrictSts, clock: Clock, offset: timedelta = timedelta()) -> None:
        self.offset = offset
        self._true_clock = clock
        self.due = Due()
        self.events = FakeEvents()
        self.devices = Devices(cluster, self.clock, since=self.clock())
        codes: Any = None  # of webhooks
        self.sessions = Sessions(
            cluster=cluster,
            sts=sts,
            devices=self.devices,
            codes=codes,
            slots=Slots(16, self.clock, self.due.add),
            clock=self.clock,
            wake=self.due.add,
        )
        self.issuance = Issuance(cluster, sts, self.sessions, self.clock)
        self.flights: dict[Name, Flight] = {}
        self._cluster = cluster
        self.seen = seen = Observations()
        self.reconciler = Reconciler(
            cluster=cluster,
            issuance=self.issuance,
            judging=NoPolicies(),  # type: ignore[arg-type]
            events=self.events,
            observations=seen,
            clock=self.clock,
            region=None,
            telemetry=Silence(),
        )
        self._intake = Intake(seen, self.reconciler, self.due)  # type: ignore[arg-type] # all of it that is used
        self.watch_is_late = False
        self._late: list[tuple[str, str, Json]] = []
        cluster.watches.append(self._watch)
        for kind, objects in (("request", cluster.requests), ("secret", cluster.secrets)):
            for found in objects.values():
                self._deliver("ADDED", kind, found)

    def clock(self) -> datetime:
        return self._true_clock() + self.offset

    def _watch(self, event: str, kind: str, found: Json) -> None:
        self._late.append((event, kind, found))
        if not self.watch_is_late:
            self.catch_up()

    def catch_up(self) -> None:
        """Deliver what the watches have told so far."""
        self.watch_is_late = False
        while self._late:
            self._deliver(*self._late.pop(0))

    def _deliver(self, event: str, kind: str, found: Json) -> None:
        name = found["metadata"]["namespace"], found["metadata"]["name"]
        if kind == "request" and event == "DELETED":
            self._intake.request_deleted(name)
        elif kind == "request":
            self._intake.request_changed(name, found)
        elif names.TYPE_LABEL not in found["metadata"]["labels"]:
            return
        elif event == "DELETED":
            self._intake.secret_deleted(name, found)
        else:
            self._intake.secret_changed(name, found)

    def begin(self) -> None:
        """Begin with all that is due, as free workers do; one at a time for each request."""
        for name, when in list(self.due.later.items()):
            if when <= self.clock():
                self.due.add_at(name, None)
                self.due.add(name)
        for name in [name for name in self.due.now if name not in self.flights]:
            self.due.now.remove(name)
            self.flights[name] = Flight(self.reconciler.reconcile(name))
        self.land()

    def land(self) -> None:
        """See to the flights that have landed."""
        for name, flight in [(name, flight) for name, flight in self.flights.items() if flight.landed]:
            del self.flights[name]
            if flight.error is not None:
                raise flight.error
            self.due.add_at(name, flight.result)

    def die(self) -> None:
        """End, whatever is under way."""
        self._cluster.watches.remove(self._watch)
        for flight in self.flights.values():
            flight.drop()
        self.flights.clear()

    def settle(self) -> None:
        """Do all that is to be done now."""
        for _ in range(50 + 5 * len(self._cluster.requests)):
            self.begin()
            if not self.flights:
                return
            together(*self.flights.values())
            self.land()
        raise AssertionError("the operator does not come to rest")

    @property
    def next_time(self) -> datetime | None:
        """When there is something to do again, by the true clock."""
        return min((when - self.offset for when in self.due.later.values()), default=None)


class Stage:
    """The cluster and STS; processes come and go."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.cluster = Cluster(self.clock)
        self.sts = StrictSts(self.clock)
        self.give("reports-iam", key_data(KEY))
        self.give("copied-iam", key_data(KEY))
        for serial, seed in SEEDS.items():
            uri = f"otpauth://totp/AWS:reports?secret={seed.secret}&algorithm={seed.algorithm}"
            self.give(serial.rpartition("/")[2] + "-mfa", encoded({"seed": uri}))

    def process(self, offset: timedelta = timedelta()) -> Process:
        """Start a process of the operator."""
        return Process(self.cluster, self.sts, self.clock, offset)

    def give(self, secret: str, data: dict[str, str]) -> None:
        """Write a Secret as a user does."""
        self.cluster.put_secret((NAMESPACE, secret), data)

    def apply(self, name: str, annotations: dict[str, str] | None = None, **fields: Any) -> None:
        """Apply a request as a user does."""
        self.cluster.put_request((NAMESPACE, name), raw_spec(**fields), annotations or {})

    def code(self, serial: str) -> str:
        """What the device shows now."""
        return SEEDS[serial].code(totp.step_at(self.clock.now))

    def wrong_code(self, serial: str) -> str:
        """Another one, of an hour ago."""
        return SEEDS[serial].code(totp.step_at(self.clock.now - timedelta(hours=1)))

    def let_pass(self, process: Process, by: timedelta) -> None:
        """Let time pass; what becomes due in the process is done on the way."""
        process.settle()
        end = self.clock.now + by
        while (when := process.next_time) is not None and when < end:
            self.clock.now = max(when, self.clock.now)
            process.settle()
        self.clock.now = end
        process.settle()

    # What came of it.

    def held(self, name: str) -> str:
        """The access key id in a target Secret; empty where there is none."""
        found = self.cluster.secrets.get((NAMESPACE, name))
        return found["metadata"]["annotations"][names.ACCESS_KEY_ID] if found else ""

    def status(self, name: str) -> Status:
        return parse(self.cluster.requests[NAMESPACE, name]).status

    def told(self, name: str) -> str:
        """The Ready condition in two words; "-" where nothing was told yet."""
        ready = self.status(name).condition(READY)
        return f"{ready.status} {ready.reason}" if ready else "-"

    def message(self, name: str, kind: str = READY) -> str:
        """The message of a condition; empty where there is none."""
        found = self.status(name).condition(kind)
        return found.message if found else ""


def device(serial: str = SERIAL, *, person: bool = False, **fields: Any) -> Json:
    """``spec.mfa``: with the seed that the stage holds, or for a person's code."""
    seed = {} if person else {"totpSecretRef": {"name": serial.rpartition("/")[2] + "-mfa"}}
    return {"serialNumber": serial} | seed | fields
