"""The bytes of a connection, without a socket: however they are cut, the answers are the same."""

import asyncio
import errno
from itertools import pairwise
from typing import Any
from unittest.mock import create_autospec

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from awssts.domain.container_protocol import Request, Response
from awssts.entry.sidecar.connection import ARRIVAL, LARGEST, Connection, Crowd
from tests.unit.sidecar.stage import answers, head

GOOD = head("GET", "/credentials", "Host: x")
HEAD = head("HEAD", "/credentials", "Host: x")
CASES = (
    GOOD,
    head("GET", "/other", "Host: x", "X: " + "y" * 3000),
    head("POST", "/credentials", "Host: x", "Content-Length: 5") + b"hello",
    head("GET", "/credentials", "Host: x", "Connection: close"),
    head("GET", "/credentials", "X: no host"),
    head("GET", "/credentials", "Host: x", "X: " + "y" * LARGEST),
    HEAD,
    b"nonsense\r\n\r\n",
    b"GET",
)


def answer(request: Request) -> Response:
    return Response(413 if request.has_body else 200, b"" if request.method == b"HEAD" else request.target)


def connected(crowd: Crowd) -> tuple[Connection, Any]:
    """Return a connection and its transport, which a test can look at."""
    transport: Any = create_autospec(asyncio.Transport, instance=True)
    transport.is_closing.return_value = False
    one = Connection(answer, crowd)
    one.connection_made(transport)
    return one, transport


async def said(pieces: list[bytes], patience: int | None = None) -> tuple[bytes, int]:
    """Return what a connection writes that gets those pieces, and how often it ends that.

    Args:
        patience: the pieces after which its time is over; None: it never is.
    """
    crowd = Crowd(1)
    one, transport = connected(crowd)
    for number, piece in enumerate(pieces):
        if number == patience:
            one.end()
        one.data_received(piece)
    ended = transport.write_eof.call_count
    one.connection_lost(None)
    assert len(crowd) == 0
    return b"".join(call.args[0] for call in transport.write.call_args_list), ended


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(each, len(data)) for each in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(edges) if start < end]


REQUESTS = st.lists(st.sampled_from(CASES), max_size=6)
CUTS = st.lists(st.integers(0, 15000), max_size=20)


@settings(max_examples=50, deadline=None)
@given(REQUESTS, CUTS)
def test_however_they_are_cut(requests: list[bytes], cuts: list[int]) -> None:
    data = b"".join(requests)
    pieces = cut(data, cuts)
    whole, ended = asyncio.run(said([data] if data else []))
    assert asyncio.run(said(pieces)) == (whole, ended)
    assert ended <= 1
    assert len(answers(whole)) <= len(requests)


@settings(max_examples=200, deadline=None)
@given(REQUESTS, CUTS, st.integers(0, 20))
def test_whenever_its_time_is_over(requests: list[bytes], cuts: list[int], patience: int) -> None:
    """What was begun is told that it is late; each answer is whole, and none comes after that one."""
    written, ended = asyncio.run(said(cut(b"".join(requests), cuts), patience))
    assert ended <= 1
    statuses = [found.status for found in answers(written)]
    assert 408 not in statuses[:-1]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=300), max_size=8), st.integers(0, 8))
def test_garbage(pieces: list[bytes], patience: int) -> None:
    """It is never answered well, and never ends in an exception."""
    written, _ = asyncio.run(said(pieces, patience))
    assert all(found.status >= 400 for found in answers(written))


def test_a_half_request_after_a_head() -> None:
    """Its answer has a body again."""
    written, _ = asyncio.run(said([HEAD, b"GET /", b" HTTP/1.1"], 2))
    assert [found.status for found in answers(written)] == [200, 408]


async def test_one_that_can_not_be_ended_holds_up_no_other(caplog: pytest.LogCaptureFixture) -> None:
    crowd = Crowd(2)
    transports = [connected(crowd)[1] for _ in range(2)]
    transports[0].write_eof.side_effect = ValueError("a fault of ours")
    crowd.sweep(float("inf"))
    assert transports[0].abort.called
    assert transports[1].write_eof.called
    assert "ValueError" in caplog.text


async def test_one_that_has_gone_unseen_is_cut() -> None:
    one, transport = connected(Crowd(1))
    transport.write_eof.side_effect = OSError(errno.ENOTCONN, "Transport endpoint is not connected")
    one.end()
    assert transport.abort.called


async def test_who_takes_no_answers_gets_no_more_of_them() -> None:
    one, transport = connected(Crowd(1))
    transport.write.side_effect = lambda _: one.pause_writing()
    one.data_received(GOOD * 3)
    for number in (1, 2, 3):
        assert one.deadline <= asyncio.get_running_loop().time() + ARRIVAL
        assert transport.write.call_count == transport.pause_reading.call_count == number
        one.resume_writing()
        assert transport.resume_reading.call_count == number
    assert transport.write.call_count == 3
