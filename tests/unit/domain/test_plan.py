"""What is decided in each situation: a table, and what must hold in all of them."""

import dataclasses
from datetime import datetime, timedelta
from typing import Any

import pytest

from awssts.domain import names
from awssts.domain.errors import (
    AwsstsError,
    InvalidSpec,
    SecretNotFound,
    TargetConflict,
)
from awssts.domain.judgement import Judgement
from awssts.domain.plan import Cause, Fail, Idle, Issue, Look, Plan, RepairLayout, plan, renewal
from awssts.domain.request import Request
from awssts.domain.status import RECONCILING, STALLED
from awssts.domain.view import View
from tests.unit.builders import (
    HOUR,
    KEY,
    MINUTE,
    NOW,
    OTHER_KEY,
    ROLE_ARN,
    attempt,
    condition,
    request,
    status,
    target,
    view,
    with_status,
)

SECOND = timedelta(seconds=1)
MISSING = SecretNotFound("there is no Secret")
ASKED = request()
TARGET = target(ASKED)
DUE = renewal(ASKED, TARGET)
assert DUE is not None
AFTER = DUE.replace(microsecond=0) + MINUTE


def changed(**details: Any) -> View:
    """A target from before the request was changed to this."""
    return view(request(**details), target=TARGET, key=KEY)


def failed(
    *, stalled: bool, next_attempt: datetime = NOW + 10 * MINUTE, asked: Request = ASKED, key: Any = KEY
) -> Request:
    """The request after an attempt failed."""
    kind = STALLED if stalled else RECONCILING
    told = condition(kind, reason="AccessDenied" if stalled else "StsUnavailable", message="no")
    made_with = attempt(asked, key)
    return with_status(asked, status(told, next_attempt=next_attempt, failures=1, attempt=made_with))


ISSUED_BEFORE = with_status(ASKED, status(issued_at=NOW - HOUR))
FOREIGN = {"request": "", "owner_uids": ()}
RENEWED = request(annotations={names.RENEW: "once"})

