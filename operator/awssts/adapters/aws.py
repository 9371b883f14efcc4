"""Services of AWS through boto: one client for each region, each call signed with the keys it is given.

boto reads endpoints (AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL_IAM), proxy and CA settings from the environment as
everywhere; of the operator's own AWS identity it never learns. SDK retries are off: an MFA code whose answer was
lost is burnt, and other calls are retried where people can see it.
"""

import asyncio
import functools
import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import botocore.session
from aiolimiter import AsyncLimiter
from botocore.config import Config
from botocore.credentials import CredentialResolver
from botocore.credentials import Credentials as SigningCredentials
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from awssts import __version__
from awssts.domain import errors
from awssts.domain.keys import Credentials, KeyPair

DEFAULT_REGION = "us-east-1"
CONNECT_TIMEOUT, READ_TIMEOUT = 5, 10  # seconds
MOST_CLIENTS = 64  # AWS has some 40 regions; a client takes 0.15 MB

Result = TypeVar("Result")
_making = threading.Lock()  # boto's session is not for several threads at once
_signer: ContextVar[SigningCredentials] = ContextVar("signer")


@dataclass(frozen=True, slots=True)
class Refusal:
    """AWS's answer to a call that it does not carry out; the call's secrets are out of ``message``."""

    code: str
    message: str
    status: int


Called = Callable[[str, str, str, float], None]
Explanation = Callable[[Refusal], errors.AwsstsError | None]


class Service:
    """Calls one AWS service, in a few threads of its own: a service that hangs holds up no other.

    Args:
        name: boto's, like ``sts``.
        explain: the errors that mean something of their own here; None for the common ones.
        threads: how many calls are under way at the most.
        rate: calls a second at the most.
        called: is told of each call's service, operation, AWS's code and seconds; from any thread.
    """

    def __init__(
        self, name: str, explain: Explanation, *, threads: int, rate: float, called: Called | None = None
    ) -> None:
        self._name = name
        self._called = called
        self._explain = explain
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._limiter = AsyncLimiter(max(1, rate / 10), max(0.1, 1 / rate))  # a tenth of a second's may come at once
        self._clients = Clients(name, connections=threads)

    async def call(
        self,
        operation: str,
        key: KeyPair | Credentials,
        region: str | None,
        parameters: Mapping[str, Any],
        read: Callable[[Mapping[str, Any]], Result],
    ) -> Result:
        """Return what ``read`` makes of the answer; it may fail as one fails on an answer with parts missing.

        Raises:
            AwsstsError: of the class that the answer stands for.
        """
        async with self._limiter:
            run = functools.partial(self._call, operation, key, region or DEFAULT_REGION, parameters, read)
            return await asyncio.get_running_loop().run_in_executor(self._executor, copy_context().run, run)

    async def close(self) -> None:
        """Wait for the calls under way."""
        await asyncio.to_thread(self._executor.shutdown, cancel_futures=True)

    def _call(
        self,
        operation: str,
        key: KeyPair | Credentials,
        region: str,
        parameters: Mapping[str, Any],
        read: Callable[[Mapping[str, Any]], Result],
    ) -> Result:
        token = key.session_token if isinstance(key, Credentials) else None
        _signer.set(SigningCredentials(key.access_key_id, key.secret_access_key, token))
        secrets = [key.secret_access_key, token, parameters.get("TokenCode")]
        title = self._name.upper()
        error: errors.AwsstsError
        code, began = "Unavailable", time.monotonic()
        try:
            result = read(getattr(self._clients.of(region), operation)(**parameters))
        except ClientError as refused:
            said = refusal(refused.response, secrets)
            code = said.code or str(said.status)
            error = classify(said, self._explain, title)
        except BotoCoreError as failure:
            error = errors.StsUnavailable(f"{title} in {region} can't be reached: {_scrubbed(str(failure), secrets)}")
        except (ResponseParserError, KeyError, TypeError, ValueError, OverflowError, AttributeError):
            # The first quotes the answer.
            error = errors.StsUnavailable(f"{title} in {region} gave an answer that lacks what was asked for")
        else:
            code = "Success"
            return result
        finally:
            if self._called is not None:
                self._called(self._name, action(operation), code, time.monotonic() - began)
        raise error  # outside of the handlers: no context, so a traceback shows nothing of the call


def action(operation: str) -> str:
    """Return AWS's name of what boto calls ``get_session_token``: GetSessionToken."""
    return "".join(word.capitalize() for word in operation.split("_"))


