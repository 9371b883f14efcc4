"""The strict STS as a server: faults, counters, attaching, IAM."""

from __future__ import annotations

import http.client
import itertools
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from botocore.parsers import ResponseParserError
from moto import mock_aws

from testbed.sts import Device, StrictSts, User, allow
from tests.integration.refusals import ACCOUNT, INVALID_TOKEN, WRONG_CODE, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_sts import STSClient

NAMES = (f"user{number}" for number in itertools.count())
NO_ROLE = f"arn:aws:iam::{ACCOUNT}:role/none"


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


def mfa(device: Device, at: float | None = None) -> dict[str, Any]:
    """The parameters of a call with the device's code of now, or of a time in seconds since 1970."""
    return {"SerialNumber": device.serial_number, "TokenCode": device.code(at)}


# --- faults --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "code", "message"),
    [
        ("throttle", ("Throttling", 400), "Rate exceeded"),
        ("internal-failure", ("InternalFailure", 500), "An internal error has occurred."),
        ("service-unavailable", ("ServiceUnavailable", 503), "Service is unable to handle request."),
        ("region-disabled", ("RegionDisabledException", 403), "STS is not activated in this region for acc"),
    ],
)
def test_errors(sts: StrictSts, client: STSClient, fault: str, code: tuple[str, int], message: str) -> None:
    sts.fault(fault, operation="GetSessionToken", count=2)
    for _ in range(2):
        refused = refusal(client.get_session_token)
        assert refused[:2] == code
        assert refused[2].startswith(message)
        client.get_caller_identity()
    client.get_session_token()


def test_a_fault_for_one_key_until_cleared(sts: StrictSts, user: User, client: STSClient) -> None:
    other = sts.client(sts.user(next(NAMES)))
    sts.fault("throttle", access_key_id=user.access_key_id)
    for _ in range(3):
        assert refusal(client.get_caller_identity)[0] == "Throttling"
        other.get_caller_identity()
    sts.clear_faults()
    client.get_caller_identity()


@pytest.mark.parametrize("phase", ["code", "answer"])
def test_a_dropped_answer_has_burnt_its_code(sts: StrictSts, user: User, client: STSClient, phase: str) -> None:
    device = sts.device(user)
    code = mfa(device)
    sts.fault("drop", phase=phase, count=1)
    with pytest.raises(ConnectionClosedError):
        client.get_session_token(**code)
    assert refusal(client.get_session_token, **code)[2].startswith(WRONG_CODE)
    issued = [call.issued_access_key_id for call in sts.calls() if call.result == "Dropped"]
    assert [bool(key) for key in issued] == [phase == "answer"]


def test_an_error_before_the_code_has_not_burnt_it(sts: StrictSts, user: User, client: STSClient) -> None:
    device = sts.device(user)
    code = mfa(device)
    sts.fault("internal-failure", count=1)
    assert refusal(client.get_session_token, **code)[0] == "InternalFailure"
    client.get_session_token(**code)
    assert sts.counters().reused_codes == 1  # all the same, it was sent twice


def test_a_hanging_call(sts: StrictSts, user: User) -> None:
    impatient = sts.client(user, config=Config(read_timeout=0.3))
    sts.fault("hang", count=1)
    with pytest.raises(ReadTimeoutError):
        impatient.get_session_token()
    impatient.get_session_token()
    assert [call.result for call in sts.calls()] == ["Gone", "Success"]


def test_a_hanging_call_is_released(sts: StrictSts, client: STSClient) -> None:
    sts.fault("hang", count=1)
    release = threading.Timer(0.3, sts.clear_faults)
    release.start()
    client.get_session_token()
    release.join()


def test_a_slow_call(sts: StrictSts, client: STSClient) -> None:
    sts.fault("slow", seconds=0.3, count=1)
    start = time.monotonic()
    client.get_session_token()
    assert time.monotonic() - start >= 0.3


def test_garbage(sts: StrictSts, client: STSClient) -> None:
    sts.fault("garbage", count=1)
    with pytest.raises(ResponseParserError):
        client.get_session_token()


def test_new_keys_take_their_time(sts: StrictSts, client: STSClient) -> None:
    sts.fault("propagation", seconds=15)
    assert refusal(client.get_session_token) == ("InvalidClientTokenId", 403, INVALID_TOKEN)
    sts.skew(16)
    client.get_session_token()


