"""Credentials and the files that they are in, as the operator writes them."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from awssts.domain.vending import Vended

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


def vended(number: int = 1, expiration: datetime | None = LATER) -> Vended:
    """Return credentials whose parts all tell which they are."""
    return Vended(f"ASIAEXAMPLE{number:09}", f"secret+{number:030}", f"token/{number:0500}", expiration)


def process_file(credentials: Vended, **changes: Any) -> dict[str, bytes]:
    """Return the file of the format CredentialProcess."""
    answer = {
        "Version": 1,
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "SessionToken": credentials.session_token,
        "Expiration": credentials.expiration and f"{credentials.expiration:%Y-%m-%dT%H:%M:%SZ}",
    }
    left = {key: value for key, value in (answer | changes).items() if value is not None}
    return {"credentials.json": json.dumps(left).encode()}


def variables(credentials: Vended) -> dict[str, bytes]:
    """Return the files of the format Environment."""
    return {
        "AWS_ACCESS_KEY_ID": credentials.access_key_id.encode(),
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key.encode(),
        "AWS_SESSION_TOKEN": credentials.session_token.encode(),
        "AWS_CREDENTIAL_EXPIRATION": f"{credentials.expiration:%Y-%m-%dT%H:%M:%SZ}".encode(),
    }


def profile(credentials: Vended, end: str = "region=eu-west-1\n") -> dict[str, bytes]:
    """Return the file of the format CredentialsFile."""
    lines = [
        "[default]",
        f"aws_access_key_id={credentials.access_key_id}",
        f"aws_secret_access_key={credentials.secret_access_key}",
        f"aws_session_token={credentials.session_token}",
        end,
    ]
    return {"credentials": "\n".join(lines).encode()}


def secrets_in(credentials: Vended) -> tuple[str, str]:
    """Return what of it may be in no message."""
    return credentials.secret_access_key, credentials.session_token


def served(answer: Mapping[str, str]) -> tuple[str, ...]:
    """Return the numbers that the parts of an answer bear: one, if it isn't mixed."""
    return tuple(
        sorted({"".join(filter(str.isdigit, answer[name])).lstrip("0") for name in answer if name != "Expiration"})
    )
