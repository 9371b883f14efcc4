"""What a call asks for, and how each outcome is answered."""

import contextlib
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from awssts.domain import errors, gateway
from awssts.domain.errors import AwsstsError
from awssts.domain.gateway import Answer, Asked
from awssts.domain.policy import errors as denials
from awssts.domain.refusals import AuthenticationFailed, BadParameter, CodeNeeded, TooMany
from tests.unit.builders import HOUR, NOW, ROLE_ARN, SERIAL, credentials

WHO = {"username": "anna", "password": "p&ss=w+rd ü"}


def asked(query: dict[str, str] | None = None, **form: str) -> Asked:
    return gateway.read(urlencode(query or {}), urlencode(WHO | form))


def test_form_and_query() -> None:
    found = asked({"token": "765 432", "profile": "x", "nonsense": "y"}, duration="PT1H", roleArn=ROLE_ARN)
    assert found == Asked(**WHO, duration=3600, token="765432", role_arn=ROLE_ARN)
    assert WHO["password"] not in repr(found)
    assert "765432" not in repr(found)
    assert asked({"serialNumber": SERIAL}, token="").serial_number == SERIAL
    assert gateway.read(urlencode(WHO), "") == Asked(**WHO)
    assert gateway.read("username=anna", "username=anna&password=ä") == Asked(username="anna", password="ä")


def test_wishes_become_annotations() -> None:
    found = asked({"authn_method": "totp"}, entityId="https://sp.example.org")
    assert found.wishes == {"awssts.dev/mfa": "totp", "awssts.dev/entity-id": "https://sp.example.org"}


@pytest.mark.parametrize(
    ("text", "seconds"), [("", None), ("PT15S", 900), ("900", 900), ("PT1H30M", 5400), ("36h", 129_600)]
)
def test_durations(text: str, seconds: int | None) -> None:
    assert asked(duration=text).duration == seconds


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"duration": "P1D"}, "duration: write PT1H"),
        ({"duration": "36h1s"}, "duration must be at most 36h"),
        ({"token": "1234567"}, "token: a code has six digits"),
        ({"token": "١٢٣٤٥٦"}, "token: a code has six digits"),
        ({"roleArn": "reports"}, "roleArn does not look like one"),
        ({"roleArn": ROLE_ARN + "\n"}, "roleArn does not look like one"),
        ({"serialNumber": "a b c d e f"}, "serialNumber does not look like one"),
        ({"password": "x" * 1025}, "password is too long"),
        ({"username": "x" * 257}, "username is too long"),
        ({"username": "x\0"}, "username has a zero byte in it"),
    ],
)
def test_what_can_not_be(form: dict[str, str], message: str) -> None:
    with pytest.raises(BadParameter) as caught:
        asked(**form)
    assert caught.value.message.startswith(message)


def test_given_twice() -> None:
    assert asked({"username": "anna"}).username == "anna"
    with pytest.raises(BadParameter, match="username is given twice"):
        asked({"username": "berta"})


@pytest.mark.parametrize("form", ["", "username=anna", "password=x", "username=&password=x", "username=anna&password="])
def test_nobody(form: str) -> None:
    with pytest.raises(AuthenticationFailed):
        gateway.read("", form)


@given(st.text(max_size=60), st.text(max_size=60))
def test_anything_is_read_or_refused(query: str, form: str) -> None:
    with contextlib.suppress(BadParameter, AuthenticationFailed):
        gateway.read(query, f"{urlencode(WHO)}&{form}")


def test_issued() -> None:
    """The body is CAS's, to the letter."""
    answer = gateway.issued(credentials(expiration=NOW + HOUR), "eu-west-1")
    assert answer.text == (
        "[default]\n"
        "aws_access_key_id=ASIA0000000000000001\n"
        "aws_secret_access_key=made-up-secret/1\n"
        "aws_session_token=made-up+token/1==\n"
        "region=eu-west-1\n"
    )
    assert answer.status == 200
    assert answer.details == {
        "Version": 1,
        "AccessKeyId": "ASIA0000000000000001",
        "SecretAccessKey": "made-up-secret/1",
        "SessionToken": "made-up+token/1==",
        "Expiration": "2026-11-23T17:00:00Z",
        "Region": "eu-west-1",
    }
    assert "made-up" not in repr(answer)


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (AuthenticationFailed("unknown user"), 401, "Authentication failed"),
        (AuthenticationFailed("wrong password"), 401, "Authentication failed"),
        (denials.NotAuthorized("policy x: secret of the house"), 401, "Authorization failure"),
        (CodeNeeded(SERIAL), 401, f"Authentication failed: a code of {SERIAL} is needed; give it as token"),
        (denials.PolicyInvalid("policy x"), 403, "Refused (PolicyInvalid): ask the administrator"),
        (denials.LimitExceeded("policy x: too long"), 403, "Authorization failure: policy x: too long"),
        (errors.SecretInvalid("Secret x"), 403, "Refused (SecretInvalid): ask the administrator"),
        (errors.InvalidAccessKey("AWS knows no such key"), 403, "Refused (InvalidAccessKey): ask the administrator"),
        (errors.StsUnavailable("STS in x"), 504, "AWS STS gives no answer: try again"),
        (errors.ClusterConflict("changed"), 503, "Not available (ClusterConflict): try again"),
        (errors.RequestRefused("STS refuses {this}"), 400, "STS refuses {this}"),
    ],
)
def test_refusals(error: AwsstsError, status: int, text: str) -> None:
    answer = gateway.refusal(error)
    assert (answer.status, answer.text, answer.reason) == (status, text, error.reason)
    assert answer.details.items() >= {"reason": error.reason, "message": text}.items()


def test_every_error_has_an_answer() -> None:
    def classes(kind: type[AwsstsError]) -> set[type[AwsstsError]]:
        return {kind}.union(*(classes(below) for below in kind.__subclasses__()))

    for kind in classes(AwsstsError):
        error = kind.__new__(kind)
        Exception.__init__(error, "x")
        error.message, error.serial_number, error.seconds = "x", SERIAL, 1.0  # type: ignore[attr-defined]
        answer = gateway.refusal(error)
        assert 400 <= answer.status < 600
        assert answer.text


def test_when_to_come_again() -> None:
    assert gateway.refusal(TooMany(0.2)).retry_after == 1
    assert gateway.refusal(TooMany(14.2)).retry_after == 15
    assert gateway.refusal(errors.Throttled("x")).retry_after == 5
    assert gateway.refusal(errors.AccessDenied("x")).retry_after is None
    assert timedelta(seconds=Answer(status=1, reason="", text="").retry_after or 0) == timedelta()


@pytest.mark.parametrize(
    ("accept", "json"),
    [
        ("", False),
        ("*/*", False),
        ("text/plain", False),
        ("application/json", True),
        ("APPLICATION/JSON; q=0.9", True),
        ("application/json, text/plain, */*", False),  # axios
        ("application/json, */*;q=0.5", True),
        ("application/json;q=0.1, */*", False),
        ("application/json;q=0", False),
        ("application/json;q=x", False),
        ("application/*", True),
        ("text/html, application/json;q=0.5", True),
        (",;,", False),
    ],
)
def test_accept(accept: str, json: bool) -> None:
    assert gateway.wants_json(accept) is json
