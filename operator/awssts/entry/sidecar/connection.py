"""Connections: HTTP/1.1 by h11, within limits. Every answer is there at once, so a connection holds one at a time."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from http import HTTPStatus
from typing import Final

import h11

from awssts.domain.container_protocol import Request, Response, failure

LARGEST: Final = 8192  # bytes of a request's head
ARRIVAL = 5.0  # seconds for a head to arrive, and for an answer to be taken
IDLE = 30.0  # seconds between two requests
GOODBYE = 1.0  # seconds to take what a client still sends: an answer is lost to those who are cut off

_VERSIONS = {b"1.0", b"1.1"}
_ALWAYS = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))

Answer = Callable[[Request], Response]


class Crowd:
    """The connections of a port. Where there are too many, the one that asked nothing for longest makes room."""

    def __init__(self, limit: int) -> None:
        self.evicted = 0
        self.late = 0
        self._limit = limit
        self._members: dict[Connection, None] = {}  # the one that was answered last comes last
        self._emptied = asyncio.Event()

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._members)

    def __iter__(self) -> Iterator["Connection"]:
        """Iterate over them, also while they leave."""
        return iter(list(self._members))

    def enter(self, newcomer: "Connection") -> None:
        """Make room where there is none, and take it in."""
        if len(self._members) >= self._limit:
            oldest = next(iter(self._members))
            self.leave(oldest)
            self.evicted += 1
            oldest.cut()
        self._members[newcomer] = None

    def refresh(self, member: "Connection") -> None:
        """It was answered: others go first now."""
        if self._members.pop(member, self) is None:
            self._members[member] = None

    def leave(self, member: "Connection") -> None:
        """It is gone."""
        self._members.pop(member, None)
        if not self._members:
            self._emptied.set()

    def sweep(self, now: float) -> None:
        """End those that let others wait. What goes wrong with one is told, and ends that one alone."""
        for member in self:
            if member.deadline <= now:
                try:
                    self.late += member.end()
                except Exception as error:  # noqa: BLE001 - the others have to be looked after
                    member.cut()
                    asyncio.get_running_loop().call_exception_handler({"message": "a client", "exception": error})

    async def close(self) -> None:
        """Have all that was answered taken, for a moment, and end them."""
        self._emptied.clear()
        for member in self:
            member.finish()
        if self._members:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._emptied.wait(), GOODBYE)
        for member in self:
            member.cut()


class Connection(asyncio.Protocol):
    """One client."""

    def __init__(self, answer: Answer, crowd: Crowd) -> None:
        self._answer = answer
        self._crowd = crowd
        self._clock = asyncio.get_running_loop().time
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=LARGEST)
        self._transport: asyncio.Transport
        self._request: h11.Request | None = None
        self._begun = True  # a head arrives; a connection is opened to send one
        self._full = False  # the client does not take its answers
        self._parting = False
        self.deadline = self._clock() + ARRIVAL

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a client in."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - of a stream socket
        self._transport = transport
        self._crowd.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._crowd.leave(self)

    def data_received(self, data: bytes) -> None:
        """Answer what has arrived whole."""
        if not self._parting:
            self._http.receive_data(data)
            self._work()

    def eof_received(self) -> bool:
        """Close: what came whole before is answered, and is sent yet."""
        return False

    def pause_writing(self) -> None:
        """Read no more from who doesn't read."""
        self._full = True
        self.deadline = self._clock() + ARRIVAL
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on with what has arrived meanwhile."""
        self._full = False
        if not self._transport.is_closing():
            self._transport.resume_reading()
            self._work()

    # What the crowd calls.

    def end(self) -> bool:
        """Its time is over: say so to one that has begun, and report whether it was one."""
        late = self._begun and not self._parting
        if self._parting or self._full:
            self.cut()
        elif late and self._http.trailing_data[0]:
            self._send(failure(408, "RequestTimeout", f"the request did not arrive within {ARRIVAL:g} s"), last=True)
        else:
            self._part()
        return late

    def finish(self) -> None:
        """Close once all is sent."""
        self._transport.close()

    def cut(self) -> None:
        """Close at once."""
        self._transport.abort()

    def _work(self) -> None:
        while not self._full and not self._parting:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                text = "the request's head is too large" if error.error_status_hint == 431 else "this is not HTTP/1.1"
                self._send(failure(error.error_status_hint, "BadRequest", text), last=True)
                return
            if isinstance(event, h11.Request):
                self._begin(event)
            elif isinstance(event, h11.EndOfMessage):
                self._complete()
            else:  # it needs more, or the client has gone
                self._wait()
                return

    def _begin(self, event: h11.Request) -> None:
        self._request = event
        request = _request(event)
        if event.http_version not in _VERSIONS:
            self._send(failure(505, "BadRequest", "this speaks HTTP/1.1"), last=True)
        elif _size(request) > LARGEST:
            self._send(failure(431, "BadRequest", "the request's head is too large"), last=True)
        elif request.has_body:
            self._send(self._answer(request), last=True)

    def _complete(self) -> None:
        assert self._request is not None  # noqa: S101 - h11 has it so
        self._send(self._answer(_request(self._request)))
        if not self._parting:
            self._http.start_next_cycle()
            self._request = None
            self._begun = False
            self.deadline = self._clock() + (ARRIVAL if self._full else IDLE)
            self._crowd.refresh(self)

    def _wait(self) -> None:
        if not self._begun and self._http.trailing_data[0]:
            self._begun = True
            self.deadline = self._clock() + ARRIVAL

    def _send(self, response: Response, *, last: bool = False) -> None:
        headers = [
            (b"content-type", response.content_type),
            (b"content-length", str(len(response.body)).encode()),
            *_ALWAYS,
            *response.headers,
        ]
        if last:
            headers.append((b"connection", b"close"))
        reason = HTTPStatus(response.status).phrase.encode()
        head = self._http.send(h11.Response(status_code=response.status, headers=headers, reason=reason))
        silent = self._request is not None and self._request.method == b"HEAD"
        body = b"" if silent else self._http.send(h11.Data(data=response.body))
        end = self._http.send(h11.EndOfMessage())
        self._transport.write(b"".join(part for part in (head, body, end) if part))
        if last or self._http.our_state is not h11.DONE:
            self._part()

    def _part(self) -> None:
        """End the sending; the client ends its own, or is cut off."""
        self._parting = True
        self.deadline = self._clock() + GOODBYE
        if not self._transport.is_closing():
            try:
                self._transport.write_eof()
            except OSError:  # it has gone, and asyncio does not know yet
                self.cut()


def _request(event: h11.Request) -> Request:
    return Request(event.method, event.target, list(event.headers))


def _size(request: Request) -> int:
    lines = sum(len(name) + len(value) + 4 for name, value in request.headers)
    return len(request.method) + len(request.target) + lines
