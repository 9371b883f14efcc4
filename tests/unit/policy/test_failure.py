"""Failure modes by availability, and where they are looked up."""

from typing import Any

import pytest

from awssts.domain.policy import Answered, Call, MfaOutcome, Purpose, Unreachable
from awssts.domain.policy.registry import FailureMode
from tests.unit.policy.samples import PUSH, decide, facts, http, policy, reason, with_mfa

GOLD = {"namespaceSelector": {"matchLabels": {"tier": "gold"}}}
TIN = {"namespaceSelector": {"matchLabels": {"tier": "tin"}}}
AWAY = Unreachable("connection refused")
REQUIRED, OPEN, PHANTOM = MfaOutcome.REQUIRED, MfaOutcome.SKIPPED_OPEN, MfaOutcome.PHANTOM
REFUSED = MfaOutcome.REFUSED


BY_AVAILABILITY: list[tuple[str, Answered | Unreachable, MfaOutcome]] = [
    ("Closed", Answered(200), REQUIRED),
    ("Closed", Answered(405), REQUIRED),
    ("Closed", Answered(503), REFUSED),
    ("Closed", AWAY, REFUSED),
    ("Open", Answered(200), REQUIRED),
    ("Open", Answered(500), OPEN),
    ("Open", AWAY, OPEN),
    ("Phantom", Answered(200), REQUIRED),
    ("Phantom", Answered(404), REQUIRED),
    ("Phantom", Answered(502), PHANTOM),
    ("Phantom", AWAY, PHANTOM),
    ("None", Answered(200), REQUIRED),
    ("None", AWAY, REQUIRED),
]


@pytest.mark.parametrize(("mode", "answer", "outcome"), BY_AVAILABILITY)
def test_mode_by_availability(mode: str, answer: Answered | Unreachable, outcome: MfaOutcome) -> None:
    spec = with_mfa({"global": {}}, [{**PUSH, "failureMode": mode}])
    decision = decide(policy(**spec), facts(), lambda _: answer)
    assert decision.mfa.outcome is outcome
    assert reason(decision) == ("ProviderUnavailable" if outcome is REFUSED else None)
    assert decision.outcome()["mfa"]["required"] is (outcome is REQUIRED)


def test_none_does_not_look() -> None:
    decision = decide(policy(**with_mfa({"global": {}}, [{**PUSH, "failureMode": "None"}])), facts())
    assert decision.mfa.outcome is REQUIRED


@pytest.mark.parametrize("kind", ["Totp", "Manual"])
def test_only_a_webhook_can_be_out_of_reach(kind: str) -> None:
    spec = with_mfa({"global": {}}, [{"name": "p", "type": kind, "failureMode": "Open"}])
    assert decide(policy(**spec), facts()).mfa.outcome is REQUIRED


@pytest.mark.parametrize("mode", FailureMode)
def test_each_mode_is_tried_with_an_endpoint_that_is_there_and_one_that_is_away(mode: FailureMode) -> None:
    answers = [answer for tried, answer, _ in BY_AVAILABILITY if tried == mode]
    assert AWAY in answers
    assert Answered(200) in answers


@pytest.mark.parametrize(
    ("service", "provider", "everywhere", "held"),
    [
        ([{"selector": GOLD, "failureMode": "Phantom"}], "Open", "None", PHANTOM),
        ([{"selector": TIN, "failureMode": "Phantom"}], "Open", "None", OPEN),
        (
            [{"selector": GOLD, "failureMode": "Closed"}, {"selector": GOLD, "failureMode": "Open"}],
            "Phantom",
            "None",
            REFUSED,
        ),
        ([], "Open", "None", OPEN),
        ([], None, "Phantom", PHANTOM),
        ([], None, None, REFUSED),
    ],
)
def test_service_comes_first_then_provider_then_global(
    service: list[dict[str, Any]], provider: str | None, everywhere: str | None, held: MfaOutcome
) -> None:
    mfa: dict[str, Any] = {"serviceFailureModes": service}
    if everywhere:
        mfa["failureMode"] = everywhere
    spec = with_mfa({"global": {}}, [{**PUSH, **({"failureMode": provider} if provider else {})}], mfa=mfa)
    assert decide(policy(**spec), facts(), lambda _: AWAY).mfa.outcome is held


def test_the_availability_url_is_asked_where_there_is_one() -> None:
    asked: list[Call] = []

    def ask(call: Call) -> Answered:
        asked.append(call)
        return Answered(200)

    webhook = {"url": "https://push.example.org/code", "availabilityUrl": "https://push.example.org/healthz"}
    decide(policy(**with_mfa({"global": {}}, [{**PUSH, "webhook": webhook}])), facts(), ask)
    call = http(asked[0])
    assert (call.method, call.url, call.purpose) == ("GET", webhook["availabilityUrl"], Purpose.AVAILABILITY)


def test_a_bypassed_provider_is_not_asked_whether_it_is_there() -> None:
    spec = with_mfa({"global": {}}, [{**PUSH, "bypass": {"services": [GOLD]}}])
    assert decide(policy(**spec), facts()).mfa.outcome is MfaOutcome.BYPASSED
