"""The HTTPS server: its paths, limits and end."""

import asyncio
import base64
import io
import json
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Self

import aiohttp
import pytest
from aiohttp import web

from awssts.adapters.authority import issue
from awssts.adapters.certificates import CertificateError, ServingPair
from awssts.domain import admission as domain
from awssts.domain import bulk, calling
from awssts.domain.admissionreview import AdmissionRequest
from awssts.domain.errors import AwsstsError
from awssts.domain.stamp import Keys
from awssts.domain.subject import STAMP
from awssts.entry import admission
from awssts.entry.admission import AdmissionServer
from awssts.entry.serving import Server
from tests.unit.admission.reviews import ANNA, ANNAS, KEYS, OPERATOR, by, kind, raw, thing
from tests.unit.builders import NOW

PAIR, AUTHORITY = issue({"127.0.0.1"}, datetime.now(UTC))
MUTATE = calling.path(KEYS, NOW)
NEXT, NEXT_AUTHORITY = issue({"127.0.0.1"}, datetime.now(UTC))


class Given:
    """Certificates as a test gives them."""

    def __init__(self, *given: ServingPair) -> None:
        self.queue: asyncio.Queue[ServingPair] = asyncio.Queue()
        for pair in given or (PAIR,):
            self.queue.put_nowait(pair)

    async def pairs(self) -> AsyncGenerator[ServingPair]:
        while True:
            yield await self.queue.get()
            self.queue.task_done()


class Stamps:
    """One key, known from the beginning."""

    async def keys(self, *_: Mapping[str, str]) -> Keys:
        return KEYS

    async def newest(self) -> Keys:
        return KEYS


class Injecting:
    """Refuses every pod."""

    async def review(self, request: AdmissionRequest) -> domain.Verdict:
        assert request.kind.kind == "Pod"
        return domain.Verdict(problems=("metadata.annotations[awssts.dev/inject]: no",))


def clock() -> datetime:
    return NOW


def trusting(authority: bytes = AUTHORITY) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=authority.decode())


@asynccontextmanager
async def serving(
    given: Given | None = None, injecting: Injecting | None = None, **options: Any
) -> AsyncIterator[AdmissionServer]:
    """As the operator runs it: a task that is cancelled at the end."""
    injecting = injecting or Injecting()
    server = AdmissionServer(given or Given(), Stamps(), injecting, clock, port=0, host="127.0.0.1", **options)
    await server.start()
    following = asyncio.create_task(server.follow())
    try:
        yield server
    finally:
        following.cancel()
        await asyncio.wait([following])
        await server.stop()


@asynccontextmanager
async def client(server: AdmissionServer, authority: bytes = AUTHORITY) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(ssl=trusting(authority))
    base = f"https://127.0.0.1:{server.port}"
    async with aiohttp.ClientSession(base, connector=connector) as session:
        yield session


async def reviewed(server: AdmissionServer, path: str, review: Any) -> Any:
    body = io.BytesIO(json.dumps(review).encode())
    async with client(server) as session, session.post(path, data=body) as answer:
        assert answer.status == 200
        return (await answer.json())["response"]


async def test_it_says_whether_it_can_be_called() -> None:
    given = Given()
    pair = given.queue.get_nowait()
    server = AdmissionServer(given, Stamps(), Injecting(), clock, port=0, host="127.0.0.1")
    starting = asyncio.create_task(server.start())
    await asyncio.sleep(0)
    assert "no certificate yet" in server.unserved()
    given.queue.put_nowait(pair)
    await starting
    assert server.unserved() == ""
    async with client(server) as session, session.get("/healthz") as answer:
        assert answer.status == 200
    await server.stop()
    assert "it ends" in server.unserved()


async def test_mutate_and_validate_answer_reviews() -> None:
    async with serving() as server:
        stamped = await reviewed(server, MUTATE, raw(thing()))
        refused = await reviewed(server, "/validate", raw(by(ANNA, thing({}))))
        other = await reviewed(server, "/validate", raw(thing(), **kind("Pod", "")))
    assert stamped.keys() == {"uid", "allowed", "patchType", "patch"}
    assert refused["status"]["message"] == "spec.credentialsSecretRef: Field required"
    assert other == {"uid": "0815", "allowed": True}


