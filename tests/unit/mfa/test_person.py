"""A person's code: asked for in time, taken once, tried once, and good for all that wait."""

from datetime import timedelta

import pytest

from awssts.domain import names
from awssts.domain.status import MFA_SATISFIED, READY
from tests.unit.builders import HOUR, MINUTE, ROLE_ARN, SERIAL, Json
from tests.unit.mfa.stage import Process, Stage, device, together
from tests.unit.mfa.strict_sts import PHONE
from tests.unit.services.world import NAMESPACE

SECOND = timedelta(seconds=1)
MFA = device(PHONE, person=True)
ROLE = {"mfa": MFA, "role": {"arn": ROLE_ARN}}


def give(stage: Stage, code: str, name: str = "reports", **spec: Json) -> None:
    """Annotate the request with a code, as `awssts mfa` does."""
    stage.apply(name, {names.TOKEN_CODE: code}, **(spec or {"mfa": MFA}))


def annotated(stage: Stage, name: str = "reports") -> str | None:
    code: str | None = stage.cluster.requests[NAMESPACE, name]["metadata"]["annotations"].get(names.TOKEN_CODE)
    return code


def asked(stage: Stage, name: str = "reports") -> str:
    """The reason of MFASatisfied where it is False."""
    found = stage.status(name).condition(MFA_SATISFIED)
    return found.reason if found and found.status == "False" else ""


def test_a_code_is_asked_for_once(stage: Stage, process: Process) -> None:
    stage.apply("reports", mfa=MFA)
    stage.let_pass(process, HOUR)
    assert asked(stage) == "AwaitingTokenCode"
    assert stage.message("reports") == f"a code of {PHONE} is needed: awssts mfa -n team reports"
    assert process.events.reasons == ["AwaitingTokenCode"]
    assert stage.sts.calls == []
    assert stage.cluster.calls.count("apply_status") == 1


def test_a_code_gives_a_session(stage: Stage, process: Process) -> None:
    stage.apply("reports", mfa=MFA)
    process.settle()
    give(stage, stage.code(PHONE))
    process.settle()
    assert stage.told("reports") == "True Issued"
    assert asked(stage) == ""
    assert annotated(stage) is None
    assert (stage.sts.codes, stage.sts.refused) == (1, 0)
    assert process.events.reasons == ["AwaitingTokenCode", "Issued"]


def test_the_watch_tells_late_of_our_own_writes(stage: Stage, process: Process) -> None:
    """That the code was taken is known before that the status was written: nothing is told twice."""
    stage.apply("reports", mfa=MFA)
    process.settle()
    give(stage, stage.code(PHONE))
    process.begin()
    (flight,) = process.flights.values()
    while flight.at != "sts":
        flight.step()
    process.watch_is_late = True
    process.settle()
    process.catch_up()
    process.settle()
    assert process.events.reasons == ["AwaitingTokenCode", "Issued"]
    assert stage.cluster.calls.count("apply_status") == 2


def test_a_wrong_code_is_tried_once_and_told(stage: Stage, process: Process) -> None:
    stage.apply("reports", mfa=MFA)
    process.settle()
    give(stage, stage.wrong_code(PHONE))
    stage.let_pass(process, HOUR)
    assert asked(stage) == "AwaitingTokenCode"
    assert stage.message("reports", MFA_SATISFIED).startswith("the last code was wrong or had been used before; a code")
    assert annotated(stage) is None
    assert stage.sts.codes == 1
    assert process.events.reasons == ["AwaitingTokenCode", "AwaitingTokenCode"]

    give(stage, stage.code(PHONE))
    process.settle()
    assert stage.told("reports") == "True Issued"
    stage.apply("another", mfa=MFA, duration="1h")
    process.settle()
    assert stage.message("another", MFA_SATISFIED).startswith("a code of"), "what was wrong before is forgotten"


@pytest.mark.parametrize("typed", ["12345", "1234567", "letters", "--", "١٢٣٤٥٦", "0x1234"])
def test_a_code_that_is_none(stage: Stage, process: Process, typed: str) -> None:
    """STS need not be asked."""
    give(stage, typed)
    stage.let_pass(process, HOUR)
    assert asked(stage) == "AwaitingTokenCode"
    assert "six digits" in stage.message("reports", MFA_SATISFIED)
    assert typed not in stage.message("reports", MFA_SATISFIED).replace(PHONE, "").replace("CODE", "")
    assert annotated(stage) is None
    assert stage.sts.calls == []
    give(stage, stage.code(PHONE))
    process.settle()
    assert stage.told("reports") == "True Issued"


