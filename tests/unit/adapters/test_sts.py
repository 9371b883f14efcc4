"""What STS answers, and the errors that people see for it."""

import time
import traceback
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from awssts.adapters.aws import MOST_CLIENTS, Clients, classify, refusal
from awssts.adapters.sts import Sts, explain
from awssts.domain import errors
from awssts.domain.errors import AwsstsError
from awssts.domain.keys import Credentials, KeyPair
from awssts.domain.resources import Role
from tests.unit.builders import KEY, ROLE_ARN, SERIAL, credentials

ASSUME = (
    "User: arn:aws:iam::123456789012:user/jane is not authorized to perform: sts:AssumeRole on resource: " + ROLE_ARN
)
VALUE = "1 validation error detected: Value '600' at 'durationSeconds' failed to satisfy constraint: Member must have …"
MAXIMUM = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
CHAINED = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
EXPIRED = "Signature expired: 20261123T160000Z is now earlier than 20261123T162500Z (20261123T164000Z - 15 min.)"
EARLY = "Signature not yet current: 20261123T170000Z is still later than 20261123T161500Z (20261123T160000Z + 15 min.)"


def answer(code: str, message: str = "", status: int = 403) -> dict[str, Any]:
    return {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}


@pytest.mark.parametrize(
    ("given", "kind", "text"),
    [
        (
            answer("AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code"),
            errors.InvalidTokenCode,
            "the MFA code was wrong or had been used before",
        ),
        (
            answer(
                "AccessDenied",
                "MultiFactorAuthentication failed, unable to validate MFA code.  "
                "Please verify your MFA serial number is valid and associated with this user.",
            ),
            errors.InvalidDevice,
            "check spec.mfa.serialNumber",
        ),
        (answer("AccessDenied", ASSUME), errors.AccessDenied, f"{ASSUME}: let the role's trust policy name this user"),
        (
            answer("AccessDenied", "Cannot call GetSessionToken with session credentials"),
            errors.AccessDenied,
            "Cannot call GetSessionToken with session credentials",
        ),
        (answer("AccessDenied"), errors.AccessDenied, "STS denied access"),
        (
            answer("InvalidClientTokenId", "The security token included in the request is invalid."),
            errors.InvalidAccessKey,
            "AWS knows no such access key",
        ),
        (
            answer("SignatureDoesNotMatch", "The request signature we calculated does not match the signature you …"),
            errors.InvalidSecretKey,
            "the secret access key is not that of the access key id",
        ),
        (answer("SignatureDoesNotMatch", EXPIRED), errors.ClockSkew, "differs from AWS's by about 2400 s (behind)"),
        (answer("SignatureDoesNotMatch", EARLY), errors.ClockSkew, "differs from AWS's by about 3600 s (ahead)"),
        (
            answer("SignatureDoesNotMatch", "Signature expired: long ago"),
            errors.ClockSkew,
            "differs from AWS's: set it",
        ),
        (answer("RequestExpired", "Request has expired", 400), errors.ClockSkew, "differs from AWS's: set it"),
        (
            answer("ExpiredToken", "The security token included in the request is expired", 400),
            errors.SessionExpired,
            "has expired",
        ),
        (answer("ExpiredToken", "The security token included in the request is expired"), errors.SessionExpired, ""),
        (answer("Throttling", "Rate exceeded", 400), errors.Throttled, "STS throttles the account: Rate exceeded"),
        (answer("ThrottlingException", "Rate exceeded", 400), errors.Throttled, "Rate exceeded"),
        (answer("ValidationError", VALUE, 400), errors.RequestRefused, f"STS refuses the parameters: {VALUE}"),
        (answer("ValidationError", MAXIMUM, 400), errors.RequestRefused, MAXIMUM),
        (answer("ValidationError", CHAINED, 400), errors.RequestRefused, CHAINED),
        (answer("RegionDisabledException", "STS is not activated …"), errors.RegionDisabled, "set another spec.region"),
        (answer("MalformedPolicyDocument", "bad JSON", 400), errors.RequestRefused, "spec.role.policy: bad JSON"),
        (answer("PackedPolicyTooLarge", "110 %", 400), errors.RequestRefused, "too large together: 110 %"),
        (answer("InternalFailure", "oops", 500), errors.StsUnavailable, "STS answered 500 InternalFailure: oops"),
        (answer("ServiceUnavailable", "", 503), errors.StsUnavailable, "STS answered 503 ServiceUnavailable"),
        (answer("502", "Bad Gateway", 502), errors.StsUnavailable, "STS answered 502 502: Bad Gateway"),
        (answer("", "", 404), errors.StsUnavailable, "STS answered 404"),
        ({}, errors.StsUnavailable, "STS answered 0"),
        (
            answer("SomethingNew", "who knows", 400),
            errors.RequestRefused,
            "STS refused the call with SomethingNew: who",
        ),
    ],
)
def test_answers(given: dict[str, Any], kind: type[AwsstsError], text: str) -> None:
    error = classify(refusal(given, []), explain, "STS")
    assert isinstance(error, kind)
    assert text in error.message