@pytest.mark.parametrize("path", ["/", "/mutate", "/mutate/" + "0" * 32, calling.path(Keys((b"another" * 5,)), NOW)])
async def test_a_stamp_is_for_the_api_server_alone(path: str) -> None:
    """Who only reaches the port gets an answer, and the registration is looked at: it may have been put back."""
    strangers: list[None] = []
    mine = thing(annotations={STAMP: "made up"})
    async with serving() as server:
        server.on_stranger = lambda: strangers.append(None)
        response = await reviewed(server, path, raw(mine, user=ANNA))
    assert json.loads(base64.b64decode(response["patch"])) == [
        {"op": "remove", "path": "/metadata/annotations/awssts.dev~1authentication"}
    ]
    assert response["allowed"]
    assert strangers == [None]


async def test_inject_answers_reviews_of_pods() -> None:
    async with serving() as server:
        refused = await reviewed(server, "/inject", raw(thing(), **kind("Pod", "")))
    assert refused["status"]["message"] == "metadata.annotations[awssts.dev/inject]: no"


async def test_it_knows_the_operators_name() -> None:
    old, new = thing(annotations=ANNAS), thing({"duration": "1h"}, ANNAS)
    async with serving(operators={OPERATOR["username"]}) as server:
        response = await reviewed(server, MUTATE, raw(new, old, user=OPERATOR))
    (change,) = json.loads(base64.b64decode(response["patch"]))
    assert json.loads(change["value"])["username"] == "anna"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/healthz", b"", 200),
        ("GET", "/mutate", b"", 405),
        ("POST", "/", b"{}", 400),
        ("POST", "/mutate/x/y", b"{}", 404),
        ("POST", "/delete", b"{}", 404),
        ("POST", "/mutate", b"", 400),
        ("POST", "/validate", b"{}", 400),
        ("POST", "/validate", b"[" * 1_000, 400),
        ("POST", "/validate", b"[" * 100_000, 413),
        ("POST", "/validate", b" " * (bulk.LARGEST + 1), 413),
    ],
)
async def test_status(method: str, path: str, body: bytes, status: int) -> None:
    sent = io.BytesIO(body)
    async with serving() as server, client(server) as session, session.request(method, path, data=sent) as answer:
        assert answer.status == status


async def test_garbage_is_told_without_repeating_it() -> None:
    document = raw(thing(), operation="hunter2")
    async with serving() as server, client(server) as session, session.post("/mutate", json=document) as answer:
        text = await answer.text()
    assert text.startswith("AdmissionReview.request.operation: ")
    assert "hunter2" not in text


async def test_a_large_review_is_taken() -> None:
    large = thing({"credentialsSecretRef": {"name": "a"}, "role": {"arn": "x" * 1_500_000}}, ANNAS)
    async with serving() as server:
        assert (await reviewed(server, "/validate", raw(large, large)))["allowed"] is True