def remembered(process: Process) -> list[int]:
    """How many session Secrets are waited for, and of how many it is known what was wrong with the last code."""
    sessions = process.sessions
    return [len(sessions._ledgers._awaiting), len(sessions._refused)]  # noqa: SLF001 - nothing else shows it


def test_nothing_is_left_of_requests_that_were_deleted_while_they_waited(stage: Stage, process: Process) -> None:
    names_ = [f"reports-{number}" for number in range(50)]
    for name in names_:
        give(stage, "12345", name, mfa=device(f"{PHONE}-{name}", person=True))
    process.settle()
    assert remembered(process) == [50, 50]
    for name in names_:
        stage.cluster.delete_request((NAMESPACE, name))
    process.settle()
    assert remembered(process) == [0, 0]


@pytest.mark.parametrize("annotations", [{}, {names.TOKEN_CODE: "123456"}], ids=["no code", "a wrong one"])
@pytest.mark.parametrize("awaits", range(0, 20, 2))
def test_nothing_is_left_of_a_request_that_is_deleted_while_it_is_worked_on(
    stage: Stage, process: Process, annotations: dict[str, str], awaits: int
) -> None:
    stage.apply("reports", annotations, mfa=MFA)
    process.begin()
    (flight,) = process.flights.values()
    for _ in range(awaits):
        flight.step()
    stage.cluster.delete_request((NAMESPACE, "reports"))
    process.settle()
    assert remembered(process) == [0, 0]


def test_a_new_request_of_an_old_name_begins_anew(stage: Stage, process: Process) -> None:
    give(stage, "12345")
    process.settle()
    stage.cluster.delete_request((NAMESPACE, "reports"))
    process.settle()
    stage.apply("reports", mfa=MFA)
    process.settle()
    assert stage.message("reports", MFA_SATISFIED).startswith("a code of")


def test_what_was_wrong_is_told_while_another_waits(stage: Stage, process: Process) -> None:
    stage.apply("audits", mfa=MFA)
    give(stage, "12345")
    process.settle()
    stage.cluster.delete_request((NAMESPACE, "reports"))
    process.settle()
    assert remembered(process) == [1, 1]
    give(stage, stage.code(PHONE), "audits")
    process.settle()
    assert stage.told("audits") == "True Issued"
    assert remembered(process) == [0, 0]


def test_a_code_as_apps_show_it(stage: Stage, process: Process) -> None:
    code = stage.code(PHONE)
    give(stage, f"{code[:3]} {code[3:]}")
    process.settle()
    assert stage.told("reports") == "True Issued"


def test_the_code_is_taken_from_the_request_before_it_is_used(stage: Stage, process: Process) -> None:
    give(stage, stage.code(PHONE))
    process.begin()
    (flight,) = process.flights.values()
    while flight.at != "sts":
        assert not flight.landed
        flight.step()
    assert annotated(stage) is None
    assert stage.sts.calls == []


@pytest.mark.parametrize("arrived", [False, True], ids=["before it came to STS", "after"])
def test_a_crash_with_a_persons_code_under_way(stage: Stage, process: Process, arrived: bool) -> None:
    """It is not used again; the process that follows asks for another."""
    give(stage, stage.code(PHONE))
    process.begin()
    (flight,) = process.flights.values()
    while flight.at != "sts":
        flight.step()
    if arrived:
        flight.step()
    process.die()
    following = stage.process()
    stage.let_pass(following, MINUTE)
    assert asked(stage) == "AwaitingTokenCode"
    assert stage.sts.codes == arrived
    give(stage, stage.code(PHONE))
    following.settle()
    assert stage.told("reports") == "True Issued"


