"""Serves the admission webhooks: over TLS, within limits, beside the watches.

kopf has a server of its own (``kopf.on.validate``, ``kopf.WebhookServer``); docs/decisions/0010 says why this isn't it.
"""

import asyncio
import base64
import re
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from datetime import datetime
from typing import ParamSpec, Protocol, TypeVar

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import ValidationError

from awssts.domain import admission, bulk, calling, names
from awssts.domain.admission import AdmissionRequest, Desk, Stage, Verdict
from awssts.domain.request import explain
from awssts.domain.stamp import Keys
from awssts.entry.serving import Certificates, Server
from awssts.entry.turns import Turn, Turns

log = structlog.get_logger(__name__)

ARRIVAL = 5.0  # seconds for a body to arrive
PATIENCE = 5.0  # seconds until whoever sent a review has given up, where he does not say; as the chart has it
LONGEST = 30.0  # seconds: Kubernetes allows no more
IN_TIME = 0.8  # of them may pass until the work begins
CONNECTIONS = 1_000
IDLE = 120.0  # seconds: longer than the API server keeps a connection, so that it is never closed under a request

DEADLINE = web.RequestKey("deadline", float)  # on the loop's clock
SMALL = web.RequestKey("small", bool)

Given = ParamSpec("Given")
Result = TypeVar("Result")


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
        self._large = Turns(at_once=4, each=2)  # bodies that are large
        self._open = Turns(at_once=16, each=8)  # reviews with many values that have been read; some MB each
        self._lookups = Turns(
            at_once=16, each=8
        )  # for a pod, at the API server: by connections that renewals need, too
        self._small = Turns(at_once=1, each=1)  # reviews in the loop: whatever else it has to do comes between two
        self._turns = Turns(at_once=1, each=1, rest=1.0)  # those beside it: half of the time is the operator's own
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
        application = web.Application(client_max_size=bulk.LARGEST, middlewares=[self._within_bounds])
        application.add_routes(
            [
                *(web.post(path, self._mutate) for path in ("/", calling.ROOT, calling.ROOT + "/{token}")),
                web.post("/validate", self._validate),
                web.post("/inject", self._inject),
                web.get("/healthz", _healthz),
            ]
        )
        return application

    @web.middleware
    async def _within_bounds(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse a body that is too large before it is read, and have only some large ones in memory."""
        size = request.content_length
        if request.method != "POST":
            return await handler(request)
        if size is None:
            return web.Response(status=411, text="a review has to come with its length")
        if size > bulk.LARGEST:
            return _too_large(f"the review is too large: it has {size} bytes, at the most {bulk.LARGEST} are read")
        request[DEADLINE] = asyncio.get_running_loop().time() + IN_TIME * _patience(request)
        try:
            async with nullcontext() if size <= bulk.SMALL else _turn(self._large, request):
                return await handler(request)
        except TimeoutError:
            return web.Response(status=503, text="more is sent than can be looked at; try again")

    async def _mutate(self, http: web.Request) -> web.Response:
        async def stamped(request: AdmissionRequest) -> Verdict:
            known = await self._is_known(http.path)
            if not known:
                self.on_stranger()
            desk = replace(await self._desk(request), called_by_cluster=known)
            return await self._looked_at(http, Stage.MUTATE, request, desk)

        return await self._answered(http, stamped, "mutate")

    async def _validate(self, http: web.Request) -> web.Response:
        async def validated(request: AdmissionRequest) -> Verdict:
            return await self._looked_at(http, Stage.VALIDATE, request, await self._desk(request))

        return await self._answered(http, validated, "validate")

    async def _inject(self, http: web.Request) -> web.Response:
        async def looked_up(request: AdmissionRequest) -> Verdict:
            async with _turn(self._lookups, http):
                return await self._injecting.review(request)

        return await self._answered(http, looked_up, "inject")

    async def _answered(
        self, http: web.Request, judge: Callable[[AdmissionRequest], Awaitable[Verdict]], webhook: str
    ) -> web.Response:
        """Return the answer. No error leaves here: with its traceback the whole body would stay for some time."""
        try:
            async with asyncio.timeout(ARRIVAL):
                payload = await http.read()
        except (TimeoutError, ConnectionError):  # he may have gone
            return web.Response(status=408)
        http[SMALL] = bulk.is_small(payload)
        async with nullcontext() if http[SMALL] else _turn(self._open, http):
            request = await self._in_turn(http, _understood, payload)
            if isinstance(request, web.Response):
                return request
            return _answer(request, await judge(request), webhook)

    async def _is_known(self, path: str) -> bool:
        now = self._clock()
        return calling.known(path, await self._stamps.keys(), now) or (
            calling.known(path, await self._stamps.newest(), now)  # another replica may have made a key
        )

    async def _desk(self, request: AdmissionRequest) -> Desk:
        shown = [resource.annotations for resource in (request.new, request.old) if resource]
        return Desk(keys=await self._stamps.keys(*shown), now=self._clock(), operators=self._operators)

    async def _looked_at(self, http: web.Request, stage: Stage, request: AdmissionRequest, desk: Desk) -> Verdict:
        if http[SMALL] and request.kind.kind == names.POLICY_KIND:  # what it holds has to be compiled
            async with _turn(self._open, http):
                return await self._beside(http, admission.review, stage, request, desk)
        return await self._in_turn(http, admission.review, stage, request, desk)

    async def _in_turn(
        self, http: web.Request, work: Callable[Given, Result], *given: Given.args, **named: Given.kwargs
    ) -> Result:
        """Return what the work comes to, in the loop where it is little."""
        if not http[SMALL]:
            return await self._beside(http, work, *given, **named)
        async with _turn(self._small, http):
            return work(*given, **named)

    async def _beside(
        self, http: web.Request, work: Callable[Given, Result], *given: Given.args, **named: Given.kwargs
    ) -> Result:
        """Return what the work comes to, which goes on beside the loop: no step of it holds the loop up for long."""

        def timed() -> tuple[Result, float]:
            began = time.thread_time()
            return work(*given, **named), time.thread_time() - began

        async with _turn(self._turns, http) as turn:
            result, turn.worked = await asyncio.to_thread(timed)
        return result


def _turn(turns: Turns, http: web.Request) -> AbstractAsyncContextManager[Turn]:
    """Return one for the sender of a review, until he gives up."""
    return turns.of(http.remote or "", http[DEADLINE])


def _patience(http: web.Request) -> float:
    """Return the seconds that the caller waits: the API server says them."""
    found = re.fullmatch(r"(\d{1,2})s", http.query.get("timeout", ""))
    return min(float(found[1]), LONGEST) if found else PATIENCE


def _understood(payload: bytes) -> AdmissionRequest | web.Response:
    """Return the request, or the answer where it can't be understood."""
    if problem := bulk.excess(payload):
        refusal = admission.unread(payload, problem)
        return web.json_response(refusal) if refusal else _too_large(problem)
    try:
        return admission.read(payload)
    except ValidationError as error:
        return web.Response(status=400, text="; ".join(explain(error, "AdmissionReview")))


def _too_large(problem: str) -> web.Response:
    return web.Response(status=413, text=problem)


def _answer(request: AdmissionRequest, verdict: Verdict, webhook: str) -> web.Response:
    if not verdict.allowed:
        name = request.new.metadata.name if request.new else ""
        log.info("refused", webhook=webhook, kind=request.kind.kind, namespace=request.namespace, name=name)
    return web.json_response(admission.answer(request, verdict))


async def _healthz(_: web.Request) -> web.Response:
    return web.Response(text="ok\n")
