"""CAS's own test cases for authorization and roles, and what it gets wrong."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from awssts.domain.policy import Facts, RequestFacts, SecretFacts
from tests.unit.policy.samples import AUDIT, REPORTS, decide, facts, policy, reason

ROLES = {"authorization": {"rolesFromAttribute": "awsRoles"}}
ADMIN = "arn:aws:iam::123456789012:role/admin"


def needing(name: str, value: str | None = None) -> dict[str, Any]:
    return {"authorization": {"principalAttribute": {"name": name, **({"value": value} if value else {})}}}


def asking(role: str | None, **more: Any) -> Facts:
    return facts(request=RequestFacts(name="reports", namespace="team", role_arn=role), **more)


@pytest.mark.parametrize(
    ("spec", "attributes", "refused"),
    [
        pytest.param(needing("awsRole", "admin"), {"awsRole": "user"}, "NotAuthorized", id="value mismatch"),
        pytest.param(needing("awsRole", "admin"), {}, "NotAuthorized", id="attribute missing"),
        pytest.param({}, {}, None, id="no attribute configured"),
        pytest.param(needing("awsRole"), {"awsRole": "anything"}, None, id="any value"),
        pytest.param(needing("awsRole"), {"awsRole": "[]"}, "NotAuthorized", id="no value"),
        pytest.param(needing("awsRole", "admin|user"), {"awsRole": "[guest, user]"}, None, id="one of several"),
        pytest.param(needing("awsRole", "admin"), {"awsRole": "admin-ro"}, "NotAuthorized", id="part of a value"),
        pytest.param(needing("awsRole", "(?i)ADMIN"), {"awsRole": "admin"}, None, id="regular expression"),
    ],
)
def test_authorization(spec: dict[str, Any], attributes: dict[str, str], refused: str | None) -> None:
    assert reason(decide(policy(**spec), facts(attributes=attributes))) == refused


@pytest.mark.parametrize(
    ("held", "wanted", "expected"),
    [
        pytest.param(REPORTS, None, REPORTS, id="one role"),
        pytest.param(REPORTS, REPORTS, REPORTS, id="one role, asked for"),
        pytest.param(REPORTS, AUDIT, "RoleNotAllowed", id="one role, another asked for (CAS lets it through)"),
        pytest.param(f"[{REPORTS}, {AUDIT}]", None, "RoleNotChosen", id="several roles and none chosen"),
        pytest.param(f"[{REPORTS}, {AUDIT}]", AUDIT, AUDIT, id="several roles, one chosen"),
        pytest.param(f"[{REPORTS}, {AUDIT}]", ADMIN, "RoleNotAllowed", id="unknown role"),
        pytest.param(f"[{REPORTS}, {ADMIN}]", ADMIN + "-ro", "RoleNotAllowed", id="role/admin-ro for role/admin"),
        pytest.param(f"[{REPORTS}, {ADMIN}-ro]", ADMIN, "RoleNotAllowed", id="role/admin for role/admin-ro"),
        pytest.param(f"[{REPORTS}, {ADMIN}]", ".*", "RoleNotAllowed", id="a pattern is no role"),
        pytest.param(f"[{REPORTS}, 'arn:.*']", ADMIN, "RoleNotAllowed", id="an attribute is no pattern"),
        pytest.param(f"[{REPORTS}, {REPORTS}]", None, REPORTS, id="the same role twice"),
        pytest.param("[]", None, "RoleNotAllowed", id="no role"),
        pytest.param("[]", REPORTS, "RoleNotAllowed", id="no role, one asked for"),
        pytest.param("reports", None, "RoleNotAllowed", id="the only role is no role"),
        pytest.param(REPORTS.replace("role", "user", 1), None, "RoleNotAllowed", id="the only role is a user"),
        pytest.param(f"[reports, {AUDIT}]", AUDIT, AUDIT, id="a role, and something else"),
        pytest.param(None, REPORTS, "RoleNotAllowed", id="attribute missing"),
    ],
)
def test_roles_from_attribute(held: str | None, wanted: str | None, expected: str) -> None:
    decision = decide(policy(**ROLES), asking(wanted, attributes={"awsRoles": held} if held else {}))
    assert (reason(decision) or decision.role_arn) == expected


def test_a_role_has_to_be_chosen_among_those_that_the_principal_has() -> None:
    decision = decide(policy(**ROLES), facts(attributes={"awsRoles": f"[{REPORTS}, {AUDIT}]"}))
    assert decision.denied is not None
    assert "choose one in spec.role.arn: " + f"{AUDIT}, {REPORTS}" in decision.denied.message


def test_a_refused_role_does_not_tell_which_there_are() -> None:
    decision = decide(policy(**ROLES), asking(ADMIN, attributes={"awsRoles": f"[{REPORTS}, {AUDIT}]"}))
    assert decision.denied is not None
    assert AUDIT not in decision.denied.message


def test_without_roles_from_attribute_the_role_is_the_requests() -> None:
    assert decide(policy(), asking(ADMIN)).role_arn == ADMIN
    assert decide([], asking(ADMIN)).role_arn == ADMIN
    assert decide(policy(), asking(None)).role_arn is None


def test_all_policies_must_give_the_role() -> None:
    both = [policy("a", **ROLES), policy("b", authorization={"rolesFromAttribute": "more"})]
    held = {"awsRoles": f"[{REPORTS}, {AUDIT}]", "more": f"[{AUDIT}, {ADMIN}]"}
    assert decide(both, asking(None, attributes=held)).role_arn == AUDIT
    assert reason(decide(both, asking(REPORTS, attributes=held))) == "RoleNotAllowed"
    assert reason(decide(both, asking(None, attributes={**held, "more": ADMIN}))) == "RoleNotAllowed"


def test_all_policies_must_allow() -> None:
    both = [policy("a", **needing("x")), policy("b", **needing("y"))]
    assert reason(decide(both, facts(attributes={"x": "1"}))) == "NotAuthorized"
    assert decide(both, facts(attributes={"x": "1", "y": "1"})).allowed


LENDING = {**ROLES, "awsCredentials": {"secretName": "keys", "namespace": "awssts"}}
BOTH_SOURCES = {"principal": {"sources": ["Namespace", "Secret"]}}


def test_the_administrators_keys_are_for_principals_without_any() -> None:
    without = asking(None, attributes={"awsRoles": REPORTS}, secret=None)
    decision = decide(policy(**LENDING), without)
    assert decision.aws_credentials is not None
    assert (decision.aws_credentials.namespace, decision.aws_credentials.secret_name) == ("awssts", "keys")
    assert decision.role_arn == REPORTS
    assert decide(policy(**LENDING), replace(without, secret=SecretFacts(name="own"))).aws_credentials is None


def test_the_administrators_keys_are_not_for_roles_or_attributes_that_the_owner_wrote() -> None:
    written = SecretFacts(name="x", keys=False, attributes=f"awsRoles: [{ADMIN}]\nstaff: [yes]")
    decision = decide(policy(**LENDING, **BOTH_SOURCES), asking(ADMIN, secret=written))
    assert reason(decision) == "RoleNotAllowed"
    staff = [policy("a", **LENDING), policy("b", **needing("staff"), **BOTH_SOURCES)]
    decision = decide(staff, asking(REPORTS, attributes={"awsRoles": REPORTS}, secret=written))
    assert reason(decision) == "NotAuthorized"


def test_nor_does_he_let_himself_off_mfa_with_what_he_wrote() -> None:
    lax = {"name": "totp", "type": "Totp", "bypass": {"principalAttributes": [{"name": "staff"}]}}
    mfa = {"providers": [lax], "triggers": {"global": {}}}
    written = SecretFacts(name="x", keys=False, attributes="staff: [yes]")
    about = asking(REPORTS, attributes={"awsRoles": REPORTS}, secret=written)
    assert decide(policy(**LENDING, **BOTH_SOURCES, mfa=mfa), about).mfa.required
    his_own = replace(about, secret=replace(written, keys=True))
    assert not decide(policy(**LENDING, **BOTH_SOURCES, mfa=mfa), his_own).mfa.required


def test_the_administrators_keys_need_roles_from_an_attribute() -> None:
    with pytest.raises(ValidationError, match=r"awsCredentials needs authorization\.rolesFromAttribute"):
        policy(awsCredentials=LENDING["awsCredentials"])


FIELDS = ["sessionName", "externalId", "tags", "transitiveTagKeys", "sourceIdentity"]


def with_fields(*fields: str, own: bool = False) -> Facts:
    request = RequestFacts(name="reports", namespace="team", role_arn=REPORTS, role_fields=fields)
    secret = SecretFacts(name="own") if own else None
    return facts(request=request, attributes={"awsRoles": REPORTS}, secret=secret)


@pytest.mark.parametrize("field", FIELDS)
def test_with_the_administrators_keys_a_request_speaks_in_nobodys_name(field: str) -> None:
    decision = decide(policy(**LENDING), with_fields(field))
    assert reason(decision) == "LimitExceeded"
    assert decision.denied is not None
    assert f"spec.role.{field} must be left out, unless awsCredentials.allow names it" in decision.denied.message
    assert decide(policy(**LENDING), with_fields(field, own=True)).allowed


@pytest.mark.parametrize("field", FIELDS)
def test_but_with_what_the_policy_allows(field: str) -> None:
    lending = LENDING | {"awsCredentials": {**LENDING["awsCredentials"], "allow": [field]}}
    assert decide(policy(**lending), with_fields(field)).allowed
    assert reason(decide(policy(**lending), with_fields(*FIELDS))) == "LimitExceeded"


def test_of_two_policies_that_lend_keys_the_first_by_priority_does() -> None:
    two = [
        policy("a", **ROLES, awsCredentials={"secretName": "low", "namespace": "x"}),
        policy("b", priority=1, **ROLES, awsCredentials={"secretName": "high", "namespace": "x"}),
    ]
    decision = decide(two, asking(None, attributes={"awsRoles": REPORTS}, secret=None))
    assert decision.aws_credentials is not None
    assert decision.aws_credentials.secret_name == "high"