class Clients:
    """boto's clients of a service: one for each region, of the ``MOST_CLIENTS`` that were used last.

    Whoever writes requests may name any region, also such as there are none.
    """

    def __init__(self, name: str, *, connections: int) -> None:
        self._name = name
        self._made: dict[str, Any] = {}  # the one used last is last
        self._config = Config(
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=READ_TIMEOUT,
            retries={"total_max_attempts": 1},
            max_pool_connections=connections,
            user_agent_extra=f"awssts/{__version__}",
        )

    def __len__(self) -> int:
        return len(self._made)

    def of(self, region: str) -> Any:
        """Return the client of a region."""
        with _making:
            client = self._made.pop(region, None)
            if client is None:
                client = _session().create_client(self._name, region_name=region, config=self._config)
                client.meta.events.register(f"before-call.{self._name}", _sign_as_caller)
                while len(self._made) >= MOST_CLIENTS:
                    del self._made[next(iter(self._made))]
            self._made[region] = client
            return client


@functools.cache
def _session() -> botocore.session.Session:
    """Return boto's session, made when it is first needed, without anybody's credentials."""
    nothing = (None, None, os.devnull, None)  # nobody's ~/.aws: its profiles, keys and mistakes are not ours
    session = botocore.session.Session(
        session_vars={"profile": (None, None, None, None), "config_file": nothing, "credentials_file": nothing}
    )
    session.register_component("credential_provider", CredentialResolver([]))
    return session


def _sign_as_caller(context: dict[str, Any], **_: Any) -> None:
    context.setdefault("signing", {})["request_credentials"] = _signer.get()


# https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html, and the same of IAM


def common(refusal: Refusal, title: str) -> errors.AwsstsError:
    """Return the error that a refusal stands for in every service."""
    code, message = refusal.code, refusal.message
    error: errors.AwsstsError
    if code in {"InvalidClientTokenId", "UnrecognizedClientException"}:
        error = errors.InvalidAccessKey(
            "AWS knows no such access key: check that it was not deleted or deactivated, and its account and partition"
        )
    elif code in {"ExpiredToken", "ExpiredTokenException"}:
        error = errors.SessionExpired("the session that was to be used has expired")
    elif code == "SignatureDoesNotMatch":
        error = _signature(message)
    elif code == "RequestExpired":
        error = errors.ClockSkew("the clock of the operator's node differs from AWS's: set it by NTP")
    elif code in {"AccessDenied", "AccessDeniedException"}:
        error = errors.AccessDenied(message or f"{title} denied access")
    elif code.startswith(("Throttl", "RequestLimit", "TooManyRequests")):
        error = errors.Throttled(f"{title} throttles the account: {message}")
    elif refusal.status >= 500 or not code or code.isdigit():
        error = errors.StsUnavailable(f"{title} answered {refusal.status} {code}: {message}".rstrip(": "))
    else:
        error = errors.RequestRefused(f"{title} refused the call with {code}: {message}")
    return error


_SKEW = re.compile(r"(\d{8}T\d{6}Z) is (?:now earlier|still later) than (\d{8}T\d{6}Z) \((\d{8}T\d{6}Z) [+-] 15 min")


def _signature(message: str) -> errors.AwsstsError:
    if not message.startswith(("Signature expired", "Signature not yet current")):
        return errors.InvalidSecretKey(
            "the secret access key is not that of the access key id: put the right one into the Secret"
        )
    seconds = ""
    if found := _SKEW.search(message):
        signed, _, theirs = (datetime.strptime(part, "%Y%m%dT%H%M%S%z") for part in found.groups())
        offset = (signed - theirs).total_seconds()
        seconds = f" by about {round(abs(offset), -1):.0f} s ({'ahead' if offset > 0 else 'behind'})"
    return errors.ClockSkew(f"the clock of the operator's node differs from AWS's{seconds}: set it by NTP")


def classify(refusal: Refusal, explain: Explanation, title: str) -> errors.AwsstsError:
    """Return the error that a refusal stands for: what the service means by it, else what all do."""
    return explain(refusal) or common(refusal, title)


def refusal(answer: Mapping[str, Any], secrets: list[str | None]) -> Refusal:
    """Return what a boto error response says, without the secrets of the call."""
    said = answer.get("Error", {})
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return Refusal(str(said.get("Code", "")), _scrubbed(str(said.get("Message", "")), secrets), status)


def _scrubbed(message: str, secrets: list[str | None]) -> str:
    for secret in secrets:
        if secret:
            message = message.replace(secret, "…")
    return message[:500]
