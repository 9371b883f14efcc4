"""One code for many requests, recorded before it is used, and never again: a process, moved on await by await."""

import json
from datetime import timedelta

import pytest

from awssts.domain import names, record, totp
from awssts.domain.session import secret_name
from tests.unit.builders import HOUR, KEY, MINUTE, OTHER_KEY, ROLE_ARN, SERIAL, Json, encoded, key_data
from tests.unit.mfa.stage import Flight, Process, Stage, device, together
from tests.unit.mfa.strict_sts import PHONE
from tests.unit.services.world import NAMESPACE

SECOND = timedelta(seconds=1)
STEP = totp.STEP * SECOND
ROLE = {"role": {"arn": ROLE_ARN}}


def until(process: Process, at: str, *, pause: int = 1) -> Flight:
    """Begin what is due, and move the one request on until it waits for the nth time for that."""
    process.begin()
    (flight,) = process.flights.values()
    while not flight.landed:
        pause -= flight.at == at
        if not pause:
            return flight
        flight.step()
    raise AssertionError(f"it never waited for {at}")


def recording(stage: Stage) -> list[int]:
    """The steps on record, from now on, in the order of their writing."""
    steps: list[int] = []

    def note(_before: Json | None, after: Json) -> None:
        steps.extend(int(step) for key, step in after["metadata"]["annotations"].items() if key == names.STEP)

    stage.cluster.before_secret_write.append(note)
    return steps


# Sharing.


def test_fifty_requests_take_one_code(stage: Stage, process: Process) -> None:
    requests = [f"reports-{number}" for number in range(50)]
    for name in requests:
        stage.apply(name, mfa=device())
    process.settle()
    assert stage.sts.codes == 1
    assert len(stage.sts.calls) == 1
    assert {stage.held(name) for name in requests} == {"ASIA0000000000000001"}
    assert {stage.told(name) for name in requests} == {"True Issued"}


def test_fifty_requests_that_wait_for_a_step_cost_little(stage: Stage) -> None:
    """A process that has just started waits for the next step: no request looks again and again meanwhile."""
    requests = [f"reports-{number}" for number in range(50)]
    for name in requests:
        stage.apply(name, mfa=device())
    started = stage.process()
    stage.clock.advance(SECOND)
    started.settle()
    assert stage.sts.calls == []
    stage.let_pass(started, STEP)
    assert stage.sts.codes == 1
    assert {stage.told(name) for name in requests} == {"True Issued"}
    assert stage.cluster.calls.count("apply_status") <= 2 * 50
    assert stage.cluster.calls.count("apply_secret") == 50 + 1  # the session; its device's record was created
    assert stage.cluster.calls.count("secret") <= 15 * 50


def test_who_waits_for_a_step_after_a_failover_stands_as_before(stage: Stage, process: Process) -> None:
    """Its credentials live: metrics say so from the first look on."""
    stage.apply("reports", mfa=device())
    process.settle()
    renewal = stage.status("reports").next_renewal
    assert renewal is not None
    process.die()
    stage.clock.now = renewal + SECOND
    successor = stage.process()
    successor.settle()
    assert len(stage.sts.calls) == 1, "the next step is waited for"
    ((_, standing),) = successor.seen.standings()
    assert standing.ready
    assert standing.renewal == renewal.timestamp()


def test_nobody_holds_a_worker_while_another_has_the_device(stage: Stage, process: Process) -> None:
    """Whoever comes second is told to come again, at once and without any status, and woken when it is time."""
    stage.apply("first", mfa=device())
    first = until(process, "sts")
    stage.apply("second", mfa=device())
    process.begin()
    second = process.flights["team", "second"]
    while not second.landed:
        second.step()
    process.land()
    assert not first.landed
    assert stage.told("second") == "-"
    process.settle()
    assert stage.held("second") == stage.held("first") != ""


def test_others_do_not_wait_for_a_device_that_hangs(stage: Stage, process: Process) -> None:
    stage.apply("reports", mfa=device())
    until(process, "sts")
    stage.apply("phone", mfa=device(PHONE))
    stage.apply("plain")
    process.begin()
    together(process.flights["team", "phone"], process.flights["team", "plain"])
    assert stage.held("phone")
    assert stage.held("plain")
    assert not stage.held("reports")


