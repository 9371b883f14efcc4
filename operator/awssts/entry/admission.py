"""Serves the admission webhooks: over TLS, within limits, beside the watches.

kopf has a server of its own (``kopf.on.validate``, ``kopf.WebhookServer``); docs/decisions/0010 says why this isn't it.
"""

import asyncio
import base64
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Protocol

import structlog
from aiohttp import web
from pydantic import ValidationError

from awssts.domain import admission, calling
from awssts.domain.admission import AdmissionRequest, Desk, Stage, Verdict
from awssts.domain.request import explain
from awssts.domain.stamp import Keys
from awssts.entry.serving import Certificates, Server

log = structlog.get_logger(__name__)

LARGEST = 8 * 1024 * 1024  # bytes: an object before and after; the API server takes no request over 3 MiB
ARRIVAL = 5.0  # seconds for a body to arrive
CONNECTIONS = 1_000
IDLE = 120.0  # seconds: longer than the API server keeps a connection, so that it is never closed under a request


class Stamps(Protocol):
    """What stamps are signed with; see ``awssts.services.stamps``."""

    async def keys(self, *annotations: Mapping[str, str]) -> Keys: ...
    async def newest(self) -> Keys: ...


class Injecting(Protocol):
    """What adds sidecars to pods; see ``awssts.services.injecting``."""

    async def review(self, request: AdmissionRequest) -> Verdict: ...


class AdmissionServer(Server):
    """The HTTPS server that the API server calls: POST /mutate/…, /validate and /inject; GET /healthz for probes.

    ``operators`` are the user names of the operator itself; ``port`` 0 takes any that is free. ``on_stranger`` hears of
    calls to stamp at a path that is not the one (``domain.calling``): they get answers, but no stamp.
    """

    on_stranger: Callable[[], None] = staticmethod(lambda: None)

    def __init__(
        self,
        certificates: Certificates,
        stamps: Stamps,
        injecting: Injecting,
        clock: Callable[[], datetime],
        *,
        port: int,
        host: str | None = None,
        operators: Collection[str] = (),
        connections: int = CONNECTIONS,
    ) -> None:
        self._stamps = stamps
        self._injecting = injecting
        self._clock = clock
        self._operators = frozenset(operators)
        super().__init__(
            self._routes(), "admission webhook", certificates, host=host, port=port, idle=IDLE, connections=connections
        )

    def unserved(self) -> str:
        """Say why nobody can call it; nothing where they can. It listens once there is a certificate."""
        listens = self._listening is not None and self._listening.is_serving()
        return "" if listens else "it does not listen: there is no certificate yet, or it ends"

    def vouched_by(self, bundle: str) -> bool:
        """Whether somebody who trusts these authorities (PEM in base64) trusts the server."""
        return self.tls.vouched_by(base64.b64decode(bundle))

    def _routes(self) -> web.Application:
        application = web.Application(client_max_size=LARGEST)
        application.add_routes(
            [
                *(web.post(path, self._mutate) for path in ("/", calling.ROOT, calling.ROOT + "/{token}")),
                web.post("/validate", self._validate),
                web.post("/inject", self._inject),
                web.get("/healthz", _healthz),
            ]
        )
        return application

    async def _mutate(self, http: web.Request) -> web.Response:
        request = await _read(http)
        known = await self._is_known(http.path)
        if not known:
            self.on_stranger()
        desk = replace(await self._desk(request), called_by_cluster=known)
        return _answer(request, admission.review(Stage.MUTATE, request, desk), "mutate")

    async def _validate(self, http: web.Request) -> web.Response:
        request = await _read(http)
        return _answer(request, admission.review(Stage.VALIDATE, request, await self._desk(request)), "validate")

    async def _inject(self, http: web.Request) -> web.Response:
        request = await _read(http)
        return _answer(request, await self._injecting.review(request), "inject")

    async def _is_known(self, path: str) -> bool:
        now = self._clock()
        return calling.known(path, await self._stamps.keys(), now) or (
            calling.known(path, await self._stamps.newest(), now)  # another replica may have made a key
        )

    async def _desk(self, request: AdmissionRequest) -> Desk:
        shown = [resource.annotations for resource in (request.new, request.old) if resource]
        return Desk(keys=await self._stamps.keys(*shown), now=self._clock(), operators=self._operators)


async def _read(http: web.Request) -> AdmissionRequest:
    try:
        async with asyncio.timeout(ARRIVAL):
            payload = await http.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    try:
        return admission.read(payload)
    except ValidationError as error:
        raise web.HTTPBadRequest(text="; ".join(explain(error, "AdmissionReview"))) from None


def _answer(request: AdmissionRequest, verdict: Verdict, webhook: str) -> web.Response:
    if not verdict.allowed:
        name = request.new.metadata.name if request.new else ""
        log.info("refused", webhook=webhook, kind=request.kind.kind, namespace=request.namespace, name=name)
    return web.json_response(admission.answer(request, verdict))


async def _healthz(_: web.Request) -> web.Response:
    return web.Response(text="ok\n")
