"""The status in each situation, and the Event that a change is worth."""

import dataclasses
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from awssts.domain import schedule
from awssts.domain.conditions import Event, Trouble, event, report, standing_trouble, trouble
from awssts.domain.errors import (
    AccessDenied,
    AwsstsError,
    InvalidAccessKey,
    InvalidSpec,
    SecretNotFound,
    StsUnavailable,
    TargetConflict,
    Throttled,
)
from awssts.domain.request import Request
from awssts.domain.status import READY, RECONCILING, STALLED, Status, timestamp
from awssts.domain.target import Target
from tests.unit.builders import (
    HOUR,
    MINUTE,
    NOW,
    ROLE_ARN,
    attempt,
    condition,
    request,
    status,
    target,
    with_status,
)

SECOND = timedelta(seconds=1)
ASKED = request()
SUSPENDED = request(suspend=True)
TARGET = target(ASKED, issued_at=NOW)
EXPIRED = target(ASKED, issued_at=NOW - 13 * HOUR)
NO_ANSWER = StsUnavailable("no answer")
NO_SECRET = SecretNotFound("there is no Secret")
DENIED = AccessDenied("you may not")
MESSAGE = "ASIA0000000000000001 is valid until 2026-11-24T04:00:00Z"


def told(
    asked: Request = ASKED, found: Target | None = None, error: AwsstsError | None = None, now: datetime = NOW
) -> Status:
    """The status after an attempt ended that way."""
    problem = trouble(error, asked, found, attempt(asked), now) if error else None
    return report(asked, found, problem, now)


def summary(found: Status) -> dict[str, str]:
    return {condition.type: f"{condition.status} {condition.reason}" for condition in found.conditions}


ISSUED = told(found=TARGET)
RENEWED_AT = timestamp(ISSUED.next_renewal or NOW)
FAILING = told(with_status(ASKED, ISSUED), TARGET, NO_ANSWER)


@pytest.mark.parametrize(
    ("found", "conditions", "message"),
    [
        (told(), {READY: "False Pending"}, "the credentials are about to be issued"),
        (ISSUED, {READY: "True Issued"}, f"{MESSAGE}, renewed at {RENEWED_AT}"),
        (
            told(found=TARGET, error=NO_ANSWER),
            {READY: "True RenewalFailing", RECONCILING: "True StsUnavailable"},
            f"{MESSAGE}, but: no answer",
        ),
        (
            told(found=TARGET, error=DENIED),
            {READY: "True RenewalFailing", STALLED: "True AccessDenied"},
            f"{MESSAGE}, but: you may not",
        ),
        (told(error=NO_SECRET), {READY: "False SecretNotFound", STALLED: "True SecretNotFound"}, "there is no Secret"),
        (
            told(found=EXPIRED, error=NO_ANSWER),
            {READY: "False StsUnavailable", RECONCILING: "True StsUnavailable"},
            "no answer",
        ),
        (told(found=EXPIRED), {READY: "False Pending"}, "the credentials are about to be issued"),
        (
            told(SUSPENDED, TARGET),
            {READY: "True Suspended"},
            f"{MESSAGE} and is not renewed: spec.suspend is true",
        ),
        (told(SUSPENDED, EXPIRED), {READY: "False Suspended"}, "spec.suspend is true: set it to false"),
        (told(SUSPENDED), {READY: "False Suspended"}, "spec.suspend is true: set it to false"),
        (
            told(request(raw={}), TARGET, InvalidSpec(["spec.x: wrong"])),
            {READY: "True RenewalFailing", STALLED: "True InvalidSpec"},
            f"{MESSAGE}, but: spec.x: wrong",
        ),
        (
            told(found=target(request(name="other", uid="o")), error=TargetConflict("taken")),
            {READY: "False TargetConflict", STALLED: "True TargetConflict"},
            "taken",
        ),
        (
            told(found=target(ASKED, changes={"intact": False}), error=NO_ANSWER),
            {READY: "False StsUnavailable", RECONCILING: "True StsUnavailable"},
            "no answer",
        ),
    ],
    ids=[
        "nothing yet", "issued", "a renewal fails", "a renewal can't work", "the first can't work",
        "expired and failing", "expired", "suspended", "suspended and expired", "suspended from the start",
        "a spec that became invalid", "somebody else's target", "altered",
    ],
)  # fmt: skip
def test_conditions(found: Status, conditions: dict[str, str], message: str) -> None:
    assert summary(found) == conditions
    ready = found.condition(READY)
    assert ready is not None
    assert ready.message == message
    assert found.observed_generation == 1
    assert {one.observed_generation for one in found.conditions} == {1}


