"""Long-term keys of an IAM user, as read from the credentials Secret; and what STS gives for them."""

import base64
import binascii
import contextlib
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from awssts.domain import digest
from awssts.domain.errors import ClockSkew, SecretInvalid, SecretKeyMissing, StsUnavailable
from awssts.domain.resources import CredentialsSecretRef

_ID_KEYS = ("aws_access_key_id", "AWS_ACCESS_KEY_ID")
_SECRET_KEYS = ("aws_secret_access_key", "AWS_SECRET_ACCESS_KEY")
_ACCESS_KEY_ID = re.compile(r"\w{16,128}", re.ASCII)  # IAM API reference, AccessKey
_SECRET_ACCESS_KEY = re.compile(r"[\x21-\x7e]{8,256}")
_TOO_SHORT = timedelta(seconds=5)  # STS gives 15 minutes at least, and takes calls of clocks that are 15 minutes off
_TOO_LONG = timedelta(minutes=20)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A long-term access key."""

    access_key_id: str
    secret_access_key: str = field(repr=False)

    @property
    def digest(self) -> str:
        """Tells a changed key, also where only the secret half was mended."""
        return _pair_digest(digest.of(self.access_key_id), digest.of(self.secret_access_key))


@dataclass(frozen=True, slots=True)
class Credentials:
    """Temporary credentials, as STS returns them."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    expiration: datetime

    @property
    def digest(self) -> str:
        """Tells whether something is these credentials, whole."""
        return digest.of([self.access_key_id, self.secret_access_key, self.session_token])


def lasting(given: Credentials, asked: int, now: datetime) -> Credentials:
    """Return what STS gave for ``asked`` seconds, if it lasts: nothing that lives may be replaced by what is over.

    Raises:
        ClockSkew: by our clock it is over already, or about to be.
        StsUnavailable: it lasts longer than any answer of STS.
    """
    left = given.expiration - now
    if left < _TOO_SHORT:
        raise ClockSkew(
            f"AWS gives credentials until {given.expiration:%Y-%m-%dT%H:%M:%SZ}, which is over by the clock of the "
            "operator's node, or nearly so: set it by NTP"
        )
    if left > timedelta(seconds=asked) + _TOO_LONG:
        raise StsUnavailable(
            f"STS gave credentials until {given.expiration:%Y-%m-%dT%H:%M:%SZ}, long after what was asked for: "
            "that is no answer of AWS; check AWS_ENDPOINT_URL_STS and the proxy"
        )
    return given


def read(data: Mapping[str, str], reference: CredentialsSecretRef) -> KeyPair:
    """Return the key pair in a Secret's data (base64 values).

    White space around a value is dropped: ``echo`` and editors leave a newline there.

    Raises:
        SecretKeyMissing: one of the two keys is not there.
        SecretInvalid: a value is empty, not text, or can't be such a key.
    """
    access_key_id = _value(data, reference, reference.access_key_id_key, _ID_KEYS, "accessKeyIdKey")
    secret = _value(data, reference, reference.secret_access_key_key, _SECRET_KEYS, "secretAccessKeyKey")
    if not _ACCESS_KEY_ID.fullmatch(access_key_id[1]):
        raise SecretInvalid(
            f"Secret {reference.name!r}: {access_key_id[0]} is not an access key id "
            "(at least 16 letters and digits, like AKIA…)"
        )
    if access_key_id[1].startswith("ASIA"):
        raise SecretInvalid(
            f"Secret {reference.name!r}: {access_key_id[0]} is the id of temporary credentials (ASIA…); "
            "give the long-term key of an IAM user (AKIA…)"
        )
    if not _SECRET_ACCESS_KEY.fullmatch(secret[1]):
        raise SecretInvalid(
            f"Secret {reference.name!r}: {secret[0]} is not a secret access key (one word of 40 characters)"
        )
    return KeyPair(access_key_id[1], secret[1])


def changed_at(metadata: Mapping[str, Any]) -> datetime:
    """Return when a Secret was last written, as far as the API server recorded it."""
    times = [entry["time"] for entry in metadata.get("managedFields") or () if entry.get("time")]
    return datetime.fromisoformat(max([metadata["creationTimestamp"], *times]))


def fingerprint(data: Mapping[str, str]) -> dict[str, str]:
    """Return the digest of each value of a credentials Secret: enough to tell a change, and no secret to keep."""
    found = {}
    for key, encoded in data.items():
        with contextlib.suppress(SecretInvalid):
            found[sys.intern(key)] = digest.of(text(encoded, "", key))
    return found


def digest_in(prints: Mapping[str, str], reference: CredentialsSecretRef) -> str:
    """Return what ``read(…).digest`` would give for the Secret of that fingerprint; empty where it would fail."""
    access_key_id = _first(prints, reference.access_key_id_key, _ID_KEYS)
    secret = _first(prints, reference.secret_access_key_key, _SECRET_KEYS)
    return _pair_digest(access_key_id, secret) if access_key_id and secret else ""


def _first(prints: Mapping[str, str], chosen: str | None, usual: tuple[str, ...]) -> str | None:
    return next((prints[key] for key in ((chosen,) if chosen else usual) if key in prints), None)


def _pair_digest(access_key_id: str, secret: str) -> str:
    return digest.of([access_key_id, secret])


def _value(
    data: Mapping[str, str],
    reference: CredentialsSecretRef,
    chosen: str | None,
    usual: tuple[str, ...],
    field_name: str,
) -> tuple[str, str]:
    """Return the key that holds the value, and the value."""
    candidates = (chosen,) if chosen else usual
    key = next((candidate for candidate in candidates if candidate in data), None)
    if key is None:
        raise SecretKeyMissing(
            f"Secret {reference.name!r} has no key {' or '.join(candidates)}: add it, "
            f"or name another with credentialsSecretRef.{field_name}"
        )
    value = text(data[key], reference.name, key)
    if not value:
        raise SecretInvalid(f"Secret {reference.name!r}: {key} is empty")
    return key, value


def text(encoded: str, secret: str, key: str) -> str:
    """Return the text of a base64 value of a Secret, without white space around it.

    Raises:
        SecretInvalid: it isn't text.
    """
    try:
        return base64.b64decode(encoded).decode().strip()
    except (binascii.Error, UnicodeDecodeError):
        pass  # raised anew without the cause: a traceback would show the value
    raise SecretInvalid(f"Secret {secret!r}: {key} is not text")