SITUATIONS: dict[str, tuple[View, Plan | Cause | type[AwsstsError]]] = {
    # Nothing to do.
    "issued": (view(target=TARGET), Idle(DUE)),
    "issued, and the key is the same": (view(target=TARGET, key=KEY), Idle(DUE)),
    "issued, and neither then nor now there's a digest of the key": (
        view(target=target(ASKED, changes={"key_digest": ""}), key=""),
        Idle(DUE),
    ),
    "renewed as was asked": (view(RENEWED, target=target(RENEWED)), Idle(DUE)),
    "renewed, and the annotation was removed": (view(target=target(RENEWED)), Idle(DUE)),
    "a second before the renewal": (view(target=TARGET, now=DUE - SECOND), Idle(DUE)),
    # Something to look at first.
    "nothing is known": (view(), Look()),
    "only the target is known, and is gone": (view(target=None), Look()),
    "only the target is known, and is due": (view(target=TARGET, now=DUE), Look()),
    "a watched key was changed": (view(target=TARGET, key=OTHER_KEY.digest), Look()),
    "a watched key went": (view(target=TARGET, key=""), Look()),
    # Something to issue.
    "the first": (view(target=None, key=KEY), Cause.FIRST),
    "the target was deleted": (view(ISSUED_BEFORE, target=None, key=KEY), Cause.MISSING),
    "the data was altered": (view(target=target(ASKED, changes={"intact": False}), key=KEY), Cause.ALTERED),
    "the expiration was removed": (view(target=target(ASKED, changes={"expiration": None}), key=KEY), Cause.ALTERED),
    "the time of issue was removed": (view(target=target(ASKED, changes={"issued_at": None}), key=KEY), Cause.ALTERED),
    "lent keys, and the request's own Secret has none": (
        view(target=TARGET, key="", guard="g", judged=Judgement("g", {"awsCredentials": "vault/lender"})),
        Idle(DUE),
    ),
    "expired as soon as it was issued, by a clock that is ahead": (
        view(target=target(ASKED, issued_at=NOW - SECOND, changes={"expiration": NOW}), key=KEY),
        Idle(NOW + 2 * SECOND, held=True),
    ),
    "the same seconds after it was issued": (
        view(target=target(ASKED, issued_at=NOW - 3 * SECOND, changes={"expiration": NOW}), key=KEY),
        Cause.EXPIRED,
    ),
    "expired": (view(target=TARGET, key=KEY, now=NOW + 11 * HOUR), Cause.EXPIRED),
    "another duration": (changed(duration="1h"), Cause.INPUTS),
    "a role": (changed(role={"arn": ROLE_ARN}), Cause.INPUTS),
    "another key": (view(target=TARGET, key=OTHER_KEY), Cause.KEY),
    "renew": (view(RENEWED, target=TARGET, key=KEY), Cause.RENEW),
    "renew again": (
        view(request(annotations={names.RENEW: "twice"}), target=target(RENEWED), key=KEY),
        Cause.RENEW,
    ),
    "due": (view(target=TARGET, key=KEY, now=DUE), Cause.DUE),
    "due by another renewBefore": (changed(renewBefore="11h30m"), Cause.DUE),
    # Something to write in another form.
    "another profile": (changed(target={"profile": "x"}), RepairLayout()),
    "another region": (changed(region="eu-west-1"), RepairLayout()),
    "another region of the operator": (view(target=TARGET, key=KEY, region="eu-west-1"), RepairLayout()),
    "the label was removed": (view(target=target(ASKED, changes={"labelled": False}), key=KEY), RepairLayout()),
    # Something that can't work.
    "an invalid spec": (view(request(raw={}), target=TARGET, key=KEY), InvalidSpec),
    "a rival": (view(target=TARGET, key=KEY, rival="other"), TargetConflict),
    "somebody's Secret": (view(target=target(ASKED, changes=FOREIGN), key=KEY), TargetConflict),
    "another request's": (view(target=target(request(name="other", uid="o")), key=KEY), TargetConflict),
    "no credentials Secret": (view(target=None, key=MISSING), SecretNotFound),
    "no credentials Secret at the renewal": (view(target=TARGET, key=MISSING, now=DUE), SecretNotFound),
    "a watched key went, and was looked at": (view(target=TARGET, key=MISSING), SecretNotFound),
    # Adoption.
    "somebody's Secret, to be adopted": (
        view(request(target={"creationPolicy": "Adopt"}), target=target(ASKED, changes=FOREIGN), key=KEY),
        Cause.FIRST,
    ),
    "another request's is not adopted": (
        view(request(target={"creationPolicy": "Adopt"}), target=target(request(name="other", uid="o")), key=KEY),
        TargetConflict,
    ),
    # Suspended.
    "suspended": (changed(suspend=True), Idle(TARGET.expiration)),
    "suspended before the first": (view(request(suspend=True), target=None, key=KEY), Idle(None)),
    "suspended and unseen": (view(request(suspend=True)), Idle(None)),
    "suspended and expired": (
        view(request(suspend=True), target=TARGET, key=KEY, now=NOW + 12 * HOUR),
        Idle(None),
    ),
    # Held back.
    "failed a moment ago": (view(failed(stalled=False), target=None, key=KEY), Idle(NOW + 10 * MINUTE, held=True)),
    "failed, and the wait is over": (
        view(failed(stalled=False, next_attempt=NOW), target=None, key=KEY),
        Cause.FIRST,
    ),
    "failed at a renewal": (
        view(failed(stalled=False, next_attempt=AFTER), target=TARGET, key=KEY, now=DUE),
        Idle(AFTER, held=True),
    ),
    "failed, and the key was changed": (view(failed(stalled=False), target=None, key=OTHER_KEY), Cause.FIRST),
    "failed, and the request was changed": (
        view(dataclasses.replace(failed(stalled=False), spec=request(duration="1h").spec), target=None, key=KEY),
        Cause.FIRST,
    ),
    "failed, and renewal was asked for": (
        view(dataclasses.replace(failed(stalled=False), annotations={names.RENEW: "now"}), target=None, key=KEY),
        Cause.FIRST,
    ),
    "stalled, and nothing looked at yet": (view(failed(stalled=True), target=None), Look()),
    "stalled, and looked at just now": (
        view(failed(stalled=True), target=None, looked_at=NOW - SECOND),
        Idle(NOW + 59 * SECOND, held=True),
    ),
    "stalled, and looked at a minute ago": (view(failed(stalled=True), target=None, looked_at=NOW - MINUTE), Look()),
    "stalled, looked at and the same": (
        view(failed(stalled=True), target=None, key=KEY, looked_at=NOW),
        Idle(NOW + MINUTE, held=True),
    ),
    "stalled, and the attempt is nearer than the look": (
        view(failed(stalled=True, next_attempt=NOW + 5 * SECOND), target=None, key=KEY),
        Idle(NOW + 5 * SECOND, held=True),
    ),
    "stalled, and the key was mended": (view(failed(stalled=True), target=None, key=OTHER_KEY), Cause.FIRST),
    "a repair a moment ago": (
        view(ISSUED_BEFORE, target=None, key=KEY, repaired_at=NOW - 20 * SECOND),
        Idle(NOW + 40 * SECOND, held=True),
    ),
    "a repair a minute ago": (view(ISSUED_BEFORE, target=None, key=KEY, repaired_at=NOW - MINUTE), Cause.MISSING),
    "a repair a moment ago does not hold back a renewal": (
        view(target=TARGET, key=KEY, now=DUE, repaired_at=DUE - SECOND),
        Cause.DUE,
    ),
    "a layout that failed a moment ago": (
        view(failed(stalled=True, asked=request(target={"profile": "x"})), target=TARGET, key=KEY),
        Idle(NOW + MINUTE, held=True),
    ),
}  # fmt: skip


