"""Endpoints over real connections: what they do wrong costs no more than the time limit, and nothing leaks."""

import asyncio
import errno
import json
import logging
import os
import re
import socket
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import time_machine

from awssts.adapters import addresses, rest
from awssts.adapters.gate import Gate, GateFullError
from awssts.adapters.rest import LIMIT, PER_HOST, Rest
from awssts.domain.policy import Answered, HttpCall, Purpose, Unreachable
from awssts.domain.policy.errors import PolicyEndpointUnavailable, ProviderUnavailable
from awssts.domain.policy.schema.mfa import WebhookProvider
from testbed.cluster.certificates import Authority
from tests.unit.adapters.rest_server import BODY, SECRET_BODY, RestServer

TOKEN = "bearer-token-that-nobody-may-see"
QUERY = "key=query-that-nobody-may-see"
SENT = '{"principal": "sent-that-nobody-may-see"}'
HIDDEN = re.compile(r"nobody-may-see|tokenCode\W+\d|012345|654321")
ASKED = {"serialNumber": "arn:aws:iam::123456789012:mfa/reports", "request": {"namespace": "team", "name": "web"}}
SLACK = 4  # seconds that a busy machine may take over a time limit

Result = Answered | Unreachable


class Asked:
    """Asks, and keeps what people would see."""

    def __init__(self, adapter: Rest) -> None:
        self.rest = adapter
        self.seen: list[str] = []

    async def __call__(
        self, url: str, ca_bundle: str | None = None, token: str | None = TOKEN, **options: Any
    ) -> Result:
        result = await self.rest.ask(call(url, **options), ca_bundle=ca_bundle, bearer_token=token)
        if isinstance(result, Unreachable):
            self.seen.append(result.reason)
        return result

    async def reason(self, url: str, ca_bundle: str | None = None, *, answered: bool = False, **options: Any) -> str:
        """Why there is no answer that can be used; ``answered``: there is one."""
        result = await self(url, ca_bundle, **options)
        assert isinstance(result, Unreachable), result
        assert result.answered is answered
        return result.reason

    async def problem(self, url: str, ca_bundle: str | None = None, **options: Any) -> str:
        """Why the operator can't ask: that is nobody's outage."""
        with pytest.raises(PolicyEndpointUnavailable) as raised:
            await self(url, ca_bundle, **options)
        assert raised.value.__context__ is None
        place, _, problem = raised.value.message.partition(" can't be asked: ")
        assert place == url.partition("?")[0]
        self.seen.append(problem)
        return problem


def call(url: str, timeout: int = 20, **options: Any) -> HttpCall:
    return HttpCall(
        policy="house",
        purpose=options.get("purpose", Purpose.TRIGGER),
        method=options.get("method", "POST"),
        url=url,
        body=options.get("body", SENT),
        timeout=timeout,
        ca_bundle=None,
        bearer_token=None,
    )


@pytest_asyncio.fixture
async def server() -> AsyncIterator[RestServer]:
    async with RestServer() as running:
        yield running


@pytest_asyncio.fixture
async def asked(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> AsyncIterator[Asked]:
    """The log is at its most talkative, and nothing secret may be in it, nor in what people see."""
    caplog.set_level(logging.DEBUG)
    made = Asked(Rest())
    yield made
    await made.rest.close()
    printed = capfd.readouterr()
    assert HIDDEN.findall("\n".join([*made.seen, caplog.text, printed.out, printed.err])) == []


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates") / "ca")


@pytest.fixture(scope="module")
def bundle(authority: Authority) -> str:
    return authority.certificate.read_text()


def tls(authority: Authority, name: str = "good", address: str = "127.0.0.1") -> ssl.SSLContext:
    pair = authority.server(name, [address])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.certificate, pair.key)
    return context


