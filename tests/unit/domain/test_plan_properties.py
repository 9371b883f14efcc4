"""What holds in every situation that a plan can meet."""

import dataclasses
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from awssts.domain import names
from awssts.domain.errors import InvalidSpec, SecretNotFound, StsUnavailable
from awssts.domain.keys import KeyPair
from awssts.domain.plan import Fail, Idle, Issue, Look, RepairLayout, plan, renewal
from awssts.domain.status import RECONCILING, STALLED, Status
from awssts.domain.target import observe
from awssts.domain.view import UNKNOWN, View
from tests.unit.builders import (
    HOUR,
    KEY,
    NOW,
    OTHER_KEY,
    attempt,
    condition,
    request,
    status,
    target,
    view,
    with_status,
    written,
)

SECOND = timedelta(seconds=1)
MISSING = SecretNotFound("there is no Secret")
ASKED = request()
TARGET = target(ASKED)


moments = st.integers(-20, 20).map(lambda hours: NOW + hours * HOUR) | st.integers(-90, 90).map(
    lambda seconds: NOW + seconds * SECOND
)
requests = st.builds(
    lambda fields, renew, raw: request(annotations={names.RENEW: renew}, raw=raw, **fields),
    st.sampled_from(
        [{}, {"duration": "1h"}, {"suspend": True}, {"target": {"creationPolicy": "Adopt"}}, {"renewBefore": "11h"}]
    ),
    st.sampled_from(["", "once", "twice"]),
    st.sampled_from([None, None, None, {}]),
)
statuses = st.builds(
    lambda kind, next_attempt, made_with: status(
        *([condition(kind, reason="X")] if kind else []), next_attempt=next_attempt, failures=3, attempt=made_with
    ),
    st.sampled_from([None, STALLED, RECONCILING]),
    st.none() | moments,
    st.sampled_from([None, attempt(ASKED), attempt(ASKED, MISSING), attempt(request(duration="1h"))]),
)
targets = st.none() | st.builds(
    lambda changes, issued_at: target(ASKED, issued_at=issued_at, changes=changes),
    st.fixed_dictionaries(
        {},
        optional={
            "request": st.sampled_from(["", "other", "reports"]),
            "owner_uids": st.sampled_from([(), ("o",), ("uid-of-reports",), ("o", "uid-of-reports")]),
            "labelled": st.booleans(),
            "intact": st.booleans(),
            "renewed": st.sampled_from(["", "once"]),
            "expiration": st.none() | moments,
            "issued_at": st.none() | moments,
            "layout_digest": st.just("another"),
        },
    ),
    moments,
)
views = st.builds(
    lambda asked, told, **rest: view(with_status(asked, told), **rest),
    requests,
    statuses,
    target=targets | st.just(UNKNOWN),
    key=st.sampled_from([UNKNOWN, KEY, OTHER_KEY, KEY.digest, OTHER_KEY.digest, "", MISSING, StsUnavailable("x")]),
    rival=st.sampled_from([None, None, "other"]),
    looked_at=st.none() | moments,
    repaired_at=st.none() | moments,
    region=st.sampled_from([None, "eu-west-1"]),
)


@given(views)
def test_something_is_decided_always_the_same(seen: View) -> None:
    assert repr(plan(seen)) == repr(plan(seen))


@given(views)
def test_nothing_is_issued_without_a_key(seen: View) -> None:
    if isinstance(plan(seen), Issue):
        assert isinstance(seen.key, KeyPair)


@given(views)
def test_a_secret_of_others_is_never_touched_unless_adopted(seen: View) -> None:
    if isinstance(seen.target, type(TARGET)) and not seen.target.belongs_to(seen.request.identity):
        decided = plan(seen)
        assert not isinstance(decided, RepairLayout)
        if isinstance(decided, Issue):
            assert not seen.target.request
            assert seen.spec.target.creation_policy.value == "Adopt"


@given(views)
def test_what_is_held_has_an_end(seen: View) -> None:
    decided = plan(seen)
    if isinstance(decided, Idle) and decided.held:
        assert decided.until is not None
        assert decided.until > seen.now


@given(views)
def test_what_is_invalid_suspended_or_rivalled_is_not_issued(seen: View) -> None:
    if isinstance(seen.request.spec, InvalidSpec) or seen.rival or seen.spec.suspend:
        assert not isinstance(plan(seen), Issue | RepairLayout | Look)


@given(views)
def test_after_a_look_nobody_looks_again(seen: View) -> None:
    looked = dataclasses.replace(
        seen,
        key=seen.key if isinstance(seen.key, KeyPair) else KEY,
        target=None if seen.target is UNKNOWN else seen.target,
        looked_at=seen.now,
    )
    assert not isinstance(plan(looked), Look)


@given(
    st.integers(0, 100_000),
    st.sampled_from([UNKNOWN, KEY, KEY.digest]),
    statuses,
    st.uuids().map(str),
    st.none() | moments,
)
def test_live_credentials_of_the_same_inputs_are_left_alone_until_their_renewal(
    age: int, key: Any, told: Status, uid: str, repaired_at: datetime | None
) -> None:
    asked = with_status(request(uid=uid), told)
    found = target(asked, issued_at=NOW - age * SECOND)
    at = renewal(asked, found)
    assert at is not None
    decided = plan(view(asked, target=found, key=key, repaired_at=repaired_at))
    if at > NOW:
        assert decided == Idle(at)
    else:
        assert not isinstance(decided, RepairLayout | Fail)


@given(
    st.text(max_size=30) | st.datetimes().map(str) | st.sampled_from(["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
)
def test_whatever_an_annotation_says(text: str) -> None:
    """A user may write anything on the target."""
    for name in (names.EXPIRATION, names.ISSUED_AT, names.INPUTS_DIGEST, names.RENEWED):
        metadata = written(ASKED)["metadata"]
        metadata["annotations"][name] = text
        plan(view(target=observe(metadata), key=KEY))
