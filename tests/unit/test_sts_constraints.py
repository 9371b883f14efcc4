"""Constraints on parameters, with the messages that AWS sends."""

import json
from typing import Any

import pytest

from testbed.sts import constraints
from testbed.sts.errors import StsError
from testbed.sts.parameters import AssumeRole

ROLE = "arn:aws:iam::111122223333:role/reader"
SESSION_TOKEN: dict[str, Any] = {"duration": 3600, "serial_number": None, "token_code": None}


@pytest.mark.parametrize(
    ("changed", "constraint"),
    [
        ({"duration": 899}, "Value '899' at 'durationSeconds' … have value greater than or equal to 900"),
        (
            {"duration": 129601},
            "Value '129601' at 'durationSeconds' … have value less than or equal to 129600",
        ),
        ({"token_code": "12345"}, "Value '12345' at 'tokenCode' … have length greater than or equal to 6"),
        ({"token_code": "1234567"}, "Value '1234567' at 'tokenCode' … have length less than or equal to 6"),
        (
            {"token_code": "12345x"},
            r"Value '12345x' at 'tokenCode' … satisfy regular expression pattern: [\d]*",
        ),
        (
            {"serial_number": "12345678"},
            "Value '12345678' at 'serialNumber' … have length greater than or equal to 9",
        ),
        (
            {"serial_number": "with space"},
            r"Value 'with space' at 'serialNumber' … satisfy regular expression pattern: [\w+=/:,.@-]*",
        ),
    ],
)
def test_get_session_token(changed: dict[str, Any], constraint: str) -> None:
    violations = list(constraints.session_token_violations(**SESSION_TOKEN | changed))
    assert violations == [message(constraint)]


@pytest.mark.parametrize("duration", [900, 129600, None])
def test_durations_within_the_limits_pass(duration: int | None) -> None:
    assert not list(constraints.session_token_violations(duration, None, None))


@pytest.mark.parametrize(
    ("changed", "constraint"),
    [
        (
            {"DurationSeconds": "899"},
            "Value '899' at 'durationSeconds' … have value greater than or equal to 900",
        ),
        (
            {"DurationSeconds": "43201"},
            "Value '43201' at 'durationSeconds' … have value less than or equal to 43200",
        ),
        ({"RoleSessionName": "x"}, "Value 'x' at 'roleSessionName' … have length greater than or equal to 2"),
        (
            {"RoleSessionName": "x" * 65},
            f"Value '{'x' * 65}' at 'roleSessionName' … have length less than or equal to 64",
        ),
        (
            {"RoleSessionName": "a/b"},
            r"Value 'a/b' at 'roleSessionName' … satisfy regular expression pattern: [\w+=,.@-]*",
        ),
        ({"RoleSessionName": None}, "Value null at 'roleSessionName' … not be null"),
        ({"RoleArn": None}, "Value null at 'roleArn' … not be null"),
        (
            {"RoleArn": "arn:short"},
            "Value 'arn:short' at 'roleArn' … have length greater than or equal to 20",
        ),
        ({"ExternalId": "x"}, "Value 'x' at 'externalId' … have length greater than or equal to 2"),
        ({"SourceIdentity": "x"}, "Value 'x' at 'sourceIdentity' … have length greater than or equal to 2"),
        (
            {"Policy": "x" * 2049},
            f"Value '{'x' * 2049}' at 'policy' … have length less than or equal to 2048",
        ),
        (
            {f"PolicyArns.member.{n}.arn": "arn:aws:iam::aws:policy/ReadOnlyAccess" for n in range(1, 12)},
            "Value at 'policyArns' … have length less than or equal to 10",
        ),
        (
            {f"Tags.member.{n}.Key": str(n) for n in range(1, 52)},
            "Value at 'tags' … have length less than or equal to 50",
        ),
        (
            {"Tags.member.1.Key": "k" * 129, "Tags.member.1.Value": "v"},
            f"Value '{'k' * 129}' at 'tags.1.member.key' … have length less than or equal to 128",
        ),
        (
            {"Tags.member.1.Key": "k", "Tags.member.1.Value": "v" * 257},
            f"Value '{'v' * 257}' at 'tags.1.member.value' … have length less than or equal to 256",
        ),
        (
            {"Tags.member.1.Key": "a;b", "Tags.member.1.Value": "v"},
            r"Value 'a;b' at 'tags.1.member.key' … satisfy regular expression pattern: "
            r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+",
        ),
    ],
)
def test_assume_role(changed: dict[str, str | None], constraint: str) -> None:
    error = refusal(changed)
    assert error.code == "ValidationError"
    assert error.status == 400
    assert error.message == f"1 validation error detected: {message(constraint)}"