def test_skew_for_one_call(sts: StrictSts, client: STSClient) -> None:
    sts.fault("skew", seconds=2000, count=1)
    assert refusal(client.get_session_token)[2].startswith("Signature expired: ")
    client.get_session_token()


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"kind": "earthquake"}, "no fault 'earthquake': use one of throttle, "),
        ({"kind": "slow"}, "fault 'slow': needs seconds"),
        ({"kind": "throttle", "seconds": 1}, "fault 'throttle': takes no seconds"),
        ({"kind": "expiry", "seconds": 1, "phase": "code"}, "fault 'expiry' can't strike at 'code'"),
    ],
)
def test_a_fault_that_is_none(sts: StrictSts, fault: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sts.fault(**fault)


# --- counters ------------------------------------------------------------------------------------------


def test_counters_and_calls(sts: StrictSts, user: User) -> None:
    client = sts.client(user, region="eu-west-1")
    device = sts.device(user)
    code = mfa(device)
    client.get_session_token(DurationSeconds=900, **code)
    refusal(client.get_session_token, **code)
    refusal(client.assume_role, RoleArn=NO_ROLE, RoleSessionName="test")
    client.get_caller_identity()
    counters = sts.counters()
    assert counters.calls == {
        "GetSessionToken": {"Success": 1, "AccessDenied": 1},
        "AssumeRole": {"AccessDenied": 1},
        "GetCallerIdentity": {"Success": 1},
    }
    assert (counters.total(), counters.total("GetSessionToken"), counters.total(result="Success")) == (
        4,
        2,
        2,
    )
    assert (counters.with_code, counters.reused_codes, counters.concurrent_max) == (2, 1, 1)
    assert counters.codes == {device.serial_number: 2}
    first, second, third, _ = sts.calls()
    assert (first.operation, first.access_key_id, first.region) == (
        "GetSessionToken",
        user.access_key_id,
        "eu-west-1",
    )
    assert (first.duration_seconds, first.serial_number, first.result) == (
        900,
        device.serial_number,
        "Success",
    )
    assert (first.reused_code, second.reused_code) == (False, True)
    assert (third.role_arn, third.role_session_name) == (NO_ROLE, "test")
    sts.reset_counters()
    assert (sts.counters().total(), sts.calls()) == (0, [])


def test_concurrent_calls_are_counted(sts: StrictSts, user: User) -> None:
    sts.fault("slow", seconds=0.3)
    clients = [sts.client(user) for _ in range(5)]
    threads = [threading.Thread(target=client.get_session_token) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sts.counters().concurrent_max == 5


def test_nothing_that_is_kept_of_a_call_is_secret(sts: StrictSts, user: User, client: STSClient) -> None:
    device = sts.device(user)
    code = device.code()
    session = client.get_session_token(SerialNumber=device.serial_number, TokenCode=code)["Credentials"]
    sts.client(session).get_caller_identity()
    kept = repr(sts.calls()) + repr(sts.counters()) + repr(user) + repr(device)
    secrets = (user.secret_access_key, session["SecretAccessKey"], session["SessionToken"], device.seed)
    assert not [secret for secret in (*secrets, f"'{code}'") if secret in kept]


# --- the server ----------------------------------------------------------------------------------------


def test_another_program_attaches(sts: StrictSts, user: User) -> None:
    attached = StrictSts.attach(sts.endpoint)
    with attached:
        assert attached.client(user).get_caller_identity()["Arn"] == user.arn
        assert attached.iam.get_user(UserName=user.name)["User"]["Arn"] == user.arn
    assert sts.client(user).get_caller_identity()["Arn"] == user.arn  # it goes on


def test_connections_are_kept(sts: StrictSts) -> None:
    connection = http.client.HTTPConnection(urlsplit(sts.endpoint).netloc)
    sockets = []
    for _ in range(2):
        connection.request("POST", "/", "Action=GetCallerIdentity&Version=2011-06-15")
        connection.getresponse().read()
        sockets.append(connection.sock)
    assert sockets[0] is sockets[1] is not None
    connection.close()


def test_iam_is_motos_with_tags_and_paths(sts: StrictSts) -> None:
    user = sts.user(next(NAMES), tags={"team": "blue"}, path="/dev/")
    assert user.arn == f"arn:aws:iam::{ACCOUNT}:user/dev/{user.name}"
    assert sts.iam.list_user_tags(UserName=user.name)["Tags"] == [{"Key": "team", "Value": "blue"}]
    device = sts.device(user)
    devices = sts.iam.list_mfa_devices(UserName=user.name)["MFADevices"]
    assert [found["SerialNumber"] for found in devices] == [device.serial_number]
    wants = {"StringEquals": {"aws:PrincipalTag/team": "blue"}}
    role = sts.role(user.name, trust={"Statement": [allow(ACCOUNT, condition=wants)]})
    sts.client(user).assume_role(RoleArn=role, RoleSessionName="test")


def test_other_operations_and_unsigned_calls(sts: StrictSts, client: STSClient) -> None:
    assert refusal(client.get_federation_token, Name="bob")[:2] == ("InvalidAction", 400)
    status, text = post(sts, "Action=GetCallerIdentity&Version=2011-06-15")
    assert status == 403
    assert "<Code>MissingAuthenticationToken</Code>" in text


def test_moto_alone_lets_all_this_through() -> None:
    """What the strict STS is for."""
    plain: dict[str, Any] = {
        "aws_access_key_id": "none",
        "aws_secret_access_key": "none",
        "region_name": "eu-west-1",
    }
    plain["config"] = Config(parameter_validation=False)
    with mock_aws():
        client: STSClient = boto3.client("sts", **plain)
        wrong: dict[str, Any] = {"DurationSeconds": 1, "SerialNumber": "x", "TokenCode": "reused"}
        answers = [client.get_session_token(**wrong)["Credentials"] for _ in range(2)]
        assert answers[0]["AccessKeyId"] == answers[1]["AccessKeyId"] == "AKIAIOSFODNN7EXAMPLE"
        client.assume_role(RoleArn=NO_ROLE, RoleSessionName="x", DurationSeconds=1)
        client.close()


def post(sts: StrictSts, body: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(urlsplit(sts.endpoint).netloc)
    connection.request("POST", "/", body, {"Content-Type": "application/x-www-form-urlencoded"})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text
