"""Reviews that would cost the server too much: refused unread, looked at one at a time, and never in its loop."""

import asyncio
import gc
import io
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from awssts import webhook
from awssts.domain import admission as domain
from awssts.domain import bulk
from awssts.domain.admission import Verdict
from awssts.domain.admissionreview import AdmissionRequest
from awssts.entry.admission import IN_TIME, PATIENCE
from awssts.services import stamps as services
from awssts.settings import Admission, Settings
from tests.unit.admission.reviews import ANNA, OPERATOR, Json, by, kind, raw, thing
from tests.unit.admission.test_bounds import counted
from tests.unit.admission.test_server import Injecting, client, clock, reviewed, serving, trusting

ANNOTATIONS = {f"a{number}": "" for number in range(230_000)}


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("/mutate", raw(thing(annotations=ANNOTATIONS))),
        ("/validate", raw(thing({f"f{number}": 1 for number in range(200_000)}))),
        ("/validate", raw(thing({"list": [[]] * 200_000}))),
        ("/inject", raw(thing({"containers": [{}] * 200_000}), **kind("Pod", ""))),
    ],
    ids=["annotations", "fields", "lists", "containers"],
)
async def test_absurdly_many_values_are_refused_unread(
    path: str, document: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = counted(monkeypatch, domain, "read")
    body = json.dumps(document, separators=(",", ":")).encode()
    assert len(body) < bulk.LARGEST
    async with serving() as server, client(server) as session, session.post(path, data=io.BytesIO(body)) as answer:
        assert answer.status == 200
        response = (await answer.json())["response"]
    assert not response["allowed"]
    assert response["uid"] == document["request"]["uid"]
    told = "the object is too large: with what it was before, it has more than 10000 fields and elements"
    assert response["status"]["message"] == told
    assert read.calls == 0


async def test_what_does_not_begin_as_a_review_is_told_so_too() -> None:
    sent = io.BytesIO(json.dumps([raw(thing())] * 1_000).encode().replace(b'"uid"', b'"name"'))
    async with serving() as server, client(server) as session, session.post("/validate", data=sent) as answer:
        assert answer.status == 413
        assert "more than 10000 fields" in await answer.text()


async def test_a_body_that_is_too_large_is_refused_before_it_comes() -> None:
    """Nothing but the head is sent: the answer does not wait for more."""
    async with serving() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=trusting())
        size = bulk.LARGEST + 1
        writer.write(f"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode())
        assert b"413" in await reader.readline()
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"text/plain" in head
        told = await reader.readexactly(30)
        assert told == b"the review is too large: it ha"
        writer.close()
        await writer.wait_closed()


async def test_a_body_of_unknown_length_is_not_read() -> None:
    async def endless() -> Any:
        yield b"{"

    async with serving() as server, client(server) as session, session.post("/validate", data=endless()) as answer:
        assert answer.status == 411


async def test_some_problems_are_told_of_what_is_no_review() -> None:
    document = raw(thing(), user={"username": "anna", "groups": [1] * 5_000})
    async with serving() as server, client(server) as session, session.post("/validate", json=document) as answer:
        assert answer.status == 400
        told = (await answer.text()).split("; ")
    assert told[0] == "AdmissionReview.request.userInfo.groups[0]: Input should be a valid string"
    assert told[20:] == ["AdmissionReview: and 4980 more"]


LARGE = thing(annotations={f"a{number}": "" for number in range(bulk.FEW_VALUES)})
POLICY = kind("AwsStsPolicy", "awssts.dev")


@pytest.mark.parametrize(
    ("review", "threads"),
    [(raw(by(ANNA, thing())), []), (raw(by(ANNA, LARGE)), ["read", "review"]), (raw(thing({}), **POLICY), ["review"])],
    ids=["small", "large", "policy"],
)
async def test_what_may_take_long_is_looked_at_beside_the_loop(
    review: Json, threads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = []

    def noting(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*given: Any) -> Any:
            if threading.current_thread() is not threading.main_thread():
                beside.append(name)
            return work(*given)

        return noted

    for name in ("read", "review"):
        monkeypatch.setattr(domain, name, noting(name, getattr(domain, name)))
    async with serving() as server:
        assert (await reviewed(server, "/validate", review))["allowed"]
    assert beside == threads


async def test_one_large_review_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []
    alone = threading.Lock()
    read, decide = domain.read, domain.review

    def reading(payload: bytes) -> AdmissionRequest:
        assert alone.acquire(blocking=False)
        threads.append(threading.get_ident())
        try:
            return read(payload)
        finally:
            alone.release()

    def deciding(*given: Any) -> Verdict:
        assert alone.acquire(blocking=False)
        threads.append(threading.get_ident())
        try:
            return decide(*given)
        finally:
            alone.release()

    monkeypatch.setattr(domain, "read", reading)
    monkeypatch.setattr(domain, "review", deciding)
    async with serving() as server:
        answers = await asyncio.gather(*(reviewed(server, "/validate", raw(by(ANNA, LARGE))) for _ in range(20)))
    assert all(answer["allowed"] for answer in answers)
    assert len(threads) == 40


class Waiting(Injecting):
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.reached: asyncio.Queue[AdmissionRequest] = asyncio.Queue()
        self.answer = asyncio.Event()

    async def review(self, request: AdmissionRequest) -> Verdict:
        self.reached.put_nowait(request)
        await self.answer.wait()
        return Verdict()


async def test_few_large_ones_are_in_memory_and_small_ones_pass() -> None:
    injecting = Waiting()
    large = json.dumps(raw(thing({"a": "x" * 100_000}), **kind("Pod", ""))).encode()

    async def send(session: aiohttp.ClientSession) -> int:
        async with session.post("/inject", data=large) as answer:
            return answer.status

    async with serving(injecting=injecting) as server, client(server) as session:
        sending = [asyncio.create_task(send(session)) for _ in range(5)]
        for _ in range(2):
            await injecting.reached.get()
        assert (await reviewed(server, "/validate", raw(by(ANNA, thing()))))["allowed"]
        assert injecting.reached.empty()
        injecting.answer.set()
        assert await asyncio.gather(*sending) == [200] * 5


async def test_who_has_given_up_is_not_worked_for() -> None:
    """The API server says how long it waits; others have five seconds."""
    injecting = Waiting()
    async with serving(injecting=injecting) as server, client(server) as session:
        pod = raw(LARGE, **kind("Pod", ""))
        sending = [asyncio.create_task(reviewed(server, "/inject?timeout=30s", pod)) for _ in range(8)]
        for _ in range(8):
            await injecting.reached.get()
        began = time.monotonic()
        async with session.post("/inject?timeout=1s", json=pod) as answer:
            assert answer.status == 503
            assert await answer.text() == "more is sent than can be looked at; try again"
        assert time.monotonic() - began < IN_TIME * PATIENCE
        assert (await reviewed(server, "/validate", raw(by(ANNA, thing()))))["allowed"], "what is small does not wait"
        injecting.answer.set()
        await asyncio.gather(*sending)


async def test_few_pods_are_looked_up_at_once() -> None:
    """It goes by the connections to the API server that renewals need, too."""
    injecting = Waiting()
    async with serving(injecting=injecting) as server:
        pod = raw(thing(), **kind("Pod", ""))
        sending = [asyncio.create_task(reviewed(server, "/inject", pod)) for _ in range(20)]
        for _ in range(8):
            await injecting.reached.get()
        assert (await reviewed(server, "/validate", raw(by(ANNA, thing()))))["allowed"]
        assert injecting.reached.empty()
        injecting.answer.set()
        await asyncio.gather(*sending)


class Known:
    """A cluster that says who the operator is."""

    async def user_name(self) -> str:
        return str(OPERATOR["username"])


async def test_what_the_operator_consists_of_is_no_garbage_to_go_through() -> None:
    gc.unfreeze()
    cluster: Any = Known()
    stamps = services.Stamps(cluster, "awssts-system", clock)
    await webhook.prepared(Settings(), Admission(port=0), cluster, clock, stamps)
    assert gc.get_freeze_count() > 10_000
    gc.unfreeze()
