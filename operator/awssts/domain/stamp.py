"""Who applied a request: a stamp of the admission webhook, on which policies can rest.

It is an annotation, so that it outlives the operator and moves with the request. A user can't write it: whatever
he writes there is replaced, and refused where the mutating webhook was left out. Where both webhooks are gone, the
API server takes what he writes; but he can't sign it, and what was signed counts for one state of one object only.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from awssts.domain import bulk
from awssts.domain.policy.facts import Authentication
from awssts.domain.subject import STAMP, Subject

ALL_ANNOTATIONS: Final = 256 * 1024  # bytes of keys and values that Kubernetes allows on one object
TOLERANCE: Final = timedelta(minutes=5)  # between the operator's clock and the API server's: also Kerberos's
SHORTEST: Final = 32  # bytes of a key: as many as SHA-256 gives

_PURPOSE: Final = f"{STAMP} v1"


class UserInfo(BaseModel):
    """Who asks, as the API server found out (``userInfo`` of an AdmissionReview), and as the stamp keeps it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    username: str = ""
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: dict[str, tuple[str, ...]] = Field(default_factory=dict)

    @property
    def authentication(self) -> Authentication:
        """The same, as policies look at it."""
        return Authentication(username=self.username, uid=self.uid, groups=self.groups, extra=self.extra)


class Signature(BaseModel):
    """For what the stamp was made, and the proof. An object that was being created had no uid yet, and with
    ``generateName`` no name: it is told by when it was made."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str | None = None
    object: str | None = None  # its uid
    generation: int
    at: AwareDatetime
    key: str  # which key: a digest of it
    mac: str = ""


class Doubt(StrEnum):
    """Why nobody is known to have applied a request."""

    UNSTAMPED = "it has no stamp of the admission webhook: apply it again, with any change, while the webhook is there"
    UNSIGNED = "its stamp is not signed by the admission webhook: apply it again, with any change"
    KEY = "its stamp is signed with a key that the operator does not have: apply it again, with any change"
    OTHER = (
        "its stamp was made for another request, or for this one before a change that went past the admission "
        "webhook: see that the webhook is registered, and apply the request again, with any change"
    )
    TIME = (
        "its stamp was made at another time than the request: the clocks of the API server and the operator have to "
        "be within five minutes; apply it again, with any change"
    )


@dataclass(frozen=True, slots=True)
class Keys:
    """What stamps are signed with: the first signs, all are believed."""

    all: tuple[bytes, ...] = field(repr=False)

    def has(self, name: str) -> bool:
        """Whether there is a key of that name."""
        return name in map(key_name, self.all)


def key_name(key: bytes) -> str:
    """Return by what a stamp names the key: it tells nothing about it."""
    return hashlib.sha256(b"awssts stamp key\0" + key).hexdigest()[:8]


def stamp(who: UserInfo, subject: Subject, keys: Keys, now: datetime) -> str:
    """Return the annotation's value, ASCII only."""
    unsigned = Signature(
        name=subject.name or None,
        object=subject.uid or None,
        generation=subject.generation,
        at=now.replace(microsecond=0),
        key=key_name(keys.all[0]),
    )
    signature = unsigned.model_copy(update={"mac": _mac(who, unsigned, subject, keys.all[0])})
    return _json({**who.model_dump(), "signature": signature.model_dump(mode="json", exclude_none=True)})


def verified(annotations: Mapping[str, str], subject: Subject, keys: Keys) -> UserInfo | Doubt:
    """Return who applied the request, or why that can't be told."""
    if STAMP not in annotations:
        return Doubt.UNSTAMPED
    if (found := _read(annotations)) is None or found.signature is None:
        return Doubt.UNSIGNED
    signature = found.signature
    key = next((key for key in keys.all if key_name(key) == signature.key), None)
    if key is None:
        return Doubt.KEY
    genuine = hmac.compare_digest(signature.mac.encode(), _mac(found, signature, subject, key).encode())
    doubt = _mismatch(signature, subject) if genuine else Doubt.OTHER
    return doubt or UserInfo(**found.model_dump(exclude={"signature"}))


def _mismatch(signature: Signature, subject: Subject) -> Doubt | None:
    """Return why a signature is not for that object in that state; None where it is."""
    if signature.name not in {None, subject.name} or signature.object not in {None, subject.uid}:
        return Doubt.OTHER
    if signature.generation != subject.generation:
        return Doubt.OTHER
    if signature.object is None and abs(signature.at - subject.created) > TOLERANCE:
        return Doubt.TIME
    return None


def signing_key(annotations: Mapping[str, str]) -> str | None:
    """Return the name of the key that the stamp says it is signed with; None where it says none."""
    found = _read(annotations)
    return found.signature.key if found and found.signature else None


def claimed(annotations: Mapping[str, str]) -> Authentication | None:
    """Return who applied the request, as the stamp says; whether it is true, only the operator can tell."""
    found = _read(annotations)
    return found.authentication if found else None


class _Stamp(UserInfo):
    """The annotation. Those from before there were signatures have none."""

    signature: Signature | None = None


def _read(annotations: Mapping[str, str]) -> _Stamp | None:
    text = annotations.get(STAMP, "")
    if len(text) > ALL_ANNOTATIONS or bulk.has_more_values(text.encode(errors="replace")):
        return None  # none that we have made: it would say who applied something with more than is looked at
    try:
        found = _Stamp.model_validate_json(text)
    except ValidationError:
        return None
    return found if found.username else None


def _mac(who: UserInfo, signature: Signature, subject: Subject, key: bytes) -> str:
    told = who.model_dump(include=set(UserInfo.model_fields))
    bound = signature.model_dump(mode="json", exclude={"mac"})
    text = _json([_PURPOSE, told, bound, subject.namespace, subject.weight])
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def size(annotations: Mapping[str, str]) -> int:
    """Return the bytes that Kubernetes counts."""
    return sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())


def patch(annotations: Mapping[str, str] | None, wanted: str | None) -> list[dict[str, Any]]:
    """Return the JSON patch that makes the stamp what it has to be; empty where it is."""
    path = "/metadata/annotations"
    if (annotations or {}).get(STAMP) == wanted:
        return []
    if annotations is None:
        return [{"op": "add", "path": path, "value": {STAMP: wanted}}]
    path += "/" + STAMP.replace("/", "~1")
    return [{"op": "remove", "path": path} if wanted is None else {"op": "add", "path": path, "value": wanted}]