@pytest.mark.parametrize(
    "code", ["Throttling", "ThrottledException", "RequestLimitExceeded", "TooManyRequestsException"]
)
@pytest.mark.parametrize("status", [400, 429, 503])
def test_too_many_calls_are_transient(code: str, status: int) -> None:
    assert classify(refusal(answer(code, "Rate exceeded", status), []), explain, "STS").retry is errors.Retry.BACKOFF


# The calls themselves, as boto is asked for them.


class Client:
    """In boto's place: keeps what was asked, and answers."""

    def __init__(self, given: Any) -> None:
        self.given = given
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, operation: str) -> Any:
        def call(**parameters: Any) -> Any:
            self.asked.append((operation, parameters))
            if isinstance(self.given, Exception):
                raise self.given
            return self.given

        return call


GIVEN = {
    "Credentials": {
        "AccessKeyId": "ASIA0000000000000001",
        "SecretAccessKey": "secret",
        "SessionToken": "token",
        "Expiration": datetime(2026, 11, 23, 17, 0, tzinfo=UTC),
    }
}


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    made = Client(GIVEN)
    monkeypatch.setattr("botocore.session.Session.create_client", lambda *_, **__: made)
    made.meta = type("Meta", (), {"events": type("Events", (), {"register": lambda *_: None})})  # type: ignore[attr-defined]
    return made


async def ask(key: KeyPair | Credentials = KEY, role: Role | None = None, **mfa: str) -> Credentials:
    sts = Sts(threads=1)
    try:
        if role is None:
            assert isinstance(key, KeyPair)
            return await sts.session_token(key, region=None, lifetime=900, **mfa)
        return await sts.role_credentials(key, role, session_name="a.b", region="eu-west-1", lifetime=900, **mfa)
    finally:
        await sts.close()


async def test_get_session_token(client: Client) -> None:
    found = await ask()
    assert found == Credentials("ASIA0000000000000001", "secret", "token", datetime(2026, 11, 23, 17, 0, tzinfo=UTC))
    await ask(serial=SERIAL, code="123456")
    assert client.asked == [
        ("get_session_token", {"DurationSeconds": 900}),
        ("get_session_token", {"DurationSeconds": 900, "SerialNumber": SERIAL, "TokenCode": "123456"}),
    ]