def test_what_is_told_of_the_credentials() -> None:
    asked = request(role={"arn": ROLE_ARN}, target={"name": "aws"}, duration="12h")
    found = told(asked, target(asked, issued_at=NOW))
    assert (found.secret_name, found.access_key_id, found.role_arn) == ("aws", "ASIA0000000000000001", ROLE_ARN)
    assert (found.issued_at, found.expiration) == (NOW, NOW + 12 * HOUR)
    assert found.next_renewal is not None
    assert (found.next_attempt, found.failures, found.attempt) == (None, None, None)


def test_nothing_is_told_of_credentials_that_are_not_ours() -> None:
    found = told(found=target(request(name="other", uid="o")), error=TargetConflict("taken"))
    assert (found.secret_name, found.access_key_id, found.expiration, found.next_renewal) == (None, None, None, None)


def test_a_suspended_request_has_no_next_renewal() -> None:
    assert told(SUSPENDED, TARGET).next_renewal is None


def test_moments_are_whole_seconds_and_never_too_early() -> None:
    late = NOW + timedelta(microseconds=1)
    found = told(error=NO_ANSWER, now=late)
    assert found.next_attempt is not None
    assert found.next_attempt.microsecond == 0
    assert found.next_attempt >= late + schedule.backoff(1, ASKED.identity.uid)
    assert all(one.last_transition_time == NOW for one in found.conditions)


# What went wrong, and when it is tried again.


@pytest.mark.parametrize(
    ("error", "stalled", "failures", "wait"),
    [
        (NO_SECRET, True, None, None),
        (TargetConflict("x"), True, None, None),
        (DENIED, True, 1, 15 * MINUTE),
        (InvalidAccessKey("x"), True, 1, 15 * MINUTE),
        (NO_ANSWER, False, 1, SECOND),
        (Throttled("x"), False, 1, SECOND),
    ],
    ids=lambda value: value.reason if isinstance(value, AwsstsError) else "",
)
def test_trouble_by_the_kind_of_the_error(
    error: AwsstsError, stalled: bool, failures: int | None, wait: timedelta | None
) -> None:
    found = trouble(error, ASKED, None, attempt(ASKED), NOW)
    assert (found.reason, found.message, found.stalled) == (error.reason, error.message, stalled)
    assert found.failures == failures
    if wait is None:
        assert found.next_attempt is None
    else:
        assert found.next_attempt is not None
        assert NOW < found.next_attempt <= NOW + wait


def test_failures_are_counted_while_the_same_is_tried() -> None:
    asked = ASKED
    for number in (1, 2, 3):
        found = told(asked, error=NO_ANSWER)
        assert found.failures == number
        asked = with_status(ASKED, found)
    other = dataclasses.replace(asked, spec=request(duration="1h").spec)
    assert trouble(NO_ANSWER, other, None, attempt(other), NOW).failures == 1


def test_the_next_attempt_is_within_a_quarter_of_what_is_left() -> None:
    asked = with_status(ASKED, dataclasses_replace(FAILING, failures=50))
    found = target(ASKED, issued_at=NOW - 12 * HOUR + MINUTE)
    problem = trouble(NO_ANSWER, asked, found, attempt(ASKED), NOW)
    assert problem.next_attempt is not None
    assert problem.next_attempt <= NOW + 15 * SECOND


def dataclasses_replace(found: Status, **fields: Any) -> Status:
    return found.model_copy(update=fields)


@pytest.mark.parametrize("error", [None, NO_SECRET, DENIED, NO_ANSWER])
def test_trouble_can_be_read_from_the_status(error: AwsstsError | None) -> None:
    found = told(found=TARGET, error=error)
    standing = standing_trouble(found)
    assert (standing is None) is (error is None)
    if error is not None:
        assert standing == dataclasses.replace(
            trouble(error, ASKED, TARGET, attempt(ASKED), NOW), next_attempt=found.next_attempt
        )


# Transition times.


def test_the_time_of_a_transition_is_kept_while_the_status_is_the_same() -> None:
    asked = with_status(ASKED, ISSUED)
    for later, error in ((HOUR, None), (2 * HOUR, NO_ANSWER), (3 * HOUR, None)):
        found = told(asked, TARGET, error, NOW + later)
        ready = found.condition(READY)
        assert ready is not None
        assert ready.last_transition_time == NOW, "True all the time, whatever the reason"
        asked = with_status(ASKED, found)
    expired = told(asked, TARGET, NO_ANSWER, NOW + 13 * HOUR).condition(READY)
    assert expired is not None
    assert expired.last_transition_time == NOW + 13 * HOUR


