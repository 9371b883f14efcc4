"""Temporary credentials as a target Secret or a mounted one holds them: read back, and handed to programs.

Light to import: an SDK starts ``awssts credential-process`` whenever it needs credentials.
"""

import configparser
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from awssts.domain import digest
from awssts.domain.errors import AwsstsError
from awssts.domain.overview import moment
from awssts.domain.vending import ACCESS_KEY_ID, WORD

Parts = tuple[str, str, str]  # access key id, secret access key, session token

# Of AWS's variables, those that name or hold other credentials: SDKs might prefer them.
CONFLICTING = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_SESSION_EXPIRATION",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
)


class CredentialsError(AwsstsError):
    """There are none, they can't be read, or they have expired."""


@dataclass(frozen=True, slots=True)
class Held:
    """Credentials, whole."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    expiration: datetime
    region: str = ""

    @property
    def parts(self) -> Parts:
        """Access key id, secret access key and session token."""
        return self.access_key_id, self.secret_access_key, self.session_token

    def environment(self) -> dict[str, str]:
        """Return them as the variables that every SDK reads."""
        found = {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_SESSION_TOKEN": self.session_token,
            "AWS_CREDENTIAL_EXPIRATION": written(self.expiration),
        }
        return found | ({"AWS_REGION": self.region, "AWS_DEFAULT_REGION": self.region} if self.region else {})

    def process(self) -> dict[str, Any]:
        """Return them as SDKs expect of a credential_process (SDK reference, "Process credential provider")."""
        return {
            "Version": 1,
            "AccessKeyId": self.access_key_id,
            "SecretAccessKey": self.secret_access_key,
            "SessionToken": self.session_token,
            "Expiration": written(self.expiration),
        }

    def live(self, now: datetime) -> "Held":
        """Return itself.

        Raises:
            CredentialsError: they have expired.
        """
        if self.expiration <= now:
            raise CredentialsError(f"the credentials expired at {written(self.expiration)}")
        return self


def read(data: Mapping[str, str], expiration: datetime | None = None, made: str = "") -> Held:
    """Return the credentials that a Secret's data (text) holds, in whichever format it has.

    Args:
        expiration: where the data does not say.
        made: their digest, where it is known: a template may have replaced a part of a format by something else.

    Raises:
        CredentialsError: no format gives them whole, or nothing says when they expire.
    """
    whole = [found for reader in READERS if (found := reader(data)) is not None and _proper(found)]
    found = next((parts for parts in whole if made in {"", digest.of(list(parts))}), None)
    if found is None:
        raise CredentialsError(
            "there are no credentials in it: let the request have one of target.formats Environment, "
            "CredentialsFile or CredentialProcess"
        )
    ends = expiration or moment(data.get("AWS_CREDENTIAL_EXPIRATION")) or moment(_process(data).get("Expiration"))
    if ends is None:
        raise CredentialsError(
            "it does not say when the credentials expire: let the request have the format CredentialProcess"
        )
    return Held(*found, expiration=ends, region=data.get("AWS_REGION", "") or _profile(data).get("region", ""))


def from_environment(data: Mapping[str, str]) -> Parts | None:
    """Return what is in the variables."""
    return _three(data, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


def from_process(data: Mapping[str, str]) -> Parts | None:
    """Return what is in credentials.json."""
    return _three(_process(data), "AccessKeyId", "SecretAccessKey", "SessionToken")


def from_file(data: Mapping[str, str]) -> Parts | None:
    """Return what is in the credentials file."""
    return _three(_profile(data), "aws_access_key_id", "aws_secret_access_key", "aws_session_token")


READERS = (from_environment, from_process, from_file)


def written(moment: datetime) -> str:
    """Return the moment, which is in UTC, as AWS writes it."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _proper(parts: Parts) -> bool:
    """Say whether they look like AWS's. A line break in one could write another profile into a file."""
    access_key_id, *words = parts
    return bool(ACCESS_KEY_ID.fullmatch(access_key_id)) and all(map(WORD.fullmatch, words))


def _three(found: Mapping[str, Any], *keys: str) -> Parts | None:
    values = [found[key] for key in keys if isinstance(found.get(key), str)]
    return (values[0], values[1], values[2]) if len(values) == 3 else None


def _process(data: Mapping[str, str]) -> Mapping[str, Any]:
    try:
        answer = json.loads(data.get("credentials.json", ""))
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _profile(data: Mapping[str, str]) -> Mapping[str, str]:
    parser = configparser.RawConfigParser(default_section="")
    try:
        parser.read_string(data.get("credentials", ""))
    except configparser.Error:
        return {}
    return dict(parser[parser.sections()[0]]) if parser.sections() else {}
