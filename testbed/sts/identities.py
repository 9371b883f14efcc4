"""Who can call: long-term keys of users and of the root, sessions of users, sessions of roles."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class User:
    """An IAM user; the account root is one without a name."""

    arn: str
    user_id: str
    account: str
    name: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_root(self) -> bool:
        return not self.name


@dataclass(frozen=True)
class Role:
    """An IAM role."""

    arn: str
    role_id: str
    name: str
    account: str
    trust_policy: str
    max_session_duration: int = 3600
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RoleSession:
    """What AssumeRole made: a role under a session name."""

    role: Role
    name: str
    tags: Mapping[str, str] = field(default_factory=dict)
    transitive_tag_keys: frozenset[str] = frozenset()
    source_identity: str = ""

    @property
    def arn(self) -> str:
        """Without the role's path: docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html."""
        partition = self.role.arn.split(":")[1]
        return f"arn:{partition}:sts::{self.role.account}:assumed-role/{self.role.name}/{self.name}"

    @property
    def user_id(self) -> str:
        return f"{self.role.role_id}:{self.name}"

    @property
    def account(self) -> str:
        return self.role.account

    @property
    def transitive_tags(self) -> dict[str, str]:
        """What the next role in a chain inherits."""
        return {key: value for key, value in self.tags.items() if key in self.transitive_tag_keys}

    @property
    def principal_tags(self) -> dict[str, str]:
        """The session's tags win over the role's."""
        return {**self.role.tags, **self.tags}


@dataclass(frozen=True)
class Caller:
    """The identity behind the signature of a call."""

    identity: User | RoleSession
    access_key_id: str
    temporary: bool = False
    mfa_at: datetime | None = None  # when the session's MFA was checked; None for none

    @property
    def arn(self) -> str:
        return self.identity.arn

    @property
    def user(self) -> User | None:
        """The user, be it with the long-term key or a session."""
        return self.identity if isinstance(self.identity, User) else None

    @property
    def principal_tags(self) -> Mapping[str, str]:
        return self.identity.tags if isinstance(self.identity, User) else self.identity.principal_tags