class TestAnswers:
    async def test_what_is_sent(self, server: RestServer, asked: Asked) -> None:
        assert await asked(server.url(f"/good?{QUERY}")) == Answered(200, BODY.decode())
        (received,) = server.received
        assert (received.method, received.target, received.body) == ("POST", f"/good?{QUERY}", SENT)
        assert received.headers["authorization"] == f"Bearer {TOKEN}"
        assert received.headers["content-type"] == "application/json"
        assert received.headers["accept-encoding"] == "identity"

    async def test_get_sends_neither_body_nor_token_that_is_not_there(self, server: RestServer, asked: Asked) -> None:
        assert await asked(server.url("/empty"), token=None, method="GET", body="") == Answered(200)
        assert not {"authorization", "content-type", "content-length"} & set(server.received[0].headers)

    @pytest.mark.parametrize("status", [101, 204, 400, 401, 404, 500, 503])
    async def test_other_statuses_are_answers_whose_body_is_not_read(
        self, server: RestServer, asked: Asked, status: int
    ) -> None:
        assert await asked(server.url(f"/status/{status}")) == Answered(status)

    async def test_to_be_there_any_body_will_do(self, server: RestServer, asked: Asked) -> None:
        for path in ("/endless", "/page", "/large", "/good"):
            found = await asked(server.url(path), purpose=Purpose.AVAILABILITY, method="GET", body="")
            assert found == Answered(200)

    @pytest.mark.parametrize("path", ["/plain", "/odd"])
    async def test_the_content_type_is_not_taken_at_its_word(self, server: RestServer, asked: Asked, path: str) -> None:
        assert await asked(server.url(path)) == Answered(200, BODY.decode())

    async def test_cookies_are_not_kept(self, server: RestServer, asked: Asked) -> None:
        for _ in range(2):
            await asked(server.url("/good", host="localhost"))
        assert [received.headers.get("cookie") for received in server.received] == [None, None]

    async def test_proxies_and_netrc_of_the_environment_are_not_used(
        self, server: RestServer, asked: Asked, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login me password netrc-that-nobody-may-see\n")
        netrc.chmod(0o600)
        monkeypatch.setenv("NETRC", str(netrc))
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        assert await asked(server.url("/good"), token=None) == Answered(200, BODY.decode())
        assert "authorization" not in server.received[0].headers


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_answers_and_not_followed(server: RestServer, asked: Asked, status: int) -> None:
    for method in ("GET", "POST"):
        assert await asked(server.url(f"/redirect/{status}"), method=method) == Answered(status)
    assert server.hits == {f"/redirect/{status}": 2}  # and none of the target


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/page", "the answer is a web page, as of a login, not JSON or plain text"),
        ("/latin", "the answer is not text in UTF-8"),
        ("/bomb", "the answer is compressed, which was not asked for"),
        ("/brotli", "the answer is compressed, which was not asked for"),
        ("/twice", "the answer is compressed, which was not asked for"),
        ("/transfer", "the answer is not text in UTF-8"),
        ("/large", "the answer is longer than 64 KiB"),
        ("/endless", "the answer is longer than 64 KiB"),
        ("/chunks", "the answer is longer than 64 KiB"),
        ("/headers", "it did not answer with HTTP that can be understood"),
        ("/line", "it did not answer with HTTP that can be understood"),
        ("/garbage", "it did not answer with HTTP that can be understood"),
        ("/telnet", "it did not answer with HTTP that can be understood"),
        ("/lengths", "it did not answer with HTTP that can be understood"),
        ("/broken", "it did not answer with HTTP that can be understood"),
        ("/cut", "the connection was closed before the answer was complete"),
        ("/close", "the connection was closed before the answer was complete"),
        ("/half", "the connection was closed before the answer was complete"),
    ],
)
async def test_a_lie_is_no_answer(server: RestServer, asked: Asked, path: str, reason: str) -> None:
    begin = time.monotonic()
    answered = not reason.startswith("the connection was closed")
    assert await asked.reason(server.url(f"{path}?{QUERY}"), answered=answered) == reason
    assert time.monotonic() - begin < SLACK
    assert server.hits == {path: 1}  # a POST is not sent twice


async def test_as_much_as_is_allowed_is_read(server: RestServer, asked: Asked) -> None:
    assert await asked(server.url("/full")) == Answered(200, "x" * LIMIT)


