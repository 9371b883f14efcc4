"""What an evaluation looks at: all that is known of one request at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from awssts.domain.names import LAST_APPLIED, TOKEN_CODE
from awssts.domain.policy import principal
from awssts.domain.policy.principal import Attributes
from awssts.domain.policy.registry import AuthenticationMethod

_UNSEEN = frozenset({TOKEN_CODE, LAST_APPLIED})
NO_WEBHOOK = "serve the admission webhook (awssts operator --admission-port), and apply the request again"
_SERVICE_ACCOUNT = "system:serviceaccount:"
_CREDENTIAL_ID = "authentication.kubernetes.io/credential-id"


class Device(StrEnum):
    """What the request's ``spec.mfa`` offers: a seed, or only a serial number."""

    TOTP = "Totp"
    MANUAL = "Manual"


@dataclass(frozen=True, kw_only=True)
class RequestFacts:
    """The request. ``duration`` (seconds) and ``role_arn`` are None where the spec gives none; ``role_fields`` are the
    names of those of its role that say who is at work."""

    name: str
    namespace: str
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    duration: int | None = None
    role_arn: str | None = None
    role_fields: tuple[str, ...] = ()
    device: Device | None = None

    @cached_property
    def properties(self) -> dict[str, str]:
        """The annotations, less those that hold a person's code."""
        return {key: value for key, value in self.annotations.items() if key not in _UNSEEN}

    @property
    def service(self) -> str:
        """What CAS calls the service: namespace/name."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, kw_only=True)
class NamespaceFacts:
    """The request's namespace."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def principal(self) -> Attributes:
        """What it says of its principals.

        Raises:
            PrincipalInvalid: it can't be read as it is written.
        """
        return principal.from_metadata(f"namespace {self.name}:", self.annotations, self.labels)


@dataclass(frozen=True, kw_only=True)
class SecretFacts:
    """The credentials Secret. ``keys``: it holds some; ``attributes``: the text under the key of that name."""

    name: str
    keys: bool = True
    labelled: bool = False
    annotations: Mapping[str, str] = field(default_factory=dict)
    attributes: str | None = None

    @cached_property
    def principal(self) -> Attributes:
        """What it says of its principal; read once, however often an evaluation asks.

        Raises:
            PrincipalInvalid: it can't be read as it is written.
        """
        where = f"Secret {self.name}:"
        by_key = principal.from_yaml(self.attributes, f"{where} attributes") if self.attributes else {}
        return {**by_key, **principal.from_metadata(where, self.annotations)}


@dataclass(frozen=True, kw_only=True)
class Authentication:
    """Who applied the request, as the admission webhook stamped it."""

    username: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def method(self) -> AuthenticationMethod:
        """How he had signed in: the API server tells certificates by the credential's id."""
        if self.username.startswith(_SERVICE_ACCOUNT):
            return AuthenticationMethod.SERVICE_ACCOUNT
        if any(value.startswith("X509SHA256=") for value in self.extra.get(_CREDENTIAL_ID, ())):
            return AuthenticationMethod.CERTIFICATE
        return AuthenticationMethod.USER

    @property
    def service_account(self) -> str | None:
        """The service account as namespace/name, where it is one."""
        if not self.username.startswith(_SERVICE_ACCOUNT):
            return None
        return self.username.removeprefix(_SERVICE_ACCOUNT).replace(":", "/", 1)

    @property
    def attributes(self) -> dict[str, tuple[str, ...]]:
        """Name → values. The user's extra can't replace what the API server itself says."""
        own = {"username": (self.username,), "groups": self.groups, "method": (str(self.method),)}
        return {**self.extra, **({"uid": (self.uid,)} if self.uid else {}), **own}


@dataclass(frozen=True, kw_only=True)
class History:
    """What came before: ``failures`` in a row, ``key_changed`` since the last issuance."""

    last_issuance: datetime | None = None
    key_changed: bool = False
    failures: int = 0


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that is known. ``secret`` is None where there is no credentials Secret; ``authentication`` where it is not
    known who applied the request, and ``doubt`` says why, and what to do; ``now`` is aware."""

    request: RequestFacts
    namespace: NamespaceFacts
    now: datetime
    secret: SecretFacts | None = None
    authentication: Authentication | None = None
    doubt: str = NO_WEBHOOK
    history: History = History()

    @property
    def has_keys(self) -> bool:
        """Tell whether the principal has keys of its own."""
        return self.secret is not None and self.secret.keys
