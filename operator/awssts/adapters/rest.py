"""The endpoints that policies name: triggers, groups, bypasses, directories, and MFA providers that give codes.

Who chooses an endpoint: only who may write an ``AwsStsPolicy``, which is cluster-scoped and the administrator's.
What the owner of a request writes gets into bodies as JSON, never into a URL or a header. So any address will do,
loopback too (a rule engine in the same pod), but not those where clouds hand out a node's credentials: no policy
has business there, and an endpoint's name in DNS may be somebody else's to change. Redirects are not followed for
the same reason.

An owner decides how many requests there are, and how much there is to ask about them. So only what an endpoint does
counts as its fault: the wait for a free call is outside of its time, and where the operator itself can't ask, that is
an error whatever a failure mode says. Codes may wait for a person, so their calls take no others' place.

Proxies and .netrc of the environment are not used: endpoints are in the cluster as a rule, and a
proxy would see tokens that are not meant for it.
"""

import asyncio
import functools
import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractCookieJar
from yarl import URL

from awssts import __version__
from awssts.adapters import addresses
from awssts.adapters.gate import Gate, GateFullError
from awssts.adapters.unreachable import CannotAskError, NoAnswerError, is_answer, is_ours, reason
from awssts.domain.policy.calls import Answered, HttpCall, Purpose, Unreachable
from awssts.domain.policy.errors import PolicyEndpointUnavailable, ProviderUnavailable
from awssts.domain.policy.schema.mfa import WebhookProvider

LIMIT = 64 * 1024  # bytes of an answer
CONNECTIONS, PER_HOST = 128, 8  # at once, for questions and for codes each
PATIENCE = 10.0  # seconds to wait for one of them; that is none of the endpoint's time

