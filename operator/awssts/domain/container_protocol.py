"""The container-credentials protocol: a request, and what is answered to it.

AWS SDKs, "Container credential provider": GET with the token in Authorization; 200 with four strings, or another
status with a code and a message. Go reads ``code`` and ``message``, JavaScript ``Code`` and ``Message``.
"""

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from awssts.domain.vending import Stock, written

PATH: Final = b"/credentials"
AGAIN: Final = 1  # second, until it makes sense to ask again: what botocore waits, too
ASK_AGAIN: Final = timedelta(minutes=20)  # for credentials of unknown expiration: renewed ones have that much left

Headers = Sequence[tuple[bytes, bytes]]

_PROXIES = frozenset({b"forwarded", b"via", b"x-real-ip"})


@dataclass(frozen=True, slots=True)
class Request:
    """A request without its body. Names of headers are in lower case."""

    method: bytes
    target: bytes
    headers: Headers = field(repr=False)

    def values(self, name: bytes) -> list[bytes]:
        """Return the values of the headers of that name."""
        return [value for key, value in self.headers if key == name]

    @property
    def has_body(self) -> bool:
        """Say whether a body is announced."""
        lengths = self.values(b"content-length")
        return bool(self.values(b"transfer-encoding")) or any(length != b"0" for length in lengths)


@dataclass(frozen=True, slots=True)
class Response:
    """A response with its body. Headers of every response are the connection's matter."""

    status: int
    body: bytes = field(repr=False)
    headers: Headers = ()
    content_type: bytes = b"application/json"


def hosts(port: int) -> frozenset[bytes]:
    """Return what a Host header may be: the names of this pod alone, so that no other name can be bound to it."""
    end = "" if port == 80 else f":{port}"
    return frozenset(f"{name}{end}".encode() for name in ("127.0.0.1", "[::1]", "localhost"))


def refusal(request: Request, allowed: frozenset[bytes]) -> Response | None:
    """Return why a request is not even looked at, or None. Its target is compared as it came, byte by byte."""
    names = request.values(b"host")
    if len(names) != 1 or names[0] not in allowed:
        return failure(403, "HostNotAllowed", "the Host must be this pod's loopback address, with the port")
    if any(name in _PROXIES or name.startswith(b"x-forwarded-") for name, _ in request.headers):
        return failure(403, "ProxyNotAllowed", "the request came through a proxy: set NO_PROXY for 127.0.0.1")
    if request.target != PATH:
        return failure(404, "NotFound", f"there is only {PATH.decode()}")
    if request.method != b"GET":
        return failure(405, "MethodNotAllowed", "only GET is answered", (b"allow", b"GET"))
    if request.has_body:
        return failure(413, "BodyNotAllowed", "a request has no body")
    return None


def unauthorized(request: Request, token: bytes | None) -> Response | None:
    """Return why a request has no right to the credentials, or None. It takes as long for any wrong token."""
    if token is None:
        return failure(503, "TokenNotReady", "the sidecar has no token to compare with: see its log", _AGAIN)
    given = request.values(b"authorization")
    digests = [hashlib.sha256(value).digest() for value in (*given, token)]
    if len(given) != 1 or not hmac.compare_digest(digests[0], digests[-1]):
        return failure(
            403,
            "AccessDenied",
            "Authorization must be the content of the token file: set AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        )
    return None


def vend(stock: Stock, now: datetime) -> Response:
    """Return the credentials, or since when there are none."""
    if (held := stock.held) is None:
        return failure(503, "CredentialsNotReady", f"no credentials yet: {stock.problem}", _AGAIN)
    if not held.alive(now):
        since = f"the credentials expired at {written(held.expiration)} and no others came"
        why = f": {stock.problem}" if stock.problem else ": see the status of the AwsStsRequest"
        return failure(503, "CredentialsExpired", since + why, _AGAIN)
    answer = {
        "AccessKeyId": held.access_key_id,
        "SecretAccessKey": held.secret_access_key,
        "Token": held.session_token,
        "Expiration": written(held.expiration or now + ASK_AGAIN),
    }
    return Response(200, json.dumps(answer).encode())


def failure(status: int, code: str, message: str, *headers: tuple[bytes, bytes]) -> Response:
    """Return an error in both shapes that SDKs read."""
    body = {"code": code, "message": message, "Code": code, "Message": message}
    return Response(status, json.dumps(body).encode(), headers)


_AGAIN = (b"retry-after", str(AGAIN).encode())
