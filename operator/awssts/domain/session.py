"""The session Secret: what one device's codes have given, kept so that a restart needs no new one.

One for each pair of credentials Secret and device. It holds the sessions by duration.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_pascal

from awssts.domain import names
from awssts.domain.keys import Credentials
from awssts.domain.policy.registry import ProviderType
from awssts.domain.status import Timestamp, timestamp


@dataclass(frozen=True, slots=True)
class Session:
    """What GetSessionToken returned for a code."""

    credentials: Credentials
    issued_at: datetime
    lifetime: int  # seconds that were asked for
    key_digest: str  # of the long-term key
    by: str = ProviderType.TOTP  # who gave the code

    @property
    def expiration(self) -> datetime:
        """When it ends."""
        return self.credentials.expiration


@dataclass(frozen=True, slots=True)
class Ledger:
    """The content of a session Secret."""

    version: str = ""  # resource version of the Secret; empty where there is none yet
    sessions: tuple[Session, ...] = ()

    def find(self, lifetime: int, key_digest: str, by: str | None = None) -> Session | None:
        """Return the session of that duration, made with that key; with a code of ``by`` where that is given."""
        return next(
            (
                found
                for found in self.sessions
                if (found.lifetime, found.key_digest) == (lifetime, key_digest) and by in {None, found.by}
            ),
            None,
        )

    def with_session(self, session: Session, now: datetime) -> "Ledger":
        """Return it with a new session; those of another key and expired ones go."""
        kept = tuple(
            found
            for found in self.sessions
            if (found.lifetime, found.by) != (session.lifetime, session.by)
            and found.key_digest == session.key_digest
            and found.expiration > now
        )
        return replace(self, sessions=(*kept, session))

    def of_key(self, key_digest: str) -> "Ledger":
        """Return it with the sessions of that key only."""
        return replace(self, sessions=tuple(found for found in self.sessions if found.key_digest == key_digest))

    def without(self, session: Session) -> "Ledger":
        """Return it without a session that STS takes no longer."""
        return replace(self, sessions=tuple(found for found in self.sessions if found != session))


def by_endpoint(url_digest: str | None) -> str:
    """Return who gave the code where an endpoint did: what one policy's has let through is not for another's."""
    return f"{ProviderType.WEBHOOK} {url_digest}"


def secret_name(credentials_secret: str, serial_number: str, lent_to: str = "") -> str:
    """Return the name of the session Secret for a credentials Secret and a device, and the namespace it is lent to."""
    mark = hashlib.sha256(f"{credentials_secret}\n{serial_number}\n{lent_to}".encode()).hexdigest()[:16]
    return f"awssts-session-{mark}"


def read(secret: Mapping[str, Any] | None) -> Ledger:
    """Return what a session Secret holds. What can't be understood counts as not there: a new code mends it."""
    if secret is None:
        return Ledger()
    found = (_session(value) for value in (secret.get("data") or {}).values())
    return Ledger(
        secret["metadata"].get("resourceVersion", ""),
        tuple(session for session in found if session is not None),
    )


def secret(name: tuple[str, str], ledger: Ledger, device: str, owner: Mapping[str, Any]) -> dict[str, Any]:
    """Return the session Secret (namespace and name); ``owner`` is the metadata of the credentials Secret."""
    data = {_key(session): _encoded(session) for session in ledger.sessions}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {
            "namespace": name[0],
            "name": name[1],
            **({"resourceVersion": ledger.version} if ledger.version else {}),
            "labels": {names.TYPE_LABEL: names.SESSION},
            "annotations": {names.DEVICE: device},
            "ownerReferences": [secret_owner(owner) | {"controller": False}],
        },
        "data": data,
    }


def _key(session: Session) -> str:
    """Return the key of a session in the data: one for each duration, and for each who gives codes."""
    by = "" if session.by == ProviderType.TOTP else "-" + hashlib.sha256(session.by.encode()).hexdigest()[:8]
    return f"{session.lifetime}{by}.json"


def secret_owner(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the reference to a Secret as the owner of others."""
    return {"apiVersion": "v1", "kind": "Secret", "name": metadata["name"], "uid": metadata["uid"]}


def _encoded(session: Session) -> str:
    credentials = session.credentials
    text = json.dumps(
        {
            "AccessKeyId": credentials.access_key_id,
            "SecretAccessKey": credentials.secret_access_key,
            "SessionToken": credentials.session_token,
            "Expiration": timestamp(credentials.expiration),
            "IssuedAt": timestamp(session.issued_at),
            "Lifetime": session.lifetime,
            "KeyDigest": session.key_digest,
            "By": session.by,
        }
    )
    return base64.b64encode(text.encode()).decode()


class _Held(BaseModel):
    """A session as it is kept."""

    model_config = ConfigDict(frozen=True, strict=False, alias_generator=to_pascal)

    access_key_id: Annotated[str, Field(min_length=16)]
    secret_access_key: Annotated[str, Field(min_length=1)]
    session_token: Annotated[str, Field(min_length=1)]
    expiration: Timestamp
    issued_at: Timestamp
    lifetime: int
    key_digest: str
    by: str = ProviderType.TOTP


def _session(encoded: str) -> Session | None:
    try:
        held = _Held.model_validate_json(base64.b64decode(encoded))
    except ValueError:
        return None
    credentials = Credentials(held.access_key_id, held.secret_access_key, held.session_token, held.expiration)
    return Session(credentials, held.issued_at, held.lifetime, held.key_digest, held.by)
