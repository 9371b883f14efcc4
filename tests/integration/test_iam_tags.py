"""The tags of an IAM user and whose key it is: from moto's IAM and the strict STS, and from one that refuses."""

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import pytest_asyncio

from awssts.adapters.iam import Iam
from awssts.adapters.sts import Sts
from awssts.domain import errors
from awssts.domain.keys import KeyPair
from awssts.domain.policy import Decision
from awssts.domain.policy.errors import NotAuthorized
from awssts.services.answers import Asker
from testbed.sts import Key, StrictSts
from tests.unit.policy.samples import facts, policy

TAGGED = {
    "principal": {"sources": ["IamUserTags"]},
    "authorization": {"principalAttribute": {"name": "team", "value": "gold|silver"}},
}


def pair(key: Key) -> KeyPair:
    return KeyPair(key.access_key_id, key.secret_access_key)


@pytest.fixture
def aws(sts: StrictSts, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """IAM and STS are the testbed's."""
    for service in ("IAM", "STS"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", sts.endpoint)
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN"):
        monkeypatch.setenv(f"AWS_{name}", "of-the-operator")  # it must not be used
    yield
    sts.clear_faults()


@pytest_asyncio.fixture
async def iam(aws: None) -> AsyncIterator[Iam]:
    made = Iam()
    yield made
    await made.close()


@pytest_asyncio.fixture
async def callers(aws: None) -> AsyncIterator[Sts]:
    made = Sts()
    yield made
    await made.close()


class TestTags:
    async def test_are_those_of_the_user_whose_key_it_is(self, sts: StrictSts, iam: Iam) -> None:
        tags = {f"tag-{number}": f"value {number}, ü" for number in range(49)} | {"empty": ""}  # 50: IAM's quota
        tagged, other = sts.user("tagged", tags=tags, path="/people/"), sts.user("other", tags={"team": "tin"})
        assert await iam.user_tags(pair(tagged), region="eu-west-1") == tags
        assert await iam.user_tags(pair(other), region=None) == {"team": "tin"}

    async def test_are_read_anew_each_time(self, sts: StrictSts, iam: Iam) -> None:
        user = sts.user("changing")
        assert await iam.user_tags(pair(user), region=None) == {}
        sts.iam.tag_user(UserName="changing", Tags=[{"Key": "team", "Value": "gold"}])
        assert await iam.user_tags(pair(user), region=None) == {"team": "gold"}

    @pytest.mark.parametrize(("team", "allowed"), [("gold", True), ("silver", True), ("goldfish", False)])
    async def test_decide(self, sts: StrictSts, iam: Iam, team: str, *, allowed: bool) -> None:
        user = sts.user(f"member-of-{team}", tags={"team": team})
        decision = await decided(iam, user)
        assert decision.allowed is allowed
        assert allowed or isinstance(decision.denied, NotAuthorized)

    async def test_of_nobody_decide_nothing(self, sts: StrictSts, iam: Iam) -> None:
        assert isinstance((await decided(iam, sts.user("untagged"))).denied, NotAuthorized)


async def decided(iam: Iam, user: Key) -> Decision:
    nobody: Any = None  # no endpoint and no Secret is asked for
    return await Asker(nobody, nobody, iam).decide([policy(**TAGGED)], facts(), pair(user))


class TestRoot:
    async def test_is_told_from_users(self, sts: StrictSts, callers: Sts) -> None:
        assert await callers.caller_is_root(pair(sts.root_key()), region="eu-west-1")
        assert not await callers.caller_is_root(pair(sts.user("root")), region="eu-west-1")
        assert not await callers.caller_is_root(pair(sts.user("plain", path="/root/")), region=None)

    async def test_is_asked_once_for_a_key(self, sts: StrictSts, callers: Sts) -> None:
        key = pair(sts.user("often"))
        sts.reset_counters()
        assert [await callers.caller_is_root(key, region=None) for _ in range(3)] == [False] * 3
        assert sts.counters().calls == {"GetCallerIdentity": {"Success": 1}}

    async def test_a_failure_is_not_remembered(self, sts: StrictSts, callers: Sts) -> None:
        user = sts.user("unlucky")
        sts.fault("throttle", access_key_id=user.access_key_id, count=1)
        with pytest.raises(errors.Throttled):
            await callers.caller_is_root(pair(user), region=None)
        assert not await callers.caller_is_root(pair(user), region=None)

    async def test_wrong_keys(self, sts: StrictSts, callers: Sts) -> None:
        user = sts.user("careless")
        with pytest.raises(errors.InvalidSecretKey):
            await callers.caller_is_root(KeyPair(user.access_key_id, "not-the-secret-of-it"), region=None)
        with pytest.raises(errors.InvalidAccessKey):
            await callers.caller_is_root(KeyPair("AKIAIOSFODNN7EXAMPLE", user.secret_access_key), region=None)


KEY = KeyPair("AKIAIOSFODNN7EXAMPLE", "secret-that-nobody-may-see")
DENIED = (
    "User: arn:aws:iam::123456789012:user/x is not authorized to perform: iam:GetUser on resource: user x "
    "because no identity-based policy allows the iam:GetUser action"
)


@contextmanager
def refusing(status: int, body: str) -> Iterator[tuple[str, list[str]]]:
    """An IAM that gives this answer to all, and the Authorization headers that it gets."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append(self.headers["Authorization"])
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", seen
        finally:
            server.shutdown()
            thread.join()


def error(code: str, message: str) -> str:
    return f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"


EMPTY = "<GetUserResponse><GetUserResult></GetUserResult></GetUserResponse>"


@pytest.mark.parametrize(
    ("status", "body", "kind", "text"),
    [
        (403, error("AccessDenied", DENIED), errors.AccessDenied, "let the user's policy allow iam:GetUser on itself"),
        (403, error("InvalidClientTokenId", "no"), errors.InvalidAccessKey, "AWS knows no such access key"),
        (403, error("SignatureDoesNotMatch", "no"), errors.InvalidSecretKey, "not that of the access key id"),
        (
            403,
            error(
                "SignatureDoesNotMatch",
                "Signature expired: 20260101T000000Z is now earlier than 20260101T004500Z (20260101T010000Z - 15 min.)",
            ),
            errors.ClockSkew,
            "by about 3600 s (behind)",
        ),
        (400, error("Throttling", "Rate exceeded"), errors.Throttled, "IAM throttles the account: Rate exceeded"),
        (500, error("ServiceFailure", "oops"), errors.StsUnavailable, "IAM answered 500 ServiceFailure: oops"),
        (503, "<html>busy</html>", errors.StsUnavailable, "IAM answered 503"),
        (200, "secret-that-nobody-may-see, no XML", errors.StsUnavailable, "lacks what was asked for"),
        (200, EMPTY, errors.StsUnavailable, "IAM in eu-west-1 gave an answer that lacks what was asked for"),
        (404, error("NoSuchEntity", "secret-that-nobody-may-see"), errors.RequestRefused, "NoSuchEntity: …"),
    ],
)
async def test_refusals(
    monkeypatch: pytest.MonkeyPatch, status: int, body: str, kind: type[errors.AwsstsError], text: str
) -> None:
    with refusing(status, body) as (endpoint, seen):
        monkeypatch.setenv("AWS_ENDPOINT_URL_IAM", endpoint)
        iam = Iam()
        with pytest.raises(kind) as raised:
            await iam.user_tags(KEY, region="eu-west-1")
        await iam.close()
    assert text in raised.value.message
    assert "nobody-may-see" not in raised.value.message
    assert raised.value.__context__ is None
    assert len(seen) == 1  # boto does not try again
    assert f"Credential={KEY.access_key_id}/" in seen[0]


async def test_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    with refusing(200, "") as (endpoint, _):
        monkeypatch.setenv("AWS_ENDPOINT_URL_IAM", endpoint)
    iam = Iam()
    with pytest.raises(errors.StsUnavailable, match="IAM in us-east-1 can't be reached"):
        await iam.user_tags(KEY, region=None)
    await iam.close()