class TestTime:
    async def test_the_limit_holds_for_all_of_a_call(self, server: RestServer, asked: Asked) -> None:
        paths = ["/hang", "/slow", "/slowhead", "/continue"]
        begin = time.monotonic()
        reasons = await asyncio.gather(*(asked.reason(server.url(path), timeout=1) for path in paths))
        assert reasons == ["timed out after 1 s"] * len(paths)
        assert 1 <= time.monotonic() - begin < 1 + SLACK

    async def test_nobody_takes_the_connection(self, asked: Asked) -> None:
        with socket.create_server(("127.0.0.1", 0)) as deaf:
            port = deaf.getsockname()[1]
            urls = [f"{scheme}://127.0.0.1:{port}/?{QUERY}" for scheme in ("http", "https")]
            reasons = await asyncio.gather(*(asked.reason(url, timeout=1) for url in urls))
        assert reasons == ["timed out after 1 s"] * 2

    async def test_one_that_hangs_does_not_hold_up_another(self, server: RestServer, asked: Asked) -> None:
        async with RestServer() as good:
            hanging = [asyncio.create_task(asked(server.url("/hang"), timeout=30)) for _ in range(50)]
            await server.reached.wait()
            answers = [await asked(good.url("/good")) for _ in range(5)]
            assert answers == [Answered(200, BODY.decode())] * 5
            assert not any(task.done() for task in hanging)
            assert server.most_open <= PER_HOST
            for task in hanging:
                task.cancel()
            assert all(isinstance(end, BaseException) for end in await asyncio.gather(*hanging, return_exceptions=True))

    async def test_to_wait_for_a_free_call_is_none_of_the_endpoints_time(
        self, server: RestServer, asked: Asked
    ) -> None:
        hanging = [asyncio.create_task(asked(server.url("/hang"), timeout=2)) for _ in range(PER_HOST)]
        await server.all_open(PER_HOST)
        assert await asked(server.url("/good"), timeout=1) == Answered(200, BODY.decode())  # a second late
        assert await asyncio.gather(*hanging) == [Unreachable("timed out after 2 s")] * PER_HOST
        assert server.most_open == PER_HOST


