"""Every kind of bypass: applies, does not apply, misses what it looks at. What can't be told lets nobody off."""

from typing import Any

import pytest
from pydantic import ValidationError

from awssts.domain.policy import (
    Answered,
    Authentication,
    Call,
    Facts,
    MfaOutcome,
    Purpose,
    RequestFacts,
    Unreachable,
)
from awssts.domain.policy.bypass import CHECKS
from awssts.domain.policy.registry import BYPASS_KINDS
from awssts.domain.policy.schema.bypass import Bypass
from tests.unit.policy.samples import TOTP, URL, decide, facts, http, policy, with_mfa

GOLD = {"namespaceSelector": {"matchLabels": {"tier": "gold"}}}
TIN = {"namespaceSelector": {"matchLabels": {"tier": "tin"}}}
ROBOT = facts(authentication=Authentication(username="system:serviceaccount:ci:deployer", groups=("ci", "all")))
BY_CERTIFICATE = facts(
    authentication=Authentication(
        username="admin", extra={"authentication.kubernetes.io/credential-id": ("X509SHA256=abc",)}
    )
)
ALICE = facts(authentication=Authentication(username="alice"))
PLAIN = facts()
TEAM = facts(attributes={"team": "[web, pay]"})
MARKED = facts(
    request=RequestFacts(name="r", namespace="team", labels={"app": "web"}, annotations={"x/skip": "yes please"})
)
PER_SERVICE = "principalAttributesPerService"

CASES: list[tuple[dict[str, Any], Facts, bool]] = [
    ({"principalAttributes": [{"name": "team"}]}, TEAM, True),
    ({"principalAttributes": [{"name": "team", "value": "p.y"}]}, TEAM, True),
    ({"principalAttributes": [{"name": "team", "value": "p"}]}, TEAM, False),
    ({"principalAttributes": [{"name": "team"}]}, PLAIN, False),
    ({"principalAttributes": [{"name": "dept"}, {"name": "team"}]}, TEAM, True),
    ({"authenticationAttributes": [{"name": "groups", "value": "ci"}]}, ROBOT, True),
    ({"authenticationAttributes": [{"name": "groups", "value": "ops"}]}, ROBOT, False),
    ({"authenticationAttributes": [{"name": "groups"}]}, PLAIN, False),
    ({"authenticationMethods": ["ServiceAccount"]}, ROBOT, True),
    ({"authenticationMethods": ["ServiceAccount"]}, ALICE, False),
    ({"authenticationMethods": ["Certificate", "User"]}, ALICE, True),
    ({"authenticationMethods": ["Certificate"]}, BY_CERTIFICATE, True),
    ({"authenticationMethods": ["User"]}, BY_CERTIFICATE, False),
    ({"authenticationMethods": ["User", "ServiceAccount", "Certificate"]}, PLAIN, False),
    ({"requestProperties": [{"label": "app", "value": "web"}]}, MARKED, True),
    ({"requestProperties": [{"label": "app", "value": "we"}]}, MARKED, False),
    ({"requestProperties": [{"annotation": "x/skip", "value": "yes.*"}]}, MARKED, True),
    ({"requestProperties": [{"annotation": "x/skip"}]}, PLAIN, False),
    ({"services": [GOLD]}, PLAIN, True),
    ({"services": [TIN]}, PLAIN, False),
    ({"services": [TIN, {"requestSelector": {"matchLabels": {"app": "web"}}}]}, MARKED, True),
    ({PER_SERVICE: [{"selector": GOLD, "name": "team", "value": "pay"}]}, TEAM, True),
    ({PER_SERVICE: [{"selector": TIN, "name": "team", "value": "pay"}]}, TEAM, False),
    ({PER_SERVICE: [{"selector": GOLD, "name": "team", "value": "ops"}]}, TEAM, False),
    ({PER_SERVICE: [{"selector": GOLD, "name": "team"}]}, PLAIN, False),
    ({PER_SERVICE: [{"selector": GOLD, "name": "team", "ifMissing": True}]}, PLAIN, True),
    ({PER_SERVICE: [{"selector": TIN, "name": "team", "ifMissing": True}]}, PLAIN, False),
    ({PER_SERVICE: [{"selector": GOLD, "name": "team", "value": "ops", "ifMissing": True}]}, TEAM, False),
    ({"script": "ns.labels.tier == 'gold'"}, PLAIN, True),
    ({"script": "ns.labels.tier == 'tin'"}, PLAIN, False),
    ({"script": "ns.labels.missing == 'tin'"}, PLAIN, False),
    ({"script": "'true'"}, PLAIN, False),
    ({"script": "null"}, PLAIN, False),
    ({"script": "!('ops' in authentication.groups)"}, ALICE, True),
    ({"script": "!('ops' in authentication.groups)"}, PLAIN, False),
    ({"script": "authentication.username != 'root'"}, PLAIN, False),
    ({"script": "!authentication.present || authentication.username != 'root'"}, PLAIN, True),
    ({}, PLAIN, False),
]


