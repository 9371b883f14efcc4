"""The bytes of a connection, without a socket: however they are cut, the answers are the same."""

import asyncio
from itertools import pairwise
from typing import Any
from unittest.mock import create_autospec

from hypothesis import given, settings
from hypothesis import strategies as st

from awssts.domain.container_protocol import Request, Response
from awssts.entry.sidecar.connection import LARGEST, Connection, Crowd
from tests.unit.sidecar.stage import answers, head

GOOD = head("GET", "/credentials", "Host: x")
CASES = (
    GOOD,
    head("GET", "/other", "Host: x", "X: " + "y" * 3000),
    head("POST", "/credentials", "Host: x", "Content-Length: 5") + b"hello",
    head("GET", "/credentials", "Host: x", "Connection: close"),
    head("GET", "/credentials", "X: no host"),
    head("GET", "/credentials", "Host: x", "X: " + "y" * LARGEST),
    b"nonsense\r\n\r\n",
    b"GET",
)


def answer(request: Request) -> Response:
    return Response(413 if request.has_body else 200, request.target)


def connected(crowd: Crowd) -> tuple[Connection, Any]:
    """Return a connection and its transport, which a test can look at."""
    transport: Any = create_autospec(asyncio.Transport, instance=True)
    transport.is_closing.return_value = False
    one = Connection(answer, crowd)
    one.connection_made(transport)
    return one, transport


async def said(pieces: list[bytes]) -> tuple[bytes, int]:
    """Return what a connection writes when it gets those pieces, and how many it then holds open."""
    crowd = Crowd(1)
    one, transport = connected(crowd)
    for piece in pieces:
        one.data_received(piece)
    ended = transport.write_eof.call_count
    one.connection_lost(None)
    assert len(crowd) == 0
    return b"".join(call.args[0] for call in transport.write.call_args_list), ended


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(CASES), max_size=6), st.lists(st.integers(0, 15000), max_size=20))
def test_however_they_are_cut(requests: list[bytes], cuts: list[int]) -> None:
    data = b"".join(requests)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[start:end] for start, end in pairwise(edges) if start < end]
    whole, ended = asyncio.run(said([data] if data else []))
    assert asyncio.run(said(pieces)) == (whole, ended)
    assert ended <= 1
    assert len(answers(whole)) <= len(requests)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=300), max_size=8))
def test_garbage(pieces: list[bytes]) -> None:
    """It is never answered well, and never ends in an exception."""
    written, _ = asyncio.run(said(pieces))
    assert all(found.status >= 400 for found in answers(written))


async def test_who_takes_no_answers_gets_no_more_of_them() -> None:
    one, transport = connected(Crowd(1))
    transport.write.side_effect = lambda _: one.pause_writing()
    one.data_received(GOOD * 3)
    for number in (1, 2, 3):
        assert transport.write.call_count == transport.pause_reading.call_count == number
        one.resume_writing()
        assert transport.resume_reading.call_count == number
    assert transport.write.call_count == 3