@pytest.mark.parametrize("done", [False, True], ids=["nothing was done", "its answer was lost"])
def test_taking_the_code_fails(stage: Stage, process: Process, done: bool) -> None:
    """Where it is still there it is tried again; where it may be gone, it was not used."""
    give(stage, stage.code(PHONE))
    process.begin()
    (flight,) = process.flights.values()
    while stage.cluster.calls[-1] != "take_token_code":
        flight.step()
    if done:
        flight.step()
    flight.fail()
    stage.let_pass(process, 20 * SECOND)
    assert stage.sts.used_twice() == []
    assert (stage.told("reports"), stage.sts.codes) == (("False AwaitingTokenCode", 0) if done else ("True Issued", 1))


def test_a_code_that_could_not_be_recorded_is_not_used(stage: Stage, process: Process) -> None:
    """And it is said, for it is off the request."""
    stage.apply("reports", mfa=MFA)
    process.settle()
    give(stage, stage.code(PHONE))
    process.begin()
    (flight,) = process.flights.values()
    while stage.cluster.calls[-1] != "create_secret":
        flight.step()
    flight.fail()
    process.settle()
    assert stage.sts.calls == []
    assert asked(stage) == "AwaitingTokenCode"
    assert "the last code was not used, for the API server did not answer" in stage.message("reports")


def test_a_code_that_is_taken_back(stage: Stage, process: Process) -> None:
    give(stage, stage.wrong_code(PHONE))
    process.begin()
    stage.apply("reports", {}, mfa=MFA)
    stage.let_pass(process, MINUTE)
    assert stage.sts.codes == 0
    assert asked(stage) == "AwaitingTokenCode"


def test_a_code_that_is_replaced(stage: Stage, process: Process) -> None:
    """The one that is there when it is taken is the one that is used."""
    give(stage, stage.wrong_code(PHONE))
    process.begin()
    give(stage, stage.code(PHONE))
    stage.let_pass(process, 20 * SECOND)
    assert stage.told("reports") == "True Issued"
    assert (stage.sts.codes, stage.sts.refused) == (1, 0)


def test_one_code_serves_all_that_wait(stage: Stage, process: Process) -> None:
    names_ = [f"reports-{number}" for number in range(10)]
    for name in names_:
        stage.apply(name, mfa=MFA)
    stage.apply("role", mfa=MFA, role={"arn": ROLE_ARN})
    process.settle()
    assert {asked(stage, name) for name in [*names_, "role"]} == {"AwaitingTokenCode"}
    give(stage, stage.code(PHONE), "reports-3", mfa=MFA)
    process.settle()
    assert {stage.told(name) for name in [*names_, "role"]} == {"True Issued"}
    assert stage.sts.codes == 1


def test_one_code_annotated_to_all(stage: Stage, process: Process) -> None:
    """Each takes it off its request; one uses it, and all have what it gave."""
    requests = ["reports", "audits", "bills"]
    for name in requests:
        stage.apply(name, mfa=MFA)
    process.settle()
    for name in requests:
        give(stage, stage.code(PHONE), name)
    process.settle()
    assert (stage.sts.codes, stage.sts.refused) == (1, 0)
    assert {stage.told(name) for name in requests} == {"True Issued"}
    assert {annotated(stage, name) for name in requests} == {None}


@pytest.mark.parametrize("restarted", [False, True], ids=["one process", "another process"])
def test_a_code_that_another_secret_has_used(stage: Stage, process: Process, restarted: bool) -> None:
    """The same device, by another credentials Secret: its session is not that one's. A new code is asked for."""
    other = {"mfa": MFA, "credentialsSecretRef": {"name": "copied-iam"}}
    stage.apply("reports", mfa=MFA)
    stage.apply("copied", **other)
    process.settle()
    code = stage.code(PHONE)
    give(stage, code)
    process.settle()
    if restarted:
        process.die()
        process = stage.process()
    give(stage, code, "copied", **other)
    process.settle()
    assert stage.sts.codes == 1
    assert asked(stage, "copied") == "AwaitingTokenCode"
    assert "had been used before" in stage.message("copied", MFA_SATISFIED)
    stage.clock.advance(MINUTE)
    give(stage, stage.code(PHONE), "copied", **other)
    process.settle()
    assert stage.told("copied") == "True Issued"
    assert (stage.sts.codes, stage.sts.refused) == (2, 0)


