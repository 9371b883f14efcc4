"""The explanation is a table that can be read, and then what it comes to."""

import pytest

from awssts.domain.policy import Decision, NamespaceFacts, RequestFacts, explain
from tests.unit.policy.samples import PRINCIPAL, REPORTS, TOTP, answering, decide, facts, policy, with_mfa

GOLD = {"namespaceSelector": {"matchLabels": {"tier": "gold"}}}
TIN = {"namespaceSelector": {"matchLabels": {"tier": "tin"}}}


def test_the_whole_explanation() -> None:
    triggers = {"adaptive": [{"onDays": ["Friday"]}], "applications": [{"selector": GOLD}], "other": [{"name": "p"}]}
    spec = with_mfa(triggers, [TOTP], limits={"maxDuration": "8h"})
    decision = decide([policy("elsewhere", selector=TIN), policy(**spec)], facts(attributes={"team": "pay"}))
    assert explain(decision) == [
        "  POLICY     STAGE        WHAT          RESULT         WHY",
        "  elsewhere  Selector     selector      NotSelected    the labels of namespace and request do not match",
        "  house      Selector     selector      Selected       priority 0",
        "  house      Principal    sources       Read           team; attributes: team (Namespace)",
        "  house      Limits       limits        Allowed        within all limits",
        "  house      Trigger      adaptive      NotFired       entry 0: Monday 12:00 UTC is on another day",
        "> house      Trigger      applications  Fired          entry 0 selects the request",
        "  house      FailureMode  totp          Available      Totp asks nobody outside",
        "  house      Trigger      other         NotConsidered  applications decides",
        "",
        "Allowed by house",
        "Call: GetSessionToken",
        "Duration: at most 8h",
        "MFA: required: policy house, trigger applications, provider totp (Totp)",
    ]


def test_a_refusal() -> None:
    lines = explain(decide(policy(authorization={"principalAttribute": {"name": "team"}}), facts()))
    assert lines[-1].startswith("Denied: NotAuthorized: policy house: principal team: has no attribute team")
    assert any(line.startswith("> house") and "Denied" in line for line in lines)


def test_no_policy() -> None:
    about = facts(request=RequestFacts(name="r", namespace="team", role_arn=REPORTS))
    assert explain(decide([], about)) == [
        "Allowed by default: no policy selects the request",
        f"Call: AssumeRole {REPORTS}",
        "MFA: not required: no trigger fired",
    ]


def lines_of(mode: str | None, status: int = 500) -> Decision:
    push = {"name": "push", "type": "Webhook", "webhook": {"url": "https://push.example.org"}, "failureMode": mode}
    return decide(policy(**with_mfa({"global": {}}, [push])), facts(), answering(status))


@pytest.mark.parametrize(
    ("decision", "shown"),
    [
        (lines_of("Open"), "MFA: skipped, for the provider can't be reached (Open)"),
        (lines_of("Phantom"), "MFA: counts as done"),
        (
            decide(policy(**with_mfa({"global": {}}, [{**TOTP, "bypass": {"services": [GOLD]}}])), facts()),
            "MFA: bypassed by services",
        ),
        (
            decide(
                policy(**with_mfa({"applications": [{"selector": GOLD, "forcedExecution": True}]})),
                facts(),
            ),
            "; a new code for every issuance",
        ),
    ],
)
def test_what_becomes_of_mfa(decision: Decision, shown: str) -> None:
    assert shown in explain(decision)[-1]


def test_lent_keys_are_named() -> None:
    lending = {
        "awsCredentials": {"secretName": "keys", "namespace": "awssts"},
        "authorization": {"rolesFromAttribute": "awsRoles"},
    }
    lines = explain(decide(policy(**lending), facts(attributes={"awsRoles": REPORTS}, secret=None)))
    assert "Keys: the administrator's, Secret awssts/keys" in lines


def test_no_line_holds_a_control_character() -> None:
    namespace = NamespaceFacts(name="team", annotations={PRINCIPAL + "id": "a\x1b[31m\nDenied: no"})
    lines = explain(decide(policy(), facts(namespace=namespace)))
    assert all(line.isprintable() for line in lines)
    assert not any(line.startswith("Denied") for line in lines)
