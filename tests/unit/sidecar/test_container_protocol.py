"""What is answered to a request: a table of those that are refused, and why."""

import hmac
import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from botocore.utils import ContainerMetadataFetcher

from awssts.domain.container_protocol import Request, Response, hosts, refusal, unauthorized, vend
from awssts.domain.vending import Stock
from tests.unit.sidecar.samples import LATER, NOW, secrets_in, vended

HOSTS = hosts(9911)
TOKEN = b"a-token-of-some-length"


def request(target: bytes = b"/credentials", method: bytes = b"GET", **headers: bytes | list[bytes]) -> Request:
    given: dict[str, Any] = {"host": b"127.0.0.1:9911"} | headers
    pairs = [
        (name.replace("_", "-").encode(), value)
        for name, values in given.items()
        for value in (values if isinstance(values, list) else [values])
    ]
    return Request(method, target, pairs)


def code(response: Response | None) -> tuple[int, str] | None:
    if response is None:
        return None
    body = json.loads(response.body)
    assert (body["Code"], body["Message"]) == (body["code"], body["message"])
    return response.status, body["code"]


@pytest.mark.parametrize("name", ["127.0.0.1:9911", "[::1]:9911", "localhost:9911"])
def test_the_pods_own_names(name: str) -> None:
    assert refusal(request(host=name.encode()), HOSTS) is None


def test_the_port_of_http_is_not_written() -> None:
    assert hosts(80) == {b"127.0.0.1", b"[::1]", b"localhost"}


@pytest.mark.parametrize(
    "name",
    [
        b"",
        b"evil.example",
        b"evil.example:9911",
        b"127.0.0.1",
        b"127.0.0.1:80",
        b"127.0.0.1:09911",
        b"127.0.0.1:9911.",
        b"127.0.0.1.:9911",
        b"127.0.0.1:9911@evil.example",
        b"user@127.0.0.1:9911",
        b"localhost.evil.example:9911",
        b"127.0.0.1.nip.io:9911",
        b"0.0.0.0:9911",
        b"127.1:9911",
        b"2130706433:9911",
        b"[::ffff:127.0.0.1]:9911",
        [],
        [b"127.0.0.1:9911", b"127.0.0.1:9911"],
    ],
)
def test_another_host(name: Any) -> None:
    assert code(refusal(request(host=name), HOSTS)) == (403, "HostNotAllowed")


@pytest.mark.parametrize(
    "name", ["x-forwarded-for", "x-forwarded-host", "x-forwarded-", "forwarded", "via", "x-real-ip"]
)
def test_a_proxy_between(name: str) -> None:
    headers: dict[str, Any] = {name: b""}
    assert code(refusal(request(authorization=TOKEN, **headers), HOSTS)) == (403, "ProxyNotAllowed")


@pytest.mark.parametrize(
    "target",
    [
        b"/",
        b"*",
        b"",
        b"//credentials",
        b"/credentials/",
        b"/credentials?",
        b"/credentials?x=1",
        b"/credentials#x",
        b"/credentials;x",
        b"/Credentials",
        b"/%63redentials",
        b"/%2e%2e/credentials",
        b"/../credentials",
        b"/x/../credentials",
        b"/./credentials",
        b"\\credentials",
        b"/credentials%00",
        b"http://127.0.0.1:9911/credentials",
        b"http://evil.example/credentials",
        b"127.0.0.1:9911",
    ],
)
def test_another_path(target: bytes) -> None:
    assert code(refusal(request(target), HOSTS)) == (404, "NotFound")


@pytest.mark.parametrize("method", [b"HEAD", b"POST", b"PUT", b"OPTIONS", b"TRACE", b"CONNECT", b"get", b"X"])
def test_another_method(method: bytes) -> None:
    refused = refusal(request(method=method), HOSTS)
    assert code(refused) == (405, "MethodNotAllowed")
    assert refused
    assert list(refused.headers) == [(b"allow", b"GET")]


@pytest.mark.parametrize(
    ("headers", "refused"),
    [
        ({"content_length": b"0"}, None),
        ({"content_length": b"1"}, (413, "BodyNotAllowed")),
        ({"content_length": b"00"}, (413, "BodyNotAllowed")),
        ({"transfer_encoding": b"chunked"}, (413, "BodyNotAllowed")),
        ({"content_length": b"0", "transfer_encoding": b"chunked"}, (413, "BodyNotAllowed")),
    ],
)
def test_a_body(headers: dict[str, Any], refused: tuple[int, str] | None) -> None:
    assert code(refusal(request(**headers), HOSTS)) == refused


