"""The client of CAS's awsSts endpoint: of awssts's gateway, and of CAS itself.

Only the standard library: ``awssts login`` is to start at once. All parameters go into the body, for URLs are logged.
"""

import http.client
import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import Message
from typing import IO, Any
from urllib.parse import urlencode, urlsplit

from awssts import __version__
from awssts.domain import held
from awssts.domain.errors import AwsstsError
from awssts.domain.held import CredentialsError, Held

TIMEOUT = 75.0  # seconds: the gateway may wait for a TOTP step of its own
LARGEST = 256 * 1024  # bytes of an answer
ENDPOINT = "/actuator/awsSts"
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class GatewayError(AwsstsError):
    """There is no answer, or none of an awsSts endpoint."""


class LoginError(AwsstsError):
    """The gateway says no, and why. ``needs_code``: it says that an MFA code is missing."""

    def __init__(self, message: str, *, needs_code: bool = False) -> None:
        super().__init__(message)
        self.needs_code = needs_code


def endpoint(url: str) -> str:
    """Return the URL of the endpoint, of that or of the gateway's.

    Raises:
        GatewayError: the URL is none, or a password would travel in the clear.
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # https://[x
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise GatewayError("the gateway's URL has to be like https://gateway.example.org")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise GatewayError(f"the password would travel in the clear to {parts.hostname}: use https")
    path = parts.path.rstrip("/")
    return parts._replace(path=path if path.lower().endswith("/awssts") else path + ENDPOINT).geturl()


@dataclass(frozen=True)
class Gateway:
    """An endpoint, and the file with the authorities that it is trusted by; the system's without one."""

    url: str
    ca_file: str | None = None

    def login(self, parameters: Mapping[str, str], lifetime: timedelta) -> Held:
        """Return the credentials.

        ``lifetime`` is what is asked for: CAS's answer does not say when the credentials expire.

        Raises:
            LoginError: the endpoint says no.
            GatewayError: it does not answer, or not as such an endpoint does.
        """
        asked_at = datetime.now(UTC).replace(microsecond=0)
        kind, body = self._post(urlencode(parameters).encode())
        files = {"credentials.json" if kind == "application/json" else "credentials": body}
        region = _object(body).get("Region")
        try:
            found = held.read(files, None if _object(body).get("Expiration") else asked_at + lifetime)
        except CredentialsError:
            raise GatewayError(f"{self.url} did not answer with credentials: is it an awsSts endpoint?") from None
        return Held(*found.parts, expiration=found.expiration, region=found.region or str(region or ""))

    def _post(self, body: bytes) -> tuple[str, str]:
        request = urllib.request.Request(  # noqa: S310 - http or https: endpoint() saw to that
            self.url,
            data=body,
            headers={"Accept": "application/json, text/plain;q=0.9", "User-Agent": f"awssts/{__version__}"},
        )
        try:
            with self._opener().open(request, timeout=TIMEOUT) as answer:
                return answer.headers.get_content_type(), _read(answer).decode(errors="replace")
        except urllib.error.HTTPError as error:
            with error:
                raise _refused(self.url, error) from None
        except ssl.SSLCertVerificationError as error:
            raise self._unavailable(error) from None
        except urllib.error.URLError as error:
            raise self._unavailable(error.reason) from None
        except (http.client.HTTPException, OSError, ValueError) as error:
            raise self._unavailable(error) from None

    def _opener(self) -> urllib.request.OpenerDirector:
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ssl.SSLError) as error:
            problem = error.strerror or type(error).__name__
            raise GatewayError(f"the authorities in {self.ca_file} can't be read: {problem}") from None
        handlers = [urllib.request.HTTPSHandler(context=context), _NoRedirect()]
        if urlsplit(self.url).scheme == "http":  # a proxy would read the password; one for https only passes bytes on
            handlers.append(urllib.request.ProxyHandler({}))
        return urllib.request.build_opener(*handlers)

    def _unavailable(self, problem: Any) -> GatewayError:
        if isinstance(problem, ssl.SSLCertVerificationError):
            why = f"its certificate is not to be trusted: {problem.verify_message}; give its authority with --cacert"
        elif isinstance(problem, TimeoutError):
            why = f"no answer in {TIMEOUT:.0f} s"
        elif isinstance(problem, OSError):
            why = problem.strerror or type(problem).__name__
        else:
            why = type(problem).__name__
        return GatewayError(f"{self.url} can't be reached: {why}")


def _read(answer: http.client.HTTPResponse) -> bytes:
    """Return an answer, up to the largest. The library's timeout starts anew with each byte; this one does not."""
    read, end = b"", time.monotonic() + TIMEOUT
    while len(read) < LARGEST and (part := answer.read1(LARGEST)):
        read += part
        if time.monotonic() > end:
            raise TimeoutError
    return read


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: it could take the password elsewhere."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        return None


def _refused(url: str, error: urllib.error.HTTPError) -> AwsstsError:
    try:
        said = error.read(LARGEST).decode(errors="replace")
    except (http.client.HTTPException, OSError):
        said = ""
    answer = _object(said)
    text = str(answer.get("message") or "") if answer else said
    words = "".join(char if char.isprintable() else " " for char in text).strip()[:300]
    if error.code in {301, 302, 303, 307, 308}:
        return GatewayError(f"{url} redirects, and the password is not sent elsewhere: give the endpoint itself")
    if error.code == 404:
        return GatewayError(f"{url} is not there: is it the URL of an awssts gateway or of CAS?")
    after = error.headers.get("Retry-After")
    again = f"; try again in {after} s" if after and after.isdigit() else ""
    if error.code >= 500:
        return GatewayError(f"the gateway answered {error.code}: {words or 'no reason'}{again}")
    needed = answer.get("needed")
    missing = isinstance(needed, list) and "token" in needed
    return LoginError(f"the gateway answered {error.code}: {words or 'no reason'}{again}", needs_code=missing)


def _object(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
