"""The HTTP front: answers STS itself, runs moto for all other services, and takes the testbed's own calls.

One event loop, because a call takes well under a millisecond; moto has a thread of its own beside it.
"""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import struct
from concurrent.futures import ThreadPoolExecutor
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

from aiohttp import web
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.test import EnvironBuilder, run_wsgi_app

from testbed.sts import answers
from testbed.sts.control import PREFIX, Control
from testbed.sts.directory import Directory
from testbed.sts.faults import Faults
from testbed.sts.journal import Journal
from testbed.sts.service import Service
from testbed.sts.sessions import Sessions
from testbed.sts.signature import Request
from testbed.sts.totp import BurntCodes

if TYPE_CHECKING:
    from asyncio import Transport

LOOPBACK = "127.0.0.1"
NO_LINGER = struct.pack("ii", 1, 0)


class Front:
    """Sends each request where it belongs."""

    def __init__(self) -> None:
        self.service = Service(Directory(), Sessions(), BurntCodes(), Faults(), Journal())
        self._control = Control(self.service)
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._moto_thread = ThreadPoolExecutor(1, thread_name_prefix="moto")

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        if request.path.startswith(PREFIX):
            return self._controlled(request.path, body)
        if _is_for_sts(request, body):
            return await self._sts(request, body)
        return await asyncio.get_running_loop().run_in_executor(self._moto_thread, self._others, request, body)

    def _controlled(self, path: str, body: bytes) -> web.Response:
        try:
            result = self._control(path, json.loads(body or b"{}"))
        except (TypeError, ValueError) as wrong:
            return web.Response(status=400, text=str(wrong))
        return web.Response(text=json.dumps(result), content_type="application/json")

    async def _sts(self, request: web.BaseRequest, body: bytes) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        url = f"http://{headers.get('host', LOOPBACK)}{request.raw_path}"
        answer = await self.service.answer(Request(request.method, url, headers, body))
        if answer.dropped:
            _reset(request)
        return web.Response(
            status=answer.status,
            body=answer.body,
            headers={
                "Content-Type": "text/xml",
                "Date": format_datetime(answer.date, usegmt=True),
                "x-amzn-RequestId": answer.request_id,
            },
        )

    def _others(self, request: web.BaseRequest, body: bytes) -> web.Response:
        """Runs moto, in its own thread."""
        path, _, query = request.raw_path.partition("?")
        builder = EnvironBuilder(path, request.url.origin().human_repr(), query, request.method, data=body)
        builder.headers.extend(request.headers)
        content, status, headers = run_wsgi_app(self._moto, builder.get_environ(), buffered=True)
        kept = [(name, value) for name, value in headers if name.lower() not in ("content-length", "connection")]
        return web.Response(body=b"".join(content), status=int(status.split()[0]), headers=kept)


def _is_for_sts(request: web.BaseRequest, body: bytes) -> bool:
    authorization = request.headers.get("Authorization")
    if authorization is not None:
        return "/sts/aws4_request" in authorization
    return f"Version={answers.VERSION}" in f"{request.query_string}&{body.decode(errors='replace')}"


def _reset(request: web.BaseRequest) -> None:
    """Ends the connection with a TCP reset, as a load balancer that dies does."""
    transport: Transport | None = request.transport
    if transport is not None:
        connection: Any = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        transport.abort()


async def serve(port: int, host: str = LOOPBACK) -> None:
    """Listens until SIGTERM or SIGINT."""
    front = Front()
    runner = web.ServerRunner(web.Server(front, handler_cancellation=True, access_log=None), shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, host, port, backlog=1024).start()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    host, port = runner.addresses[0][:2]
    print(f"the strict STS listens on http://{host}:{port}", flush=True)
    await stopped.wait()
    front.service.faults.clear()
    await runner.cleanup()