@pytest.mark.parametrize(
    ("changed", "code", "text"),
    [
        (
            {"RoleArn": "not-an-arn-but-long-enough"},
            "ValidationError",
            "not-an-arn-but-long-enough is invalid",
        ),
        ({"RoleArn": "arn:aws:iam::111122223333:user/x"}, "ValidationError", "Request ARN is invalid"),
        ({"Policy": "{"}, "MalformedPolicyDocument", "This policy contains invalid Json"),
        ({"Policy": "[]"}, "MalformedPolicyDocument", "Syntax errors in policy."),
        ({"DurationSeconds": "1h"}, "MalformedInput", "Invalid value '1h' at 'durationSeconds'"),
        (
            {"DurationSeconds": "1", "RoleSessionName": "x"},
            "ValidationError",
            "2 validation errors detected: ",
        ),
    ],
)
def test_assume_role_says_other_things_too(changed: dict[str, str | None], code: str, text: str) -> None:
    error = refusal(changed)
    assert error.code == code
    assert error.message.startswith(text)


def test_a_whole_call_passes() -> None:
    asked = AssumeRole(
        {
            "RoleArn": ROLE,
            "RoleSessionName": "ci@example.com",
            "DurationSeconds": "43200",
            "ExternalId": "a:b/c",
            "Policy": json.dumps({"Statement": []}),
            "Tags.member.2.Key": "zwei",
            "Tags.member.2.Value": "",
            "Tags.member.1.Key": "größe",
            "Tags.member.1.Value": "ja",
            "TransitiveTagKeys.member.1": "zwei",
            "PolicyArns.member.1.arn": "arn:aws:iam::aws:policy/ReadOnlyAccess",
        }
    )
    asked.check()
    constraints.check_tags(asked.tags, asked.transitive_tag_keys, {})
    assert asked.tags == (("größe", "ja"), ("zwei", ""))
    assert asked.packed_policy_size == 1


@pytest.mark.parametrize(
    ("tags", "transitive", "inherited", "text"),
    [
        ([("a", ""), ("A", "")], [], {}, "Duplicate tag keys found."),
        ([("aws:a", "")], [], {}, "Tag keys can't start with the reserved prefix"),
        ([("a", "")], ["b"], {}, "The specified transitive tag key must be included"),
        ([("a", "2")], [], {"A": "1"}, "One of the specified transitive tag keys can't be set"),
    ],
)
def test_tags(tags: list[tuple[str, str]], transitive: list[str], inherited: dict[str, str], text: str) -> None:
    with pytest.raises(StsError, match=text) as refused:
        constraints.check_tags(tags, transitive, inherited)
    assert refused.value.code == "InvalidParameterValue"


def refusal(changed: dict[str, str | None]) -> StsError:
    parameters = {"RoleArn": ROLE, "RoleSessionName": "ci"} | changed
    with pytest.raises(StsError) as refused:
        AssumeRole({name: value for name, value in parameters.items() if value is not None}).check()
    return refused.value


def message(constraint: str) -> str:
    return constraint.replace("…", "failed to satisfy constraint: Member must")
