"""CAS's thirteen rows: each fires, does not fire, misses what it looks at, has several values, has a bad pattern."""

from typing import Any

import pytest
from pydantic import ValidationError

from awssts.domain.policy import (
    Answered,
    Call,
    Decision,
    Facts,
    MfaOutcome,
    NamespaceFacts,
    RequestFacts,
    Unreachable,
)
from awssts.domain.policy.registry import ROWS
from awssts.domain.policy.schema.triggers import Triggers
from awssts.domain.policy.triggers import CHECKS
from tests.unit.policy.samples import TOTP, URL, answering, decide, facts, http, policy, reason, with_mfa
from tests.unit.policy.trigger_cases import (
    ALICE,
    GOLD,
    OF_ATTRIBUTES_AND_SELECTORS,
    OF_TIME_AND_WISH,
    ROBOT,
    Case,
    annotated,
)


def failing(_: Any) -> str:
    raise RuntimeError("AKIAVERYSECRET")


CASES = [
    *OF_TIME_AND_WISH,
    # 4
    Case("rest: names a provider", {"rest": {"url": URL}}, provider="person", answer=Answered(200, '"person"\n')),
    Case("rest: empty", {"rest": {"url": URL}}, answer=Answered(200, "")),
    Case("rest: no content", {"rest": {"url": URL}}, answer=Answered(204)),
    Case("rest: not found", {"rest": {"url": URL}}, answer=Answered(404), refused="PolicyEndpointUnavailable"),
    Case("rest: lies", {"rest": {"url": URL}}, answer=Answered(200, "<html>"), refused="ProviderUnknown"),
    Case("rest: redirects", {"rest": {"url": URL}}, answer=Answered(302), refused="PolicyEndpointUnavailable"),
    Case("rest: hangs", {"rest": {"url": URL}}, answer=Unreachable("timeout"), refused="PolicyEndpointUnavailable"),
    Case("rest: hangs, Open", {"rest": {"url": URL, "failureMode": "Open"}}, answer=Unreachable("timeout")),
    Case("rest: breaks, Open", {"rest": {"url": URL, "failureMode": "Open"}}, answer=Answered(500)),
    *(
        Case(
            f"rest: answers {status}, Open",
            {"rest": {"url": URL, "failureMode": "Open"}},
            answer=Answered(status),
            refused="PolicyEndpointUnavailable",
        )
        for status in (101, 202, 302, 400, 401, 403, 404, 408, 413, 414, 429, 431, 499)
    ),
    Case(
        "rest: answers with what can't be used, Open",
        {"rest": {"url": URL, "failureMode": "Open"}},
        answer=Unreachable("the answer is longer than 64 KiB", answered=True),
        refused="PolicyEndpointUnavailable",
    ),
    # 5
    Case("script: true", {"script": {"expression": "ns.labels.tier == 'gold'"}}, provider="totp"),
    Case("script: false", {"script": {"expression": "ns.labels.tier == 'tin'"}}),
    Case("script: a name", {"script": {"expression": "ns.name == 'team' ? 'person' : null"}}, provider="person"),
    Case("script: null", {"script": {"expression": "ns.name == 'x' ? 'person' : null"}}),
    Case("script: an unknown name", {"script": {"expression": "'duo'"}}, refused="ProviderUnknown"),
    Case("script: a number", {"script": {"expression": "1"}}, refused="PolicyEvaluationFailed"),
    Case("script: missing", {"script": {"expression": "ns.labels.x == ''"}}, refused="PolicyEvaluationFailed"),
    Case("script: guarded", {"script": {"expression": "has(ns.labels.x) && ns.labels.x == ''"}}),
    Case("script: who applied", {"script": {"expression": "!authentication.present"}}, provider="totp"),
    Case(
        "script: groups of who applied",
        {"script": {"expression": "'ops' in authentication.groups && authentication.method == 'User'"}},
        facts(authentication=ALICE),
        "totp",
    ),
    *OF_ATTRIBUTES_AND_SELECTORS,
    # 11
    Case(
        "groups: a member",
        {"groups": {"membershipAttribute": "memberOf", "groups": [{"name": "cn=ops,dc=x"}]}},
        facts(attributes={"memberOf": "['cn=web,dc=x', 'cn=ops,dc=x']"}),
        "totp",
    ),
    Case(
        "groups: no member",
        {"groups": {"membershipAttribute": "memberOf", "groups": [{"name": "ops"}]}},
        facts(attributes={"memberOf": "devops"}),
    ),
    Case(
        "groups: attribute missing",
        {"groups": {"membershipAttribute": "memberOf", "groups": [{"name": "ops"}]}},
    ),
    Case(
        "groups: rest, a member",
        {"groups": {"rest": {"url": URL}, "groups": [{"name": "web"}, {"name": "ops", "provider": "person"}]}},
        answer=Answered(200, '["ops"]'),
        provider="person",
    ),
    Case("groups: rest, none", {"groups": {"rest": {"url": URL}, "groups": [{"name": "ops"}]}}, answer=Answered(204)),
    Case(
        "groups: rest, not found",
        {"groups": {"rest": {"url": URL, "failureMode": "Open"}, "groups": [{"name": "ops"}]}},
        answer=Answered(404),
        refused="PolicyEndpointUnavailable",
    ),
    Case(
        "groups: rest, away, Open",
        {"groups": {"rest": {"url": URL, "failureMode": "Open"}, "groups": [{"name": "ops"}]}},
        answer=Unreachable("timeout"),
    ),
    Case(
        "groups: rest, garbage",
        {"groups": {"rest": {"url": URL}, "groups": [{"name": "ops"}]}},
        answer=Answered(200, '{"ops": 1}'),
        refused="PolicyEndpointUnavailable",
    ),
    Case(
        "groups: rest, garbage, Open",
        {"groups": {"rest": {"url": URL, "failureMode": "Open"}, "groups": [{"name": "ops"}]}},
        answer=Answered(200, "["),
        refused="PolicyEndpointUnavailable",
    ),
    # 12
    Case(
        "entityId: annotation",
        {"entityId": {"source": "Annotation", "entities": [{"id": "https://sp.example.org"}]}},
        annotated("awssts.dev/entity-id", "https://sp.example.org"),
        "totp",
    ),
    Case("entityId: annotation missing", {"entityId": {"source": "Annotation", "entities": [{"id": "a"}]}}),
    Case(
        "entityId: another",
        {"entityId": {"source": "Annotation", "entities": [{"id": "a"}]}},
        annotated("awssts.dev/entity-id", "ab"),
    ),
    Case(
        "entityId: service account",
        {"entityId": {"source": "ServiceAccount", "entities": [{"id": "ci/other"}, {"id": "ci/deployer"}]}},
        facts(authentication=ROBOT),
        "totp",
    ),
    Case(
        "entityId: a person is no service account",
        {"entityId": {"source": "ServiceAccount", "entities": [{"id": "alice"}]}},
        facts(authentication=ALICE),
    ),
    Case(
        "entityId: without the webhook",
        {"entityId": {"source": "ServiceAccount", "entities": [{"id": "ci/deployer"}]}},
        refused="ApplicantUnknown",
    ),
    # 13
    Case("other: true", {"other": [{"name": "p"}]}, provider="totp", plugins={"p": lambda _: True}),
    Case("other: a name", {"other": [{"name": "p"}]}, provider="person", plugins={"p": lambda _: "person"}),
    Case("other: None", {"other": [{"name": "p"}]}, plugins={"p": lambda _: None}),
    Case(
        "other: the second says yes",
        {"other": [{"name": "p"}, {"name": "q", "provider": "person"}]},
        provider="person",
        plugins={"p": lambda _: False, "q": lambda seen: seen["principal"]["id"] == "team"},
    ),
    Case("other: not installed", {"other": [{"name": "p"}]}, refused="PolicyEvaluationFailed"),
    Case("other: raises", {"other": [{"name": "p"}]}, refused="PolicyEvaluationFailed", plugins={"p": failing}),
    *(
        Case(
            f"other: takes nobody for somebody by {how}",
            {"other": [{"name": "p"}]},
            refused="ApplicantUnknown",
            plugins={"p": plugin},
        )
        for how, plugin in {
            "key": lambda seen: seen["authentication"]["username"] == "root",
            "get": lambda seen: seen["authentication"].get("username") == "root",
            "in": lambda seen: "ops" in seen["authentication"]["groups"],
            "a missing attribute": lambda seen: seen["authentication"]["attributes"]["team"] == "ops",
            "copying": lambda seen: dict(seen["authentication"])["present"] and None,
            "comparing": lambda seen: seen["authentication"] == {},
        }.items()
    ),
    Case(
        "other: asks whether somebody is known",
        {"other": [{"name": "p", "provider": "person"}]},
        provider="person",
        plugins={"p": lambda seen: not seen["authentication"]["present"] or seen["authentication"]["groups"] == []},
    ),
    Case(
        "other: looks only after asking",
        {"other": [{"name": "p"}]},
        plugins={"p": lambda seen: seen["authentication"]["present"] and dict(seen["authentication"]) == {}},
    ),
    Case(
        "other: who applied",
        {"other": [{"name": "p"}]},
        facts(authentication=ALICE),
        provider="totp",
        plugins={"p": lambda seen: dict(seen["authentication"])["username"] == "alice"},
    ),
    Case(
        "other: returns nonsense",
        {"other": [{"name": "p"}]},
        refused="PolicyEvaluationFailed",
        plugins={"p": lambda _: 1},
    ),
]


