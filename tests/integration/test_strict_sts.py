"""The strict STS through boto3: all of AWS's errors, single use of codes, faults, counters."""

from __future__ import annotations

import itertools
import re
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from testbed.sts import Device, Key, StrictSts, User, allow
from tests.integration.refusals import ACCOUNT, INVALID_TOKEN, WRONG_CODE, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_sts import STSClient
    from mypy_boto3_sts.type_defs import CredentialsTypeDef

ROOT = f"arn:aws:iam::{ACCOUNT}:root"
MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
NAMES = (f"user{number}" for number in itertools.count())
WRONG_SERIAL = (
    "MultiFactorAuthentication failed, unable to validate MFA code.  "
    "Please verify your MFA serial number is valid and associated with this user."
)
CLOSE = timedelta(seconds=5)
EXPIRED = "The security token included in the request is expired"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StrictSts]:
    with StrictSts(tmp_path_factory.mktemp("sts")) as sts:
        yield sts


@pytest.fixture
def sts(running: StrictSts) -> Iterator[StrictSts]:
    running.reset_counters()
    yield running
    running.clear_faults()
    running.skew(0)


@pytest.fixture
def user(sts: StrictSts) -> User:
    return sts.user(next(NAMES))


@pytest.fixture
def client(sts: StrictSts, user: User) -> STSClient:
    return sts.client(user)


def lives(credentials: CredentialsTypeDef, seconds: float) -> bool:
    """Whether the credentials expire that much from now."""
    return abs(credentials["Expiration"] - datetime.now(UTC) - timedelta(seconds=seconds)) < CLOSE


def mfa(device: Device, at: float | None = None) -> dict[str, Any]:
    """The parameters of a call with the device's code of now, or of a time in seconds since 1970."""
    return {"SerialNumber": device.serial_number, "TokenCode": device.code(at)}


def assume(client: STSClient, role: str, **parameters: Any) -> CredentialsTypeDef:
    return client.assume_role(**{"RoleArn": role, "RoleSessionName": "test"} | parameters)["Credentials"]


def arn(client: STSClient) -> str:
    return client.get_caller_identity()["Arn"]


# --- who calls -----------------------------------------------------------------------------------------


def test_an_unknown_key(sts: StrictSts) -> None:
    client = sts.client(Key("AKIAIOSFODNN7EXAMPLE", "secret"))
    assert refusal(client.get_session_token) == ("InvalidClientTokenId", 403, INVALID_TOKEN)


def test_a_wrong_secret(sts: StrictSts, user: User) -> None:
    code, status, message = refusal(sts.client(Key(user.access_key_id, "wrong")).get_session_token)
    assert (code, status) == ("SignatureDoesNotMatch", 403)
    assert message.startswith("The request signature we calculated does not match the signature you provided.")


def test_an_inactive_key_and_a_deleted_one(sts: StrictSts, user: User, client: STSClient) -> None:
    session = sts.client(client.get_session_token()["Credentials"])
    key = {"UserName": user.name, "AccessKeyId": user.access_key_id}
    sts.iam.update_access_key(**key, Status="Inactive")
    assert refusal(client.get_session_token) == ("InvalidClientTokenId", 403, INVALID_TOKEN)
    sts.iam.update_access_key(**key, Status="Active")
    assert arn(client) == user.arn
    sts.iam.delete_access_key(**key)
    assert refusal(client.get_caller_identity) == ("InvalidClientTokenId", 403, INVALID_TOKEN)
    assert arn(session) == user.arn  # sessions outlive the key


def test_sessions_end_with_the_user(sts: StrictSts, user: User, client: STSClient) -> None:
    session = sts.client(client.get_session_token()["Credentials"])
    sts.iam.delete_access_key(UserName=user.name, AccessKeyId=user.access_key_id)
    sts.iam.delete_user(UserName=user.name)
    sts.iam.create_user(UserName=user.name)
    assert refusal(session.get_caller_identity) == ("InvalidClientTokenId", 403, INVALID_TOKEN)


@pytest.mark.parametrize("token", [None, "garbage", "of another"])
def test_a_wrong_session_token(sts: StrictSts, client: STSClient, token: str | None) -> None:
    credentials = client.get_session_token()["Credentials"]
    if token == "of another":
        token = client.get_session_token()["Credentials"]["SessionToken"]
    wrong = sts.client({**credentials, "SessionToken": token})
    assert refusal(wrong.get_caller_identity) == ("InvalidClientTokenId", 403, INVALID_TOKEN)


