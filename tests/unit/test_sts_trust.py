"""Trust policies: who may assume a role, and when."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from testbed.sts import allow
from testbed.sts.conditions import UnknownElementError
from testbed.sts.identities import Caller, Role, RoleSession, User
from testbed.sts.trust import Ask, allows

NOW = datetime(2026, 6, 27, 14, 0, tzinfo=UTC)
ALICE = User("arn:aws:iam::111122223333:user/dev/alice", "AIDA1", "111122223333", "alice", {"team": "blue"})
LONG_TERM = Caller(ALICE, "AKIA1")
SESSION = Caller(ALICE, "ASIA1", temporary=True)
READER = Role("arn:aws:iam::111122223333:role/path/reader", "AROA1", "reader", "111122223333", "{}")
READING = Caller(RoleSession(READER, "s1", {"cost": "7"}), "ASIA2", temporary=True)

EVERYBODY = "*"
MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
MFA_IF_EXISTS = {"BoolIfExists": {"aws:MultiFactorAuthPresent": "true"}}
NO_MFA = {"Bool": {"aws:MultiFactorAuthPresent": False}}
FRESH = {"NumericLessThan": {"aws:MultiFactorAuthAge": "3600"}}
EXTERNAL = {"StringEquals": {"sts:ExternalId": ["one", "two"]}}
OWN_NAME = {"StringLike": {"sts:RoleSessionName": "${aws:username}-*"}}
BLUE = {"StringEquals": {"aws:PrincipalTag/team": "blue"}}
BOTH = {"StringEquals": {"sts:ExternalId": "one", "aws:PrincipalTag/team": "blue"}}


def trusted(*statements: dict[str, Any], caller: Caller = LONG_TERM, **ask: Any) -> bool:
    policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    return allows(policy, "sts:AssumeRole", Ask(caller, NOW, ask.pop("mfa_at", caller.mfa_at), **ask))


@pytest.mark.parametrize(
    ("principal", "caller", "expected"),
    [
        (EVERYBODY, LONG_TERM, True),
        ("111122223333", LONG_TERM, True),
        ("arn:aws:iam::111122223333:root", LONG_TERM, True),
        ("arn:aws:iam::111122223333:root", READING, True),
        ("arn:aws:iam::444455556666:root", LONG_TERM, False),
        (ALICE.arn, LONG_TERM, True),
        (ALICE.arn, SESSION, True),
        (ALICE.arn, READING, False),
        ("arn:aws:iam::111122223333:user/alice", LONG_TERM, False),
        ("arn:aws:iam::111122223333:user/*", LONG_TERM, False),
        (READER.arn, READING, True),
        ("arn:aws:sts::111122223333:assumed-role/reader/s1", READING, True),
        ("arn:aws:sts::111122223333:assumed-role/reader/s2", READING, False),
        (["arn:aws:iam::444455556666:root", ALICE.arn], LONG_TERM, True),
    ],
)
def test_principals(principal: Any, caller: Caller, expected: bool) -> None:
    assert trusted(allow(principal), caller=caller) is expected


def test_the_principal_may_be_a_bare_star_but_no_service() -> None:
    assert trusted({"Effect": "Allow", "Principal": "*", "Action": "sts:*"})
    service = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    assert not trusted(service)


@pytest.mark.parametrize(
    ("condition", "caller", "mfa_age", "expected"),
    [
        (MFA, LONG_TERM, None, False),  # long-term keys have no such key
        (MFA, LONG_TERM, 0, True),  # the call itself carries a code
        (MFA, SESSION, None, False),
        (MFA, SESSION, 60, True),
        (MFA, READING, None, False),
        (MFA_IF_EXISTS, LONG_TERM, None, True),  # the well-known hole
        (MFA_IF_EXISTS, SESSION, None, False),
        (MFA_IF_EXISTS, SESSION, 60, True),
        (NO_MFA, LONG_TERM, None, False),
        (NO_MFA, SESSION, None, True),
        (FRESH, SESSION, None, False),
        (FRESH, SESSION, 3599, True),
        (FRESH, SESSION, 3600, False),
        ({**MFA, **FRESH}, SESSION, 60, True),
        ({"Null": {"aws:MultiFactorAuthAge": "true"}}, SESSION, None, True),
        ({"Null": {"aws:MultiFactorAuthAge": "false"}}, SESSION, 60, True),
        ({"NumericGreaterThanEquals": {"aws:MultiFactorAuthAge": 60}}, SESSION, 60, True),
    ],
)
def test_mfa_conditions(condition: Any, caller: Caller, mfa_age: int | None, expected: bool) -> None:
    mfa_at = None if mfa_age is None else NOW - timedelta(seconds=mfa_age)
    assert trusted(allow(EVERYBODY, condition=condition), caller=caller, mfa_at=mfa_at) is expected


@pytest.mark.parametrize(
    ("condition", "ask", "expected"),
    [
        (EXTERNAL, {}, False),
        (EXTERNAL, {"external_id": "two"}, True),
        (EXTERNAL, {"external_id": "three"}, False),
        ({"StringNotEquals": {"sts:ExternalId": "one"}}, {}, True),
        ({"StringNotEquals": {"sts:ExternalId": ["one", "two"]}}, {"external_id": "two"}, False),
        ({"StringEquals": {"sts:RoleSessionName": "ci"}}, {"session_name": "ci"}, True),
        ({"StringEqualsIgnoreCase": {"sts:RoleSessionName": "CI"}}, {"session_name": "ci"}, True),
        (OWN_NAME, {"session_name": "alice-1"}, True),
        (OWN_NAME, {"session_name": "bob-1"}, False),
        (BLUE, {}, True),
        ({"StringLike": {"aws:PrincipalArn": "arn:aws:iam::*:user/dev/*"}}, {}, True),
        ({"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:user/dev/*"}}, {}, False),
        ({"StringEquals": {"aws:RequestTag/env": "prod"}}, {"tags": {"env": "prod"}}, True),
        ({"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}, {"region": "eu-west-1"}, True),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}, {"tags": {"a": "1"}}, True),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}}, {"tags": {"a": "1", "b": "2"}}, False),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["a"]}}, {"tags": {"a": "1", "b": "2"}}, True),
        (BOTH, {"external_id": "one"}, True),
        (BOTH, {"external_id": "no"}, False),
        (BOTH, {}, False),
    ],
)
def test_other_conditions(condition: Any, ask: dict[str, Any], expected: bool) -> None:
    assert trusted(allow(EVERYBODY, condition=condition), **ask) is expected


def test_the_tags_of_a_role_session_are_its_principal_tags() -> None:
    cost = {"StringEquals": {"aws:PrincipalTag/cost": "7"}}
    assert trusted(allow(EVERYBODY, condition=cost), caller=READING)


def test_a_deny_wins_over_an_allow() -> None:
    deny = allow(EVERYBODY, effect="Deny", condition=MFA_IF_EXISTS | BLUE)
    assert not trusted(allow(ALICE.arn), deny)
    assert not trusted(deny, allow(ALICE.arn))
    assert trusted(allow(ALICE.arn), allow("444455556666", effect="Deny"))


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("sts:AssumeRole", True),
        ("sts:*", True),
        ("*", True),
        ("sts:assumerole", True),
        ("sts:TagSession", False),
    ],
)
def test_actions(action: str, expected: bool) -> None:
    assert trusted(allow(EVERYBODY, action=action)) is expected


@pytest.mark.parametrize(
    "statement",
    [
        {"Effect": "Allow", "NotPrincipal": {"AWS": "x"}, "Action": "*"},
        allow(EVERYBODY, condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}),
    ],
)
def test_what_cannot_be_evaluated_is_said(statement: dict[str, Any]) -> None:
    with pytest.raises(UnknownElementError):
        trusted(statement)