def run(case: Case) -> Decision:
    answer = case.answer
    asked = (lambda _: answer) if answer is not None else None
    return decide(policy(**with_mfa(case.trigger)), case.about, asked, case.plugins)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_row(case: Case) -> None:
    decision = run(case)
    assert reason(decision) == case.refused
    if case.refused:
        assert decision.mfa.outcome is MfaOutcome.REFUSED
        return
    assert decision.mfa.required is (case.provider is not None)
    if case.provider:
        assert decision.mfa.provider is not None
        assert decision.mfa.provider.name == case.provider
        assert decision.mfa.trigger == next(iter(case.trigger))


def test_every_row_has_cases_that_fire_and_that_do_not() -> None:
    for row in ROWS:
        of_row = [case for case in CASES if row.field in case.trigger]
        assert any(case.provider for case in of_row), row
        assert row.field == "global" or any(not case.provider and not case.refused for case in of_row), row


def test_registry_fields_and_checks_are_the_same_thirteen_in_the_same_order() -> None:
    assert [row.order for row in ROWS] == list(range(1, 14))
    assert [row.attribute for row in ROWS] == list(Triggers.model_fields) == list(CHECKS)
    wire = [field.alias or name for name, field in Triggers.model_fields.items()]
    assert [row.field for row in ROWS] == wire