async def test_assume_role(client: Client) -> None:
    await ask(role=Role(arn=ROLE_ARN))
    whole = Role(
        arn=ROLE_ARN,
        session_name="mine",
        external_id="outside",
        policy="{}",
        policy_arns=("arn:aws:iam::aws:policy/ReadOnlyAccess",),
        tags={"team": "reports"},
        transitive_tag_keys=("team",),
        source_identity="jane",
    )
    await ask(credentials(), whole)
    assert client.asked == [
        ("assume_role", {"RoleArn": ROLE_ARN, "RoleSessionName": "a.b", "DurationSeconds": 900}),
        (
            "assume_role",
            {
                "RoleArn": ROLE_ARN,
                "RoleSessionName": "mine",
                "DurationSeconds": 900,
                "ExternalId": "outside",
                "Policy": "{}",
                "PolicyArns": [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}],
                "Tags": [{"Key": "team", "Value": "reports"}],
                "TransitiveTagKeys": ["team"],
                "SourceIdentity": "jane",
            },
        ),
    ]


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"Credentials": None},
        {"Credentials": GIVEN["Credentials"] | {"SessionToken": ""}},
        {"Credentials": GIVEN["Credentials"] | {"Expiration": "soon"}},
        {
            "Credentials": GIVEN["Credentials"]
            | {"Expiration": datetime.max.replace(tzinfo=timezone(-timedelta(hours=1)))}
        },
        {"Credentials": {}},
    ],
)
async def test_an_answer_without_whole_credentials_is_none(client: Client, given: Any) -> None:
    client.given = given
    with pytest.raises(errors.StsUnavailable, match="STS in us-east-1 gave an answer"):
        await ask()


@pytest.mark.parametrize("code", ["AccessDenied", "ValidationError", "Throttling", "SomethingNew", "InternalFailure"])
async def test_what_was_sent_is_not_repeated(client: Client, code: str) -> None:
    """STS repeats parameters in its messages."""
    signed_with = credentials()
    secrets = (signed_with.secret_access_key, signed_with.session_token, "123456")
    client.given = ClientError(answer(code, f"Value {' '.join(secrets)} failed {'x' * 10_000}", 400), "AssumeRole")
    with pytest.raises(AwsstsError) as raised:
        await ask(signed_with, Role(arn=ROLE_ARN), serial=SERIAL, code="123456")
    assert "failed" in raised.value.message
    assert not [secret for secret in secrets if secret in raised.value.message]
    assert len(raised.value.message) < 1000


async def test_no_answer(client: Client) -> None:
    client.given = ConnectTimeoutError(endpoint_url="https://sts.example")
    with pytest.raises(errors.StsUnavailable, match="STS in us-east-1 can't be reached: Connect timeout"):
        await ask()


async def test_a_failure_shows_nothing_of_the_call(client: Client) -> None:
    client.given = ValueError(f"parameters: {KEY.secret_access_key}")
    with pytest.raises(errors.StsUnavailable) as raised:
        await ask()
    shown = "".join(traceback.format_exception(raised.value))
    assert KEY.secret_access_key not in shown
    assert raised.value.__context__ is None


async def test_all_calls_of_sts_share_one_rate(client: Client) -> None:
    sts = Sts(rate=5)
    client.given = GIVEN | {"Arn": "arn:aws:iam::123456789012:user/jane"}
    begin = time.monotonic()
    await sts.session_token(KEY, region=None, lifetime=900)
    assert not await sts.caller_is_root(KEY, region=None)
    await sts.session_token(KEY, region=None, lifetime=900)
    assert time.monotonic() - begin > 0.35  # twice a fifth of a second
    await sts.close()


def test_regions_that_somebody_invents_take_no_memory() -> None:
    clients = Clients("sts", connections=1)
    first = clients.of("aa-first-1")
    for number in range(MOST_CLIENTS):
        clients.of(f"aa-other-{number}")
        assert clients.of("aa-first-1") is first, "it is the least used that goes"
    assert len(clients) == MOST_CLIENTS


async def test_calls_are_told_of_by_the_name_that_aws_gives_them(client: Client) -> None:
    told: list[tuple[str, str, str]] = []
    sts = Sts(called=lambda service, operation, code, _: told.append((service, operation, code)))
    client.given = GIVEN
    await sts.session_token(KEY, region=None, lifetime=900)
    client.given = ClientError(answer("AccessDenied", "no", 403), "AssumeRole")
    with pytest.raises(AwsstsError):
        await sts.role_credentials(KEY, Role(arn=ROLE_ARN), session_name="a.b", region=None, lifetime=900)
    await sts.close()
    assert told == [("sts", "GetSessionToken", "Success"), ("sts", "AssumeRole", "AccessDenied")]
