"""A call to STS from its arrival to its answer: faults, authentication, the operation, the journal."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from moto.core.models import DEFAULT_ACCOUNT_ID

from testbed.sts import answers, errors, faults, signature
from testbed.sts.conditions import UnknownElementError
from testbed.sts.errors import StsError
from testbed.sts.identities import Caller, RoleSession
from testbed.sts.journal import Call
from testbed.sts.operations import OPERATIONS, Context

if TYPE_CHECKING:
    from testbed.sts.directory import Directory
    from testbed.sts.faults import Faults
    from testbed.sts.journal import Journal
    from testbed.sts.sessions import Sessions
    from testbed.sts.signature import Request, Signature
    from testbed.sts.totp import BurntCodes

SCOPE = re.compile(r"Credential=([^/,\s]*)/[^/,\s]*/([^/,\s]*)/")


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; `dropped` is none at all, the connection is reset."""

    status: int
    body: bytes
    request_id: str
    date: datetime
    dropped: bool = False


class _DroppedError(Exception):
    """The answer is lost."""


class _GarbledError(Exception):
    """The answer isn't one."""


@dataclass
class Service:
    """STS over its state."""

    directory: Directory
    sessions: Sessions
    burnt_codes: BurntCodes
    faults: Faults
    journal: Journal
    offset: timedelta = timedelta()  # how far its clock is ahead of the machine's

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset

    async def answer(self, request: Request) -> Answer:
        """The answer to a request, entered in the journal."""
        parameters = dict(parse_qsl(urlsplit(request.url).query, keep_blank_values=True))
        parameters |= parse_qsl(request.body.decode(errors="replace"), keep_blank_values=True)
        call = _entry(request, parameters)
        self.journal.begin(call, parameters.get("TokenCode"), self.now().timestamp())
        request_id = str(uuid.uuid4())
        status, body = 200, b""
        call.result = "Crashed"
        try:
            body = await self._carry_out(request, parameters, call, request_id)
            call.result = "Success"
        except StsError as error:
            call.result, status = error.code, error.status
            body = answers.failure(error, request_id)
        except UnknownElementError as unknown:
            call.result, status = "UnknownElement", 501
            message = f"the strict STS of the testbed can't evaluate this: {unknown}"
            body = answers.failure(StsError(call.result, status, message), request_id)
        except _GarbledError:
            call.result, body = "Garbage", b"<html>\x00\xff this is not the answer you are looking for"
        except _DroppedError:
            call.result = "Dropped"
        except asyncio.CancelledError:
            call.result = "Gone"  # the caller has hung up
            raise
        finally:
            self.journal.end(call)
        return Answer(status, body, request_id, self.now(), dropped=call.result == "Dropped")

    async def _carry_out(self, request: Request, parameters: dict[str, str], call: Call, request_id: str) -> bytes:
        await self._strike(faults.ARRIVAL, call)
        skew = self.faults.seconds("skew", call.operation, call.access_key_id) or 0
        now = self.now() + timedelta(seconds=skew)
        signed = signature.parse(request)
        caller = self._authenticate(request, signed, now, call.operation)
        operation = OPERATIONS.get(call.operation)
        if operation is None or parameters.get("Version") != answers.VERSION:
            raise errors.unknown_action(call.operation, parameters.get("Version", ""))
        grant = operation(Context(caller, parameters, signed.region, now, self.directory, self.burnt_codes))
        await self._strike(faults.CODE, call)
        lifetime = self.faults.seconds("expiry", call.operation, call.access_key_id) if grant.duration else None
        result, call.issued_access_key_id = grant.issue(self.sessions, now, lifetime)
        await self._strike(faults.ANSWER, call)
        return answers.success(call.operation, result, request_id)

    def _authenticate(self, request: Request, signed: Signature, now: datetime, operation: str) -> Caller:
        """Who signed the request; InvalidClientTokenId, ExpiredToken, SignatureDoesNotMatch."""
        signature.check_scope(signed)
        signature.check_time(signed, now)
        token = request.headers.get("x-amz-security-token")
        caller, secret = (
            self._long_term(signed.access_key_id, now, operation)
            if token is None
            else self._temporary(signed.access_key_id, token, now)
        )
        signature.check_value(signed, request, secret)
        return caller

    def _long_term(self, access_key_id: str, now: datetime, operation: str) -> tuple[Caller, str]:
        key = self.directory.key(access_key_id)
        if key is None or not key.active:
            raise errors.invalid_client_token()
        delay = self.faults.seconds("propagation", operation, access_key_id)
        if delay is not None and now < key.created + timedelta(seconds=delay):
            raise errors.invalid_client_token()
        return Caller(key.user, access_key_id), key.secret_access_key

    def _temporary(self, access_key_id: str, token: str, now: datetime) -> tuple[Caller, str]:
        session = self.sessions.find(access_key_id)
        if session is None or not session.has_token(token):
            raise errors.invalid_client_token()
        if now >= session.expiration:
            raise errors.expired_token()
        identity = session.identity
        if not self.directory.exists(identity.role if isinstance(identity, RoleSession) else identity):
            raise errors.invalid_client_token()
        return Caller(identity, access_key_id, temporary=True, mfa_at=session.mfa_at), session.secret_access_key

    async def _strike(self, phase: str, call: Call) -> None:
        for fault in self.faults.due(phase, call.operation, call.access_key_id):
            error = fault.error(DEFAULT_ACCOUNT_ID)
            if error is not None:
                raise error
            match fault.kind:
                case "hang":
                    await self.faults.hang()
                case "slow":
                    await asyncio.sleep(fault.seconds or 0)
                case "drop":
                    raise _DroppedError
                case "garbage":
                    raise _GarbledError


def _entry(request: Request, parameters: dict[str, str]) -> Call:
    """The call as its sender describes it: nothing of this has been checked."""
    scope = SCOPE.search(request.headers.get("authorization", ""))
    duration = parameters.get("DurationSeconds", "")
    return Call(
        time=time.time(),
        operation=parameters.get("Action", ""),
        access_key_id=scope[1] if scope else "",
        region=scope[2] if scope else "",
        duration_seconds=int(duration) if duration.isdecimal() else None,
        serial_number=parameters.get("SerialNumber"),
        role_arn=parameters.get("RoleArn"),
        role_session_name=parameters.get("RoleSessionName"),
    )
