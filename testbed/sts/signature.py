"""Signature version 4 of a request, computed by botocore's own signer and compared.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from testbed.sts import errors

if TYPE_CHECKING:
    from collections.abc import Mapping

ALGORITHM = "AWS4-HMAC-SHA256"
TIMESTAMP = "%Y%m%dT%H%M%SZ"
TOLERANCE = timedelta(minutes=15)  # between the clocks of the caller and of AWS
REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-\d+")


@dataclass(frozen=True)
class Signature:
    """The Authorization header of a request, taken apart."""

    access_key_id: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    value: str
    timestamp: str  # from the X-Amz-Date header


@dataclass(frozen=True)
class Request:
    """An HTTP request as it arrived; header names in lower case."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


def parse(request: Request) -> Signature:
    """The signature of a request; IncompleteSignature or MissingAuthenticationToken without a whole one."""
    header = request.headers.get("authorization")
    if not header:
        raise errors.missing_authentication()
    algorithm, _, rest = header.partition(" ")
    if algorithm != ALGORITHM:
        raise errors.incomplete_signature(f"Unsupported AWS 'algorithm': '{algorithm}'.")
    parts = _parts(rest, header)
    scope = parts["Credential"].split("/")
    if len(scope) != 5 or scope[4] != "aws4_request":
        raise errors.incomplete_signature(
            "Credential must have exactly 5 slash-delimited elements, "
            f"e.g. keyid/date/region/service/term, got '{parts['Credential']}'"
        )
    timestamp = request.headers.get("x-amz-date", "")
    if not re.fullmatch(r"\d{8}T\d{6}Z", timestamp):
        raise errors.incomplete_signature(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. "
            f"Authorization={algorithm}"
        )
    key, date, region, service, _ = scope
    headers = tuple(parts["SignedHeaders"].lower().split(";"))
    return Signature(key, date, region, service, headers, parts["Signature"], timestamp)


def _parts(text: str, header: str) -> dict[str, str]:
    parts = {}
    for item in text.split(","):
        name, equals, value = item.strip().partition("=")
        if not equals:
            raise errors.incomplete_signature(
                f"'{item.strip()}' not a valid key=value pair (missing equal-sign) in Authorization header: "
                f"'{header.partition('Signature=')[0]}'."
            )
        parts[name] = value
    for name in ("Credential", "Signature", "SignedHeaders"):
        if not parts.get(name):
            raise errors.incomplete_signature(f"Authorization header requires '{name}' parameter.")
    return parts


def check_scope(signature: Signature) -> None:
    """A signature is for one service, region and day."""
    if signature.service != "sts":
        raise errors.wrong_signature("Credential should be scoped to correct service: 'sts'. ")
    if not REGION.fullmatch(signature.region):
        raise errors.wrong_signature("Credential should be scoped to a valid region. ")
    if signature.date != signature.timestamp[:8]:
        raise errors.wrong_signature(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{signature.date}' != '{signature.timestamp[:8]}', from '{signature.timestamp}'."
        )


def check_time(signature: Signature, now: datetime) -> None:
    """A signature is good for 15 minutes, both ways."""
    try:
        signed = datetime.strptime(signature.timestamp, TIMESTAMP).replace(tzinfo=UTC)
    except ValueError as impossible:  # the 13th month
        raise errors.incomplete_signature(
            "Date must be in ISO-8601 'basic format'. "
            f"Got '{signature.timestamp}'. See http://en.wikipedia.org/wiki/ISO_8601"
        ) from impossible
    earliest, latest = now - TOLERANCE, now + TOLERANCE
    if signed < earliest.replace(microsecond=0):
        raise errors.wrong_signature(
            f"Signature expired: {signature.timestamp} is now earlier than {earliest:{TIMESTAMP}} "
            f"({now:{TIMESTAMP}} - 15 min.)"
        )
    if signed > latest:
        raise errors.wrong_signature(
            f"Signature not yet current: {signature.timestamp} is still later than {latest:{TIMESTAMP}} "
            f"({now:{TIMESTAMP}} + 15 min.)"
        )


def check_value(signature: Signature, request: Request, secret_access_key: str) -> None:
    """Signs the request once more with the key's secret, and compares; the body counts, too."""
    if "host" not in signature.signed_headers:
        raise errors.wrong_signature("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    for header in ("x-amz-security-token", "x-amz-date"):
        if header in request.headers and header not in signature.signed_headers:
            raise errors.wrong_signature(f"'{header}' must be a 'SignedHeader' in the AWS Authorization.")
    claimed_hash = request.headers.get("x-amz-content-sha256")
    if claimed_hash is not None and claimed_hash != sha256(request.body).hexdigest():
        raise errors.signature_mismatch()
    if not hmac.compare_digest(_compute(signature, request, secret_access_key), signature.value):
        raise errors.signature_mismatch()


def _compute(signature: Signature, request: Request, secret_access_key: str) -> str:
    signed = {name: request.headers.get(name, "") for name in signature.signed_headers}
    replica = AWSRequest(method=request.method, url=request.url, headers=signed, data=request.body)
    replica.context["timestamp"] = signature.timestamp
    signer = SigV4Auth(Credentials(signature.access_key_id, secret_access_key), signature.service, signature.region)
    canonical = signer.canonical_request(replica)
    return str(signer.signature(signer.string_to_sign(replica, canonical), replica))
