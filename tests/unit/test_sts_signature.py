"""Signatures, as botocore makes them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from testbed.sts import signature
from testbed.sts.errors import StsError
from testbed.sts.signature import Request

URL = "http://127.0.0.1:8000/"
SECRET = "wJalrXUtnFEMI"
BODY = b"Action=GetCallerIdentity&Version=2011-06-15"


def signed(secret: str = SECRET, service: str = "sts", region: str = "eu-central-1") -> Request:
    request = AWSRequest("POST", URL, {"Content-Type": "application/x-www-form-urlencoded"}, BODY)
    SigV4Auth(Credentials("AKIA1", secret, "token"), service, region).add_auth(request)
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Request("POST", URL, headers | {"host": "127.0.0.1:8000", "user-agent": "any"}, BODY)


def with_header(request: Request, name: str, value: str | None) -> Request:
    headers = {key: text for key, text in request.headers.items() if key != name}
    return replace(request, headers=headers | ({name: value} if value is not None else {}))


def check(request: Request, *, secret: str = SECRET, now: datetime | None = None) -> None:
    parsed = signature.parse(request)
    signature.check_scope(parsed)
    signature.check_time(parsed, now or datetime.now(UTC))
    signature.check_value(parsed, request, secret)


def test_a_right_signature_passes() -> None:
    check(signed())
    parsed = signature.parse(signed())
    assert (parsed.access_key_id, parsed.region, parsed.service) == ("AKIA1", "eu-central-1", "sts")


@pytest.mark.parametrize(
    ("request_", "code", "message"),
    [
        (signed("other"), "SignatureDoesNotMatch", "The request signature we calculated does not match"),
        (replace(signed(), body=BODY + b"&X=1"), "SignatureDoesNotMatch", "The request signature we"),
        (replace(signed(), method="PUT"), "SignatureDoesNotMatch", "The request signature we calculated"),
        (replace(signed(), url=URL + "x"), "SignatureDoesNotMatch", "The request signature we calculated"),
        (with_header(signed(), "host", "evil"), "SignatureDoesNotMatch", "The request signature we"),
        (
            with_header(signed(), "x-amz-security-token", "x"),
            "SignatureDoesNotMatch",
            "The request signature",
        ),
        (with_header(signed(), "x-amz-content-sha256", "0" * 64), "SignatureDoesNotMatch", "The request"),
        (signed(service="s3"), "SignatureDoesNotMatch", "Credential should be scoped to correct service"),
        (signed(region="nowhere"), "SignatureDoesNotMatch", "Credential should be scoped to a valid region"),
        (with_header(signed(), "x-amz-date", "20200101T000000Z"), "SignatureDoesNotMatch", "Date in Cred"),
        (with_header(signed(), "x-amz-date", None), "IncompleteSignature", "Authorization header requires"),
        (with_header(signed(), "authorization", "Basic x"), "IncompleteSignature", "Unsupported AWS 'algo"),
        (with_header(signed(), "authorization", "AWS4-HMAC-SHA256 x"), "IncompleteSignature", "'x' not a"),
        (
            with_header(signed(), "authorization", "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host"),
            "IncompleteSignature",
            "Authorization header requires 'Signature' parameter.",
        ),
        (with_header(signed(), "authorization", None), "MissingAuthenticationToken", "Request is missing"),
    ],
)
def test_anything_else_is_refused(request_: Request, code: str, message: str) -> None:
    with pytest.raises(StsError) as refused:
        check(request_)
    assert refused.value.code == code
    assert refused.value.message.startswith(message)


def test_an_unsigned_token_is_refused() -> None:
    request = signed()
    authorization = request.headers["authorization"].replace(";x-amz-security-token", "")
    with pytest.raises(StsError, match="'x-amz-security-token' must be a 'SignedHeader'"):
        check(with_header(request, "authorization", authorization))


@pytest.mark.parametrize("minutes", [-14, 14])
def test_clocks_may_differ_by_a_quarter_of_an_hour(minutes: int) -> None:
    check(signed(), now=datetime.now(UTC) + timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("now", "message"),
    [
        (
            datetime(2026, 6, 27, 14, 30, tzinfo=UTC),
            "Signature expired: 20260627T140000Z is now earlier than 20260627T141500Z (20260627T143000Z - 15 min.)",
        ),
        (
            datetime(2026, 6, 27, 13, 44, tzinfo=UTC),
            "Signature not yet current: 20260627T140000Z is still later than 20260627T135900Z "
            "(20260627T134400Z + 15 min.)",
        ),
    ],
)
def test_more_is_refused_with_both_times(now: datetime, message: str) -> None:
    parsed = replace(signature.parse(signed()), timestamp="20260627T140000Z")
    with pytest.raises(StsError) as refused:
        signature.check_time(parsed, now)
    assert (refused.value.code, refused.value.message) == ("SignatureDoesNotMatch", message)
