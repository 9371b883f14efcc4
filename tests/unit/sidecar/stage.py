"""A sidecar that runs in the test's own loop, with a clock of the test's, and clients that speak bytes."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from awssts.entry.sidecar.server import Settings, Sidecar
from testbed.mount import MountedSecret
from testbed.process import free_port
from tests.unit.sidecar.samples import NOW, process_file, vended

TOKEN = "a-token-of-some-length"


@dataclass
class Clock:
    """The time of day, as the test says."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Stage:
    """A running sidecar with what it reads."""

    mounted: MountedSecret
    token_file: Path
    port: int
    health_port: int
    clock: Clock = field(default_factory=Clock)
    sidecar: Sidecar = field(init=False)

    def __post_init__(self) -> None:
        settings = Settings(
            folder=self.mounted.folder,
            token_file=self.token_file,
            port=self.port,
            health_port=self.health_port,
            health_address="127.0.0.1",
        )
        self.sidecar = Sidecar(settings, self.clock)

    def write(self, number: int) -> None:
        """Mount other credentials, and have them seen."""
        self.mounted.write(process_file(vended(number)))
        self.sidecar.vendor.look()

    def get(self, target: str = "/credentials", *headers: str, host: str = "", token: str = TOKEN) -> bytes:
        """Return the bytes of a request, with a good token unless it is empty."""
        return head("GET", target, f"Host: {host or f'127.0.0.1:{self.port}'}", *_authorization(token), *headers)

    async def ask(self, *data: bytes, address: str = "127.0.0.1", port: int = 0) -> list["Answer"]:
        """Send what a client that ends its sending has to say, and return all that is answered until the end."""
        async with client(port or self.port, address) as (reader, writer):
            for each in data:
                writer.write(each)
                await writer.drain()
            writer.write_eof()
            return answers(await asyncio.wait_for(reader.read(), 10))

    async def status(self, *data: bytes, port: int = 0) -> list[int]:
        """Return the statuses of the answers."""
        return [answer.status for answer in await self.ask(*data, port=port)]


@dataclass(frozen=True)
class Answer:
    """An answer as it came over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes


@asynccontextmanager
async def running(folder: Path, *, follow: bool = False) -> AsyncIterator[Stage]:
    """Run a sidecar with credentials number 1; with ``follow`` it looks at the folder and the time by itself."""
    (folder / "mount").mkdir()
    token_file = folder / "token"
    token_file.write_text(TOKEN)
    stage = Stage(MountedSecret(folder / "mount"), token_file, free_port(), free_port())
    stage.write(1)
    await stage.sidecar.start()
    following = asyncio.create_task(stage.sidecar.follow()) if follow else None
    try:
        yield stage
        assert following is None or not following.done()  # whatever clients did
    finally:
        if following:
            following.cancel()
            await asyncio.wait([following])
        await stage.sidecar.stop()


@asynccontextmanager
async def client(
    port: int, address: str = "127.0.0.1"
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Connect, and leave nothing behind."""
    reader, writer = await asyncio.open_connection(address, port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        with suppress(ConnectionError):
            await writer.wait_closed()


def head(method: str, target: str, *headers: str) -> bytes:
    """Return a request's head."""
    return "\r\n".join([f"{method} {target} HTTP/1.1", *headers, "", ""]).encode("latin-1")


def answers(data: bytes) -> list[Answer]:
    """Take apart what came over a connection. None of it leads elsewhere, and all of it is whole."""
    found = []
    while data:
        top, _, rest = data.partition(b"\r\n\r\n")
        first, *lines = top.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = int(headers["content-length"])
        assert len(rest) >= length
        found.append(Answer(int(first.split()[1]), headers, rest[:length]))
        assert not 300 <= found[-1].status < 400
        assert "location" not in headers
        assert headers["cache-control"] == "no-store"
        data = rest[length:]
    return found


def _authorization(token: str) -> Iterable[str]:
    return [f"Authorization: {token}"] if token else []