def test_who_waits_is_woken_also_when_the_call_failed(stage: Stage, process: Process) -> None:
    stage.apply("first", mfa=device())
    first = until(process, "sts")
    stage.apply("second", mfa=device())
    process.begin()
    together(process.flights["team", "second"])
    first.fail()
    together(first)
    process.land()
    assert ("team", "second") in process.due.now
    stage.let_pass(process, STEP)
    assert stage.held("second") == stage.held("first") != ""


@pytest.mark.parametrize(
    ("one", "other", "codes"),
    [
        pytest.param({}, {}, 1, id="the same"),
        pytest.param({}, {"renewBefore": "2h"}, 1, id="renewed otherwise"),
        pytest.param({}, {"duration": "1h"}, 2, id="another duration"),
        pytest.param({}, ROLE, 1, id="a role from it"),
        pytest.param(ROLE, ROLE, 1, id="two roles"),
        pytest.param(ROLE, ROLE | {"mfa": device(sessionDuration="1h")}, 2, id="sessions of other durations"),
        pytest.param(
            {"duration": "1h"}, ROLE | {"mfa": device(sessionDuration="1h")}, 1, id="of the same, from a role"
        ),
        pytest.param(ROLE | {"duration": "2h"}, ROLE | {"duration": "2h"}, 2, id="two roles for two hours"),
    ],
)
def test_what_is_shared(stage: Stage, process: Process, one: dict, other: dict, codes: int) -> None:
    stage.apply("one", **({"mfa": device()} | one))
    stage.apply("other", **({"mfa": device()} | other))
    stage.let_pass(process, 3 * STEP)
    assert (stage.told("one"), stage.told("other")) == ("True Issued", "True Issued")
    assert stage.sts.codes == codes
    assert stage.sts.refused == 0


def test_a_restart_needs_no_code(stage: Stage, process: Process) -> None:
    """Neither while the target is there, nor when it is gone; a role is assumed from the session."""
    stage.apply("reports", mfa=device())
    stage.apply("role", mfa=device(), **ROLE)
    process.settle()
    process.die()
    restarted = stage.process()
    calls = len(stage.sts.calls)
    restarted.settle()
    assert len(stage.sts.calls) == calls
    stage.cluster.delete_secret(("team", "reports"))
    restarted.settle()
    assert len(stage.sts.calls) == calls
    assert stage.held("reports")
    stage.let_pass(restarted, 5 * HOUR)
    assert stage.sts.codes == 1
    assert stage.told("role") == "True Issued"


def test_renewals_go_on_for_days(stage: Stage, process: Process) -> None:
    stage.apply("reports", mfa=device())
    stage.apply("role", mfa=device(), **ROLE)
    stage.let_pass(process, timedelta(days=3))
    assert (stage.told("reports"), stage.told("role")) == ("True Issued", "True Issued")
    assert stage.sts.refused == 0
    assert stage.sts.codes <= 3 * 24 / 7


# The record.


def test_the_step_is_on_record_before_its_code_is_used(stage: Stage, process: Process) -> None:
    stage.apply("reports", mfa=device())
    until(process, "sts")
    assert stage.sts.calls == []
    assert stage.cluster.steps() == [totp.step_at(stage.clock.now)]


@pytest.mark.parametrize("lost", ["the write", "its answer"])
@pytest.mark.parametrize("first", [True, False], ids=["the first of the device", "a later one"])
def test_a_step_whose_record_failed_is_not_used(stage: Stage, process: Process, first: bool, lost: str) -> None:
    if not first:
        stage.apply("hourly", mfa=device(), duration="1h")
        process.settle()
        stage.clock.advance(STEP)
    stage.apply("reports", mfa=device())
    process.begin()
    (flight,) = process.flights.values()
    while stage.cluster.calls[-1] not in {"create_secret", "apply_secret"}:
        flight.step()
    step = totp.step_at(stage.clock.now)
    if lost == "its answer":
        flight.step()
    flight.fail()
    stage.let_pass(process, 2 * STEP)
    assert stage.told("reports") == "True Issued"
    assert stage.sts.submitted[-1].step > step
    assert stage.sts.refused == 0


