"""Certificates without cert-manager: kept in a Secret that all replicas share, renewed by whichever comes first."""

import asyncio
import base64
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from awssts.adapters.authority import issue
from awssts.adapters.certificates import CertificateError, ServingPair, describe, signed
from awssts.adapters.webhooks import Registration
from awssts.domain import rotation
from awssts.domain.errors import AwsstsError, ClusterForbidden
from awssts.domain.rotation import Certificate, Step

log = structlog.get_logger(__name__)

SECRET = "awssts-webhook-tls"  # noqa: S105 - a Secret's name
LOOK = 300.0  # seconds between looks at the Secret and at what the API server trusts
RETRY = 2.0  # seconds, after a look that failed


class Cluster(Protocol):
    """The Kubernetes API; see ``awssts.adapters.webhooks``."""

    async def secret(self, namespace: str, name: str) -> dict[str, Any] | None: ...
    async def write_secret(self, namespace: str, name: str, data: dict[str, bytes], version: str | None) -> None: ...
    async def trust(self, registration: Registration, bundle: bytes) -> bool: ...


@dataclass(frozen=True, slots=True)
class Held:
    """What the Secret holds, as far as it can be used. ``authorities``: the newest first."""

    current: ServingPair | None = None
    announced: ServingPair | None = None
    authorities: tuple[x509.Certificate, ...] = ()

    @property
    def bundle(self) -> bytes:
        """What the API server shall trust, in PEM."""
        return b"".join(authority.public_bytes(Encoding.PEM) for authority in self.authorities)

    @property
    def data(self) -> dict[str, bytes]:
        """The Secret's data."""
        pairs = ("tls", self.current), ("next", self.announced)
        found = {"ca.crt": self.bundle}
        for name, pair in pairs:
            if pair:
                found |= {f"{name}.crt": pair.certificate, f"{name}.key": pair.key}
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfMade:
    """The certificate for ``names``; what was given to the API server to trust comes before what is served."""

    cluster: Cluster
    namespace: str
    names: frozenset[str]
    registrations: tuple[Registration, ...]
    clock: Callable[[], datetime]
    look: float = LOOK
    retry: float = RETRY

    async def pairs(self) -> AsyncGenerator[ServingPair]:
        """Yield the pair to serve, and each that takes its place.

        Raises:
            ClusterForbidden: at first: the rights do not suffice.
        """
        served: ServingPair | None = None
        while True:
            pause = self.retry
            try:
                pair = await self.renewed()
            except AwsstsError as error:
                if served is None and isinstance(error, ClusterForbidden):
                    raise
                log.warning("the webhook's certificate can't be looked after", error=error.message)
            else:
                pause = self.look
                if pair != served:
                    served = pair
                    yield pair
            await asyncio.sleep(pause)

    async def renewed(self) -> ServingPair:
        """Return the pair to serve now, having made and announced what was due."""
        secret = await self.cluster.secret(self.namespace, SECRET)
        held, now = _held((secret or {}).get("data") or {}), self.clock()
        step = rotation.step(_described(held.current), _described(held.announced), self.names, now)
        after = self._after(step, held, now)
        if step is not Step.KEEP:
            version = secret["metadata"]["resourceVersion"] if secret else None
            await self.cluster.write_secret(self.namespace, SECRET, after.data, version)
            log.info("the webhook's certificate is renewed", step=step.value)
        for registration in self.registrations:
            await self.cluster.trust(registration, after.bundle)  # where it is missing, services.registrations says so
        if after.current is None:
            raise CertificateError(f"Secret {SECRET} holds no certificate")
        return after.current

    def _after(self, step: Step, held: Held, now: datetime) -> Held:
        """Return what the Secret has to hold."""
        match step:
            case Step.ISSUE | Step.ANNOUNCE:
                old = _described(held.current)  # replicas of another version may want names of their own
                also = old.names if old and step is Step.ISSUE else frozenset()
                pair, authority = issue(self.names | also, now)
                living = [known for known in held.authorities if known.not_valid_after_utc > now]
                authorities = (x509.load_pem_x509_certificate(authority), *living)[: rotation.KEPT]
                if step is Step.ISSUE:
                    return Held(current=pair, authorities=authorities)
                return Held(current=held.current, announced=pair, authorities=authorities)
            case Step.PROMOTE:
                return Held(current=held.announced, authorities=held.authorities)
            case Step.KEEP:
                return held


def _held(data: Mapping[str, str]) -> Held:
    """Return what of the Secret's data can be used: somebody may have written anything into it."""
    decoded = {key: base64.b64decode(value) for key, value in data.items()}
    try:
        authorities = tuple(x509.load_pem_x509_certificates(decoded.get("ca.crt", b"")))
    except ValueError:
        authorities = ()
    pairs = (ServingPair(decoded.get(f"{name}.crt", b""), decoded.get(f"{name}.key", b"")) for name in ("tls", "next"))
    current, announced = (pair if _usable(pair, authorities) else None for pair in pairs)
    return Held(current, announced, authorities)


def _usable(pair: ServingPair, authorities: tuple[x509.Certificate, ...]) -> bool:
    """Whether the key is the certificate's, and one of the authorities has signed it."""
    try:
        describe(pair)
    except CertificateError:
        return False
    certificate = x509.load_pem_x509_certificate(pair.certificate)
    return any(signed(certificate, authority) for authority in authorities)


def _described(pair: ServingPair | None) -> Certificate | None:
    return describe(pair) if pair else None
