"""A server for HTTP over TLS, whose certificate can change while it serves."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from typing import Protocol

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from awssts.adapters.certificates import ServingPair, Tls
from awssts.domain.errors import AwsstsError
from awssts.entry.occupancy import Occupancy

log = structlog.get_logger(__name__)

FINISH = 5.0  # seconds for what is under way at the end
GOODBYE = 0.1  # seconds for both sides to end TLS; then connections are cut
HANDSHAKE = 10.0  # seconds for TLS to begin
BACKLOG = 128


def _is_our_fault(record: logging.LogRecord) -> bool:
    """Tell whether it is worth a line in the log; what others send that is no HTTP isn't, and may hold a secret."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


_faults = logging.getLogger("awssts.http")
_faults.addFilter(_is_our_fault)


class Certificates(Protocol):
    """Where the certificate comes from: ``adapters.certificates.Files`` or ``adapters.selfmade.SelfMade``."""

    def pairs(self) -> AsyncGenerator[ServingPair]: ...


class Server:
    """Serves an application until it is stopped.

    Args:
        what: what it is, for the log.
        certificates: where the certificate comes from; None serves without TLS.
        port: 0 takes any that is free.
        idle: seconds until a connection is closed on which no request comes, or none is complete.
        connections: that are open at once, with those on which TLS has not begun yet; for one more, an idle one goes.
        finish: seconds for what is under way at the end.
    """

    def __init__(
        self,
        application: web.Application,
        what: str,
        certificates: Certificates | None,
        *,
        host: str | None,
        port: int,
        idle: float,
        connections: int = 1_000,
        finish: float = FINISH,
    ) -> None:
        self._application = application
        self._what = what
        self._pairs = certificates.pairs() if certificates else None
        self._address = host, port
        self._idle = idle
        self._finish = finish
        self._occupancy = Occupancy(connections)
        application.middlewares.insert(0, self._occupancy.middleware)
        self.tls = Tls()
        self._runner: web.AppRunner | None = None
        self._listening: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port it listens on, once it has started."""
        sockets = self._listening.sockets if self._listening else ()
        port: int = sockets[0].getsockname()[1] if sockets else self._address[1]
        return port

    async def run(self) -> None:
        """Serve until cancelled, each new certificate from when it is there."""
        try:
            await self.start()
            await self.follow()
        finally:
            await self.stop()

    async def follow(self) -> None:
        """Serve each new certificate, until cancelled."""
        if self._pairs is None:
            await asyncio.Event().wait()
            return
        async for pair in self._pairs:
            try:
                self.tls.use(pair)
            except AwsstsError as error:
                log.warning("the new certificate can't be served; the old one is", error=error.message)

    async def start(self) -> None:
        """Wait for a certificate, and listen.

        Raises:
            AwsstsError: there is none that can be served, or the port is taken.
        """
        if self._pairs is not None:
            self.tls.use(await anext(self._pairs))
        self._runner = web.AppRunner(
            self._application,
            logger=_faults,
            access_log=None,  # what is asked for can be secret
            keepalive_timeout=self._idle,
            shutdown_timeout=self._finish,
            auto_decompress=False,  # a small body can't become a large one
        )
        await self._runner.setup()
        host, port = self._address
        tls = self._pairs is not None
        try:
            self._listening = await asyncio.get_running_loop().create_server(
                self._connection,
                host,
                port,
                backlog=BACKLOG,
                ssl=self.tls.context if tls else None,
                ssl_handshake_timeout=HANDSHAKE if tls else None,
            )
        except OSError as error:
            raise AwsstsError(f"the {self._what} can't listen on port {port}: {error.strerror}") from None
        message = f"{self._what} serves"
        log.info(message, port=self.port)

    async def stop(self) -> None:
        """Take no more connections, finish what is under way, and close; ``follow`` has ended."""
        if self._pairs is not None:
            await self._pairs.aclose()
        if (runner := self._runner) is None:
            return
        self._runner = None
        if self._listening is not None:
            self._listening.close()
        self._occupancy.stop()
        open_ = [connection.transport for connection in runner.server.connections] if runner.server else []
        await runner.cleanup()
        await asyncio.sleep(GOODBYE)
        for transport in open_:
            if transport is not None:
                transport.abort()
        await asyncio.sleep(0)

    def _connection(self) -> asyncio.BaseProtocol:
        """Return what serves one more connection.

        asyncio asks for it before TLS, in a task that ends once TLS has begun or failed to, and closes the connection
        where that task is cancelled.
        """
        server, task = self._runner.server if self._runner else None, asyncio.current_task()
        assert task is not None  # noqa: S101 - asyncio has it so
        if server is None or not self._occupancy.begins(task, server.connections):
            task.cancel()
            return asyncio.Protocol()
        return server()
