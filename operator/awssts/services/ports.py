"""What the services need of the outside."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import Any, Protocol

from awssts.domain.conditions import Event
from awssts.domain.keys import Credentials, KeyPair
from awssts.domain.request import Identity
from awssts.domain.resources import Role, Workload

Json = dict[str, Any]
Clock = Callable[[], datetime]


class Cluster(Protocol):
    """The Kubernetes API; see ``awssts.adapters.cluster``."""

    async def request(self, namespace: str, name: str) -> Json | None: ...
    async def secret(self, namespace: str, name: str) -> Json | None: ...
    async def namespace_metadata(self, name: str) -> Json | None: ...
    async def secret_metadata(self, namespace: str, name: str) -> Json | None: ...
    def target_metadata(self, namespaces: Sequence[str]) -> AsyncIterator[Json]: ...
    async def create_secret(self, secret: Json) -> Json: ...
    async def apply_secret(self, secret: Json) -> Json: ...
    async def take_token_code(self, identity: Identity, code: str) -> bool: ...
    async def apply_status(self, identity: Identity, status: Json) -> Json | None: ...
    async def patch_workload(self, namespace: str, workload: Workload, change: Json) -> bool: ...


class Sts(Protocol):
    """AWS STS; see ``awssts.adapters.sts``."""

    async def session_token(
        self,
        key: KeyPair,
        *,
        region: str | None,
        lifetime: int,
        serial: str | None = None,
        code: str | None = None,
    ) -> Credentials: ...

    async def role_credentials(
        self,
        key: KeyPair | Credentials,
        role: Role,
        *,
        session_name: str,
        region: str | None,
        lifetime: int,
        serial: str | None = None,
        code: str | None = None,
    ) -> Credentials: ...


class Events(Protocol):
    """Where Kubernetes Events go; a lost one stops nothing."""

    def publish(self, identity: Identity, event: Event) -> None: ...


class Telemetry(Protocol):
    """Where counts go; see ``awssts.adapters.telemetry``."""

    def issued(self, cause: str) -> None: ...
    def failed(self, reason: str) -> None: ...
    def decided(self, trigger: str, outcome: str) -> None: ...
    def cluster_failed(self, reason: str) -> None: ...
    def restarted(self, *, done: bool) -> None: ...


class Silence:
    """Counts nothing: nobody asks."""

    def issued(self, cause: str) -> None:
        """Pass over credentials that were issued."""

    def failed(self, reason: str) -> None:
        """Pass over an attempt that failed."""

    def decided(self, trigger: str, outcome: str) -> None:
        """Pass over a decision over MFA."""

    def cluster_failed(self, reason: str) -> None:
        """Pass over an error of the cluster."""

    def restarted(self, *, done: bool) -> None:
        """Pass over a restart of workloads."""
