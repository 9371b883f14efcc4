"""Limits: each one, and of several policies the strictest."""

from dataclasses import replace
from typing import Any

import pytest

from awssts.domain.policy import EffectiveLimits, Facts, RequestFacts, SecretFacts
from awssts.domain.policy.errors import LimitExceeded
from tests.unit.policy.samples import AUDIT, REPORTS, decide, facts, policy, reason


def lasting(seconds: int | None) -> Facts:
    return facts(request=RequestFacts(name="r", namespace="team", duration=seconds))


def assuming(role: str | None) -> Facts:
    return facts(request=RequestFacts(name="r", namespace="team", role_arn=role))


def keys(**about: Any) -> Facts:
    return facts(secret=SecretFacts(name="keys", **about))


@pytest.mark.parametrize(
    ("limits", "about", "refused"),
    [
        ({"maxDuration": "4h"}, lasting(14_400), None),
        ({"maxDuration": "4h"}, lasting(14_401), "LimitExceeded"),
        ({"maxDuration": "PT4H"}, lasting(None), None),
        ({}, lasting(129_600), None),
        ({"requireCredentialsLabel": True}, keys(labelled=False), "LimitExceeded"),
        ({"requireCredentialsLabel": True}, keys(labelled=True), None),
        ({"requireCredentialsLabel": True}, keys(labelled=False, keys=False), None),
        ({"allowedRoleArns": [REPORTS]}, assuming(REPORTS), None),
        ({"allowedRoleArns": [REPORTS]}, assuming(REPORTS + "-ro"), "RoleNotAllowed"),
        ({"allowedRoleArns": [REPORTS + "-ro"]}, assuming(REPORTS), "RoleNotAllowed"),
        ({"allowedRoleArns": []}, assuming(REPORTS), "RoleNotAllowed"),
        ({"allowedRoleArns": []}, assuming(None), "RoleNotChosen"),
        ({"allowedRoleArns": [REPORTS]}, assuming(None), "RoleNotChosen"),
        ({}, assuming(None), None),
        ({}, assuming(REPORTS), None),
    ],
)
def test_limit(limits: dict[str, Any], about: Facts, refused: str | None) -> None:
    assert reason(decide(policy(limits=limits), about)) == refused


def test_the_strictest_of_all_holds() -> None:
    decision = decide(
        [
            policy("a", limits={"maxDuration": "4h", "allowRoot": True, "allowedRoleArns": [REPORTS, AUDIT]}),
            policy("b", limits={"maxDuration": "6h", "requireCredentialsLabel": True, "allowedRoleArns": [AUDIT]}),
            policy("c", limits={"allowRoot": True}),
        ],
        replace(assuming(AUDIT), secret=SecretFacts(name="keys", labelled=True)),
    )
    assert decision.limits == EffectiveLimits(
        max_duration=14_400,
        max_session_duration=14_400,
        allow_root=False,
        allowed_role_arns=frozenset({AUDIT}),
        require_credentials_label=True,
    )


@pytest.mark.parametrize(
    ("all_limits", "longest"),
    [
        ([{}], None),
        ([{"maxDuration": "1h"}], 3_600),
        ([{"maxDuration": "1h", "maxSessionDuration": "12h"}], 43_200),
        ([{"maxSessionDuration": "8h"}], 28_800),
        ([{"maxDuration": "1h", "maxSessionDuration": "12h"}, {"maxDuration": "2h"}], 7_200),
        ([{"maxSessionDuration": "8h"}, {}], 28_800),
    ],
)
def test_a_session_lives_no_longer_than_credentials_unless_the_policy_says_so(
    all_limits: list[dict[str, str]], longest: int | None
) -> None:
    policies = [policy(f"p{number}", limits=limits) for number, limits in enumerate(all_limits)]
    assert decide(policies, facts()).limits.max_session_duration == longest


def test_the_role_that_an_attribute_gives_is_a_role() -> None:
    spec = {"authorization": {"rolesFromAttribute": "awsRoles"}, "limits": {"allowedRoleArns": [AUDIT]}}
    assert decide(policy(**spec), facts(attributes={"awsRoles": AUDIT})).role_arn == AUDIT


def test_without_a_policy_there_are_no_limits() -> None:
    assert decide([], keys()).limits == EffectiveLimits()


def test_root_keys_are_refused() -> None:
    limits = decide(policy(), keys()).limits
    limits.check_root(root=False)
    EffectiveLimits(allow_root=True).check_root(root=True)
    with pytest.raises(LimitExceeded, match="allowRoot"):
        limits.check_root(root=True)


def test_the_role_from_an_attribute_is_checked_too() -> None:
    spec = {"authorization": {"rolesFromAttribute": "awsRoles"}, "limits": {"allowedRoleArns": [AUDIT]}}
    assert reason(decide(policy(**spec), facts(attributes={"awsRoles": REPORTS}))) == "RoleNotAllowed"