@pytest.mark.parametrize(("bypass", "about", "applies"), CASES)
def test_bypass(bypass: dict[str, Any], about: Facts, applies: bool) -> None:
    decision = decide(policy(**with_mfa({"global": {}}, [{**TOTP, "bypass": bypass}])), about)
    assert decision.mfa.outcome is (MfaOutcome.BYPASSED if applies else MfaOutcome.REQUIRED)
    assert decision.mfa.bypass == (next(iter(bypass)) if applies else None)


def test_the_trace_says_why_a_script_lets_nobody_off_when_nobody_is_known() -> None:
    provider = {**TOTP, "bypass": {"script": "authentication.username != 'root'"}}
    trace = decide(policy(**with_mfa({"global": {}}, [provider])), PLAIN).trace
    assert any("asks who applied the request, and that is unknown" in step.why for step in trace)


@pytest.mark.parametrize(
    ("answer", "applies"),
    [
        (Answered(200, '{"bypass": true}'), True),
        (Answered(200, '{"bypass": false}'), False),
        (Answered(200, '{"bypass": "true"}'), False),
        (Answered(200, "true"), False),
        (Answered(200, "<html>"), False),
        (Answered(200, ""), False),
        (Answered(204, '{"bypass": true}'), False),
        (Answered(302, '{"bypass": true}'), False),
        (Answered(500, '{"bypass": true}'), False),
        (Unreachable("timeout"), False),
    ],
)
def test_bypass_by_rest(answer: Answered | Unreachable, applies: bool) -> None:
    asked: list[Call] = []

    def ask(call: Call) -> Answered | Unreachable:
        asked.append(call)
        return answer

    decision = decide(policy(**with_mfa({"global": {}}, [{**TOTP, "bypass": {"rest": {"url": URL}}}])), PLAIN, ask)
    assert decision.mfa.outcome is (MfaOutcome.BYPASSED if applies else MfaOutcome.REQUIRED)
    assert [http(call).purpose for call in asked] == [Purpose.BYPASS]
    assert '"provider": "totp"' in http(asked[0]).body


def test_every_kind_is_in_the_registry_the_model_and_the_checks_in_one_order() -> None:
    names = [kind.attribute for kind in BYPASS_KINDS]
    assert names == list(Bypass.model_fields) == list(CHECKS)
    tested = {next(iter(bypass)) for bypass, _, applies in CASES if applies} | {"rest"}
    assert tested == {kind.field for kind in BYPASS_KINDS}


def test_only_the_bypass_of_the_triggered_provider_counts() -> None:
    providers: list[dict[str, Any]] = [TOTP, {"name": "person", "type": "Manual", "bypass": {"services": [GOLD]}}]
    assert decide(policy(**with_mfa({"global": {"provider": "totp"}}, providers)), PLAIN).mfa.required
    assert not decide(policy(**with_mfa({"global": {"provider": "person"}}, providers)), PLAIN).mfa.required


@pytest.mark.parametrize("row", ["applications", "principalAttributePerApplication"])
def test_an_application_can_forbid_bypass_and_demand_a_new_code(row: str) -> None:
    entry: dict[str, Any] = {"selector": GOLD, "bypassEnabled": False, "forcedExecution": True}
    if row != "applications":
        entry["name"] = "team"
    decision = decide(policy(**with_mfa({row: [entry]}, [{**TOTP, "bypass": {"services": [GOLD]}}])), TEAM)
    assert decision.mfa.required
    assert decision.mfa.forced
    entry["bypassEnabled"] = True
    decision = decide(policy(**with_mfa({row: [entry]}, [{**TOTP, "bypass": {"services": [GOLD]}}])), TEAM)
    assert decision.mfa.outcome is MfaOutcome.BYPASSED


@pytest.mark.parametrize(
    ("bypass", "problem"),
    [
        ({"principalAttributes": [{"name": "a", "value": "("}]}, "RE2"),
        ({"authenticationAttributes": [{"name": "a", "value": "("}]}, "RE2"),
        ({"requestProperties": [{"label": "a", "value": "("}]}, "RE2"),
        ({PER_SERVICE: [{"selector": GOLD, "name": "a", "value": "("}]}, "RE2"),
        ({"requestProperties": [{"label": "a", "annotation": "b"}]}, "not both"),
        ({"services": [{}]}, "set namespaceSelector"),
        ({"authenticationMethods": ["Kerberos"]}, "Input should be"),
        ({"script": "x"}, "no variable"),
    ],
)
def test_a_bypass_that_cannot_work_is_refused(bypass: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        policy(**with_mfa({"global": {}}, [{**TOTP, "bypass": bypass}]))