def test_an_expired_session(sts: StrictSts, user: User, client: STSClient) -> None:
    sts.fault("expiry", seconds=60, operation="GetSessionToken", count=1)
    short = client.get_session_token()["Credentials"]
    assert lives(short, 60)
    session = sts.client(short)
    assert arn(session) == user.arn
    sts.skew(61)
    assert refusal(session.get_caller_identity) == ("ExpiredToken", 403, EXPIRED)
    assert refusal(assume, session, f"arn:aws:iam::{ACCOUNT}:role/x") == ("ExpiredToken", 403, EXPIRED)


def test_credentials_can_be_expired_and_revoked(sts: StrictSts, client: STSClient) -> None:
    one, two = (client.get_session_token()["Credentials"] for _ in range(2))
    assert sts.expire(one["AccessKeyId"])
    assert sts.revoke(two["AccessKeyId"])
    assert not sts.revoke(two["AccessKeyId"])
    assert refusal(sts.client(one).get_caller_identity)[0] == "ExpiredToken"
    assert refusal(sts.client(two).get_caller_identity)[0] == "InvalidClientTokenId"


@pytest.mark.parametrize(
    ("skew", "message"),
    [
        (901, r"Signature expired: \S+ is now earlier than \S+ \(\S+ - 15 min\.\)"),
        (-901, r"Signature not yet current: \S+ is still later than \S+ \(\S+ \+ 15 min\.\)"),
    ],
)
def test_clock_skew(sts: StrictSts, client: STSClient, skew: int, message: str) -> None:
    sts.skew(skew - 10 if skew > 0 else skew + 10)
    client.get_session_token()
    sts.skew(skew + 5 if skew > 0 else skew - 5)
    code, status, text = refusal(client.get_session_token)
    assert (code, status) == ("SignatureDoesNotMatch", 403)
    assert re.fullmatch(message, text)


# --- GetSessionToken -----------------------------------------------------------------------------------


def test_a_session_has_its_users_identity(sts: StrictSts, user: User, client: STSClient) -> None:
    credentials = client.get_session_token()["Credentials"]
    identity = sts.client(credentials).get_caller_identity()
    assert (identity["Arn"], identity["Account"]) == (user.arn, ACCOUNT)
    assert identity["UserId"] == sts.iam.get_user(UserName=user.name)["User"]["UserId"]
    assert lives(credentials, 43200)
    assert credentials["AccessKeyId"].startswith("ASIA")
    assert len(credentials["AccessKeyId"]) == 20
    assert len(credentials["SecretAccessKey"]) == 40
    assert 400 <= len(credentials["SessionToken"]) <= 1000


def test_every_answer_is_new(sts: StrictSts, client: STSClient) -> None:
    answers = [client.get_session_token(DurationSeconds=900)["Credentials"] for _ in range(20)]
    for secret in ("AccessKeyId", "SecretAccessKey", "SessionToken"):
        assert len({answer[secret] for answer in answers}) == 20
    assert {arn(sts.client(answer)) for answer in answers} == {arn(client)}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"DurationSeconds": 600},
            "Value '600' at 'durationSeconds' … have value greater than or equal to 900",
        ),
        (
            {"DurationSeconds": 129601},
            "Value '129601' at 'durationSeconds' … have value less than or equal to 129600",
        ),
        ({"TokenCode": "1"}, "Value '1' at 'tokenCode' … have length greater than or equal to 6"),
        (
            {"SerialNumber": "12 456789"},
            r"Value '12 456789' at 'serialNumber' … satisfy regular expression pattern: [\w+=/:,.@-]*",
        ),
    ],
)
def test_bad_requests(client: STSClient, parameters: dict[str, Any], message: str) -> None:
    text = message.replace("…", "failed to satisfy constraint: Member must")
    refused = ("ValidationError", 400, f"1 validation error detected: {text}")
    assert refusal(client.get_session_token, **parameters) == refused


def test_session_credentials_get_no_session(sts: StrictSts, user: User, client: STSClient) -> None:
    refused = ("AccessDenied", 403, "Cannot call GetSessionToken with session credentials")
    role = sts.role(user.name, trust=user.arn)
    for credentials in (client.get_session_token()["Credentials"], assume(client, role)):
        assert refusal(sts.client(credentials).get_session_token) == refused


