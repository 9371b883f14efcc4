"""Several policies, invalid ones, what an owner can and can't do."""

from dataclasses import replace
from typing import Any

import pytest

from awssts.domain.policy import (
    Answered,
    Authentication,
    InvalidPolicy,
    MfaDecision,
    MfaOutcome,
    Need,
    Policy,
    RequestFacts,
    Unreachable,
    evaluate,
    load,
)
from tests.unit.policy.samples import PUSH, TOTP, URL, decide, facts, policy, reason, with_mfa

GOLD = {"namespaceSelector": {"matchLabels": {"tier": "gold"}}}
TIN = {"namespaceSelector": {"matchLabels": {"tier": "tin"}}}
LAX = {"name": "lax", "type": "Totp", "bypass": {"services": [GOLD]}}
PERSON = {"name": "person", "type": "Manual"}
MINE = Authentication(username="system:serviceaccount:team:mine", groups=("system:serviceaccounts:team",))


def resource(name: str, spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": spec}


def opting_in(provider: str) -> RequestFacts:
    return RequestFacts(name="r", namespace="team", annotations={"awssts.dev/mfa": provider})


def test_without_a_policy_all_is_allowed_and_no_mfa_needed() -> None:
    decision = decide([], facts())
    assert decision.allowed
    assert decision.mfa == MfaDecision()
    assert decision.policies == ()


def test_a_policy_that_does_not_select_the_request_has_no_say() -> None:
    decision = decide(policy(selector=TIN, **with_mfa({"global": {}})), facts())
    assert not decision.mfa.required
    assert decision.policies == ()
    assert [step.result for step in decision.trace] == ["NotSelected"]


def test_policies_come_by_priority_then_name() -> None:
    policies = [policy("b"), policy("c", priority=5), policy("a"), policy("d", priority=-1)]
    assert decide(policies, facts()).policies == ("c", "a", "b", "d")


def test_the_strictest_mfa_holds_whatever_the_priority() -> None:
    policies = [
        policy("lax", priority=100, **with_mfa({"adaptive": [{"onOrAfterHour": 0}]}, [LAX])),
        policy("strict", **with_mfa({"applications": [{"selector": GOLD}]})),
        policy("none"),
    ]
    decision = decide(policies, facts())
    assert (decision.mfa.policy, decision.mfa.trigger, decision.mfa.required) == ("strict", "applications", True)


def test_of_two_that_demand_mfa_the_first_by_priority_gives_the_provider() -> None:
    policies = [
        policy("a", **with_mfa({"adaptive": [{"onOrAfterHour": 0}]})),
        policy("b", priority=1, **with_mfa({"applications": [{"selector": GOLD, "provider": "person"}]})),
    ]
    decision = decide(policies, facts())
    assert decision.mfa.provider is not None
    assert (decision.mfa.policy, decision.mfa.provider.name) == ("b", "person")


@pytest.mark.parametrize("provider", [PERSON, PUSH], ids=["a person", "an endpoint"])
def test_a_code_that_somebody_has_to_give_goes_before_one_of_the_seed_whatever_the_priority(
    provider: dict[str, Any],
) -> None:
    policies = [
        policy("a", **with_mfa({"global": {}}, [provider])),
        policy("b", priority=9, **with_mfa({"global": {}}, [TOTP])),
    ]
    decision = decide(policies, facts(), lambda _: Answered(200))
    assert (decision.mfa.policy, decision.mfa.provider_type) == ("a", provider["type"])


def test_between_a_person_and_an_endpoint_the_priority_decides() -> None:
    policies = [
        policy("a", priority=1, **with_mfa({"global": {}}, [PUSH])),
        policy("b", priority=0, **with_mfa({"global": {}}, [PERSON])),
        policy("c", priority=2, **with_mfa({"global": {}}, [TOTP])),
    ]
    assert decide(policies, facts(), lambda _: Answered(200)).mfa.policy == "a"


def test_of_equally_strict_policies_one_that_an_owner_can_step_into_comes_last() -> None:
    mine = {"selector": {"requestSelector": {"matchLabels": {"a": "b"}}}}
    policies = [
        policy("his", priority=9, **mine, **with_mfa({"global": {}}, [PUSH])),
        policy("house", **with_mfa({"global": {}}, [PERSON])),
    ]
    assert decide(policies, facts(labels={"a": "b"}), lambda _: Answered(200)).mfa.policy == "house"


def test_who_opts_in_to_a_person_still_has_to_give_a_new_code_each_time() -> None:
    forced = {"applications": [{"selector": GOLD, "forcedExecution": True}]}
    decision = decide(policy(**with_mfa({"optIn": {}, **forced})), facts(request=opting_in("person")))
    assert decision.mfa.provider_type == "Manual"
    assert decision.mfa.forced


def test_a_bypass_is_reported_where_nothing_demands_mfa() -> None:
    decision = decide([policy("a"), policy("b", **with_mfa({"global": {}}, [LAX]))], facts())
    assert (decision.mfa.outcome, decision.mfa.policy, decision.mfa.bypass) == (MfaOutcome.BYPASSED, "b", "services")


def test_endpoints_of_all_policies_are_asked_at_once() -> None:
    policies = [policy(name, **with_mfa({"rest": {"url": URL}})) for name in ("a", "b")]
    need = evaluate(policies, facts())
    assert isinstance(need, Need)
    assert len(need.calls) == 2
    assert decide(policies, facts(), lambda _: Answered(204)).allowed


def test_trigger_bypass_and_availability_are_asked_one_after_the_other() -> None:
    purposes: list[str] = []

    def ask(call: Any) -> Answered:
        purposes.append(call.purpose)
        return Answered(200, "push" if call.purpose == "Trigger" else "{}")

    providers = [{**PUSH, "bypass": {"rest": {"url": URL}}}]
    assert decide(policy(**with_mfa({"rest": {"url": URL}}, providers)), facts(), ask).mfa.required
    assert purposes == ["Trigger", "Bypass", "Availability"]


# Invalid policies.


def test_an_invalid_policy_refuses_what_it_selects() -> None:
    broken = load(resource("broken", {"selector": GOLD, "mfa": {"failureMode": "Ajar"}}))
    assert isinstance(broken, InvalidPolicy)
    decision = decide([policy("fine"), broken], facts())
    assert reason(decision) == "PolicyInvalid"
    assert decision.denied is not None
    assert "spec.mfa.failureMode" in decision.denied.message


def test_an_invalid_policy_leaves_alone_what_it_does_not_select() -> None:
    broken = load(resource("broken", {"selector": TIN, "mfa": {"failureMode": "Ajar"}}))
    assert isinstance(evaluate([broken], facts()), type(decide([], facts())))
    assert decide([broken], facts()).allowed


@pytest.mark.parametrize("spec", [{"selector": {"everything": True}}, {"selector": 1}, [], "x", 1])
def test_a_policy_whose_selector_is_invalid_selects_all(spec: Any) -> None:
    broken = load(resource("broken", spec))
    if not spec:
        assert isinstance(broken, Policy)  # an empty spec is one of defaults
        return
    assert isinstance(broken, InvalidPolicy)
    assert reason(decide([broken], facts())) == "PolicyInvalid"


def test_a_policy_of_nothing_is_valid() -> None:
    loaded = load({"metadata": {"name": "empty"}})
    assert isinstance(loaded, Policy)
    assert decide(loaded, facts()).allowed


# What the owner of a request can and can't do.

OWNERS_TRIGGERS = [
    pytest.param({"optIn": {}}, {"request": opting_in("lax")}, id="opts in to a lax provider"),
    pytest.param(
        {"entityId": {"source": "Annotation", "entities": [{"id": "x", "provider": "lax"}]}},
        {"request": RequestFacts(name="r", namespace="team", annotations={"awssts.dev/entity-id": "x"})},
        id="says to be a lax entity",
    ),
    pytest.param(
        {
            "principalAttributePerApplication": [
                {"selector": {"requestSelector": {"matchLabels": {"a": "b"}}}, "name": "team", "provider": "lax"}
            ]
        },
        {"labels": {"a": "b"}, "attributes": {"team": "x"}},
        id="labels the request for a lax entry",
    ),
    pytest.param(
        {"script": {"expression": "has(request.labels.a) ? 'lax' : null"}},
        {"labels": {"a": "b"}},
        id="a script's label",
    ),
    pytest.param(
        {"adaptive": [{"expression": "'a' in request.labels", "provider": "lax"}]}, {"labels": {"a": "b"}}, id="a label"
    ),
    pytest.param(
        {"script": {"expression": "'a' in principal.attributes ? 'lax' : null"}}, {"own": {"a": ""}}, id="an attribute"
    ),
    pytest.param({"script": {"expression": "'a' in principal.attributes ? null : 'lax'"}}, {}, id="no attribute"),
    pytest.param({"principalAttribute": {"names": ["mfa"]}}, {"own": {"mfa": "lax"}}, id="writes a lax attribute"),
    pytest.param(
        {"groups": {"membershipAttribute": "memberOf", "groups": [{"name": "x", "provider": "lax"}]}},
        {"own": {"memberOf": "x"}},
        id="joins a lax group",
    ),
    pytest.param(
        {
            "authenticationAttribute": {
                "names": ["groups"],
                "value": "system:serviceaccounts:team",
                "provider": "lax",
            }
        },
        {"authentication": MINE},
        id="applies as a lax account of his",
    ),
    pytest.param(
        {"entityId": {"source": "ServiceAccount", "entities": [{"id": "team/mine", "provider": "lax"}]}},
        {"authentication": MINE},
        id="applies as a lax entity of his",
    ),
    pytest.param(
        {"script": {"expression": "authentication.method == 'ServiceAccount' ? 'lax' : null"}},
        {"authentication": MINE},
        id="a script's applicant",
    ),
]


@pytest.mark.parametrize(("owners", "does"), OWNERS_TRIGGERS)
@pytest.mark.parametrize("before", [True, False], ids=["its own row first", "same policy, later row"])
def test_an_owner_cannot_take_the_place_of_a_stricter_trigger(
    owners: dict[str, Any], does: dict[str, Any], before: bool
) -> None:
    strict = {"other": [{"name": "strict", "provider": "totp"}]} if before else {"global": {"provider": "totp"}}
    spec = with_mfa({**owners, **strict}, [TOTP, LAX], principal={"sources": ["Namespace", "Secret"]})
    plugins = {"strict": lambda _: True}
    decision = decide(policy(**spec), facts(**does), plugins=plugins)
    assert decision.mfa.required
    assert decision.mfa.provider is not None
    assert decision.mfa.provider.name == "totp"


def test_who_is_not_let_off_by_name_did_not_choose_that() -> None:
    reverse = {"names": ["username"], "value": "system:serviceaccount:ci:deployer", "reverseMatch": True}
    later = {"applications": [{"selector": GOLD, "provider": "totp"}]}
    spec = with_mfa({"authenticationAttribute": {**reverse, "provider": "lax"}, **later}, [TOTP, LAX])
    decision = decide(policy(**spec), facts(authentication=MINE))
    assert (decision.mfa.trigger, decision.mfa.outcome) == ("authenticationAttribute", MfaOutcome.BYPASSED)


@pytest.mark.parametrize(("owners", "does"), OWNERS_TRIGGERS)
def test_an_owners_trigger_alone_decides(owners: dict[str, Any], does: dict[str, Any]) -> None:
    spec = with_mfa(owners, [TOTP, LAX], principal={"sources": ["Namespace", "Secret"]})
    decision = decide(policy(**spec), facts(**does))
    assert decision.mfa.outcome is MfaOutcome.BYPASSED
    assert decision.mfa.trigger == next(iter(owners))


def test_a_lax_entry_of_the_same_row_does_not_hide_a_strict_one() -> None:
    entries = [{"selector": {"requestSelector": {}}, "provider": "lax"}, {"selector": GOLD, "provider": "totp"}]
    decision = decide(policy(**with_mfa({"applications": entries}, [TOTP, LAX])), facts())
    assert decision.mfa.required
    names = {"principalAttribute": {"names": ["own", "given"]}}
    spec = with_mfa(names, [LAX, TOTP], principal={"sources": ["Namespace", "Secret"]})
    decision = decide(policy(**spec), facts(own={"own": "lax"}, attributes={"given": "totp"}))
    assert decision.mfa.required


def test_an_owner_who_opts_in_adds_mfa() -> None:
    spec = with_mfa({"optIn": {}, "applications": [{"selector": GOLD, "provider": "lax"}]}, [TOTP, LAX])
    decision = decide(policy(**spec), facts(request=opting_in("totp")))
    assert (decision.mfa.required, decision.mfa.trigger) == (True, "optIn")


def test_opting_in_does_not_escape_deny_if_unmatched() -> None:
    triggers = {"optIn": {}, "principalAttribute": {"names": ["level"], "value": "high", "denyIfUnmatched": True}}
    assert reason(decide(policy(**with_mfa(triggers)), facts(request=opting_in("totp")))) == "NotAuthorized"


def test_opting_in_by_the_name_of_another_policys_provider() -> None:
    policies = [
        policy("a", **with_mfa({"optIn": {}}, [TOTP])),
        policy("b", **with_mfa({"optIn": {}}, [{"name": "person", "type": "Manual"}])),
    ]
    decision = decide(policies, facts(request=opting_in("person")))
    assert (decision.mfa.policy, decision.mfa.required) == ("b", True)
    assert reason(decide(policies, facts(request=opting_in("other")))) == "ProviderUnknown"


def test_a_failure_of_one_policy_refuses_though_another_allows() -> None:
    policies = [policy("a", **with_mfa({"global": {}})), policy("b", **with_mfa({"rest": {"url": URL}}))]
    decision = decide(policies, facts(), lambda _: Unreachable("timeout"))
    assert reason(decision) == "PolicyEndpointUnavailable"
    assert (decision.mfa.outcome, decision.mfa.policy, decision.mfa.trigger) == (MfaOutcome.REFUSED, "b", "rest")


def test_a_refusal_keeps_the_steps_so_far() -> None:
    spec = {"authorization": {"principalAttribute": {"name": "team"}}}
    decision = decide(policy(**spec), replace(facts(), secret=None))
    assert [(step.stage, step.result) for step in decision.trace] == [
        ("Selector", "Selected"),
        ("Principal", "Read"),
        ("Authorization", "Denied"),
    ]