@pytest.mark.parametrize(
    ("given", "token", "refused"),
    [
        (TOKEN, TOKEN, None),
        ([], TOKEN, (403, "AccessDenied")),
        (b"", TOKEN, (403, "AccessDenied")),
        (b"Bearer " + TOKEN, TOKEN, (403, "AccessDenied")),
        (TOKEN[:-1], TOKEN, (403, "AccessDenied")),
        (TOKEN + b"x", TOKEN, (403, "AccessDenied")),
        (TOKEN.upper(), TOKEN, (403, "AccessDenied")),
        (b"\xff\xfe", TOKEN, (403, "AccessDenied")),
        ([TOKEN, TOKEN], TOKEN, (403, "AccessDenied")),
        ([TOKEN, b"x"], TOKEN, (403, "AccessDenied")),
        (b"", None, (503, "TokenNotReady")),
        (TOKEN, None, (503, "TokenNotReady")),
    ],
)
def test_token(given: Any, token: bytes | None, refused: tuple[int, str] | None) -> None:
    told = unauthorized(request(authorization=given), token)
    assert code(told) == refused
    assert told is None or TOKEN not in told.body


def test_tokens_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """By hmac's own comparison, and of digests: so not even the length can be measured."""
    compared: list[tuple[bytes, bytes]] = []
    genuine = hmac.compare_digest

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return genuine(one, other)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    for guess in (b"", TOKEN[:1], TOKEN, TOKEN * 50):
        unauthorized(request(authorization=guess), TOKEN)
    assert [(len(one), len(other)) for one, other in compared] == [(32, 32)] * 4


def test_credentials_as_sdks_want_them() -> None:
    answer = vend(Stock(vended(1), ""), NOW)
    assert (answer.status, answer.content_type) == (200, b"application/json")
    assert json.loads(answer.body) == {
        "AccessKeyId": vended(1).access_key_id,
        "SecretAccessKey": vended(1).secret_access_key,
        "Token": vended(1).session_token,
        "Expiration": "2026-01-31T13:00:00Z",
    }


def test_the_expiration_is_in_utc() -> None:
    there = LATER.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert json.loads(vend(Stock(vended(1, there)), NOW).body)["Expiration"] == "2026-01-31T13:00:00Z"


def test_with_an_unknown_expiration_sdks_are_to_ask_again() -> None:
    stock = Stock(vended(1, None))
    assert json.loads(vend(stock, NOW).body)["Expiration"] == "2026-01-31T12:20:00Z"
    assert json.loads(vend(stock, LATER).body)["Expiration"] == "2026-01-31T13:20:00Z"


@pytest.mark.parametrize(
    ("stock", "now", "refused", "text"),
    [
        (Stock(None, "credentials.json is not a JSON object"), NOW, "CredentialsNotReady", "no credentials yet: cred"),
        (Stock(vended(1), ""), LATER, "CredentialsExpired", "expired at 2026-01-31T13:00:00Z and no others came: see"),
        (Stock(vended(1), "no file"), LATER, "CredentialsExpired", "13:00:00Z and no others came: no file"),
    ],
)
def test_none_to_give(stock: Stock, now: datetime, refused: str, text: str) -> None:
    answer = vend(stock, now)
    assert code(answer) == (503, refused)
    assert list(answer.headers) == [(b"retry-after", b"1")]
    assert text in json.loads(answer.body)["message"]
    assert not any(part.encode() in answer.body for part in secrets_in(vended(1)))


def test_the_last_good_ones_until_they_expire() -> None:
    stock = Stock(vended(1), "credentials.json is not a JSON object")
    assert vend(stock, LATER - timedelta(microseconds=1)).status == 200
    assert vend(stock, LATER).status == 503


def test_botocore_takes_the_address() -> None:
    fetcher = ContainerMetadataFetcher()
    for host in ("127.0.0.1", "[::1]", "localhost"):
        fetcher._validate_allowed_url(f"http://{host}:9911/credentials")  # noqa: SLF001 - what it checks first