class TestGate:
    """How many calls there are is an owner's to choose: none that can't begin is an outage of the endpoint."""

    @pytest_asyncio.fixture
    async def impatient(self, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Asked]:
        monkeypatch.setattr(rest, "PATIENCE", 0.3)
        made = Asked(Rest())
        yield made
        await made.rest.close()

    async def test_without_a_free_call_nothing_is_known_of_the_endpoint(
        self, server: RestServer, impatient: Asked
    ) -> None:
        hanging = [asyncio.create_task(impatient(server.url("/hang"), timeout=30)) for _ in range(PER_HOST)]
        await server.all_open(PER_HOST)
        problem = f"{PER_HOST} calls of that host are under way"
        availability = {"purpose": Purpose.AVAILABILITY, "method": "GET", "body": ""}
        assert await impatient.problem(server.url("/good"), **availability) == problem
        async with RestServer() as other:
            assert await impatient(other.url("/good")) == Answered(200, BODY.decode())
        for task in hanging:
            task.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)
        assert await impatient(server.url("/good")) == Answered(200, BODY.decode())

    async def test_codes_that_wait_for_a_person_take_no_call_from_a_look_whether_it_is_there(
        self, server: RestServer, impatient: Asked
    ) -> None:
        webhook = WebhookProvider(url=server.url("/hang"), timeout=30)

        async def code() -> str:
            return await impatient.rest.code(webhook, ASKED, ca_bundle=None, bearer_token=None)

        hanging = [asyncio.create_task(code()) for _ in range(PER_HOST)]
        await server.all_open(PER_HOST)
        found = await impatient(server.url("/good"), purpose=Purpose.AVAILABILITY, method="GET", body="", timeout=2)
        assert found == Answered(200)
        with pytest.raises(PolicyEndpointUnavailable, match=f"{PER_HOST} calls of that host are under way"):
            await code()
        for task in hanging:
            task.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)

    async def test_those_of_all_hosts_together_are_bounded_too(self) -> None:
        gate = Gate(total=2, per_host=2, patience=0.05)
        async with gate.passed("a"), gate.passed("b"):
            with pytest.raises(GateFullError):
                await gate.passed("c").__aenter__()
        async with gate.passed("c"), gate.passed("c"):  # who gave up took nothing
            pass

    async def test_no_more_sockets_is_a_fault_of_ours(
        self, server: RestServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def exhausted(_: tuple[Any, ...]) -> socket.socket:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

        monkeypatch.setattr(addresses, "open_socket", exhausted)
        made = Asked(Rest())
        assert await made.problem(server.url("/good")) == "too many open files"
        await made.rest.close()


class TestTls:
    async def test_its_own_bundle_is_trusted(self, authority: Authority, bundle: str, asked: Asked) -> None:
        async with RestServer(tls(authority)) as server:
            assert await asked(server.url("/good"), bundle) == Answered(200, BODY.decode())

    @pytest.mark.parametrize("trusted", ["system", "another"])
    async def test_others_are_not_and_get_no_request(
        self, authority: Authority, asked: Asked, trusted: str, tmp_path: Path
    ) -> None:
        bundle = None if trusted == "system" else Authority(tmp_path / "other").certificate.read_text()
        async with RestServer(tls(authority)) as server:
            reason = await asked.reason(server.url(f"/good?{QUERY}"), bundle, answered=True)
            assert reason.startswith("its certificate is not trusted: ")
            assert server.received == []

    async def test_the_bundle_is_for_its_call_only(self, authority: Authority, bundle: str, asked: Asked) -> None:
        async with RestServer(tls(authority)) as server:
            assert await asked(server.url("/good"), bundle) == Answered(200, BODY.decode())
            assert (await asked.reason(server.url("/good"), answered=True)).startswith("its certificate is not trusted")

    async def test_another_name(self, authority: Authority, bundle: str, asked: Asked) -> None:
        async with RestServer(tls(authority, "elsewhere", "127.0.0.2")) as server:
            reason = await asked.reason(server.url("/good"), bundle, answered=True)
        assert reason.startswith("its certificate is not trusted: IP address mismatch")

    async def test_expired(self, authority: Authority, bundle: str, asked: Asked) -> None:
        with time_machine.travel("2020-01-01"):
            context = tls(authority, "old")
        async with RestServer(context) as server:
            reason = await asked.reason(server.url("/good"), bundle, answered=True)
        assert reason == "its certificate is not trusted: certificate has expired"

    async def test_not_tls(self, bundle: str, asked: Asked) -> None:
        async with RestServer(greeting=b"220 mail.example.org ESMTP\r\n") as server:
            reason = await asked.reason(server.url("/good").replace("http:", "https:"), bundle, answered=True)
        assert reason.startswith("no TLS connection: ")

    @pytest.mark.parametrize(
        "broken", ["", " ", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "é"]
    )
    async def test_a_bundle_without_certificates_trusts_nobody(
        self, authority: Authority, asked: Asked, broken: str
    ) -> None:
        async with RestServer(tls(authority)) as server:
            assert await asked.problem(server.url("/good"), broken) == "its CA bundle holds no certificate in PEM"
            assert server.received == []


class TestWhere:
    async def test_nobody_listens(self, asked: Asked) -> None:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        assert await asked.reason(f"http://127.0.0.1:{port}/?{QUERY}") == "connection refused"

    async def test_no_such_name(self, asked: Asked) -> None:
        assert await asked.reason(f"http://rules.invalid/?{QUERY}") == "its host name can't be resolved"

    @pytest.mark.parametrize(
        "url",
        [
            f"ftp://127.0.0.1/?{QUERY}",
            "file:///etc/passwd",
            "http:///nowhere",
            f"http://me:password-that-nobody-may-see@127.0.0.1/?{QUERY}",
            f"http://127.0.0.1:99999/?{QUERY}",
            f"http://2852039166/?{QUERY}",
            f"http://[::1/?{QUERY}",
        ],
    )
    async def test_not_a_url_to_ask(self, asked: Asked, url: str) -> None:
        await asked.problem(url)

    @pytest.mark.parametrize(
        "host", ["169.254.169.254", "169.254.170.2", "[fd00:ec2::254]", "[::ffff:169.254.169.254]", "100.100.100.200"]
    )
    async def test_addresses_of_clouds_are_never_connected_to(self, asked: Asked, host: str) -> None:
        problem = await asked.problem(f"http://{host}/latest/meta-data/iam/?{QUERY}")
        assert problem == "its address belongs to a cloud's own services (link-local, metadata), which are never asked"

    async def test_nor_by_a_name_that_leads_there(self, asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 80))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        assert "never asked" in await asked.problem("http://rules.example.org/")

    async def test_private_addresses_are_the_administrators_to_choose(
        self, server: RestServer, asked: Asked, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Endpoints are in the cluster as a rule."""
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        assert await asked(f"http://rules.example.org:{server.port}/good") == Answered(200, BODY.decode())

    async def test_of_several_addresses_a_forbidden_one_is_left_out(
        self, server: RestServer, asked: Asked, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        there = [("169.254.169.254", server.port), ("127.0.0.1", server.port)]
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in there]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        assert await asked(f"http://rules.example.org:{server.port}/good") == Answered(200, BODY.decode())

    async def test_ipv6(self, asked: Asked) -> None:
        async with RestServer(host="::1") as server:
            assert await asked(server.url("/good", host="[::1]")) == Answered(200, BODY.decode())

    @pytest.mark.parametrize(
        ("address", "refused"),
        [
            ("169.254.0.1", True),
            ("fe80::1%lo", True),
            ("fd00:ec2::23", True),
            ("fd20:ce::254", True),
            ("168.63.129.16", True),
            ("::ffff:a9fe:a9fe", True),
            ("64:ff9b::169.254.169.254", True),
            ("2002:a9fe:a9fe::1", True),
            ("64:ff9b:1::169.254.169.254", True),
            ("fe80::a9fe:a9fe", True),
            ("::169.254.169.254", True),
            ("192.0.0.192", True),
            ("64:ff9b::10.0.0.1", False),
            ("127.0.0.1", False),
            ("::1", False),
            ("10.0.0.1", False),
            ("100.100.100.201", False),
            ("fd00::a9fe:a9fe", False),
            ("2001:db8::1", False),
        ],
    )
    def test_which(self, address: str, *, refused: bool) -> None:
        assert addresses.is_refused(address) is refused

    @pytest.mark.parametrize("token", ["", "two words", "line\r\nX-Injected: 1", "é", "\x00"])
    async def test_a_token_that_is_none_is_not_sent(self, server: RestServer, asked: Asked, token: str) -> None:
        problem = await asked.problem(server.url("/good"), token=token)
        assert problem == "the bearer token is empty, or has characters that no bearer token has"
        assert server.received == []


class TestCode:
    async def test_a_code(self, server: RestServer, asked: Asked) -> None:
        webhook = WebhookProvider(url=server.url(f"/code?{QUERY}"))
        assert await asked.rest.code(webhook, ASKED, ca_bundle=None, bearer_token=TOKEN) == "012345"
        (received,) = server.received
        assert (received.method, json.loads(received.body)) == ("POST", ASKED)
        assert received.headers["authorization"] == f"Bearer {TOKEN}"

    @pytest.mark.parametrize(
        ("path", "problem"),
        [
            ("/number", 'it did not answer with {"tokenCode": "<six digits>"}'),
            ("/short", 'it did not answer with {"tokenCode": "<six digits>"}'),
            ("/list", 'it did not answer with {"tokenCode": "<six digits>"}'),
            ("/deep", 'it did not answer with {"tokenCode": "<six digits>"}'),
            ("/good", 'it did not answer with {"tokenCode": "<six digits>"}'),
            ("/empty", 'it did not answer with {"tokenCode": "<six digits>"}'),
            ("/status/403", "it answered with status 403"),
            ("/redirect/307", "it answered with status 307"),
            ("/hang", "timed out after 1 s"),
            ("/close", "the connection was closed before the answer was complete"),
        ],
    )
    async def test_none(self, server: RestServer, asked: Asked, path: str, problem: str) -> None:
        webhook = WebhookProvider(url=server.url(f"{path}?{QUERY}"), timeout=1)
        with pytest.raises(ProviderUnavailable) as raised:
            await asked.rest.code(webhook, ASKED, ca_bundle=None, bearer_token=TOKEN)
        assert raised.value.message == f"{server.url(path)} gave no MFA code: {problem}"
        assert raised.value.__context__ is None
        asked.seen.append(str(raised.value))
        assert server.hits == {path: 1}


def test_what_must_not_leak_is_looked_for() -> None:
    assert all(HIDDEN.search(text) for text in (SECRET_BODY, TOKEN, QUERY, SENT))
