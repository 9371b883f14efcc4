"""The target Secret as it was found: whose it is, what it holds, and what that was made from."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from awssts.domain import digest, names
from awssts.domain.request import Identity
from awssts.domain.resources import CreationPolicy, Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a Secret's metadata says; digests are empty and moments None where it says nothing."""

    uid: str
    resource_version: int = field(compare=False)
    labelled: bool  # as a target: only such are watched
    request: str  # name of the request it belongs to; empty: nobody's of ours
    owner_uids: tuple[str, ...]  # of the AwsStsRequests that own it: one, but for what a backup brought back
    access_key_id: str
    issued_at: datetime | None
    expiration: datetime | None
    inputs_digest: str
    key_digest: str
    layout_digest: str
    credentials_digest: str
    content_digest: str  # of the data
    renewed: str
    policy_guard: str  # what policies judged the request by
    policy_outcome: str  # JSON of what they came to
    session_expiration: datetime | None  # of the MFA session that the role was assumed from
    intact: bool  # the data is what was written, as far as was looked

    def belongs_to(self, identity: Identity) -> bool:
        """Whether the operator wrote this for that request, or for one of its name before."""
        return self.request == identity.name or identity.uid in self.owner_uids

    def live(self, now: datetime) -> bool:
        """Whether it holds credentials that work now."""
        return self.intact and self.expiration is not None and self.expiration > now


def observe(metadata: Mapping[str, Any], data: Mapping[str, str] | None = None) -> Target:
    """Return what a Secret's metadata tells; with its data also whether somebody altered that."""
    annotations = metadata.get("annotations") or {}
    content = annotations.get(names.CONTENT_DIGEST, "")
    return Target(
        uid=metadata.get("uid", ""),
        resource_version=int(metadata.get("resourceVersion") or 0),
        labelled=(metadata.get("labels") or {}).get(names.TYPE_LABEL) == names.TARGET,
        request=annotations.get(names.REQUEST, ""),
        owner_uids=tuple(_owner_uids(metadata)),
        access_key_id=annotations.get(names.ACCESS_KEY_ID, ""),
        issued_at=_moment(annotations.get(names.ISSUED_AT)),
        expiration=_moment(annotations.get(names.EXPIRATION)),
        inputs_digest=annotations.get(names.INPUTS_DIGEST, ""),
        key_digest=annotations.get(names.KEY_DIGEST, ""),
        layout_digest=annotations.get(names.LAYOUT_DIGEST, ""),
        credentials_digest=annotations.get(names.CREDENTIALS_DIGEST, ""),
        content_digest=content,
        renewed=annotations.get(names.RENEWED, ""),
        policy_guard=sys.intern(annotations.get(names.POLICY_GUARD, "")),
        policy_outcome=sys.intern(annotations.get(names.POLICY_OUTCOME, "")),
        session_expiration=_moment(annotations.get(names.SESSION_EXPIRATION)),
        intact=(
            bool(content)
            and annotations.get(names.LIFE_DIGEST) == life_digest(annotations)
            and (data is None or content_digest(data, _keys(annotations)) == content)
        ),
    )


def content_digest(data: Mapping[str, str], keys: Iterable[str]) -> str:
    """Return the digest of those keys of a Secret's data: others may be somebody else's."""
    return digest.of({key: data.get(key) for key in keys})


def life_digest(annotations: Mapping[str, str]) -> str:
    """Return the digest of what annotations say of the credentials' life: renewals go by it."""
    said = names.ACCESS_KEY_ID, names.ISSUED_AT, names.EXPIRATION, names.SESSION_EXPIRATION
    return digest.of([annotations.get(name) or "" for name in said])


def inputs_digest(spec: Spec) -> str:
    """Return the digest of what decides which credentials STS gives, but for the key.

    Defaults are left out, here and below: a field that a later version adds must not have anything issued anew.
    """
    role = spec.role.model_dump(mode="json", exclude_defaults=True) if spec.role else None
    device = spec.mfa.serial_number if spec.mfa and spec.uses_device else None
    return digest.of({"lifetime": spec.lifetime, "role": role, "device": device})


def layout_digest(spec: Spec, region: str | None) -> str:
    """Return the digest of what decides how the same credentials are written."""
    return digest.of({"target": spec.target.model_dump(mode="json", exclude_defaults=True), "region": region})


def owned(spec: Spec) -> bool:
    """Whether the Secret shall go with the request."""
    return spec.target.creation_policy is CreationPolicy.OWNER


def _keys(annotations: Mapping[str, str]) -> list[str]:
    return annotations.get(names.CONTENT_KEYS, "").split(",")


def _owner_uids(metadata: Mapping[str, Any]) -> Iterator[str]:
    for owner in metadata.get("ownerReferences") or ():
        if owner.get("kind") == names.KIND and owner.get("apiVersion", "").startswith(f"{names.GROUP}/"):
            yield str(owner.get("uid", ""))


def _moment(text: str | None) -> datetime | None:
    """Return the moment in UTC; None for what is none, or so far off that it can't be reckoned with."""
    try:
        moment = datetime.fromisoformat(text or "")
        return moment.astimezone(UTC) if moment.tzinfo and 1 < moment.year < 9999 else None
    except (ValueError, OverflowError):
        return None