@pytest.mark.parametrize(
    ("ahead", "then"), [(0, 0), (0, -45), (0, 45), (20, 0), (20, -10), (20, -45)], ids=lambda seconds: f"{seconds} s"
)
def test_a_crash_with_a_code_under_way(stage: Stage, ahead: int, then: int) -> None:
    """The one that follows takes a later step, whatever the two clocks say, and whichever Secret names the device."""
    process = stage.process(ahead * SECOND)
    stage.clock.advance(MINUTE + 15 * SECOND)
    stage.apply("reports", mfa=device())
    flight = until(process, "sts")
    flight.step()
    process.die()
    stage.apply("copied", mfa=device(), credentialsSecretRef={"name": "copied-iam"})
    following = stage.process(then * SECOND)
    stage.let_pass(following, 4 * MINUTE)
    assert stage.sts.used_twice() == []
    following.offset = timedelta()
    stage.let_pass(following, 10 * MINUTE)
    assert stage.told("reports") == "True Issued"


def test_a_lost_answer_has_burnt_the_code(stage: Stage, process: Process) -> None:
    stage.apply("reports", mfa=device())
    until(process, "sts", pause=2).fail()
    stage.let_pass(process, STEP + SECOND)
    assert stage.told("reports") == "True Issued"
    assert [submission.accepted for submission in stage.sts.submitted] == [True, True]
    assert stage.sts.used_twice() == []


@pytest.mark.parametrize("offset", [-45, -31, 0, 31, 45])
def test_two_processes_at_the_same_time(stage: Stage, offset: int) -> None:
    """One that leads no more but does not know yet: of two that record a step, one may use its code."""
    recorded = recording(stage)
    stage.apply("reports", mfa=device())
    processes = [stage.process(), stage.process(offset * SECOND)]
    for _ in range(8):
        stage.clock.advance(STEP / 2)
        for process in processes:
            process.begin()
        together(*[flight for process in processes for flight in process.flights.values()])
        for process in processes:
            process.land()
    assert stage.sts.used_twice() == []
    assert recorded == sorted(recorded), "a step that was used is no longer on record"
    processes[1].die()
    stage.let_pass(processes[0], 3 * MINUTE)
    assert stage.told("reports") == "True Issued"


def test_who_knows_but_the_number_of_a_device_holds_up_nobody(stage: Stage, process: Process) -> None:
    """Codes for it that anybody made up, in another namespace, take no step from who has the seed."""
    stage.cluster.put_secret(("others", "reports-iam"), key_data(OTHER_KEY))
    for number in range(3):
        spec = {"credentialsSecretRef": {"name": "reports-iam"}, "mfa": {"serialNumber": SERIAL}}
        stage.cluster.put_request(("others", f"guess-{number}"), spec, {names.TOKEN_CODE: f"12345{number}"})
    process.settle()
    assert [submission.accepted for submission in stage.sts.submitted] == [False] * 3
    stage.apply("reports", mfa=device())
    process.settle()
    assert stage.told("reports") == "True Issued"


# What is kept until it is written.


def test_a_session_that_could_not_be_written_is_used(stage: Stage, process: Process) -> None:
    stage.apply("reports", mfa=device())
    flight = until(process, "sts")
    flight.step()
    flight.step()
    assert stage.cluster.calls[-1] == "create_secret"
    flight.fail()
    stage.let_pass(process, 5 * SECOND)
    assert stage.told("reports") == "True Issued"
    assert stage.sts.codes == 1
    process.die()
    stage.cluster.delete_secret(("team", "reports"))
    stage.process().settle()
    assert stage.held("reports")
    assert stage.sts.codes == 1


def test_a_session_that_is_written_late_takes_nothing_off_the_record(stage: Stage, process: Process) -> None:
    stage.apply("reports", mfa=device())
    flight = until(process, "sts")
    flight.step()
    flight.step()
    flight.fail()  # its session is not written
    together(flight)
    stage.clock.advance(STEP)
    stage.apply("hourly", mfa=device(), duration="1h")
    process.begin()
    together(process.flights["team", "hourly"])
    (before,) = stage.cluster.steps()
    stage.let_pass(process, MINUTE)
    assert stage.cluster.steps() >= [before]
    assert set(stage.cluster.sessions()[0]["data"]) == {"43200.json", "3600.json"}
    assert stage.sts.codes == 2


