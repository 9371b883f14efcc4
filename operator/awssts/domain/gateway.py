"""CAS's awsSts endpoint: what its parameters ask for, and how each outcome is answered.

Statuses and texts are those of CAS where it has them. Nothing that is said before the password was found right tells
whether there is such a user.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl

from pydantic import TypeAdapter, ValidationError

from awssts.domain import duration, errors, rendering, tokencode
from awssts.domain.errors import AwsstsError
from awssts.domain.keys import Credentials
from awssts.domain.policy import errors as denials
from awssts.domain.refusals import (
    AuthenticationFailed,
    BadParameter,
    CodeNeeded,
    CodeRefused,
    DeviceRefused,
    Overloaded,
    TooLate,
    TooMany,
)
from awssts.domain.resources import SESSION_DURATIONS, Format, Mfa, RoleArn, Target

PATHS: Final = ("/actuator/awsSts", "/cas/actuator/awsSts")  # CAS itself is mostly at /cas
FORM: Final = "application/x-www-form-urlencoded"
TEXT: Final = "text/plain"
JSON: Final = "application/json"

OPT_IN: Final = "awssts.dev/mfa"
ENTITY_ID: Final = "awssts.dev/entity-id"
_WISHES: Final = {"authn_method": OPT_IN, "entityId": ENTITY_ID}  # CAS's parameters: annotations of a request here

_MOST_FIELDS = 64
_LONGEST: Final = {"username": 256, "password": 1024, "token": 64, "roleArn": 2048}  # characters
_LONG = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a call asks for."""

    username: str
    password: str = field(repr=False)
    duration: int | None = None  # seconds
    token: str = field(default="", repr=False)
    serial_number: str | None = None
    role_arn: str | None = None
    wishes: Mapping[str, str] = field(default_factory=dict)  # annotations that a request would have


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How a call is answered. ``reason`` is for programs and for the log."""

    status: int
    reason: str
    text: str = field(repr=False)
    details: Mapping[str, Any] = field(default_factory=dict, repr=False)  # in JSON beside reason and text
    retry_after: int | None = None  # seconds


def read(query: str, form: str) -> Asked:
    """Return what is asked, by the query string and the form as they came (percent-encoded).

    Raises:
        AuthenticationFailed: there is no username or no password.
        BadParameter: a parameter can't be what it is; the message names it and repeats nothing.
    """
    given = _parameters(query, form)
    username, password = given.get("username", ""), given.get("password", "")
    if not username or not password:
        raise AuthenticationFailed("username or password is missing")
    return Asked(
        username=username,
        password=password,
        duration=_duration(given.get("duration", "")),
        token=_token(given.get("token", "")),
        serial_number=_shaped(given, "serialNumber", _SERIAL),
        role_arn=_shaped(given, "roleArn", _ROLE),
        wishes={_WISHES[name]: value for name, value in given.items() if name in _WISHES and value},
    )


def _parameters(query: str, form: str) -> dict[str, str]:
    """Return the parameters, each with its one value; those that nobody knows are passed over, as CAS does."""
    found: dict[str, str] = {}
    try:
        for text in (query, form):
            for name, value in parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS):
                if found.setdefault(name, value) != value:
                    raise BadParameter(f"{name[:64]} is given twice, with different values")
    except ValueError:
        raise BadParameter(f"the parameters are not at most {_MOST_FIELDS} of UTF-8") from None
    for name, value in found.items():
        if len(value) > _LONGEST.get(name, _LONG):
            raise BadParameter(f"{name[:64]} is too long")
        if "\x00" in value:
            raise BadParameter(f"{name[:64]} has a zero byte in it")
    return found


def _duration(text: str) -> int | None:
    """Return the seconds; less than STS gives counts as the least: CAS's default and its examples say PT15S."""
    if not text:
        return None
    least, most = SESSION_DURATIONS
    try:
        seconds = duration.parse(text)
    except ValueError:
        raise BadParameter("duration: write PT1H, PT1H30M, 12h or a number of seconds") from None
    if seconds > most:
        raise BadParameter(f"duration must be at most {duration.written(most)}")
    return max(seconds, least)


def _token(text: str) -> str:
    code = tokencode.digits(text)
    if code is None and text.strip():
        raise BadParameter("token: a code has six digits")
    return code or ""


_ROLE: TypeAdapter[str] = TypeAdapter(RoleArn)
_SERIAL: TypeAdapter[str] = TypeAdapter(Mfa.__annotations__["serial_number"])


def _shaped(given: Mapping[str, str], name: str, shape: TypeAdapter[str]) -> str | None:
    if not given.get(name):
        return None
    try:
        return shape.validate_python(given[name])
    except ValidationError:
        raise BadParameter(f"{name} does not look like one") from None


# Answers.


