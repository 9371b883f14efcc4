"""Cases of CAS's rows 1 to 3 and 6 to 10: each fires, does not fire, misses what it looks at, has several values."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from awssts.domain.policy import Answered, Authentication, Facts, History, RequestFacts, Unreachable
from tests.unit.policy.samples import facts

ALICE = Authentication(
    username="alice",
    uid="u-1",
    groups=("system:authenticated", "ops"),
    extra={"department": ("finance", "audit"), "username": ("root",)},
)
ROBOT = Authentication(username="system:serviceaccount:ci:deployer")
GOLD = {"namespaceSelector": {"matchLabels": {"tier": "gold"}}}
TIN = {"namespaceSelector": {"matchLabels": {"tier": "tin"}}}


@dataclass(frozen=True)
class Case:
    """A trigger over facts; it fires with ``provider``, not at all (None), or the request is refused."""

    id: str
    trigger: dict[str, Any]
    about: Facts = field(default_factory=facts)
    provider: str | None = None
    refused: str | None = None
    answer: Answered | Unreachable | None = None
    plugins: dict[str, Any] = field(default_factory=dict)


def annotated(key: str, value: str) -> Facts:
    return facts(request=RequestFacts(name="r", namespace="team", annotations={key: value}))


def at(day: int, hour: int) -> Facts:
    return facts(now=datetime(2026, 3, day, hour, 30, tzinfo=UTC))  # the 2nd is a Monday


NIGHT = {"adaptive": [{"onOrAfterHour": 22, "onOrBeforeHour": 5}]}

OF_TIME_AND_WISH = [
    # 1
    Case("adaptive: on that day", {"adaptive": [{"onDays": ["Sunday", "Monday"]}]}, at(2, 12), "totp"),
    Case("adaptive: on another day", {"adaptive": [{"onDays": ["Sunday"]}]}, at(2, 12)),
    Case("adaptive: night, before midnight", NIGHT, at(2, 22), "totp"),
    Case("adaptive: night, after midnight", NIGHT, at(2, 5), "totp"),
    Case("adaptive: not at night", NIGHT, at(2, 6)),
    Case("adaptive: from an hour on", {"adaptive": [{"onOrAfterHour": 12}]}, at(2, 12), "totp"),
    Case("adaptive: before that hour", {"adaptive": [{"onOrAfterHour": 13}]}, at(2, 12)),
    Case("adaptive: until an hour", {"adaptive": [{"onOrBeforeHour": 11}]}, at(2, 12)),
    Case(
        "adaptive: the time zone counts",
        {"adaptive": [{"onOrAfterHour": 21, "timeZone": "Asia/Tokyo"}]},
        at(2, 12),
        "totp",
    ),
    Case(
        "adaptive: a changed key",
        {"adaptive": [{"expression": "history.keyChanged"}]},
        facts(history=History(key_changed=True)),
        "totp",
    ),
    Case("adaptive: no changed key", {"adaptive": [{"expression": "history.keyChanged"}]}),
    Case(
        "adaptive: all conditions of an entry must hold",
        {"adaptive": [{"onDays": ["Monday"], "expression": "false"}]},
        at(2, 12),
    ),
    Case(
        "adaptive: the second entry fires",
        {"adaptive": [{"onDays": ["Friday"]}, {"expression": "history.failures >= 0", "provider": "person"}]},
        at(2, 12),
        "person",
    ),
    Case(
        "adaptive: long since the last issuance",
        {"adaptive": [{"expression": "history.lastIssuance == null || now - history.lastIssuance > duration('24h')"}]},
        facts(history=History(last_issuance=datetime(2026, 2, 27, tzinfo=UTC))),
        "totp",
    ),
    Case(
        "adaptive: what is missing fails closed",
        {"adaptive": [{"expression": "ns.labels.zone == 'dmz'"}]},
        refused="PolicyEvaluationFailed",
    ),
    # 2
    Case("global: always", {"global": {}}, provider="totp"),
    Case("global: with that provider", {"global": {"provider": "person"}}, provider="person"),
    # 3
    Case("optIn: by name", {"optIn": {}}, annotated("awssts.dev/mfa", " person "), "person"),
    Case("optIn: empty", {"optIn": {}}, annotated("awssts.dev/mfa", "")),
    Case("optIn: annotation missing", {"optIn": {}}),
    Case("optIn: unknown name", {"optIn": {}}, annotated("awssts.dev/mfa", "duo"), refused="ProviderUnknown"),
    Case(
        "optIn: a name that is not offered",
        {"optIn": {"providers": ["person"]}},
        annotated("awssts.dev/mfa", "totp"),
        refused="ProviderUnknown",
    ),
    Case("optIn: another annotation", {"optIn": {"annotation": "x/second"}}, annotated("x/second", "totp"), "totp"),
]

OF_ATTRIBUTES_AND_SELECTORS = [
    # 6
    Case(
        "principalAttributePerApplication: matches",
        {"principalAttributePerApplication": [{"selector": GOLD, "name": "team", "value": "pay.*"}]},
        facts(attributes={"team": "payments"}),
        "totp",
    ),
    Case(
        "principalAttributePerApplication: one of several values",
        {"principalAttributePerApplication": [{"selector": GOLD, "name": "team", "value": "pay"}]},
        facts(attributes={"team": "[web, pay]"}),
        "totp",
    ),
    Case(
        "principalAttributePerApplication: another value",
        {"principalAttributePerApplication": [{"selector": GOLD, "name": "team", "value": "pay"}]},
        facts(attributes={"team": "payments"}),
    ),
    Case(
        "principalAttributePerApplication: any value",
        {"principalAttributePerApplication": [{"selector": GOLD, "name": "team"}]},
        facts(attributes={"team": ""}),
        "totp",
    ),
    Case(
        "principalAttributePerApplication: attribute missing",
        {"principalAttributePerApplication": [{"selector": GOLD, "name": "team"}]},
    ),
    Case(
        "principalAttributePerApplication: another application",
        {"principalAttributePerApplication": [{"selector": TIN, "name": "team"}]},
        facts(attributes={"team": "pay"}),
    ),
    # 7
    Case(
        "principalAttributePredicate: a provider by attributes",
        {
            "principalAttributePredicate": {
                "expression": "has(principal.attributes.level) && 'high' in principal.attributes.level"
                " && providers.exists(p, p.type == 'Manual') ? 'person' : null"
            }
        },
        facts(attributes={"level": "[low, high]"}),
        "person",
    ),
    Case(
        "principalAttributePredicate: attribute missing",
        {"principalAttributePredicate": {"expression": "has(principal.attributes.level)"}},
    ),
    Case(
        "principalAttributePredicate: unguarded",
        {"principalAttributePredicate": {"expression": "principal.attributes.level.size() > 0"}},
        refused="PolicyEvaluationFailed",
    ),
    # 8
    Case(
        "principalAttribute: matches",
        {"principalAttribute": {"names": ["level"], "value": "hi(gh|gher)"}},
        facts(attributes={"level": "high"}),
        "totp",
    ),
    Case(
        "principalAttribute: one of several values, of several attributes",
        {"principalAttribute": {"names": ["rank", "level"], "value": "high", "provider": "person"}},
        facts(attributes={"level": "[low, high]"}),
        "person",
    ),
    Case(
        "principalAttribute: a part of the value is not enough",
        {"principalAttribute": {"names": ["level"], "value": "high"}},
        facts(attributes={"level": "higher"}),
    ),
    Case("principalAttribute: missing", {"principalAttribute": {"names": ["level"], "value": ".*"}}),
    Case(
        "principalAttribute: a value is a provider's name",
        {"principalAttribute": {"names": ["mfa"]}},
        facts(attributes={"mfa": "[duo, person]"}),
        "person",
    ),
    Case(
        "principalAttribute: several providers' names: the policy's order",
        {"principalAttribute": {"names": ["mfa"]}},
        facts(attributes={"mfa": "[person, totp]"}),
        "totp",
    ),
    Case(
        "principalAttribute: no value is a provider's name",
        {"principalAttribute": {"names": ["mfa"]}},
        facts(attributes={"mfa": "duo"}),
    ),
    Case(
        "principalAttribute: denyIfUnmatched",
        {"principalAttribute": {"names": ["level"], "value": "high", "denyIfUnmatched": True}},
        facts(attributes={"level": "low"}),
        refused="NotAuthorized",
    ),
    Case(
        "principalAttribute: denyIfUnmatched, missing",
        {"principalAttribute": {"names": ["mfa"], "denyIfUnmatched": True}},
        refused="NotAuthorized",
    ),
    Case(
        "principalAttribute: denyIfUnmatched, matched",
        {"principalAttribute": {"names": ["level"], "value": "high", "denyIfUnmatched": True}},
        facts(attributes={"level": "high"}),
        "totp",
    ),
    Case(
        "principalAttribute: reverseMatch, another value",
        {"principalAttribute": {"names": ["level"], "value": "low", "reverseMatch": True}},
        facts(attributes={"level": "high"}),
        "totp",
    ),
    Case(
        "principalAttribute: reverseMatch, missing",
        {"principalAttribute": {"names": ["level"], "value": "low", "reverseMatch": True}},
        provider="totp",
    ),
    Case(
        "principalAttribute: reverseMatch, one of several values",
        {"principalAttribute": {"names": ["level"], "value": "low", "reverseMatch": True}},
        facts(attributes={"level": "[high, low]"}),
    ),
    # 9
    Case(
        "authenticationAttribute: extra",
        {"authenticationAttribute": {"names": ["department"], "value": "audit"}},
        facts(authentication=ALICE),
        "totp",
    ),
    Case(
        "authenticationAttribute: group",
        {"authenticationAttribute": {"names": ["groups"], "value": "ops"}},
        facts(authentication=ALICE),
        "totp",
    ),
    Case(
        "authenticationAttribute: extra can't replace the user name",
        {"authenticationAttribute": {"names": ["username"], "value": "root"}},
        facts(authentication=ALICE),
    ),
    Case(
        "authenticationAttribute: without the webhook there is none",
        {"authenticationAttribute": {"names": ["groups"], "value": ".*"}},
        refused="ApplicantUnknown",
    ),
    Case(
        "authenticationAttribute: without the webhook, denyIfUnmatched",
        {"authenticationAttribute": {"names": ["groups"], "value": ".*", "denyIfUnmatched": True}},
        refused="ApplicantUnknown",
    ),
    Case(
        "authenticationAttribute: without the webhook, reverseMatch",
        {"authenticationAttribute": {"names": ["groups"], "value": "ci", "reverseMatch": True}},
        provider="totp",
    ),
    Case(
        "authenticationAttribute: reverseMatch",
        {"authenticationAttribute": {"names": ["method"], "value": "ServiceAccount", "reverseMatch": True}},
        facts(authentication=ALICE),
        "totp",
    ),
    # 10
    Case("applications: selected", {"applications": [{"selector": GOLD}]}, provider="totp"),
    Case("applications: not selected", {"applications": [{"selector": TIN}]}),
    Case(
        "applications: the first that selects",
        {"applications": [{"selector": TIN}, {"selector": GOLD, "provider": "person"}]},
        provider="person",
    ),
    Case(
        "applications: label missing",
        {"applications": [{"selector": {"requestSelector": {"matchLabels": {"app": "web"}}}}]},
    ),
]