def test_a_session_that_can_not_be_written_any_more_is_kept_for_as_long_as_it_lives(
    stage: Stage, process: Process
) -> None:
    """Its namespace ended between the call of STS and the write."""
    stage.apply("reports", mfa=device())
    flight = until(process, "sts")
    flight.step()
    flight.step()
    flight.fail()
    stage.cluster.delete_request((NAMESPACE, "reports"))
    process.settle()
    unwritten = [len(process.sessions._ledgers._unwritten)]  # noqa: SLF001 - nothing else shows it
    stage.let_pass(process, 13 * HOUR)
    stage.apply("another", mfa=device(PHONE))
    process.settle()
    unwritten.append(len(process.sessions._ledgers._unwritten))  # noqa: SLF001 - as above
    assert unwritten == [1, 0]


# Sessions that end.


def test_a_session_that_sts_takes_no_longer(stage: Stage, process: Process) -> None:
    """It is dropped, and a code gives another."""
    stage.apply("role", mfa=device(), **ROLE)
    process.settle()
    old = stage.held("role")
    stage.sts.expired.add(stage.sts.issued[0])
    stage.apply("role", {names.RENEW: "1"}, mfa=device(), **ROLE)
    stage.let_pass(process, MINUTE)
    assert stage.told("role") == "True Issued"
    assert stage.held("role") != old
    assert stage.sts.codes == 2
    assert stage.sts.issued[0] not in str(stage.cluster.kept())


@pytest.mark.parametrize("awaits", range(0, 30, 2))
def test_dropping_a_session_takes_nothing_off_the_record(stage: Stage, process: Process, awaits: int) -> None:
    """While another request of the device uses a code; it begins after so many awaits of the first."""
    stage.apply("role", mfa=device(), **ROLE)
    process.settle()
    stage.clock.advance(STEP)
    stage.sts.expired.add(stage.sts.issued[0])
    recorded = recording(stage)
    stage.apply("role", {names.RENEW: "1"}, mfa=device(), **ROLE)
    stage.apply("hourly", mfa=device(), duration="1h")
    process.begin()
    role, hourly = process.flights["team", "role"], process.flights["team", "hourly"]
    for _ in range(awaits):
        role.step()
    together(hourly)
    together(role)
    process.land()
    stage.let_pass(process, 4 * STEP)
    assert (stage.told("role"), stage.told("hourly")) == ("True Issued", "True Issued")
    assert recorded == sorted(recorded)
    assert set(stage.cluster.sessions()[0]["data"]) == {"43200.json", "3600.json"}
    assert (stage.sts.codes, stage.sts.refused) == (3, 0)


def test_with_another_key_the_old_sessions_go(stage: Stage, process: Process) -> None:
    stage.apply("reports", mfa=device())
    process.settle()
    stage.give("reports-iam", key_data(OTHER_KEY))
    stage.apply("reports", {names.RENEW: "1"}, mfa=device())
    stage.let_pass(process, STEP)
    assert stage.told("reports") == "True Issued"
    assert stage.sts.calls[-1]["key"] == OTHER_KEY.access_key_id
    assert [session["KeyDigest"] for session in stage.cluster.kept()] == [OTHER_KEY.digest]


def test_sessions_of_another_key_go_though_no_code_comes(stage: Stage, process: Process) -> None:
    """They would live on for hours, of a key that was changed perhaps because somebody had it."""
    stage.apply("reports", {names.TOKEN_CODE: stage.code(PHONE)}, mfa=device(PHONE, person=True))
    process.settle()
    assert len(stage.cluster.kept()) == 1
    stage.give("reports-iam", key_data(OTHER_KEY))
    stage.apply("reports", {names.RENEW: "1"}, mfa=device(PHONE, person=True))
    stage.let_pass(process, STEP)
    assert stage.told("reports") == "True RenewalFailing"
    assert stage.cluster.kept() == []


@pytest.mark.parametrize("ahead", [45, 300, 3600, 24 * 3600], ids=lambda seconds: f"{seconds} s")
def test_a_clock_that_was_ahead_at_the_start(stage: Stage, ahead: int) -> None:
    """As where NTP sets it after a boot: nobody waits for the time at which the process seemed to start."""
    process = stage.process(ahead * SECOND)
    process.offset = timedelta()
    stage.apply("reports", mfa=device())
    stage.let_pass(process, 2 * STEP)
    assert stage.told("reports") == "True Issued"
    assert stage.sts.refused == 0


