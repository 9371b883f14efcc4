"""Serves the admission webhooks: over TLS, within limits, beside the watches.

kopf has a server of its own (``kopf.on.validate``, ``kopf.WebhookServer``); docs/decisions/0010 says why this isn't it.
"""

import asyncio
import base64
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Protocol

import structlog
from aiohttp import web
from pydantic import ValidationError

from awssts.domain import admission
from awssts.domain.admission import AdmissionRequest, Desk, Stage, Verdict
from awssts.domain.request import explain
from awssts.domain.stamp import Keys
from awssts.entry.serving import Certificates, Server

log = structlog.get_logger(__name__)

INJECT = "/inject"
LARGEST = 8 * 1024 * 1024  # bytes: an object before and after; the API server takes no request over 3 MiB
ARRIVAL = 5.0  # seconds for a body to arrive
IDLE = 120.0  # seconds: longer than the API server keeps a connection, so that it is never closed under a request


class Stamps(Protocol):
    """What stamps are signed with; see ``awssts.services.stamps``."""

    async def keys(self, *annotations: Mapping[str, str]) -> Keys: ...


class Injecting(Protocol):
    """What adds sidecars to pods; see ``awssts.services.injecting``."""

    async def review(self, request: AdmissionRequest) -> Verdict: ...


class AdmissionServer(Server):
    """The HTTPS server that the API server calls: POST /mutate, /validate and /inject; GET /healthz for probes.

    ``operators`` are the user names of the operator itself; ``port`` 0 takes any that is free.
    """

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
    ) -> None:
        self._stamps = stamps
        self._injecting = injecting
        self._clock = clock
        self._operators = frozenset(operators)
        super().__init__(self._routes(), "admission webhook", certificates, host=host, port=port, idle=IDLE)

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
                *(web.post(f"/{stage}", self._review) for stage in Stage),
                web.post(INJECT, self._review),
                web.get("/healthz", _healthz),
            ]
        )
        return application

    async def _review(self, http: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(ARRIVAL):
                payload = await http.read()
        except TimeoutError:
            raise web.HTTPRequestTimeout from None
        try:
            request = admission.read(payload)
        except ValidationError as error:
            raise web.HTTPBadRequest(text="; ".join(explain(error, "AdmissionReview"))) from None
        verdict = await self._verdict(http.path, request)
        if not verdict.allowed:
            name = request.new.metadata.name if request.new else ""
            log.info("refused", path=http.path, kind=request.kind.kind, namespace=request.namespace, name=name)
        return web.json_response(admission.answer(request, verdict))

    async def _verdict(self, path: str, request: AdmissionRequest) -> Verdict:
        if path == INJECT:
            return await self._injecting.review(request)
        return admission.review(Stage(path.removeprefix("/")), request, await self._desk(request))

    async def _desk(self, request: AdmissionRequest) -> Desk:
        shown = [resource.annotations for resource in (request.new, request.old) if resource]
        return Desk(keys=await self._stamps.keys(*shown), now=self._clock(), operators=self._operators)


async def _healthz(_: web.Request) -> web.Response:
    return web.Response(text="ok\n")
