"""An HTTP(S) server for what endpoints do wrong: each path is another lie. Bytes go out by hand, for no library
would send some of them."""

import asyncio
import contextlib
import gzip
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

DRIP = 0.02  # seconds between two bytes of a slow answer
SECRET_BODY = "body-that-nobody-may-see"
BODY = b'{"said": "' + SECRET_BODY.encode() + b'"}'


@dataclass(frozen=True)
class Received:
    """A request as it arrived; header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: str


class RestServer:
    """Listens on loopback within the test's own loop. With a ``greeting`` it says that and hears nothing."""

    def __init__(self, tls: ssl.SSLContext | None = None, greeting: bytes = b"", host: str = "127.0.0.1") -> None:
        self._host = host
        self._greeting = greeting
        self.received: list[Received] = []
        self.hits: Counter[str] = Counter()
        self.open = 0
        self.most_open = 0
        self.reached = asyncio.Event()
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, self._host, 0, ssl=self._tls)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}{path}"

    async def all_open(self, number: int) -> None:
        """Wait until so many requests have come in."""
        while sum(self.hits.values()) < number:
            self.reached.clear()
            await self.reached.wait()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                if self._greeting:
                    writer.write(self._greeting)
                    await writer.drain()
                    await reader.read()
                else:
                    await self._converse(reader, writer)
        finally:
            self.open -= 1
            self._tasks.discard(task)
            writer.transport.abort() if self._tls else writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        path = target.partition("?")[0]
        self.received.append(Received(method, target, headers, body.decode()))
        self.hits[path] += 1
        self.reached.set()
        await LIES[path.split("/")[1]](path, reader, writer)
        await writer.drain()


def answer(status: str, body: bytes = b"", *headers: str) -> bytes:
    """A whole answer that is as it should be."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


Lie = Callable[[str, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def sends(data: bytes) -> Lie:
    """Send these bytes and close."""

    async def send(_: str, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)

    return send


def repeats(begin: bytes, data: bytes, pause: float = 0) -> Lie:
    """Begin, and then never end."""

    async def send(_: str, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(begin)
        while True:
            writer.write(data)
            await writer.drain()
            await asyncio.sleep(pause)

    return send


async def hang(_: str, reader: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    await reader.read()  # until the caller hangs up


async def status(path: str, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    code = path.rpartition("/")[2]
    writer.write(answer(f"{code} So", b"" if code == "204" else BODY))


async def redirect(path: str, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(answer(f"{path.rpartition('/')[2]} Elsewhere", b"", "Location: /target"))


OK = b"HTTP/1.1 200 OK\r\n"
JSON = "Content-Type: application/json"
LIES: dict[str, Lie] = {
    "good": sends(answer("200 OK", BODY, JSON, "Set-Cookie: session=crumbs; Path=/")),
    "target": sends(answer("200 OK", BODY, JSON)),
    "empty": sends(answer("200 OK")),
    "code": sends(answer("200 OK", b'{"tokenCode": "012345"}', JSON)),
    "number": sends(answer("200 OK", b'{"tokenCode": 123456}', JSON)),
    "short": sends(answer("200 OK", b'{"tokenCode": "12345"}', JSON)),
    "list": sends(answer("200 OK", b'["654321"]', JSON)),
    "deep": sends(answer("200 OK", b"[" * 60_000, JSON)),
    "status": status,
    "redirect": redirect,
    "plain": sends(answer("200 OK", BODY, "Content-Type: text/plain; charset=iso-8859-1")),
    "odd": sends(answer("200 OK", BODY, "Content-Type: image/png")),
    "page": sends(answer("200 OK", b"<html>" + BODY, "Content-Type: text/html")),
    "latin": sends(answer("200 OK", b'{"said": "\xe9"}', JSON)),
    "bomb": sends(answer("200 OK", gzip.compress(b"0" * 1_000_000), JSON, "Content-Encoding: gzip")),
    "brotli": sends(answer("200 OK", BODY, JSON, "Content-Encoding: br")),
    "twice": sends(answer("200 OK", BODY, JSON, "Content-Encoding: identity", "Content-Encoding: gzip")),
    "transfer": sends(OK + b"Transfer-Encoding: gzip\r\n\r\n" + gzip.compress(b"0" * 1_000_000)),
    "large": sends(answer("200 OK", b"x" * (64 * 1024 + 1))),
    "full": sends(answer("200 OK", b"x" * (64 * 1024))),
    "endless": repeats(OK + b"\r\n", b"x" * 4096),
    "chunks": repeats(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"5\r\nxxxxx\r\n"),
    "headers": repeats(OK, b"X-More: of the same\r\n"),
    "line": repeats(OK + b"X-More: ", b"x" * 4096),
    "garbage": sends(bytes(range(256)) * 4),
    "telnet": sends(SECRET_BODY.encode() + b"\r\n\r\n"),
    "lengths": sends(OK + b"Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde"),
    "broken": sends(OK + b"Transfer-Encoding: chunked\r\n\r\n" + SECRET_BODY.encode()),
    "unsaid": sends(b"HTTP/1.1 503 So\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n" + SECRET_BODY.encode()),
    "cut": sends(OK + b"Content-Length: 100\r\n\r\n" + BODY),
    "close": sends(b""),
    "half": sends(OK + b"Content-"),
    "hang": hang,
    "slow": repeats(OK + b"Content-Length: 60000\r\n\r\n", b"x", DRIP),
    "slowhead": repeats(OK, b"X", DRIP),
    "continue": repeats(b"", b"HTTP/1.1 100 Continue\r\n\r\n", DRIP),
}
