"""Processes crash, follow each other with other clocks and live side by side: no code is used twice, none starves."""

from datetime import timedelta

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from awssts.domain import names, totp
from awssts.domain.record import LIFE_OF_A_CODE
from awssts.domain.request import parse
from tests.unit.builders import HOUR, ROLE_ARN, SERIAL, Json
from tests.unit.mfa.stage import Process, Stage, device
from tests.unit.mfa.strict_sts import PHONE
from tests.unit.services.world import NAMESPACE

REQUESTS: dict[str, Json] = {
    "reports": {"mfa": device()},
    "audits": {"mfa": device()},  # shares the session of the first
    "hourly": {"mfa": device(), "duration": "1h"},  # a session of its own
    "chained": {"mfa": device(), "role": {"arn": ROLE_ARN}},
    "direct": {"mfa": device(), "role": {"arn": ROLE_ARN}, "duration": "2h"},  # a code each time
    "copied": {"mfa": device(), "credentialsSecretRef": {"name": "copied-iam"}},  # the same device, by another Secret
    "phone": {"mfa": device(PHONE)},
}
CODES = {SERIAL: 4, PHONE: 1}  # at the most, to renew all of them once
FAR = totp.FAR // timedelta(seconds=totp.STEP)  # who sees a step that far ahead takes its clock for wrong
OFFSETS = [timedelta(seconds=seconds) for seconds in (-45, 0, 0, 45)]
PATIENCE = timedelta(seconds=10 * totp.STEP)


