"""The manifests of examples/, with the keys of an IAM user of the strict STS instead of the placeholders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from testbed.sts.client import allow

if TYPE_CHECKING:
    from testbed.sts.client import Key, StrictSts, User

FOLDER = Path(__file__).parents[2] / "examples"
PLACEHOLDERS = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")  # of AWS's documentation


def manifests() -> list[Path]:
    return sorted(FOLDER.glob("*.yaml"))


def with_key(manifest: Path, key: Key) -> str:
    """The manifest's text, for `kubectl apply --filename=-`."""
    text = manifest.read_text()
    for placeholder, value in zip(PLACEHOLDERS, (key.access_key_id, key.secret_access_key), strict=True):
        text = text.replace(placeholder, value)
    return text


def prepare(sts: StrictSts) -> User:
    """What the examples expect to be in AWS: an IAM user, and the role of 02-role.yaml, which trusts it."""
    user = sts.user("demo")
    external_id = {"StringEquals": {"sts:ExternalId": "example-external-id"}}
    sts.role("reports", {"Statement": [allow(user.arn, condition=external_id)]})
    return user
