"""Runs the sidecar: two ports, a look at the folder each second, and an end at SIGTERM."""

import asyncio
import errno
import logging
import os
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from awssts.domain.errors import AwsstsError
from awssts.entry.sidecar import health, token
from awssts.entry.sidecar.connection import Answer, Connection, Crowd
from awssts.entry.sidecar.vendor import Vendor
from awssts.entry.sidecar.volume import Volume

LOOPBACK: Final = ("127.0.0.1", "::1")
EVERYWHERE: Final = ("0.0.0.0", "::")  # noqa: S104 - kubelet and Prometheus ask at the pod's address
CONNECTIONS: Final = 256
PROBES: Final = 32  # connections to the other port
LOOK = 1.0  # seconds between two looks; kubelet itself takes up to two minutes

_NO_SUCH_ADDRESS = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the sidecar runs."""

    folder: Path
    token_file: Path
    port: int = 9911
    health_port: int = 9912  # 0: not served
    health_address: str = ""  # all of the pod's
    create_token: bool = False


class Sidecar:
    """The sidecar, in parts that a test can run by themselves."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime]) -> None:
        self._settings = settings
        self._servers: list[asyncio.Server] = []
        self._crowd, self._probes = Crowd(CONNECTIONS), Crowd(PROBES)
        secret = token.TokenFile(settings.token_file)
        self.vendor = Vendor(Volume(settings.folder), secret, settings.port, clock)

    async def start(self) -> None:
        """Read what there is, and listen.

        Raises:
            AwsstsError: a port is taken, or no token can be written.
        """
        settings = self._settings
        if settings.create_token:
            token.create(settings.token_file)
        self.vendor.look()
        if settings.health_port:
            asked = partial(health.answer, vendor=self.vendor, crowd=self._crowd)
            where = (settings.health_address,) if settings.health_address else EVERYWHERE
            await self._listen(where, settings.health_port, asked, self._probes)
        await self._listen(LOOPBACK, settings.port, self.vendor.answer, self._crowd)

    async def follow(self) -> None:
        """Take up changes and end who lets others wait, until cancelled."""
        while True:
            await asyncio.sleep(LOOK)
            self.vendor.look()
            for crowd in (self._crowd, self._probes):
                crowd.sweep(asyncio.get_running_loop().time())

    async def stop(self) -> None:
        """Take no more connections, and see off those that are there."""
        for server in self._servers:
            server.close()
        await asyncio.gather(self._crowd.close(), self._probes.close())

    async def _listen(self, addresses: Sequence[str], port: int, answer: Answer, crowd: Crowd) -> None:
        """Listen on each of the addresses that this pod has."""
        found = [(address, each) for address in addresses if (each := _socket(address, port)) is not None]
        if not found:
            raise AwsstsError(f"can't listen on {' or '.join(addresses)}: this pod has no such address")
        for address, each in found:
            make = partial(Connection, answer, crowd)
            self._servers.append(await asyncio.get_running_loop().create_server(make, sock=each))
            log.info("listening on %s, port %d", address, port)


async def run(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_tell)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    sidecar = Sidecar(settings, partial(datetime.now, UTC))
    await sidecar.start()
    following, asked = asyncio.create_task(sidecar.follow()), asyncio.create_task(ended.wait())
    await asyncio.wait({following, asked}, return_when=asyncio.FIRST_COMPLETED)
    await sidecar.stop()
    if following.done():
        _tell(loop, {"exception": following.exception()})
        raise AwsstsError("the sidecar ended by a fault of its own; the log says where")
    following.cancel()


def _socket(address: str, port: int) -> socket.socket | None:
    """Return a listening socket; None where there is no such address here."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return socket.create_server((address, port), family=family, backlog=CONNECTIONS)
    except OSError as error:
        if error.errno in _NO_SUCH_ADDRESS:
            return None
        if error.errno is None or error.errno < 0:  # of getaddrinfo
            raise AwsstsError(f"can't listen on {address!r}: that is no address") from None
        raise AwsstsError(f"can't listen on {address}, port {port}: {os.strerror(error.errno)}") from None


def _tell(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log an error that nobody waits for by its type and place: its text may quote what a client sent."""
    error = context.get("exception")
    trace = getattr(error, "__traceback__", None)
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "unknown"
    log.error("%s at %s", type(error).__qualname__, place)