@pytest.mark.parametrize(("asked", "given"), [(None, 3600), (129600, 3600), (900, 900)])
def test_the_root_gets_an_hour_at_most(sts: StrictSts, asked: int | None, given: int) -> None:
    client = sts.client(sts.root_key())
    parameters: dict[str, Any] = {} if asked is None else {"DurationSeconds": asked}
    credentials = client.get_session_token(**parameters)["Credentials"]
    assert lives(credentials, given)
    identity = sts.client(credentials).get_caller_identity()
    assert (identity["Arn"], identity["UserId"], identity["Account"]) == (ROOT, ACCOUNT, ACCOUNT)
    refused = ("AccessDenied", 403, "Roles may not be assumed by root accounts.")
    assert refusal(assume, client, f"arn:aws:iam::{ACCOUNT}:role/any") == refused


# --- MFA -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["SHA1", "SHA256", "SHA512"])
def test_a_code_is_good_once(sts: StrictSts, user: User, client: STSClient, algorithm: str) -> None:
    device = sts.device(user, algorithm)
    code = mfa(device)
    client.get_session_token(**code)
    error, status, message = refusal(client.get_session_token, **code)
    assert (error, status, message.rstrip(". ")) == ("AccessDenied", 403, WRONG_CODE)


def test_a_code_is_good_once_whichever_call_it_was(sts: StrictSts, user: User, client: STSClient) -> None:
    device = sts.device(user)
    role = sts.role(user.name, trust=user.arn)
    now = time.time()
    first, second = mfa(device, now), mfa(device, now + 30)
    client.get_session_token(**first)
    assert refusal(assume, client, role, **first)[2].startswith(WRONG_CODE)
    assume(client, role, **second)
    assert refusal(client.get_session_token, **second)[2].startswith(WRONG_CODE)
    sts.forget_codes()
    client.get_session_token(**second)


def test_codes_of_many_steps(sts: StrictSts, user: User, client: STSClient) -> None:
    device = sts.device(user)
    for offset in range(0, 600, 30):
        sts.skew(offset)
        client.get_session_token(**mfa(device, time.time() + offset))
    assert sts.counters().codes == {device.serial_number: 20}
    assert sts.counters().reused_codes == 0


def test_wrong_codes_and_serial_numbers(sts: StrictSts, user: User, client: STSClient) -> None:
    device = sts.device(user)
    other = sts.device(sts.user(next(NAMES)))
    get = client.get_session_token
    stale = device.code(time.time() - 120)
    error, status, message = refusal(get, SerialNumber=device.serial_number, TokenCode=stale)
    assert (error, status, message.rstrip(". ")) == ("AccessDenied", 403, WRONG_CODE)
    for serial in (other.serial_number, f"arn:aws:iam::{ACCOUNT}:mfa/nobody", "GAHT12345678"):
        refused = refusal(get, SerialNumber=serial, TokenCode=other.code())
        assert refused == ("AccessDenied", 403, WRONG_SERIAL)
    half = "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code."
    assert refusal(get, SerialNumber=device.serial_number) == ("AccessDenied", 403, half)
    assert refusal(get, TokenCode=device.code()) == ("AccessDenied", 403, half)
    get(**mfa(device))  # none of these has burnt it


def test_a_disabled_device(sts: StrictSts, user: User, client: STSClient) -> None:
    device = sts.device(user)
    sts.iam.deactivate_mfa_device(UserName=user.name, SerialNumber=device.serial_number)
    refused = refusal(client.get_session_token, **mfa(device))
    assert refused == ("AccessDenied", 403, WRONG_SERIAL)


def test_a_role_that_wants_mfa(sts: StrictSts, user: User, client: STSClient) -> None:
    device = sts.device(user)
    fresh = {"NumericLessThan": {"aws:MultiFactorAuthAge": "300"}}
    role = sts.role(user.name, trust={"Statement": [allow(ROOT, condition={**MFA, **fresh})]})
    refused = (
        "AccessDenied",
        403,
        f"User: {user.arn} is not authorized to perform: sts:AssumeRole on resource: {role}",
    )
    assert refusal(assume, client, role) == refused
    assert refusal(assume, sts.client(client.get_session_token()["Credentials"]), role) == refused

    assume(client, role, **mfa(device))  # the call's own code
    session = sts.client(client.get_session_token(**mfa(device, time.time() + 30))["Credentials"])
    of_role = sts.client(assume(session, role))  # the session's
    assert refusal(assume, of_role, role)[0] == "AccessDenied"  # a chain hands it on no further
    sts.skew(301)
    assert refusal(assume, session, role) == refused  # too old now


# --- AssumeRole ----------------------------------------------------------------------------------------


