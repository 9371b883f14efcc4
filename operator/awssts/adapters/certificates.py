"""Serving certificates: read from files that change, and put into a TLS context that is in use.

Private keys stay in memory: the one way into an ``SSLContext`` is a file, so they go there by an anonymous one.
"""

import asyncio
import os
import ssl
import tempfile
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from awssts.domain.errors import AwsstsError
from awssts.domain.rotation import Certificate
from awssts.domain.status import timestamp

log = structlog.get_logger(__name__)

LOOK = 10.0  # seconds between looks at the files: a mounted Secret takes a minute anyway


class CertificateError(AwsstsError):
    """A certificate can't be served."""


@dataclass(frozen=True, slots=True)
class ServingPair:
    """A certificate, with those between it and its authority, and its key, in PEM."""

    certificate: bytes
    key: bytes = field(repr=False)


class Tls:
    """A server's TLS context whose certificate can be changed while it is in use.

    Each handshake is led to the context of the newest pair. To load a pair into a context that is in use would not
    do: OpenSSL keeps one certificate for each type of key, so that an old ECDSA one would outlive a new RSA one.
    """

    def __init__(self) -> None:
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.sni_callback = self._lead  # called for every handshake, also without a server name
        self._newest: ssl.SSLContext | None = None
        self._served = b""

    def use(self, pair: ServingPair) -> None:
        """Have new connections served with that pair; those that are open stay.

        Raises:
            CertificateError: it can't be served; what was served before still is.
        """
        found = describe(pair)
        loaded = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        with _as_file(pair.key + b"\n" + pair.certificate) as path:
            try:
                loaded.load_cert_chain(path)
            except ssl.SSLError as error:
                raise CertificateError(f"OpenSSL does not take the certificate: {error.reason}") from None
        self._newest, self._served = loaded, pair.certificate
        log.info("serving certificate", names=sorted(found.names), expires=timestamp(found.not_after))

    def vouched_by(self, bundle: bytes) -> bool:
        """Whether somebody who trusts these authorities (PEM) trusts what is served."""
        try:
            authorities = x509.load_pem_x509_certificates(bundle)
            chain = x509.load_pem_x509_certificates(self._served)
        except ValueError:
            return False
        return any(signed(one, authority) for one in chain for authority in authorities)

    def _lead(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        if self._newest is not None:
            connection.context = self._newest


def describe(pair: ServingPair) -> Certificate:
    """Return what counts of the certificate.

    Raises:
        CertificateError: it is none, or the key is not its own.
    """
    try:
        certificate = x509.load_pem_x509_certificate(pair.certificate)
        key = serialization.load_pem_private_key(pair.key, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise CertificateError("there is no certificate and unencrypted key in PEM") from None
    if certificate.public_key() != key.public_key():
        raise CertificateError("the key is not that of the certificate")
    try:
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names = frozenset[str]()
    else:
        addresses = alternatives.get_values_for_type(x509.IPAddress)
        names = frozenset(alternatives.get_values_for_type(x509.DNSName)) | {str(address) for address in addresses}
    return Certificate(names, certificate.not_valid_before_utc, certificate.not_valid_after_utc)


def signed(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """Whether the authority has signed the certificate."""
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


@dataclass(frozen=True, slots=True)
class Files:
    """A certificate and its key in files that somebody else renews: cert-manager, kubelet, a person."""

    certificate: Path
    key: Path
    look: float = LOOK

    async def pairs(self) -> AsyncGenerator[ServingPair]:
        """Yield the pair, and each that takes its place. A change that is only half there yet is waited for.

        Raises:
            CertificateError: at first: the files are not there, or can't be used.
        """
        held = self.read()
        yield held
        trouble = ""
        while True:
            await asyncio.sleep(self.look)
            try:
                found = self.read()
            except CertificateError as error:
                if error.message != trouble:
                    log.warning("the certificate files can't be used; the old one is served on", error=error.message)
                trouble = error.message
                continue
            trouble = ""
            if found != held:
                held = found
                yield held

    def read(self) -> ServingPair:
        """Return what is in the files.

        Raises:
            CertificateError: they can't be read, or don't belong together.
        """
        try:
            pair = ServingPair(self.certificate.read_bytes(), self.key.read_bytes())
        except OSError as error:
            raise CertificateError(f"{error.filename}: {error.strerror}") from None
        try:
            describe(pair)
        except CertificateError as error:
            raise CertificateError(f"{self.certificate}, {self.key}: {error.message}") from None
        return pair


@contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """Yield a path to the content: on Linux in memory only, elsewhere a file that nobody else can read."""
    create: Callable[[str], int] | None = getattr(os, "memfd_create", None)
    if create is None:
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            yield file.name
        return
    with os.fdopen(create("awssts-serving"), "wb") as file:
        file.write(content)
        file.flush()
        yield f"/proc/self/fd/{file.fileno()}"
