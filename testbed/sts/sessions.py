"""The temporary credentials handed out: each new and distinct, and good in later calls until it expires."""

from __future__ import annotations

import base64
import hmac
import os
import random
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testbed.sts.identities import RoleSession, User


@dataclass(frozen=True)
class Session:
    """One set of temporary credentials, and whose it is."""

    identity: User | RoleSession
    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    expiration: datetime
    mfa_at: datetime | None = None

    def has_token(self, token: str) -> bool:
        """Compares in constant time, as a real service would."""
        return hmac.compare_digest(self.session_token.encode(), token.encode())


class Sessions:
    """All sessions, the expired ones too: STS tells "expired" from "never heard of"."""

    def __init__(self) -> None:
        self._by_key: dict[str, Session] = {}

    def issue(self, identity: User | RoleSession, expiration: datetime, mfa_at: datetime | None) -> Session:
        """New credentials in AWS's form: ASIA…, 40 characters, a token of some hundred."""
        token = os.urandom(random.randrange(300, 720, 3))  # noqa: S311 - the length is no secret
        session = Session(
            identity=identity,
            access_key_id="ASIA" + base64.b32encode(os.urandom(10)).decode(),
            secret_access_key=base64.b64encode(os.urandom(30)).decode(),
            session_token="IQoJb3JpZ2luX2Vj" + base64.b64encode(token).decode(),
            expiration=expiration.replace(microsecond=0),
            mfa_at=mfa_at,
        )
        self._by_key[session.access_key_id] = session
        return session

    def find(self, access_key_id: str) -> Session | None:
        return self._by_key.get(access_key_id)

    def revoke(self, access_key_id: str) -> bool:
        """Makes the credentials unknown; False if they are already."""
        return self._by_key.pop(access_key_id, None) is not None

    def expire(self, access_key_id: str, now: datetime) -> bool:
        """Ends the credentials' life now; False if they are unknown."""
        session = self._by_key.get(access_key_id)
        if session is not None:
            self._by_key[access_key_id] = replace(session, expiration=now)
        return session is not None