# kstatus: kubectl wait, Argo CD and Flux read Stalled and Reconciling as "abnormal is true".

errors = st.sampled_from([None, NO_SECRET, DENIED, NO_ANSWER, TargetConflict("x")])
found_targets = st.sampled_from([None, TARGET, EXPIRED, target(request(name="other", uid="o"))])
requests = st.sampled_from([ASKED, SUSPENDED, request(generation=7), request(role={"arn": ROLE_ARN})])
before = st.sampled_from([Status(), ISSUED, FAILING, told(error=DENIED), told(SUSPENDED, EXPIRED)])


@given(requests, found_targets, errors, before)
def test_abnormal_conditions_are_there_only_while_they_are_true(
    asked: Request, found: Target | None, error: AwsstsError | None, old: Status
) -> None:
    new = told(with_status(asked, old), found, error)
    assert new.condition(READY) is not None
    abnormal = [one for one in new.conditions if one.type in {STALLED, RECONCILING}]
    assert len(abnormal) == (error is not None)
    assert all(one.status == "True" for one in abnormal)
    assert len({one.type for one in new.conditions}) == len(new.conditions)


@given(requests, found_targets, errors, before)
def test_a_report_of_the_same_is_the_same(
    asked: Request, found: Target | None, error: AwsstsError | None, old: Status
) -> None:
    """Otherwise the status would be written again and again."""
    new = told(with_status(asked, old), found, error)
    again = with_status(asked, new)
    assert report(again, found, standing_trouble(again.status), NOW + MINUTE) == again.status


# Events.


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (Status(), ISSUED, ("Normal", "Issued")),
        (ISSUED, ISSUED, None),
        (ISSUED, told(found=target(ASKED, issued_at=NOW + HOUR)), None),
        (ISSUED, FAILING, ("Warning", "StsUnavailable")),
        (FAILING, told(with_status(ASKED, FAILING), TARGET, NO_ANSWER), None),
        (FAILING, told(found=TARGET, error=DENIED), ("Warning", "AccessDenied")),
        (FAILING, told(found=TARGET, error=StsUnavailable("another text")), None),
        (told(error=DENIED), told(error=AccessDenied("another text")), ("Warning", "AccessDenied")),
        (FAILING, ISSUED, ("Normal", "Issued")),
        (FAILING, told(found=EXPIRED, error=NO_ANSWER), None),
        (told(error=DENIED), ISSUED, ("Normal", "Issued")),
        (Status(), told(error=NO_SECRET), ("Warning", "SecretNotFound")),
        (ISSUED, told(SUSPENDED, TARGET), ("Normal", "Suspended")),
        (told(SUSPENDED, TARGET), ISSUED, ("Normal", "Issued")),
        (told(SUSPENDED, TARGET), told(SUSPENDED, EXPIRED), None),
    ],
    ids=[
        "the first", "nothing new", "a renewal", "a renewal fails", "again", "for another reason", "with another text",
        "stalled with another text",
        "it works again", "they expired meanwhile", "it works at last", "it can't begin", "suspended", "resumed",
        "expired while suspended",
    ],
)  # fmt: skip
def test_events(old: Status, new: Status, expected: tuple[str, str] | None) -> None:
    found = event(old, new)
    assert (found and (found.type, found.reason)) == expected


def test_an_event_says_what_the_condition_says() -> None:
    assert event(ISSUED, FAILING) == Event("Warning", "StsUnavailable", "no answer")
    ready = ISSUED.condition(READY)
    assert ready is not None
    assert event(Status(), ISSUED) == Event("Normal", "Issued", ready.message)


@given(requests, found_targets, errors, before, st.integers(2, 6))
def test_retries_are_no_news(
    asked: Request, found: Target | None, error: AwsstsError | None, old: Status, times: int
) -> None:
    events = []
    for number in range(times):
        new = told(with_status(asked, old), found, error, NOW + number * SECOND)
        events.append(event(old, new))
        old = new
    assert events[1:] == [None] * (times - 1)


def test_a_standing_trouble_without_a_condition() -> None:
    assert standing_trouble(status(condition(READY))) is None
    assert standing_trouble(status(condition(STALLED, state="False"))) is None
    assert standing_trouble(status(condition(STALLED, reason="X", message="y"))) == Trouble("X", "y", stalled=True)
