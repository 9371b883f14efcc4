"""What a hostile client may try on a real socket: a page in a browser, another process, a program gone mad."""

import asyncio
import json
import re
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from awssts.entry.sidecar import connection, server
from awssts.entry.sidecar.connection import Crowd
from tests.unit.sidecar.samples import secrets_in, vended
from tests.unit.sidecar.stage import TOKEN, Answer, Stage, answers, client, head, running

PARTS = [part.encode() for part in secrets_in(vended(1))]


@pytest.fixture(autouse=True)
def nothing_secret_in_logs(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level("DEBUG")
    yield
    assert not any(part in caplog.text for part in (*secrets_in(vended(1)), TOKEN))


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with running(tmp_path) as started:
        yield started


@pytest.fixture
async def hurried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    """One whose patience ends after fractions of a second, with room for four connections."""
    monkeypatch.setattr(server, "LOOK", 0.02)
    monkeypatch.setattr(server, "CONNECTIONS", 4)
    monkeypatch.setattr(connection, "ARRIVAL", 0.3)
    monkeypatch.setattr(connection, "IDLE", 0.6)
    async with running(tmp_path, follow=True) as started:
        yield started


async def test_a_name_bound_to_this_address(stage: Stage) -> None:
    """DNS rebinding: a page's own name leads here, so the browser lets it read answers."""
    for name in ("evil.example", f"evil.example:{stage.port}", f"127.0.0.1:{stage.port}.evil.example"):
        (answer,) = await stage.ask(stage.get(host=name))
        assert answer.status == 403
        assert json.loads(answer.body)["code"] == "HostNotAllowed"
        assert "access-control-allow-origin" not in answer.headers


async def test_a_browsers_question_whether_it_may(stage: Stage) -> None:
    asked = head("OPTIONS", "/credentials", f"Host: 127.0.0.1:{stage.port}", "Access-Control-Request-Method: GET")
    (answer,) = await stage.ask(asked)
    assert answer.status == 405
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1], TOKEN + "x", f"Bearer {TOKEN}"])
async def test_no_token_or_a_wrong_one(stage: Stage, token: str) -> None:
    (answer,) = await stage.ask(stage.get(token=token))
    assert answer.status == 403
    assert not any(part in answer.body for part in PARTS)


async def test_two_tokens(stage: Stage) -> None:
    assert await stage.status(stage.get("/credentials", "Authorization: wrong")) == [403]


async def test_a_changed_token_counts_at_once(stage: Stage) -> None:
    stage.token_file.write_text("another token than before")
    assert await stage.status(stage.get(), stage.get(token="another token than before")) == [403, 200]
    stage.token_file.unlink()
    assert await stage.status(stage.get()) == [503]


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("//credentials", 404),
        ("/credentials/", 404),
        ("/credentials?", 404),
        ("/credentials?x=/credentials", 404),
        ("/%2e%2e/credentials", 404),
        ("/../credentials", 404),
        ("/%63redentials", 404),
        ("/CREDENTIALS", 404),
        ("/credentials%0d%0aX:", 404),
        ("http://127.0.0.1/credentials", 404),
        ("http://169.254.170.2/credentials", 404),
        ("/latest/meta-data/iam/security-credentials/", 404),
        ("/metrics", 404),
        ("/healthz", 404),
        ("/cred\x00entials", 400),
        ("/cred entials", 400),
        ("", 400),
    ],
)
async def test_path_tricks(stage: Stage, target: str, status: int) -> None:
    (answer,) = await stage.ask(stage.get(target))
    assert answer.status == status
    assert not any(part in answer.body for part in PARTS)


async def test_forwarded_by_a_proxy(stage: Stage) -> None:
    for header in ("X-Forwarded-For: 10.0.0.1", "x-forwarded-HOST: x", "Forwarded: for=10.0.0.1", "Via: 1.1 proxy"):
        assert await stage.status(stage.get("/credentials", header)) == [403]


@pytest.mark.parametrize("data", [
    b"GET / HTTP/2.0\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET /credentials\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    b"\x00" * 100,
    b"GET /credentials HTTP/1.1\r\nHost : 127.0.0.1\r\n\r\n",
    b"GET /credentials HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET /credentials HTTP/1.1\r\n\r\n",
    b"GET /credentials HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    b"GET /credentials HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"GET /credentials HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
    b"GET /credentials HTTP/1.1\r\nHost: x\r\nX: \x00\r\n\r\n",
], ids=repr)  # fmt: skip
async def test_what_is_no_http(stage: Stage, data: bytes) -> None:
    (answer,) = await stage.ask(data + stage.get())  # and what follows is no request either
    assert answer.status in {400, 501, 505}
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize("header", ["Content-Length: {}", "Transfer-Encoding: chunked\r\nX: {}"])
async def test_a_request_within_a_body_is_none(stage: Stage, header: str) -> None:
    within = stage.get()
    (answer,) = await stage.ask(stage.get("/credentials", header.format(len(within))), within)
    assert answer.status == 413
    assert answer.headers["connection"] == "close"


async def test_a_large_body_is_refused_and_not_read(stage: Stage) -> None:
    """The answer reaches even who sends on for a while."""
    sent = stage.get("/credentials", "Content-Length: 400000") + bytes(400_000)
    (answer,) = await stage.ask(sent)
    assert answer.status == 413