def issued(credentials: Credentials, region: str) -> Answer:
    """Return the credentials as CAS does: an AWS credentials file; in JSON as credential_process does."""
    files = rendering.render(credentials, Target(formats=(Format.CREDENTIALS_FILE, Format.CREDENTIAL_PROCESS)), region)
    details = json.loads(files["credentials.json"]) | {"Region": region}
    return Answer(status=HTTPStatus.OK, reason="Issued", text=files["credentials"], details=details)


def refusal(error: AwsstsError) -> Answer:
    """Return the answer that an error is."""
    status, text = next(_ANSWERS[kind] for kind in type(error).__mro__ if kind in _ANSWERS)
    text = text.format(reason=error.reason, message=error.message)
    details: dict[str, Any] = {"reason": error.reason, "message": text}
    retry_after = None
    if isinstance(error, CodeNeeded):
        details |= {"needed": ["token"], "serialNumber": error.serial_number}
    if isinstance(error, TooMany):
        retry_after = max(1, round(error.seconds + 0.5))
    elif status is HTTPStatus.SERVICE_UNAVAILABLE:
        retry_after = 5
    return Answer(status=status, reason=error.reason, text=text, details=details, retry_after=retry_after)


_401 = HTTPStatus.UNAUTHORIZED
_403 = HTTPStatus.FORBIDDEN
_503 = HTTPStatus.SERVICE_UNAVAILABLE
_LATER = "Not available ({reason}): try again"
_ASK = "({reason}): ask the administrator"
_NEXT = "Authentication failed: the MFA code was wrong or has been used; give the next one"
_ANSWERS: Final[dict[type, tuple[HTTPStatus, str]]] = {
    # Of the call.
    BadParameter: (HTTPStatus.BAD_REQUEST, "{message}"),
    AuthenticationFailed: (_401, "Authentication failed"),
    CodeNeeded: (_401, "Authentication failed: {message}; give it as token"),
    CodeRefused: (_401, _NEXT),
    DeviceRefused: (_401, "Authentication failed: serialNumber is not that of your device"),
    TooMany: (HTTPStatus.TOO_MANY_REQUESTS, "Too many attempts: {message}"),
    Overloaded: (_503, "Too many calls: try again"),
    TooLate: (HTTPStatus.GATEWAY_TIMEOUT, "No answer in time: try again"),
    # Of policies.
    denials.NotAuthorized: (_401, "Authorization failure"),
    denials.RoleNotChosen: (_401, "Found multiple roles and none is specified: give one as roleArn"),
    denials.RoleNotAllowed: (_401, "Authorization failure: specified role is not allowed, or there is none for you"),
    denials.LimitExceeded: (_403, "Authorization failure: {message}"),
    denials.DeviceMissing: (_403, "Authorization failure: MFA is demanded, and you have no device for it"),
    denials.ProviderUnknown: (_403, "Authorization failure: {message}"),
    denials.PolicyEndpointUnavailable: (_503, _LATER),
    denials.ProviderUnavailable: (_503, _LATER),
    # Of STS.
    errors.StsUnavailable: (HTTPStatus.GATEWAY_TIMEOUT, "AWS STS gives no answer: try again"),
    errors.Throttled: (_503, _LATER),
    errors.ClockSkew: (_503, f"Not available {_ASK}"),
    errors.AccessKeyNotActiveYet: (_503, _LATER),
    errors.SessionExpired: (_503, _LATER),
    errors.InvalidTokenCode: (_503, _LATER),  # one that the gateway made itself
    errors.RequestRefused: (HTTPStatus.BAD_REQUEST, "{message}"),
    errors.AccessDenied: (_403, f"AWS denied access {_ASK}"),
    # Of the cluster.
    errors.ClusterUnavailable: (_503, _LATER),
    errors.ClusterForbidden: (_503, f"Not available {_ASK}"),
    # All else is refused: a policy that can't be understood, Secrets and keys that are not what they should be.
    AwsstsError: (_403, f"Refused {_ASK}"),
}


def wants_json(accept: str) -> bool:
    """Tell whether JSON is liked better than text, by the header Accept."""
    liked = {"application/json": 0.0, "application/*": 0.0, "text/plain": 0.0, "text/*": 0.0, "*/*": 0.0}
    for part in accept.lower().split(","):
        kind, *parameters = (piece.strip() for piece in part.split(";"))
        if kind in liked:
            liked[kind] = _quality(parameters)
    json_liked = max(liked["application/json"], liked["application/*"])
    return json_liked > max(liked["text/plain"], liked["text/*"], liked["*/*"] if json_liked < 1 else 0.0)


def _quality(parameters: list[str]) -> float:
    given = next((text.removeprefix("q=") for text in parameters if text.startswith("q=")), "1")
    try:
        return float(given)
    except ValueError:
        return 0.0