_HEADERS: Final = {
    "Accept": "application/json, text/plain",
    "Accept-Encoding": "identity",  # a small compressed answer can be a huge one
    "User-Agent": f"awssts/{__version__}",
}
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750, section 2.1
_CODE = re.compile(r"[0-9]{6}")
_WEB_PAGES = frozenset({"text/html", "application/xhtml+xml"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """What goes over the wire. ``timeout`` is in seconds, for all of it."""

    method: str
    url: str
    body: str = ""
    timeout: int
    status_only: bool = False

    @property
    def place(self) -> str:
        """The URL as it may be shown: a query can hold a key."""
        return self.url.partition("?")[0]


class Rest:
    """Asks endpoints, over a connection of its own each time: calls are rare, and a kept one may have gone stale.

    To be made within a running loop. It never retries a POST.
    """

    def __init__(self) -> None:
        self._questions, self._codes = (Gate(total=CONNECTIONS, per_host=PER_HOST, patience=PATIENCE) for _ in range(2))
        connector = aiohttp.TCPConnector(limit=0, force_close=True, socket_factory=addresses.open_socket)
        jar: AbstractCookieJar = aiohttp.DummyCookieJar()
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=jar,
            headers=_HEADERS,
            timeout=aiohttp.ClientTimeout(total=None),  # ours is exact; aiohttp rounds one over 5 s up
            auto_decompress=False,
            trust_env=False,
        )

    async def close(self) -> None:
        """End all calls."""
        await self._session.close()

    async def ask(self, call: HttpCall, *, ca_bundle: str | None, bearer_token: str | None) -> Answered | Unreachable:
        """Return the answer; its body is read with status 200 only, and not where just its being there counts.

        Raises:
            PolicyEndpointUnavailable: the operator can't ask.
        """
        question = _Question(
            method=call.method,
            url=call.url,
            body=call.body,
            timeout=call.timeout,
            status_only=call.purpose is Purpose.AVAILABILITY,
        )
        return await self._ask(question, self._questions, ca_bundle, bearer_token)

    async def code(
        self, webhook: WebhookProvider, asked: Mapping[str, Any], *, ca_bundle: str | None, bearer_token: str | None
    ) -> str:
        """Return the code that an MFA provider gives for a device: POST ``asked``, answered by a tokenCode.

        Raises:
            ProviderUnavailable: it gave none; neither its answer nor what was sent is repeated.
            PolicyEndpointUnavailable: the operator can't ask.
        """
        question = _Question(method="POST", url=webhook.url, body=json.dumps(asked), timeout=webhook.timeout)
        match await self._ask(question, self._codes, ca_bundle, bearer_token):
            case Unreachable(reason):
                raise ProviderUnavailable(f"{webhook.place} gave no MFA code: {reason}")
            case Answered(200, body):
                return _code(body, webhook.place)
            case Answered(status):
                raise ProviderUnavailable(f"{webhook.place} gave no MFA code: it answered with status {status}")

    async def _ask(
        self, question: _Question, gate: Gate, ca_bundle: str | None, token: str | None
    ) -> Answered | Unreachable:
        try:
            return await self._answer(question, gate, ca_bundle, token)
        except CannotAskError as error:
            problem = str(error)
        raise PolicyEndpointUnavailable(f"{question.place} can't be asked: {problem}")

    async def _answer(
        self, question: _Question, gate: Gate, ca_bundle: str | None, token: str | None
    ) -> Answered | Unreachable:
        url = _checked_url(question.url)
        headers = {"Content-Type": "application/json"} if question.body else {}
        if token is not None:
            headers["Authorization"] = f"Bearer {_checked_token(token)}"
        trust = True if ca_bundle is None else _trust(ca_bundle)
        try:
            async with gate.passed(f"{url.host}:{url.port}"), asyncio.timeout(question.timeout):
                return await self._exchange(question, url, headers, trust)
        except GateFullError:
            raise CannotAskError(f"{PER_HOST} calls of that host are under way") from None
        except TimeoutError:
            return Unreachable(f"timed out after {question.timeout} s")
        except NoAnswerError as error:
            return Unreachable(str(error), answered=True)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if is_ours(error):
                raise CannotAskError(reason(error)) from None
            return Unreachable(reason(error), answered=is_answer(error))

    async def _exchange(
        self, question: _Question, url: URL, headers: Mapping[str, str], trust: ssl.SSLContext | bool
    ) -> Answered:
        async with self._session.request(
            question.method,
            url,
            data=question.body.encode() or None,
            headers=headers,
            allow_redirects=False,
            ssl=trust,
        ) as answer:
            if answer.status != 200 or question.status_only:
                return Answered(answer.status)
            return Answered(answer.status, await _text(answer))


def _checked_url(text: str) -> URL:
    try:
        url = URL(text)
    except ValueError:
        raise CannotAskError("its URL can't be used") from None
    if url.scheme not in {"http", "https"} or not url.host or url.user is not None or url.password is not None:
        raise CannotAskError("its URL is not one of http or https, or has a user name in it")
    return url


def _checked_token(token: str) -> str:
    if not _TOKEN.fullmatch(token):
        raise CannotAskError("the bearer token is empty, or has characters that no bearer token has")
    return token


@functools.lru_cache(maxsize=32)
def _trust(ca_bundle: str) -> ssl.SSLContext:
    """Return a context that trusts these certificates and no others."""
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=ca_bundle)
        loaded = context.cert_store_stats()["x509"]
    except (ssl.SSLError, ValueError, TypeError):
        loaded = 0
    if not loaded:
        raise CannotAskError("its CA bundle holds no certificate in PEM")
    return context


async def _text(answer: aiohttp.ClientResponse) -> str:
    if any(coding.lower() != "identity" for coding in answer.headers.getall("Content-Encoding", [])):
        raise NoAnswerError("the answer is compressed, which was not asked for")
    if answer.content_type in _WEB_PAGES:
        raise NoAnswerError("the answer is a web page, as of a login, not JSON or plain text")
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > LIMIT:
            raise NoAnswerError(f"the answer is longer than {LIMIT // 1024} KiB")
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise NoAnswerError("the answer is not text in UTF-8") from None


def _code(body: str, place: str) -> str:
    try:
        given = json.loads(body)["tokenCode"]
    except (ValueError, TypeError, KeyError, RecursionError):
        given = None
    if not isinstance(given, str) or not _CODE.fullmatch(given):
        raise ProviderUnavailable(f'{place} gave no MFA code: it did not answer with {{"tokenCode": "<six digits>"}}')
    return given
