"""How the operator and the gateway run."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """How the admission webhook is served: with a certificate from files, or with one of its own making."""

    port: int
    certificate: Path | None = None
    key: Path | None = None
    namespace: str = "awssts-system"  # the operator's own: of the Service, and of the Secrets that the webhook keeps
    service: str = "awssts-webhook"
    registration: str = "awssts"  # name of both webhook configurations
    sidecar_image: str | None = None  # added to pods that ask for it


@dataclass(frozen=True, slots=True, kw_only=True)
class Election:
    """Which Lease the process has to hold to work."""

    namespace: str
    name: str = "awssts"


@dataclass(frozen=True, slots=True)
class Shard:
    """Which namespaces the process works in: one of ``count`` parts, the first is 0."""

    index: int = 0
    count: int = 1

    @classmethod
    def read(cls, text: str) -> "Shard":
        """Return the shard that a text like ``0/4`` names.

        Raises:
            ValueError: it names none.
        """
        found = re.fullmatch(r"(\d{1,3})/(\d{1,3})", text, re.ASCII)
        if found is None or not int(found[1]) < int(found[2]):
            raise ValueError(f"{text!r} is no part of a whole: write 0/4, 1/4, 2/4 and 3/4 for four")
        return cls(int(found[1]), int(found[2]))

    def named(self, name: str) -> str:
        """Return a name for this shard alone, where there are others."""
        return name if self.count == 1 else f"{name}-{self.index}"

    def has(self, namespace: str) -> bool:
        """Whether a namespace is of this part; its devices and sessions are, then, too."""
        digest = hashlib.sha256(namespace.encode()).digest()
        return int.from_bytes(digest[:8]) % self.count == self.index


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the operator runs."""

    namespaces: Sequence[str] = ()  # all when empty
    region: str | None = None
    policies: bool = True
    admission: Admission | None = None
    election: Election | None = None
    shard: Shard = Shard()
    metrics_port: int | None = None
    workers: int = 16
    sts_concurrency: int = 8
    sts_rate: float = 200.0  # calls a second


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """How the gateway runs."""

    namespaces: Sequence[str]  # of the users
    port: int
    host: str | None = None  # all addresses when None
    certificate: Path | None = None  # without one and its key: no TLS
    key: Path | None = None
    proxies: Sequence[IPv4Network | IPv6Network] = ()  # whose X-Forwarded-For is believed
    region: str = "us-east-1"
    patience: timedelta = timedelta(seconds=50)
    remember: timedelta = timedelta()
    sts_concurrency: int = 8
    sts_rate: float = 200.0  # calls a second