@pytest.mark.parametrize("pieces", [1, 7])
async def test_oversized_heads(stage: Stage, pieces: int) -> None:
    for headers in (["X: " + "x" * connection.LARGEST], ["X: x"] * 2000, ["X" * connection.LARGEST + ": x"]):
        sent = stage.get("/credentials", *headers)
        step = len(sent) // pieces + 1
        (answer,) = await stage.ask(*(sent[start : start + step] for start in range(0, len(sent), step)))
        assert answer.status == 431
        assert answer.headers["connection"] == "close"
    assert await stage.status(stage.get("/" + "x" * connection.LARGEST)) == [431]


async def test_a_head_without_end(stage: Stage) -> None:
    (answer,) = await stage.ask(b"GET /credentials HTTP/1.1\r\nX: " + b"x" * 1_000_000)
    assert answer.status == 431


async def test_slow_loris(hurried: Stage) -> None:
    """A byte now and then doesn't buy time."""
    loop = asyncio.get_running_loop()
    async with client(hurried.port) as (reader, writer):
        began = loop.time()
        answered = asyncio.create_task(reader.read())
        for byte in hurried.get() * 3:
            writer.write(bytes([byte]))
            if (await asyncio.wait([answered], timeout=0.02))[0]:
                break
        (answer,) = answers(await answered)
    assert answer.status == 408
    assert loop.time() - began < 2.5


async def test_who_says_nothing(hurried: Stage) -> None:
    async with client(hurried.port) as (reader, _):
        assert await asyncio.wait_for(reader.read(), 5) == b""


async def test_who_asks_once_and_stays(hurried: Stage) -> None:
    async with client(hurried.port) as (reader, writer):
        writer.write(hurried.get())
        (answer,) = answers(await asyncio.wait_for(reader.read(), 5))
    assert answer.status == 200


@pytest.mark.parametrize("port", ["port", "health_port"])
async def test_a_half_request_after_a_head(hurried: Stage, port: str) -> None:
    """It is late as any other: the sidecar goes on."""
    async with client(getattr(hurried, port)) as (reader, writer):
        writer.write(head("HEAD", "/healthz", "Host: x") + b"GET /")
        await reader.readuntil(b"\r\n\r\n")
        (answer,) = answers(await asyncio.wait_for(reader.read(), 5))
    assert answer.status == 408
    assert await hurried.status(hurried.get()) == [200]


@pytest.mark.parametrize("port", ["port", "health_port"])
async def test_a_reset_that_nobody_has_seen_yet(hurried: Stage, port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between asyncio's look at the socket and the end of the client's time."""
    swept, sweep = asyncio.Event(), Crowd.sweep
    with socket.create_connection(("127.0.0.1", getattr(hurried, port))) as going:
        going.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # its end is a reset

        def late(crowd: Crowd, now: float) -> None:
            if any(member.deadline <= now for member in crowd):
                going.close()
                sweep(crowd, now)
                swept.set()

        monkeypatch.setattr(Crowd, "sweep", late)
        await asyncio.wait_for(swept.wait(), 5)
    assert await hurried.status(hurried.get()) == [200]


async def test_too_many_connections(hurried: Stage) -> None:
    """Whoever comes is answered; the one that asked nothing for longest makes room."""
    async with AsyncExitStack() as stack:
        idle = []
        for _ in range(20):
            idle.append(await stack.enter_async_context(client(hurried.port)))
            assert await hurried.status(hurried.get()) == [200]
        assert await asyncio.wait_for(idle[0][0].read(), 5) == b""
        (metrics,) = await hurried.ask(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", port=hurried.health_port)
        assert re.search(rb'_cut_total{reason="evicted"} [1-9]', metrics.body)


async def test_the_one_that_is_used_stays(hurried: Stage) -> None:
    async with AsyncExitStack() as stack:
        reader, writer = await stack.enter_async_context(client(hurried.port))
        for _ in range(12):
            await stack.enter_async_context(client(hurried.port))
            writer.write(hurried.get())
            assert (await one(reader)).status == 200


async def one(reader: asyncio.StreamReader) -> Answer:
    """Return the next answer on a connection that stays."""
    top = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    length = int(top.partition(b"content-length: ")[2].split(b"\r\n")[0])
    return answers(top + await reader.readexactly(length))[0]


async def test_pipelining(stage: Stage) -> None:
    """Each is answered by itself, in order; after one that is no HTTP comes nothing."""
    good, wrong = stage.get(), stage.get(token="wrong")
    assert await stage.status((good + wrong) * 100) == [200, 403] * 100
    assert await stage.status(good, good + b"nonsense\r\n\r\n" + good) == [200, 200, 400]


async def test_http_1_0(stage: Stage) -> None:
    old = stage.get().replace(b"HTTP/1.1", b"HTTP/1.0")
    (answer,) = await stage.ask(old + old)
    assert answer.status == 200
    assert await stage.status(b"GET /credentials HTTP/1.0\r\n\r\n") == [403]


async def test_upgrades_and_tunnels(stage: Stage) -> None:
    upgrade = ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"]
    assert await stage.status(stage.get("/credentials", *upgrade)) == [200]  # as if it hadn't asked
    own = f"Host: 127.0.0.1:{stage.port}"
    assert await stage.status(head("CONNECT", "evil.example:443", own)) == [404]
    assert await stage.status(head("HEAD", "/credentials", own).replace(b"HEAD", b"POST")) == [405]


async def test_head_is_answered_without_a_body(stage: Stage) -> None:
    async with client(stage.port) as (reader, writer):
        writer.write(head("HEAD", "/credentials", f"Host: 127.0.0.1:{stage.port}", "Connection: close"))
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 405 Method Not Allowed\r\n")
    assert answer.endswith(b"\r\n\r\n")
