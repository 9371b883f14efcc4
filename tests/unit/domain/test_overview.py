"""How a request is told to people: how it is, what happens next, when."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from awssts.domain.overview import Health, Overview, read, span
from tests.unit.builders import HOUR, MINUTE, NOW, as_json, body, condition, status

LIVE = {"expiration": NOW + 8 * HOUR, "next_renewal": NOW + 4 * HOUR, "access_key_id": "ASIA", "secret_name": "reports"}
READY = condition("Ready", message="valid until later")
FAILING = condition("Ready", reason="RenewalFailing", message="valid, but")


def overview(*conditions: Any, spec: dict[str, Any] | None = None, **fields: Any) -> Overview:
    told = as_json(status(*conditions, observed_generation=fields.pop("seen", 1), **fields))
    return read(body(status=told, **(spec or {})))


def not_ready(reason: str) -> Any:
    return condition("Ready", state="False", reason=reason, message="so it is")


def wrong(kind: str, reason: str) -> Any:
    return condition(kind, reason=reason, message="so it is")


ASKED = condition("MFASatisfied", state="False", reason="AwaitingTokenCode", message="a code is needed")


@pytest.mark.parametrize(
    ("found", "health", "reason", "told"),
    [
        (overview(READY, **LIVE), Health.GOOD, "Issued", "renews in 4h"),
        (read(body()), Health.WAITING, "NotSeen", "is looked at, if an operator runs"),
        (overview(READY, seen=0, **LIVE), Health.GOOD, "Issued", "the change is looked at, if an operator runs"),
        (
            overview(FAILING, wrong("Reconciling", "Throttled"), next_attempt=NOW + 40 * MINUTE / 60, **LIVE),
            Health.DOUBTFUL,
            "Throttled",
            "tries again in 40s",
        ),
        (
            overview(FAILING, wrong("Stalled", "AccessDenied"), next_attempt=NOW + 14 * MINUTE, **LIVE),
            Health.DOUBTFUL,
            "AccessDenied",
            "needs a change; tries again in 14m",
        ),
        (
            overview(not_ready("SecretNotFound"), wrong("Stalled", "SecretNotFound")),
            Health.BAD,
            "SecretNotFound",
            "needs a change",
        ),
        (
            overview(not_ready("Waiting"), wrong("Reconciling", "Waiting"), next_attempt=NOW + MINUTE / 3),
            Health.WAITING,
            "Waiting",
            "tries again in 20s",
        ),
        (
            overview(not_ready("AwaitingTokenCode"), wrong("Reconciling", "AwaitingTokenCode"), ASKED),
            Health.BAD,
            "AwaitingTokenCode",
            "needs a code",
        ),
        (overview(READY, ASKED, **LIVE), Health.DOUBTFUL, "AwaitingTokenCode", "needs a code"),
        (
            overview(READY, spec={"suspend": True}, **LIVE),
            Health.DOUBTFUL,
            "Issued",
            "nothing: it is suspended",
        ),
        (
            overview(READY, **LIVE | {"next_renewal": NOW - 3 * MINUTE}),
            Health.DOUBTFUL,
            "Issued",
            "is overdue: is the operator running?",
        ),
        (overview(READY, **LIVE | {"next_renewal": NOW - MINUTE}), Health.GOOD, "Issued", "renews"),
        (
            overview(READY, **LIVE | {"expiration": NOW - MINUTE, "next_renewal": NOW - HOUR}),
            Health.BAD,
            "Issued",
            "is overdue: is the operator running?",
        ),
    ],
    ids=[
        "good",
        "new",
        "changed",
        "tries again",
        "stalled with live ones",
        "stalled",
        "waits for a step",
        "wants a code",
        "wants a code ahead of time",
        "suspended",
        "overdue",
        "just due",
        "expired",
    ],
)
def test_a_request(found: Overview, health: Health, reason: str, told: str) -> None:
    assert (found.health(NOW), found.reason, found.next(NOW).told(NOW)) == (health, reason, told)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0s"),
        (0, "0s"),
        (0.4, "0s"),
        (59.6, "1m"),
        (61, "1m1s"),
        (3600, "1h"),
        (11_520, "3h12m"),
        (11_559, "3h12m"),
        (86_400 + 60, "1d"),
        (2 * 86_400 + 3 * 3600 + 59, "2d3h"),
    ],
)
def test_a_span(seconds: float, text: str) -> None:
    assert span(timedelta(seconds=seconds)) == text


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ["conditions", "expiration", "nextRenewal", "mfa", "observedGeneration", "secretName"]


@given(st.dictionaries(st.sampled_from(FIELDS), ANYTHING), ANYTHING, ANYTHING)
def test_whatever_somebody_wrote_there_is_no_crash(told: dict[str, Any], spec: Any, metadata: Any) -> None:
    found = read({"status": told, "spec": spec, "metadata": metadata})
    assert found.next(NOW).told(NOW)
    assert found.health(NOW)
    assert found.message


@pytest.mark.parametrize("far", ["9999-12-31T23:59:59-01:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z"])
def test_a_moment_that_no_clock_shows_is_no_crash(far: str) -> None:
    found = read({"status": {"conditions": [{"type": "Ready", "status": "True"}], "nextRenewal": far}})
    assert found.next(NOW).told(NOW)
    assert (found.next_renewal is None) == (not far.endswith("Z"))