async def test_a_body_that_does_not_arrive_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "ARRIVAL", 0.01)
    async with serving() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=trusting())
        writer.write(b"POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert b"408" in await reader.readline()
        writer.close()
        await writer.wait_closed()


async def test_a_new_certificate_is_served_and_open_connections_stay() -> None:
    given = Given()
    async with serving(given) as server, client(server) as old:
        async with old.get("/healthz") as answer:
            assert answer.status == 200
        given.queue.put_nowait(ServingPair(b"nonsense", b""))  # told in the log, and passed over
        given.queue.put_nowait(NEXT)
        await given.queue.join()
        async with client(server, NEXT_AUTHORITY) as new, new.get("/healthz") as answer:
            assert answer.status == 200
        async with old.get("/healthz") as answer:
            assert answer.status == 200


async def test_what_is_under_way_is_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end begins while a review is worked on."""
    stopping: list[asyncio.Task[None]] = []
    review, loop = domain.review, asyncio.get_running_loop()

    def slow(*arguments: Any) -> domain.Verdict:
        loop.call_soon_threadsafe(lambda: stopping.append(asyncio.create_task(server.stop())))
        return review(*arguments)

    monkeypatch.setattr(domain, "review", slow)
    server = AdmissionServer(Given(), Stamps(), Injecting(), clock, port=0, host="127.0.0.1")
    await server.start()
    async with client(server) as session, session.post(MUTATE, json=raw(thing())) as answer:
        assert (await answer.json())["response"]["allowed"] is True
    await stopping[0]


async def test_run_ends_when_cancelled() -> None:
    given = Given()
    server = AdmissionServer(given, Stamps(), Injecting(), clock, port=0, host="127.0.0.1")
    task = asyncio.create_task(server.run())
    await given.queue.join()
    port = server.port
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(OSError, match=str(port)):
        await asyncio.open_connection("127.0.0.1", port)


async def test_a_port_that_is_taken_is_told() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(AwsstsError, match=f"can't listen on port {port}: "):
            await AdmissionServer(Given(), Stamps(), Injecting(), clock, port=port, host="127.0.0.1").run()


async def test_a_first_certificate_that_can_not_be_served_is_told() -> None:
    with pytest.raises(CertificateError):
        await AdmissionServer(Given(ServingPair(b"", b"")), Stamps(), Injecting(), clock, port=0).run()


class Callers:
    """Connections to a server, which end with the block."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._writers: list[asyncio.StreamWriter] = []

    async def knock(self, tls: ssl.SSLContext | None = None) -> asyncio.StreamReader:
        """Connect, without TLS unless it is given."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._server.port, ssl=tls)
        self._writers.append(writer)
        return reader

    async def enter(self) -> None:
        """Connect and begin TLS, once there is room."""
        async with asyncio.timeout(10):
            while True:
                with suppress(ConnectionError):
                    await self.knock(trusting())
                    return
                await asyncio.sleep(0.01)

    def leave(self) -> None:
        """Who came first goes."""
        first = self._writers.pop(0)
        first.transport.abort()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for writer in self._writers:
            writer.transport.abort()
            with suppress(ConnectionError):
                await writer.wait_closed()


async def test_connections_are_limited_before_tls_begins() -> None:
    """Whoever only connects takes a place, until he goes or others come."""
    server = Server(web.Application(), "test", Given(), host="127.0.0.1", port=0, idle=10, connections=3)
    await server.start()
    async with Callers(server) as callers:
        await callers.enter()
        first = await callers.knock()
        await callers.knock()
        await callers.knock()
        assert await asyncio.wait_for(first.read(), 5) == b""
    await server.stop()


async def test_who_holds_connections_and_asks_nothing_keeps_nobody_out() -> None:
    server = AdmissionServer(Given(), Stamps(), Injecting(), clock, port=0, host="127.0.0.1", connections=3)
    await server.start()
    async with Callers(server) as idle, client(server) as caller:
        async with caller.get("/healthz") as answer:
            assert answer.status == 200
        oldest = await idle.knock(trusting())
        for _ in range(3):
            await idle.knock(trusting())
        assert await asyncio.wait_for(oldest.read(), 5) == b""
        assert (await reviewed(server, "/validate", raw(by(ANNA, thing()))))["allowed"]
    await server.stop()


async def test_none_goes_on_which_a_request_is_answered() -> None:
    asked, answer = asyncio.Event(), asyncio.Event()

    async def slow(_: web.Request) -> web.Response:
        asked.set()
        await answer.wait()
        return web.Response(text="done")

    application = web.Application()
    application.add_routes([web.get("/", slow)])
    server = Server(application, "test", Given(), host="127.0.0.1", port=0, idle=10, connections=1)
    await server.start()
    async with Callers(server) as callers, client(server) as caller:  # type: ignore[arg-type] # it has a port
        asking = asyncio.create_task(caller.get("/"))
        await asked.wait()
        with pytest.raises(ConnectionError):
            await callers.knock(trusting())
        answer.set()
        assert await (await asking).text() == "done"
        await callers.knock(trusting())
    await server.stop()