@pytest.mark.parametrize("situation", SITUATIONS)
def test_situation(situation: str) -> None:
    seen, expected = SITUATIONS[situation]
    decided = plan(seen)
    if isinstance(expected, Cause):
        assert decided == Issue(expected)
    elif isinstance(expected, type):
        assert isinstance(decided, Fail)
        assert type(decided.error) is expected
    else:
        assert decided == expected


# The order of the checks: of two situations at once, which one counts.

ALTERED = target(ASKED, changes={"intact": False})
BEFORE: dict[str, tuple[View, Plan | Cause | type[AwsstsError]]] = {
    "an invalid spec before a rival": (view(request(raw={}), rival="other"), InvalidSpec),
    "suspended before a rival": (view(request(suspend=True), rival="other"), Idle(None)),
    "suspended before what is needed": (view(request(suspend=True), target=None, key=KEY), Idle(None)),
    "a rival before a look": (view(rival="other"), TargetConflict),
    "whose it is before whether it lives": (
        view(target=target(ASKED, changes=FOREIGN | {"expiration": None}), key=MISSING),
        TargetConflict,
    ),
    "altered before expired": (view(target=ALTERED, key=KEY, now=NOW + 24 * HOUR), Cause.ALTERED),
    "expired before inputs": (
        view(request(duration="1h"), target=TARGET, key=KEY, now=NOW + 24 * HOUR),
        Cause.EXPIRED,
    ),
    "inputs before key": (view(request(duration="1h"), target=TARGET, key=OTHER_KEY), Cause.INPUTS),
    "key before renew": (view(RENEWED, target=TARGET, key=OTHER_KEY), Cause.KEY),
    "renew before due": (view(RENEWED, target=TARGET, key=KEY, now=DUE), Cause.RENEW),
    "new credentials before a layout": (changed(duration="1h", target={"profile": "x"}), Cause.INPUTS),
    "backoff before an unreadable key": (
        view(failed(stalled=False, key=MISSING), target=None, key=MISSING),
        Idle(NOW + 10 * MINUTE, held=True),
    ),
}


@pytest.mark.parametrize("order", BEFORE)
def test_order(order: str) -> None:
    seen, expected = BEFORE[order]
    decided = plan(seen)
    if isinstance(expected, type):
        assert isinstance(decided, Fail)
        assert type(decided.error) is expected
    else:
        assert decided == (Issue(expected) if isinstance(expected, Cause) else expected)


@pytest.mark.parametrize(
    ("seen", "message"),
    [
        (
            view(target=target(ASKED, changes=FOREIGN)),
            "Secret 'reports' exists and was not made by awssts: choose another target.name, delete the Secret, or set "
            "target.creationPolicy: Adopt to let awssts take it over",
        ),
        (
            view(rival="other"),
            "target Secret 'reports' is that of AwsStsRequest 'other': give this one another target.name, or delete "
            "the Secret if that request is gone",
        ),
    ],
)
def test_a_conflict_says_what_to_do(seen: View, message: str) -> None:
    decided = plan(seen)
    assert isinstance(decided, Fail)
    assert decided.error.message == message
