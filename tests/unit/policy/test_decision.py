"""What a decision says to those who carry it out."""

import json
from typing import Any

import pytest

from awssts.domain import digest
from awssts.domain.policy import Decision, Device, Facts, RequestFacts, check_device
from awssts.domain.policy.errors import DeviceMissing
from tests.unit.policy.samples import AUDIT, PUSH, REPORTS, TOTP, answering, decide, facts, policy, with_mfa

FREE = decide([], facts())
DEMANDED = decide(policy(**with_mfa({"global": {}})), facts())
BY_PERSON = decide(policy(**with_mfa({"global": {"provider": "person"}})), facts())
BY_PUSH = decide(policy(**with_mfa({"global": {}}, [PUSH])), facts(), answering())
GOLD = {"namespaceSelector": {"matchLabels": {"tier": "gold"}}}
LET_OFF = decide(policy(**with_mfa({"global": {}}, [{**TOTP, "bypass": {"services": [GOLD]}}])), facts())


@pytest.mark.parametrize(
    ("device", "decision", "problem"),
    [
        (None, FREE, None),
        (None, LET_OFF, None),
        (None, DEMANDED, "give the IAM user's device in spec.mfa"),
        (Device.MANUAL, DEMANDED, "spec.mfa.totpSecretRef"),
        (Device.TOTP, DEMANDED, None),
        (None, BY_PERSON, "spec.mfa"),
        (Device.MANUAL, BY_PERSON, None),
        (Device.TOTP, BY_PERSON, None),
        (Device.MANUAL, BY_PUSH, None),
        (None, BY_PUSH, "spec.mfa"),
    ],
)
def test_mfa_needs_a_device(device: Device | None, decision: Decision, problem: str | None) -> None:
    if problem is None:
        check_device(device, decision)
        return
    with pytest.raises(DeviceMissing, match=problem) as raised:
        check_device(device, decision)
    assert "policy house demands MFA (trigger global" in raised.value.message


def test_the_outcome_is_json_of_what_affects_an_issuance() -> None:
    assert json.loads(json.dumps(BY_PUSH.outcome())) == {
        "allowed": True,
        "roleArn": None,
        "awsCredentials": None,
        "mfa": {"required": True, "provider": "Webhook", "webhook": digest.of("https://push.example.org/code")},
    }


@pytest.mark.parametrize(
    "other",
    [
        decide(policy("renamed", priority=7, **with_mfa({"script": {"expression": "true"}})), facts()),
        decide(policy(**with_mfa({"global": {}}, [{**TOTP, "name": "another"}])), facts(labels={"a": "b"})),
        decide(policy(**with_mfa({"global": {}}), limits={"maxDuration": "9h"}), facts(attributes={"team": "x"})),
    ],
)
def test_what_leads_to_the_same_has_the_same_outcome(other: Decision) -> None:
    assert other.outcome() == DEMANDED.outcome()


def test_bypassed_and_not_required_are_the_same_to_an_issuance() -> None:
    assert FREE.outcome() == LET_OFF.outcome()


def with_role(role: str, **triggers: Any) -> Decision:
    about: Facts = facts(request=RequestFacts(name="r", namespace="team", role_arn=role))
    return decide(policy(**(with_mfa(triggers) if triggers else {})), about)


def test_credentials_made_with_mfa_serve_where_it_is_no_longer_needed() -> None:
    assert FREE.satisfied_by(FREE.outcome())
    assert FREE.satisfied_by(DEMANDED.outcome())
    assert not DEMANDED.satisfied_by(FREE.outcome())
    assert DEMANDED.satisfied_by(DEMANDED.outcome())
    assert not DEMANDED.satisfied_by(BY_PERSON.outcome())
    assert not with_role(REPORTS).satisfied_by(with_role(AUDIT, **{"global": {}}).outcome())
    assert not FREE.satisfied_by({})