def test_a_roles_session(sts: StrictSts, user: User, client: STSClient) -> None:
    role = sts.role(user.name, trust=user.arn)
    answer = client.assume_role(RoleArn=role, RoleSessionName="ci@x")
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/{user.name}/ci@x"
    role_id = sts.iam.get_role(RoleName=user.name)["Role"]["RoleId"]
    assert answer["AssumedRoleUser"] == {"Arn": session, "AssumedRoleId": f"{role_id}:ci@x"}
    identity = sts.client(answer["Credentials"]).get_caller_identity()
    assert (identity["Arn"], identity["UserId"]) == (session, f"{role_id}:ci@x")
    assert lives(answer["Credentials"], 3600)
    sts.iam.delete_role(RoleName=user.name)
    assert refusal(sts.client(answer["Credentials"]).get_caller_identity)[0] == "InvalidClientTokenId"


def test_roles_that_do_not_trust_or_do_not_exist(sts: StrictSts, user: User, client: STSClient) -> None:
    role = sts.role(user.name, trust=sts.user(next(NAMES)).arn)
    for name in (role, role + "x", f"arn:aws:iam::999999999999:role/{user.name}"):
        text = f"User: {user.arn} is not authorized to perform: sts:AssumeRole on resource: {name}"
        assert refusal(assume, client, name) == ("AccessDenied", 403, text)


def test_a_role_that_wants_an_external_id(sts: StrictSts, user: User, client: STSClient) -> None:
    statement = allow(user.arn, condition={"StringEquals": {"sts:ExternalId": "xyz"}})
    role = sts.role(user.name, trust={"Statement": [statement]})
    assume(client, role, ExternalId="xyz")
    assert refusal(assume, client, role, ExternalId="abc")[0] == "AccessDenied"
    assert refusal(assume, client, role)[0] == "AccessDenied"


def test_durations_of_roles(sts: StrictSts, user: User, client: STSClient) -> None:
    role = sts.role(user.name, trust=ROOT, max_session_duration=7200)
    for duration in (900, 7200):
        assert lives(assume(client, role, DurationSeconds=duration), duration)
    too_long = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    assert refusal(assume, client, role, DurationSeconds=7201) == ("ValidationError", 400, too_long)
    low = (
        "1 validation error detected: Value '600' at 'durationSeconds' failed to satisfy constraint: "
        "Member must have value greater than or equal to 900"
    )
    assert refusal(assume, client, role, DurationSeconds=600) == ("ValidationError", 400, low)


def test_chaining(sts: StrictSts, user: User, client: STSClient) -> None:
    role = sts.role(user.name, trust=ROOT, max_session_duration=43200)
    chained = (
        "ValidationError",
        400,
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
    )
    for credentials in (client.get_session_token()["Credentials"], assume(client, role)):
        temporary = sts.client(credentials)
        assert refusal(assume, temporary, role, DurationSeconds=3601) == chained
        assert arn(sts.client(assume(temporary, role, DurationSeconds=3600))).endswith(f"{user.name}/test")


def test_tags_travel_along_a_chain(sts: StrictSts, user: User, client: STSClient) -> None:
    tagged = ["sts:AssumeRole", "sts:TagSession"]
    first = sts.role(f"{user.name}-1", trust={"Statement": [allow(ROOT, action=tagged)]})
    wants = {"StringEquals": {"aws:PrincipalTag/team": "blue"}}
    second = sts.role(f"{user.name}-2", trust={"Statement": [allow(ROOT, action=tagged, condition=wants)]})
    third = sts.role(f"{user.name}-3", trust={"Statement": [allow(ROOT, condition=wants)]})
    tags = {"Tags": [{"Key": "team", "Value": "blue"}], "TransitiveTagKeys": ["team"]}
    one = sts.client(assume(client, first, **tags))
    two = sts.client(assume(one, second))
    assume(two, third)
    assert refusal(assume, client, second)[0] == "AccessDenied"
    assert refusal(assume, one, second, **tags)[0] == "InvalidParameterValue"
    refused = refusal(assume, client, sts.role(f"{user.name}-4", trust=ROOT), **tags)
    assert refused[2].startswith(f"User: {user.arn} is not authorized to perform: sts:TagSession on resource: ")


def test_a_source_identity_stays(sts: StrictSts, user: User, client: STSClient) -> None:
    both = ["sts:AssumeRole", "sts:SetSourceIdentity"]
    role = sts.role(user.name, trust={"Statement": [allow(ROOT, action=both)]})
    answer = client.assume_role(RoleArn=role, RoleSessionName="test", SourceIdentity="alice")
    assert answer["SourceIdentity"] == "alice"
    session = sts.client(answer["Credentials"])
    assume(session, role)
    assert refusal(assume, session, role, SourceIdentity="bob")[0] == "AccessDenied"