@pytest.mark.parametrize(
    ("trigger", "problem"),
    [
        ({"principalAttribute": {"names": ["a"], "value": "("}}, "RE2"),
        ({"principalAttribute": {"names": ["a"], "value": "(?=a)"}}, "RE2"),
        ({"authenticationAttribute": {"names": ["a"], "value": "(a"}}, "RE2"),
        ({"principalAttributePerApplication": [{"selector": GOLD, "name": "a", "value": "["}]}, "RE2"),
        ({"principalAttribute": {"names": [], "value": "a"}}, "at least 1"),
        ({"principalAttribute": {"names": ["a"], "reverseMatch": True}}, "reverseMatch needs value"),
        ({"principalAttribute": {"names": ["a"], "provider": "totp"}}, "provider needs value"),
        ({"script": {"expression": "1 +"}}, "not a CEL expression"),
        ({"principalAttributePredicate": {"expression": "secrets.all"}}, "no variable 'secrets'"),
        ({"adaptive": [{"expression": "open('/etc/passwd')"}]}, "no function 'open'"),
        ({"adaptive": [{}]}, "set onDays"),
        ({"adaptive": [{"onOrAfterHour": 24}]}, "less than or equal to 23"),
        ({"adaptive": [{"onOrAfterHour": 1, "timeZone": "Mars/Olympus"}]}, "no time zone"),
        ({"adaptive": [{"onOrAfterHour": 1, "timeZone": "../../etc/passwd"}]}, "pattern"),
        ({"global": {"provider": "duo"}}, "triggers.global.provider names 'duo'"),
        ({"applications": [{"selector": GOLD, "provider": "duo"}]}, r"triggers.applications\[0\].provider"),
        ({"optIn": {"providers": ["duo"]}}, "triggers.optIn.providers"),
        ({"applications": [{"selector": {}}]}, "set namespaceSelector"),
        ({"groups": {"groups": [{"name": "a"}]}}, "set membershipAttribute or rest"),
        ({"rest": {"url": "https://user:word@example.org"}}, "pattern"),
        ({"rest": {"url": URL, "timeout": "1m"}}, "out of range"),
        ({"everything": {}}, "Extra inputs"),
    ],
)
def test_a_trigger_that_cannot_work_is_refused(trigger: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        policy(**with_mfa(trigger))


def test_triggers_without_a_provider_are_refused() -> None:
    with pytest.raises(ValidationError, match="at least one of providers"):
        policy(mfa={"triggers": {"global": {}}})


def test_the_first_row_that_fires_decides_whatever_the_order_in_the_manifest() -> None:
    triggers = {
        "applications": [{"selector": GOLD, "provider": "person"}],
        "script": {"expression": "true"},
        "adaptive": [{"onDays": ["Friday"]}],
    }
    decision = decide(policy(**with_mfa(triggers)), facts())
    assert decision.mfa.trigger == "script"
    seen = [(step.name, step.result) for step in decision.trace if step.stage == "Trigger"]
    assert seen == [("adaptive", "NotFired"), ("script", "Fired"), ("applications", "NotConsidered")]


def test_an_endpoint_behind_the_deciding_row_is_not_asked() -> None:
    decision = decide(policy(**with_mfa({"global": {}, "rest": {"url": URL}})), facts())
    assert decision.mfa.trigger == "global"


def test_what_a_rest_trigger_is_told() -> None:
    asked: list[Call] = []

    def ask(call: Call) -> Answered:
        asked.append(call)
        return Answered(204)

    about = facts(
        attributes={"team": "pay"},
        authentication=ALICE,
        request=RequestFacts(
            name="r", namespace="team", annotations={"awssts.dev/token-code": "123456"}, labels={"a": "b"}
        ),
    )
    decide(policy(**with_mfa({"rest": {"url": URL, "timeout": "3s"}})), about, ask)
    call = http(asked[0])
    assert (call.method, call.url, call.timeout, call.policy) == ("POST", URL, 3, "house")
    assert '"id": "team"' in call.body
    assert '"service": "team/r"' in call.body
    assert '"username": "alice"' in call.body
    assert "123456" not in call.body


@pytest.mark.parametrize("kind", ["trigger", "bypass"])
def test_a_question_that_is_too_long_is_not_asked_and_refuses_whatever_the_failure_mode(kind: str) -> None:
    def labelled(number: int) -> Facts:
        return facts(labels={f"example.com/label-{count:05}": "v" * 63 for count in range(number)})

    rest = {"url": URL} if kind == "bypass" else {"url": URL, "failureMode": "Open"}
    providers = [{**TOTP, "bypass": {"rest": rest}}] if kind == "bypass" else None
    spec = with_mfa({"global": {}} if kind == "bypass" else {"rest": rest}, providers)
    assert decide(policy(**spec), labelled(500), answering(204)).allowed
    decision = decide(policy(**spec), labelled(700))
    assert reason(decision) == "PolicyEvaluationFailed"
    assert decision.denied is not None
    assert "bytes; at most 65536 are sent: fewer labels on the request" in decision.denied.message


def test_nothing_that_an_endpoint_or_a_plugin_says_gets_into_the_trace() -> None:
    lying = decide(policy(**with_mfa({"rest": {"url": URL}})), facts(), answering(200, "AKIAVERYSECRET"))
    raising = decide(policy(**with_mfa({"other": [{"name": "p"}]})), facts(), plugins={"p": failing})
    for decision in (lying, raising):
        assert "AKIAVERYSECRET" not in f"{decision.trace} {decision.denied}"
        assert "hidden" not in f"{decision.trace} {decision.denied}"


@pytest.mark.parametrize("names", ["request.annotations", "principal"])
def test_a_code_on_the_request_is_not_seen_by_expressions(names: str) -> None:
    about = facts(
        request=RequestFacts(
            name="r",
            namespace="team",
            annotations={
                "awssts.dev/token-code": "123456",
                "kubectl.kubernetes.io/last-applied-configuration": "123456",
            },
        ),
        namespace=NamespaceFacts(name="team"),
    )
    spec = with_mfa({"script": {"expression": f"size({names}) > {0 if names != 'principal' else 2}"}})
    assert not decide(policy(**spec), about).mfa.required


def test_a_request_with_more_than_an_expression_can_go_through_is_refused() -> None:
    crowded = {f"k{number}": "v" for number in range(2000)}
    asking = with_mfa(
        {"script": {"expression": "request.labels.exists(a, a in ns.labels || a in request.annotations)"}}
    )
    decision = decide(policy(**asking), facts(labels=crowded))
    assert reason(decision) == "PolicyEvaluationFailed"
    assert "fewer or shorter labels" in str(decision.denied)
