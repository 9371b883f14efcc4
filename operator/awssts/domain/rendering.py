"""Credentials as the data of a Secret, in each format; and back from there."""

import base64
import json
from collections.abc import Mapping
from datetime import datetime

from awssts.domain import template
from awssts.domain.held import READERS
from awssts.domain.keys import Credentials
from awssts.domain.resources import Format, Target
from awssts.domain.status import timestamp


def render(credentials: Credentials, target: Target, region: str | None) -> dict[str, str]:
    """Return the Secret's data (text, not base64) in the formats that the target asks for."""
    data: dict[str, str] = {}
    for wanted in target.formats:
        data.update(_RENDERERS[wanted](credentials, target, region))
    data.update(_filled(credentials, target, region))
    return data


def recover(encoded: Mapping[str, str], expiration: datetime, digest: str) -> Credentials | None:
    """Return the credentials that a Secret's data (base64) holds, or None where no format gives them whole.

    ``digest`` is theirs: a template may have replaced a part of a format by something else.
    """
    try:
        data = {key: base64.b64decode(value).decode() for key, value in encoded.items()}
    except ValueError:
        return None
    for read in READERS:
        if (found := read(data)) is not None:
            credentials = Credentials(*found, expiration=expiration)
            if credentials.digest == digest:
                return credentials
    return None


def encode(data: Mapping[str, str]) -> dict[str, str]:
    """Return the data with base64 values, as a Secret has them."""
    return {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}


def _environment(credentials: Credentials, _target: Target, region: str | None) -> dict[str, str]:
    data = {
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_SESSION_TOKEN": credentials.session_token,
        "AWS_CREDENTIAL_EXPIRATION": timestamp(credentials.expiration),
    }
    if region:
        data |= {"AWS_REGION": region, "AWS_DEFAULT_REGION": region}
    return data


def _credentials_file(credentials: Credentials, target: Target, region: str | None) -> dict[str, str]:
    """The file that CAS's awsSts endpoint answers with."""
    lines = [
        f"[{target.profile}]",
        f"aws_access_key_id={credentials.access_key_id}",
        f"aws_secret_access_key={credentials.secret_access_key}",
        f"aws_session_token={credentials.session_token}",
    ]
    if region:
        lines.append(f"region={region}")
    return {"credentials": "\n".join(lines) + "\n"}


def _credential_process(credentials: Credentials, target: Target, region: str | None) -> dict[str, str]:
    """What an SDK reads anew before the credentials expire (SDK reference, "Process credential provider")."""
    section = "default" if target.profile == "default" else f"profile {target.profile}"
    lines = [f"[{section}]", f"credential_process = cat {target.mount_path.rstrip('/')}/credentials.json"]
    if region:
        lines.append(f"region = {region}")
    answer = {
        "Version": 1,
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "SessionToken": credentials.session_token,
        "Expiration": timestamp(credentials.expiration),
    }
    return {"config": "\n".join(lines) + "\n", "credentials.json": json.dumps(answer)}


_RENDERERS = {
    Format.ENVIRONMENT: _environment,
    Format.CREDENTIALS_FILE: _credentials_file,
    Format.CREDENTIAL_PROCESS: _credential_process,
}


def _filled(credentials: Credentials, target: Target, region: str | None) -> dict[str, str]:
    values = {
        "accessKeyId": credentials.access_key_id,
        "secretAccessKey": credentials.secret_access_key,
        "sessionToken": credentials.session_token,
        "expiration": timestamp(credentials.expiration),
        "region": region or "",
    }
    return {key: template.fill(text, values) for key, text in target.template.data.items()}
