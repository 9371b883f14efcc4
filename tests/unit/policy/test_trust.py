"""Whatever rests on what the owner can write draws a warning, with its field and a remedy."""

from typing import Any

import pytest

from awssts.domain.policy import warnings
from tests.unit.policy.samples import PUSH, TOTP, policy, with_mfa

MINE = {"requestSelector": {"matchLabels": {"a": "b"}}}
GOLD = {"namespaceSelector": {"matchLabels": {"tier": "gold"}}}
OPEN_TO_OWNER = {"principal": {"sources": ["Namespace", "Secret"]}}
HTTP = {"url": "http://rules.example.org"}


def providing(**bypass: Any) -> dict[str, Any]:
    return with_mfa({"global": {}}, [{**TOTP, "bypass": bypass}])


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"selector": MINE}, "spec.selector.requestSelector"),
        (
            {"authorization": {"principalAttribute": {"name": "a"}}, **OPEN_TO_OWNER},
            "spec.authorization.principalAttribute",
        ),
        ({"authorization": {"rolesFromAttribute": "a"}, **OPEN_TO_OWNER}, "spec.authorization.rolesFromAttribute"),
        (
            with_mfa({"principalAttribute": {"names": ["a"], "value": "b"}}, **OPEN_TO_OWNER),
            "spec.mfa.triggers.principalAttribute",
        ),
        (
            with_mfa({"principalAttributePerApplication": [{"selector": GOLD, "name": "a"}]}, **OPEN_TO_OWNER),
            "spec.mfa.triggers.principalAttributePerApplication[0]",
        ),
        (
            with_mfa({"principalAttributePerApplication": [{"selector": MINE, "name": "a"}]}),
            "spec.mfa.triggers.principalAttributePerApplication[0].selector.requestSelector",
        ),
        (
            with_mfa({"groups": {"membershipAttribute": "a", "groups": [{"name": "b"}]}}, **OPEN_TO_OWNER),
            "spec.mfa.triggers.groups.membershipAttribute",
        ),
        (
            with_mfa({"applications": [{"selector": GOLD}, {"selector": MINE}]}),
            "spec.mfa.triggers.applications[1].selector.requestSelector",
        ),
        (with_mfa({"entityId": {"source": "Annotation", "entities": [{"id": "a"}]}}), "spec.mfa.triggers.entityId"),
        (with_mfa({"adaptive": [{"expression": "history.keyChanged"}]}), "spec.mfa.triggers.adaptive[0].expression"),
        (with_mfa({"script": {"expression": "request.name == ''"}}), "spec.mfa.triggers.script.expression"),
        (
            with_mfa({"principalAttributePredicate": {"expression": "principal.id == ''"}}, **OPEN_TO_OWNER),
            "spec.mfa.triggers.principalAttributePredicate.expression",
        ),
        (
            {**providing(principalAttributes=[{"name": "a"}]), **OPEN_TO_OWNER},
            "spec.mfa.providers[0].bypass.principalAttributes[0]",
        ),
        (
            {**providing(principalAttributesPerService=[{"selector": GOLD, "name": "a"}]), **OPEN_TO_OWNER},
            "spec.mfa.providers[0].bypass.principalAttributesPerService[0]",
        ),
        (
            providing(principalAttributesPerService=[{"selector": MINE, "name": "a"}]),
            "spec.mfa.providers[0].bypass.principalAttributesPerService[0].selector.requestSelector",
        ),
        (providing(requestProperties=[{"label": "a"}]), "spec.mfa.providers[0].bypass.requestProperties[0]"),
        (providing(services=[MINE]), "spec.mfa.providers[0].bypass.services[0].requestSelector"),
        (providing(script="request.name == ''"), "spec.mfa.providers[0].bypass.script"),
        (providing(rest=HTTP), "spec.mfa.providers[0].bypass.rest.url"),
        (with_mfa({"rest": HTTP}), "spec.mfa.triggers.rest.url"),
        (with_mfa({"groups": {"rest": HTTP, "groups": [{"name": "a"}]}}), "spec.mfa.triggers.groups.rest.url"),
        ({"principal": {"sources": ["Namespace", "Rest"], "rest": HTTP}}, "spec.principal.rest.url"),
        (with_mfa({"global": {}}, [{**PUSH, "webhook": HTTP}]), "spec.mfa.providers[0].webhook.url"),
        (
            with_mfa({"global": {}}, mfa={"serviceFailureModes": [{"selector": MINE, "failureMode": "Phantom"}]}),
            "spec.mfa.serviceFailureModes[0].selector.requestSelector",
        ),
        (
            with_mfa({"entityId": {"source": "ServiceAccount", "entities": [{"id": "a/b"}]}}),
            "spec.mfa.triggers.entityId",
        ),
        (
            with_mfa({"authenticationAttribute": {"names": ["groups"], "value": "ops"}}),
            "spec.mfa.triggers.authenticationAttribute",
        ),
        (
            providing(authenticationMethods=["ServiceAccount"]),
            "spec.mfa.providers[0].bypass.authenticationMethods",
        ),
        (with_mfa({}, [{**PUSH, "failureMode": "Open"}]), "spec.mfa.providers[0].failureMode"),
        (with_mfa({}, [TOTP, {**PUSH, "failureMode": "Phantom"}]), "spec.mfa.providers[1].failureMode"),
        (with_mfa({}, [PUSH], mfa={"failureMode": "Open"}), "spec.mfa.providers[0].failureMode"),
        (
            with_mfa({}, [PUSH], mfa={"serviceFailureModes": [{"selector": GOLD, "failureMode": "Phantom"}]}),
            "spec.mfa.serviceFailureModes[0].failureMode",
        ),
        (
            with_mfa({"rest": {"url": "https://rules.example.org", "failureMode": "Open"}}),
            "spec.mfa.triggers.rest.failureMode",
        ),
        (
            with_mfa(
                {
                    "groups": {
                        "rest": {"url": "https://rules.example.org", "failureMode": "Open"},
                        "groups": [{"name": "a"}],
                    }
                }
            ),
            "spec.mfa.triggers.groups.rest.failureMode",
        ),
        *(
            (providing(authenticationAttributes=[match]), "spec.mfa.providers[0].bypass.authenticationAttributes[0]")
            for match in (
                {"name": "username"},
                {"name": "username", "value": "system:serviceaccount:.*:deployer"},
                {"name": "groups", "value": "ops|system:serviceaccounts"},
                {"name": "groups", "value": "system:authenticated"},
                {"name": "method", "value": "ServiceAccount"},
                {"name": "authentication.kubernetes.io/pod-name", "value": "deployer-0"},
            )
        ),
        *(
            (
                with_mfa(
                    {"authenticationAttribute": {"names": ["username", name], "value": value, "reverseMatch": True}}
                ),
                "spec.mfa.triggers.authenticationAttribute",
            )
            for name, value in (
                ("groups", "system:serviceaccounts:.*"),
                ("method", "ServiceAccount"),
                ("authentication.kubernetes.io/pod-name", "deployer-0"),
            )
        ),
        (
            with_mfa({"adaptive": [{"expression": "authentication.username == ''"}]}),
            "spec.mfa.triggers.adaptive[0].expression",
        ),
        (
            with_mfa({"script": {"expression": "'ops' in authentication.groups"}}),
            "spec.mfa.triggers.script.expression",
        ),
        (providing(script="'ops' in authentication.groups"), "spec.mfa.providers[0].bypass.script"),
    ],
)
def test_warning(spec: dict[str, Any], path: str) -> None:
    (warning,) = warnings(policy(**spec))
    assert warning.split()[0].rstrip(":") == path
    assert ": " in warning or "resets" in warning  # the remedy


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"selector": GOLD},
        {"authorization": {"principalAttribute": {"name": "a"}, "rolesFromAttribute": "b"}},
        with_mfa(
            {
                "adaptive": [{"onDays": ["Sunday"]}],
                "optIn": {},
                "rest": {"url": "https://rules.example.org"},
                "script": {"expression": "ns.labels.tier == 'gold' && principal.id != '' && now.getHours() > 5"},
                "principalAttributePerApplication": [{"selector": GOLD, "name": "a"}],
                "principalAttribute": {"names": ["a"], "value": "b"},
                "authenticationAttribute": {"names": ["groups"], "value": "ops", "reverseMatch": True},
                "applications": [{"selector": GOLD}],
                "groups": {"membershipAttribute": "a", "groups": [{"name": "b"}]},
            },
            mfa={"serviceFailureModes": [{"selector": MINE, "failureMode": "Closed"}]},
        ),
        providing(principalAttributes=[{"name": "a"}], services=[GOLD]),
        with_mfa({"global": {}}, [PUSH, {**PUSH, "name": "other", "failureMode": "None"}]),
        with_mfa({"global": {}}, [{**TOTP, "failureMode": "Open"}], mfa={"failureMode": "Phantom"}),
        providing(
            authenticationAttributes=[
                {"name": "username", "value": "system:serviceaccount:ci:deployer|alice@example.org"},
                {"name": "groups", "value": "system:serviceaccounts:ci"},
            ]
        ),
        {"principal": {"sources": ["Rest"], "rest": {"url": "https://directory.example.org"}}},
    ],
)
def test_trusted_sources_draw_no_warning(spec: dict[str, Any]) -> None:
    assert warnings(policy(**spec)) == []


def test_the_default_sources_include_the_owners() -> None:
    (warning,) = warnings(policy(principal={}, authorization={"principalAttribute": {"name": "team"}}))
    assert "attribute team" in warning
    assert "leave Secret out of spec.principal.sources" in warning