@pytest.mark.parametrize("seconds", [1, 5, 15, 29])
def test_a_clock_that_was_an_hour_behind_at_the_start(stage: Stage, seconds: int) -> None:
    """What another used before, with a clock that was ahead, stays on record though it seems to be of the future."""
    stage.clock.now = totp.begin(totp.step_at(stage.clock.now) + 1) + seconds * SECOND
    before = stage.process(45 * SECOND)
    stage.apply("reports", mfa=device())
    stage.let_pass(before, STEP)
    before.die()
    after = stage.process(-HOUR)
    stage.apply("hourly", mfa=device(), duration="1h")
    stage.let_pass(after, STEP)
    after.offset = timedelta()
    stage.apply("another", mfa=device(), duration="2h")
    stage.let_pass(after, 3 * STEP)
    assert stage.sts.used_twice() == []
    assert stage.told("another") == "True Issued"


def test_a_session_of_an_owners_making(stage: Stage, process: Process) -> None:
    """He gets the session that he made by himself, with his own key, and no more."""
    planted = {
        "AccessKeyId": "ASIAPLAINSESSION0000",
        "SecretAccessKey": "made-without-mfa",
        "SessionToken": "made-up",
        "Expiration": (stage.clock.now + 12 * HOUR).isoformat(),
        "IssuedAt": stage.clock.now.isoformat(),
        "Lifetime": 43_200,
        "KeyDigest": KEY.digest,
        "By": "Manual",
    }
    name = (NAMESPACE, secret_name("reports-iam", PHONE))
    stage.cluster.put_secret(
        name, encoded({"43200.json": json.dumps(planted)}), labels={names.TYPE_LABEL: names.SESSION}
    )
    stage.apply("reports", mfa=device(PHONE, person=True))
    process.settle()
    assert stage.held("reports") == planted["AccessKeyId"]
    assert stage.sts.calls == []


def test_a_code_whose_record_was_written_too_slowly(stage: Stage, process: Process) -> None:
    """It may be over: another is used, and this one by nobody."""
    stage.apply("reports", mfa=device())
    flight = until(process, "cluster", pause=1)
    while not recording_at_work(stage, flight):
        flight.step()
    stage.clock.advance(2 * STEP)
    stage.let_pass(process, 2 * STEP)
    assert stage.told("reports") == "True Issued"
    assert stage.sts.refused == 0
    assert stage.sts.codes == 1


def recording_at_work(stage: Stage, flight: Flight) -> bool:
    """Whether a step is on record, and its answer still awaited."""
    return bool(stage.cluster.steps(SERIAL)) and not flight.landed


def test_a_deleted_session_secret(stage: Stage, process: Process) -> None:
    stage.apply("role", mfa=device(), **ROLE)
    process.settle()
    stage.cluster.delete_secret(("team", stage.cluster.sessions()[0]["metadata"]["name"]))
    stage.apply("role", {names.RENEW: "1"}, mfa=device(), **ROLE)
    stage.let_pass(process, STEP)
    assert stage.told("role") == "True Issued"
    assert (stage.sts.codes, stage.sts.refused) == (2, 0)


@pytest.mark.parametrize("step", ["²", "9" * 15, "soon"])
def test_a_record_that_somebody_garbled(stage: Stage, process: Process, step: str) -> None:
    stage.apply("reports", mfa=device())
    process.settle()
    kept = stage.cluster.secrets["team", record.secret_name(SERIAL)]
    notes = kept["metadata"]["annotations"] | {names.STEP: step}
    stage.cluster.put_secret(("team", kept["metadata"]["name"]), {}, annotations=notes)
    process.die()
    stage.cluster.delete_secret(("team", "reports"))
    stage.let_pass(stage.process(), MINUTE)
    assert stage.told("reports") == "True Issued"


def test_a_role_for_more_than_an_hour_takes_a_code_itself(stage: Stage, process: Process) -> None:
    stage.apply("role", mfa=device(), duration="2h", **ROLE)
    process.settle()
    (call,) = stage.sts.calls
    assert (call["operation"], call["lifetime"], call["serial"]) == ("AssumeRole", 7_200, SERIAL)
    assert stage.cluster.steps() == [stage.sts.submitted[0].step]
    assert stage.cluster.kept() == []