def test_the_old_credentials_stay_until_a_code_comes(stage: Stage, process: Process) -> None:
    give(stage, stage.code(PHONE))
    process.settle()
    old = stage.held("reports")
    stage.let_pass(process, 9 * HOUR)
    assert stage.told("reports") == "True RenewalFailing"
    assert asked(stage) == "AwaitingTokenCode"
    assert stage.held("reports") == old
    assert process.events.reasons == ["Issued", "AwaitingTokenCode"]
    give(stage, stage.code(PHONE))
    process.settle()
    assert stage.told("reports") == "True Issued"
    assert stage.held("reports") != old


def test_without_a_code_they_expire_and_it_says_so(stage: Stage, process: Process) -> None:
    give(stage, stage.code(PHONE))
    stage.let_pass(process, 13 * HOUR)
    assert stage.told("reports") == "False AwaitingTokenCode"
    assert stage.sts.codes == 1


def test_a_code_lasts_for_half_a_day_of_a_role(stage: Stage, process: Process) -> None:
    """The role is assumed each hour from one session, also by the next process; the next code is asked for in time."""
    give(stage, stage.code(PHONE), **ROLE)
    stage.let_pass(process, 4 * HOUR)
    process.die()
    following = stage.process()
    stage.let_pass(following, 3 * HOUR)
    assert stage.told("reports") == "True Issued"
    assert asked(stage) == ""
    stage.let_pass(following, 3 * HOUR)
    assert stage.told("reports") == "True Issued"
    assert asked(stage) == "AwaitingTokenCode"
    assert "before the MFA session ends at 2026-11-24T04:01:00Z" in stage.message("reports", MFA_SATISFIED)
    assert following.events.reasons == ["AwaitingTokenCode"]
    assert stage.sts.codes == 1

    give(stage, stage.code(PHONE), **ROLE)
    stage.let_pass(following, 6 * HOUR)
    assert stage.told("reports") == "True Issued"
    assert stage.sts.codes == 2


def test_a_role_for_two_hours_takes_a_persons_code_each_time(stage: Stage, process: Process) -> None:
    give(stage, stage.code(PHONE), **ROLE, duration="2h")
    process.settle()
    assert stage.told("reports") == "True Issued"
    assert stage.sts.calls[0]["operation"] == "AssumeRole"
    stage.let_pass(process, 2 * HOUR)
    assert asked(stage) == "AwaitingTokenCode"
    give(stage, stage.wrong_code(PHONE), **ROLE, duration="2h")
    process.settle()
    assert asked(stage) == "AwaitingTokenCode"
    assert "wrong" in stage.message("reports", MFA_SATISFIED)
    give(stage, stage.code(PHONE), **ROLE, duration="2h")
    process.settle()
    assert stage.told("reports") == "True Issued"
    stage.let_pass(process, 2 * HOUR)
    assert asked(stage) == "AwaitingTokenCode"
    assert "wrong" not in stage.message("reports", MFA_SATISFIED), "the right one has cleared it"


def test_credentials_without_a_code_are_none_with_mfa(stage: Stage, process: Process) -> None:
    """They stay while a code is waited for, and nobody says that the device answered."""
    stage.apply("reports")
    process.settle()
    assert stage.told("reports") == "True Issued"
    stage.apply("reports", mfa=device("arn:aws:iam::123456789012:mfa/none"))
    process.settle()
    assert stage.told("reports") == "True RenewalFailing"
    found = stage.status("reports").condition(MFA_SATISFIED)
    assert found is not None
    assert (found.status, found.reason) == ("False", "Pending")


def test_a_code_where_a_seed_is_given_too(stage: Stage, process: Process) -> None:
    """It is used; and the operator does not use the same one."""
    stage.apply("reports", {names.TOKEN_CODE: stage.code(SERIAL)}, mfa=device())
    process.settle()
    assert stage.told("reports") == "True Issued"
    stage.apply("hourly", mfa=device(), duration="1h")
    stage.let_pass(process, MINUTE)
    assert stage.told("hourly") == "True Issued"
    assert stage.sts.used_twice() == []


def test_a_persons_code_is_nowhere_to_be_read(stage: Stage, process: Process) -> None:
    code = stage.code(PHONE)
    give(stage, code)
    process.begin()
    together(*process.flights.values())
    told = [event.message for event in process.events.published]
    assert code not in str([stage.cluster.requests, stage.cluster.sessions(), told])
    assert stage.status("reports").condition(READY) is not None