class Operators(RuleBasedStateMachine):
    """A leader, perhaps one that was it before and does not know yet, seven requests and two devices."""

    def __init__(self) -> None:
        super().__init__()
        self.stage = Stage()
        self.stage.sts.before_code.append(self._was_recorded)
        self.recorded: dict[str, int] = {}
        self.stage.cluster.before_secret_write.append(self._goes_on)
        self.renewals = 0
        self.wrong = self.stage.clock.now - HOUR  # when a clock was
        self.leader = self.stage.process()
        self.former: Process | None = None

    @initialize()
    def begin(self) -> None:
        for name, spec in REQUESTS.items():
            self.stage.apply(name, **spec)

    # What holds at every write and call.

    def _was_recorded(self, serial: str, step: int) -> None:
        assert max(self.stage.cluster.steps(serial), default=0) >= step, "a code was used before its step was recorded"

    def _goes_on(self, _before: Json | None, after: Json) -> None:
        notes = after["metadata"]["annotations"]
        if names.STEP in notes:
            name, step = after["metadata"]["name"], int(notes[names.STEP])
            before = self.recorded.get(name, 0)
            assert step >= before or before - step > FAR, "a step that was used is no longer on record"
            self.recorded[name] = step

    @invariant()
    def no_code_is_used_twice(self) -> None:
        assert self.stage.sts.used_twice() == []

    # Work.

    def processes(self) -> list[Process]:
        return [process for process in (self.leader, self.former) if process is not None]

    @rule(name=st.sampled_from(sorted(REQUESTS)))
    def renew(self, name: str) -> None:
        self.renewals += 1
        self.stage.apply(name, {names.RENEW: str(self.renewals)}, **REQUESTS[name])

    @rule(turns=st.integers(1, 12), both=st.booleans())
    def work(self, turns: int, both: bool) -> None:
        """All that is due moves on by a few awaits; what becomes due meanwhile is begun."""
        for _ in range(turns):
            for process in self.processes() if both else [self.leader]:
                process.begin()
                for flight in list(process.flights.values()):
                    flight.step()
                process.land()

    @rule(turns=st.integers(4, 20))
    def a_step_begins(self, turns: int) -> None:
        """All who waited for it work at the same time."""
        self.stage.clock.now = totp.begin(totp.step_at(self.stage.clock.now) + 1)
        self.work(turns, both=True)

    @rule(which=st.integers(0, 20), turns=st.integers(1, 6))
    def one_moves_on(self, which: int, turns: int) -> None:
        flights = [flight for process in self.processes() for flight in process.flights.values()]
        for _ in range(turns if flights else 0):
            flights[which % len(flights)].step()

    @rule(which=st.integers(0, 20))
    def a_call_is_lost(self, which: int) -> None:
        flights = [flight for process in self.processes() for flight in process.flights.values() if not flight.landed]
        if flights:
            flights[which % len(flights)].fail()

    @rule(seconds=st.sampled_from([1, 5, 14, 29, 30, 31, 60]))
    def time_passes(self, seconds: int) -> None:
        self.stage.clock.advance(timedelta(seconds=seconds))

    @rule(seconds=st.sampled_from([5, 30, 60, 300]))
    def time_passes_at_work(self, seconds: int) -> None:
        self.stage.let_pass(self.leader, timedelta(seconds=seconds))

    # Processes.

    @rule(offset=st.sampled_from(OFFSETS))
    def crash(self, offset: timedelta) -> None:
        self.leader.die()
        self.leader = self.stage.process(offset)

    @rule(offset=st.sampled_from(OFFSETS))
    def failover(self, offset: timedelta) -> None:
        """The one before goes on with what it has, and does not know that it leads no more."""
        self._the_former_ends()
        self.former, self.leader = self.leader, self.stage.process(offset)

    def _the_former_ends(self) -> None:
        if self.former is not None:
            self.former.die()
            self.former = None

    @rule(offset=st.sampled_from(OFFSETS))
    def the_clock_is_set(self, offset: timedelta) -> None:
        self.leader.offset = offset

    @rule(offset=st.sampled_from([-HOUR, HOUR]), seconds=st.sampled_from([0, 5, 40]))
    def a_start_with_a_clock_that_is_wrong(self, offset: timedelta, seconds: int) -> None:
        """By an hour, as where a zone is taken for another; then it is set right. Not twice while a code lives."""
        now = self.stage.clock.now
        if now - self.wrong < 2 * LIFE_OF_A_CODE:
            return
        self.wrong = now
        self._the_former_ends()
        self.crash(offset)
        self.stage.let_pass(self.leader, timedelta(seconds=seconds))
        self.leader.offset = timedelta()

    # What holds in the end.

    @rule()
    def all_are_served_when_they_are_left_in_peace(self) -> None:
        self._the_former_ends()
        self.leader.offset = timedelta()
        self.leader.settle()
        for name in REQUESTS:
            self.renew(name)
        sts = self.stage.sts
        calls, codes, refused, before = len(sts.calls), sts.codes, sts.refused, self.stage.clock.now
        self.leader.settle()
        while missing := [name for name in REQUESTS if not self._renewed(name)]:
            when = self.leader.next_time
            assert when is not None, f"nobody looks after {missing}"
            self.stage.clock.now = max(when, self.stage.clock.now)
            self.leader.settle()
            assert self.stage.clock.now - before <= PATIENCE, f"{missing} starve"
        assert sts.refused == refused
        assert sts.codes - codes <= sum(CODES.values())
        assert len(sts.calls) - calls <= len(REQUESTS)

    def _renewed(self, name: str) -> bool:
        body = self.stage.cluster.requests[NAMESPACE, name]
        target = self.stage.cluster.secrets.get((NAMESPACE, name))
        notes = target["metadata"]["annotations"] if target else {}
        settled = [condition.type for condition in parse(body).status.conditions] == ["Ready", "MFASatisfied"]
        return settled and notes.get(names.RENEWED) == body["metadata"]["annotations"][names.RENEW]


TestOperators = Operators.TestCase
TestOperators.settings = settings(
    max_examples=50,
    stateful_step_count=40,
    deadline=None,
    phases=[phase for phase in Phase if phase is not Phase.explain],  # slow, and no help here
    suppress_health_check=[HealthCheck.too_slow],
)
