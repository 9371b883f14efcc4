"""Objects to test with, as the cluster and STS would give them; every value can be chosen."""

import base64
import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from awssts.domain import names, secret
from awssts.domain.errors import InvalidSpec
from awssts.domain.keys import Credentials, KeyPair
from awssts.domain.request import Request, parse
from awssts.domain.resources import Spec
from awssts.domain.status import Attempt, Condition, Status, timestamp
from awssts.domain.target import Target, observe
from awssts.domain.view import View

Json = dict[str, Any]

NOW = datetime(2026, 11, 23, 16, 0, tzinfo=UTC)
KEY = KeyPair("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
OTHER_KEY = KeyPair("AKIAI44QH8DHBEXAMPLE", "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY")
ROLE_ARN = "arn:aws:iam::123456789012:role/reports"
SERIAL = "arn:aws:iam::123456789012:mfa/reports"
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def raw_spec(**fields: Any) -> Json:
    """A spec as a user writes it; fields are named as on the wire."""
    return {"credentialsSecretRef": {"name": "reports-iam"}} | fields


def spec(**fields: Any) -> Spec:
    return Spec.model_validate(raw_spec(**fields))


def body(
    *,
    name: str = "reports",
    namespace: str = "team",
    uid: str = "uid-of-reports",
    generation: int = 1,
    version: int = 1,
    annotations: Mapping[str, str] | None = None,
    status: Any = None,
    raw: Any = None,
    **fields: Any,
) -> Json:
    """An AwsStsRequest as the API server gives it; ``fields`` are the spec's, ``raw`` replaces it whole."""
    found: Json = {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {
            "namespace": namespace,
            "name": name,
            "uid": uid,
            "generation": generation,
            "resourceVersion": str(version),
            "creationTimestamp": timestamp(NOW - 24 * HOUR),
        },
        "spec": raw if raw is not None else raw_spec(**fields),
    }
    if annotations:
        found["metadata"]["annotations"] = dict(annotations)
    if status is not None:
        found["status"] = as_json(status) if isinstance(status, Status) else status
    return found


def request(**details: Any) -> Request:
    return parse(body(**details))


def as_json(status: Status) -> Json:
    """A status as it is written into the cluster."""
    return status.model_dump(mode="json", by_alias=True, exclude_none=True)


def with_status(asked: Request, status: Status) -> Request:
    """The request after the status was written and read again."""
    return dataclasses.replace(asked, status=Status.model_validate(as_json(status)))


def status(*conditions: Condition, **fields: Any) -> Status:
    return Status(conditions=conditions, **fields)


def condition(kind: str, *, state: str = "True", reason: str = "Issued", message: str = "", **fields: Any) -> Condition:
    fields = {"last_transition_time": NOW - HOUR, "observed_generation": 1} | fields
    return Condition.model_validate(
        {"type": kind, "status": state, "reason": reason, "message": message} | fields, by_name=True
    )


def credentials(*, number: int = 1, expiration: datetime = NOW + 11 * HOUR) -> Credentials:
    return Credentials(f"ASIA{number:016}", f"made-up-secret/{number}", f"made-up+token/{number}==", expiration)


def view(asked: Request | None = None, **details: Any) -> View:
    """What is known about a request; nothing has been looked at but what is given."""
    return View(**{"request": asked or request(), "now": NOW, "region": None} | details)


def attempt(asked: Request, key: Any = KEY) -> Attempt:
    """What an attempt for the request is made with."""
    return view(asked, key=key).attempt


def written(
    asked: Request,
    *,
    issued_at: datetime = NOW - HOUR,
    lifetime: timedelta | None = None,
    key: KeyPair = KEY,
    region: str | None = None,
    number: int = 1,
) -> Json:
    """The target Secret that the operator writes for the request, as the API server holds it."""
    if isinstance(asked.spec, InvalidSpec):
        raise asked.spec
    lifetime = lifetime or timedelta(seconds=asked.spec.lifetime)
    given = credentials(number=number, expiration=issued_at + lifetime)
    made = secret.fresh(view(asked, region=region), given, key.digest, issued_at)
    made["metadata"] |= {"uid": "uid-of-target", "resourceVersion": "10"}
    return made


def target(asked: Request, *, changes: Mapping[str, Any] | None = None, **details: Any) -> Target:
    """That Secret as it is seen; ``changes`` replace what it says."""
    made = written(asked, **details)
    return dataclasses.replace(observe(made["metadata"], made["data"]), **(changes or {}))


def encoded(values: Mapping[str, str | bytes]) -> dict[str, str]:
    """A Secret's data."""
    raw = {key: value.encode() if isinstance(value, str) else value for key, value in values.items()}
    return {key: base64.b64encode(value).decode() for key, value in raw.items()}


def key_data(pair: KeyPair = KEY) -> dict[str, str]:
    """The data of a credentials Secret."""
    return encoded({"aws_access_key_id": pair.access_key_id, "aws_secret_access_key": pair.secret_access_key})
