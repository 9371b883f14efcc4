"""Serves the gateway: HTTP in, a login, HTTP out. Nothing of a call is logged here but that it failed."""

import asyncio
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

import structlog
from aiohttp import web

from awssts.domain import gateway, openapi
from awssts.domain.callers import Caller, Network, address_of
from awssts.domain.errors import AwsstsError
from awssts.domain.gateway import FORM, PATHS, TEXT, Answer
from awssts.entry.serving import Certificates, Server
from awssts.services.gateway import Gateway
from awssts.services.house import House

log = structlog.get_logger(__name__)

LARGEST = 16 * 1024  # bytes of a body
ARRIVAL = 5.0  # seconds for it to arrive
IDLE = 10.0  # seconds for a request to begin and its headers to arrive
CONNECTIONS = 500
READY_FOR = 10.0  # seconds after a reading of all users: anybody may ask, as often as he likes
_HEADERS: Final = {"Cache-Control": "no-store", "Pragma": "no-cache", "X-Content-Type-Options": "nosniff"}
_LONGEST_AGENT = 200  # characters of it that are told


class Pages:
    """The paths: CAS's, probes, and the description of the interface.

    Args:
        proxies: whose X-Forwarded-For is believed.
    """

    def __init__(self, service: Gateway, house: House, proxies: Sequence[Network]) -> None:
        self._service = service
        self._house = house
        self._proxies = proxies
        self._openapi = openapi.document()

    def application(self) -> web.Application:
        """Return the application."""
        application = web.Application(client_max_size=LARGEST)
        application.add_routes(
            [
                *(web.post(path, self._login) for path in PATHS),
                web.get("/healthz", _healthz),
                web.get("/readyz", self._readyz),
                web.get("/openapi.json", self._description),
            ]
        )
        return application

    async def _login(self, http: web.Request) -> web.Response:
        try:
            asked = gateway.read(http.rel_url.raw_query_string, await _form(http))
            given = await self._service.login(asked, self._caller(http))
            answer = gateway.issued(given.credentials, given.region)
        except AwsstsError as error:
            answer = gateway.refusal(error)
        except _UnreadError as error:
            answer = Answer(status=error.status, reason="BadRequest", text=error.status.phrase)
        except Exception:
            log.exception("a call failed")
            answer = Answer(status=HTTPStatus.INTERNAL_SERVER_ERROR, reason="InternalError", text="Something failed")
        return _response(answer, in_json=gateway.wants_json(http.headers.get("Accept", "")))

    def _caller(self, http: web.Request) -> Caller:
        peer = http.transport.get_extra_info("peername") if http.transport else None
        address = address_of(peer[0] if peer else "", http.headers.getall("X-Forwarded-For", []), self._proxies)
        agent = "".join(char for char in http.headers.get("User-Agent", "") if char.isprintable())
        return Caller(address, agent[:_LONGEST_AGENT])

    async def _readyz(self, _: web.Request) -> web.Response:
        try:
            await self._house.reachable(within=READY_FOR)
        except AwsstsError as error:
            log.warning("not ready", reason=error.reason, error=error.message)
            return web.Response(text=f"{error.reason}\n", status=HTTPStatus.SERVICE_UNAVAILABLE)
        return web.Response(text="ok\n")

    async def _description(self, _: web.Request) -> web.Response:
        return web.json_response(self._openapi)


class GatewayServer(Server):
    """The server; ``certificates`` None serves without TLS, behind something that ends it."""

    def __init__(
        self, pages: Pages, certificates: Certificates | None, *, port: int, host: str | None, finish: float
    ) -> None:
        super().__init__(
            pages.application(),
            "gateway",
            certificates,
            host=host,
            port=port,
            idle=IDLE,
            connections=CONNECTIONS,
            finish=finish,
        )


class _UnreadError(Exception):
    """The body is not read: it is too large, too slow, or no form."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__()
        self.status = status


async def _form(http: web.Request) -> str:
    """Return the form as it came."""
    try:
        async with asyncio.timeout(ARRIVAL):
            payload = await http.read()
    except TimeoutError:
        raise _UnreadError(HTTPStatus.REQUEST_TIMEOUT) from None
    except web.HTTPRequestEntityTooLarge:
        raise _UnreadError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE) from None
    if not payload:
        return ""
    if http.content_type != FORM or http.headers.get("Content-Encoding", "identity") != "identity":
        raise _UnreadError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    try:
        return payload.decode()
    except UnicodeDecodeError:
        raise _UnreadError(HTTPStatus.BAD_REQUEST) from None


def _response(answer: Answer, *, in_json: bool) -> web.Response:
    headers = dict(_HEADERS)
    if answer.retry_after is not None:
        headers["Retry-After"] = str(answer.retry_after)
    if in_json:
        details = answer.details or {"reason": answer.reason, "message": answer.text}
        return web.json_response(dict(details), status=answer.status, headers=headers)
    return web.Response(text=answer.text, status=answer.status, headers=headers, content_type=TEXT)


async def _healthz(_: web.Request) -> web.Response:
    return web.Response(text="ok\n")
