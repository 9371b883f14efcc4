"""What a mounted Secret holds, and what of it the sidecar serves. Nothing here repeats a value.

It stands apart from ``keys`` and ``rendering``: those need pydantic, and the sidecar runs in every pod.
"""

import configparser
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

WHOLE: Final = "credentials.json"  # one file with everything: it is whole, or it isn't JSON
PROFILE: Final = "credentials"
VARIABLES: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION")
FILES: Final = (WHOLE, *VARIABLES, PROFILE)
LARGEST: Final = 65536  # bytes of a file; a session token has some thousand at the most

ACCESS_KEY_ID: Final = re.compile(r"\w{16,128}", re.ASCII)
WORD: Final = re.compile(r"[\x21-\x7e]+")  # a secret access key or a session token


class Unusable(Exception):  # noqa: N818 - what the files are; it is an answer here rather than an accident
    """Why the files are no credentials: the file, the problem, the remedy; no value."""


@dataclass(frozen=True, slots=True)
class Vended:
    """Temporary credentials as the sidecar serves them. Without an expiration: nobody wrote it down."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    expiration: datetime | None

    def alive(self, now: datetime) -> bool:
        """Say whether AWS would still take them, as far as is known."""
        return self.expiration is None or now < self.expiration


@dataclass(frozen=True, slots=True)
class Stock:
    """What there is to serve, and what is wrong with the newest files (empty: nothing is)."""

    held: Vended | None = None
    problem: str = "nothing was read yet"

    def alive(self, now: datetime) -> bool:
        """Say whether there is something to serve."""
        return self.held is not None and self.held.alive(now)


def restocked(stock: Stock, found: Vended | Unusable, now: datetime) -> Stock:
    """Return the stock after a look at the files: live credentials never give way to worse ones."""
    if isinstance(found, Unusable):
        return replace(stock, problem=str(found))
    if not found.alive(now) and stock.alive(now):
        return replace(stock, problem=f"the newest credentials expired at {written(found.expiration)}")
    return Stock(found, problem="")


def read(files: Mapping[str, bytes]) -> Vended:
    """Return the credentials in those files of a mounted Secret: in the best format that is there.

    Raises:
        Unusable: there are none, or not whole. Another format does not stand in for a broken one.
    """
    texts = {name: _text(name, content) for name, content in files.items()}
    if WHOLE in texts:
        found = _from_process(texts[WHOLE])
    elif any(name in texts for name in VARIABLES):
        found = tuple(texts.get(name) for name in VARIABLES)
    elif PROFILE in texts:
        found = _from_profile(texts[PROFILE])
    else:
        raise Unusable(f"there is no {WHOLE}, no {VARIABLES[0]} and no {PROFILE}: mount an awssts target Secret")
    return _checked(*found)


def written(moment: datetime | None) -> str:
    """Return a time as SDKs parse it: in UTC, with a Z."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if moment else "an unknown time"


_Values = tuple[object, ...]  # key id, secret key, token, expiration


def _from_process(text: str) -> _Values:
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise Unusable(f"{WHOLE} is not a JSON object")
    return tuple(answer.get(name) for name in ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"))


def _from_profile(text: str) -> _Values:
    if not text.endswith("\n"):
        raise Unusable(f"{PROFILE} ends within a line")  # half a file; half a token looks like a token
    parser = configparser.RawConfigParser(default_section="")
    try:
        parser.read_string(text)
        profile = parser[parser.sections()[0]]
    except (configparser.Error, IndexError):
        raise Unusable(f"{PROFILE} is not an INI file with a profile") from None
    names = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
    return (*(profile.get(name) for name in names), None)


def _checked(access_key_id: object, secret: object, token: object, expiration: object) -> Vended:
    if not isinstance(access_key_id, str) or not ACCESS_KEY_ID.fullmatch(access_key_id):
        raise Unusable("the access key id is missing, or is none")
    if not isinstance(secret, str) or not WORD.fullmatch(secret):
        raise Unusable("the secret access key is missing, or is none")
    if not isinstance(token, str) or not WORD.fullmatch(token):
        raise Unusable("the session token is missing, or is none: only temporary credentials are served")
    return Vended(access_key_id, secret, token, _moment(expiration))


def _moment(text: object) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
        if moment is not None and moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):  # in UTC, the year 10000
        pass
    raise Unusable("the expiration is not a time with a zone, like 2026-01-31T12:00:00Z")


def _text(name: str, content: bytes) -> str:
    if len(content) > LARGEST:
        raise Unusable(f"{name} has more than {LARGEST} bytes")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise Unusable(f"{name} is not text") from None
    return text if name == PROFILE else text.strip()
