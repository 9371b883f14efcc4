"""Certificates: made, read from files that change, served without closing anything."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from awssts.adapters import certificates
from awssts.adapters.authority import issue
from awssts.adapters.certificates import CertificateError, Files, ServingPair, Tls, describe

NAMES = frozenset({"localhost", "127.0.0.1", "awssts-webhook.awssts-system.svc"})
NOW = datetime.now(UTC).replace(microsecond=0)
LOOK = 0.001  # seconds


@asynccontextmanager
async def echo(tls: Tls) -> AsyncIterator[int]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line)
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls.context) as server:
        yield server.sockets[0].getsockname()[1]


class Visitor:
    """A client that trusts some authorities, and one connection of it."""

    def __init__(self, port: int, bundle: bytes, name: str | None = "localhost") -> None:
        self.port = port
        self.name = name
        self.context = ssl.create_default_context(cadata=bundle.decode())
        self.context.verify_flags |= ssl.VERIFY_X509_STRICT

    async def __aenter__(self) -> Self:
        self.reader, self.writer = await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=self.context, server_hostname=self.name
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()
        await self.writer.wait_closed()

    async def say(self, text: bytes) -> bytes:
        self.writer.write(text + b"\n")
        return (await self.reader.readline()).strip()


def write(folder: Path, pair: ServingPair) -> Files:
    """As kubelet does: a new folder, then one symbolic link is replaced."""
    new = folder / f"..{len(list(folder.iterdir()))}"
    new.mkdir()
    (new / "tls.crt").write_bytes(pair.certificate)
    (new / "tls.key").write_bytes(pair.key)
    link = folder / "..new"
    link.symlink_to(new.name)
    link.rename(folder / "..data")
    for name in ("tls.crt", "tls.key"):
        if not (folder / name).exists():
            (folder / name).symlink_to(f"..data/{name}")
    return Files(folder / "tls.crt", folder / "tls.key", LOOK)


def with_rsa() -> tuple[ServingPair, bytes]:
    """A self-signed certificate with another type of key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "other")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return ServingPair(certificate, pem), certificate


@pytest.mark.parametrize("name", sorted(NAMES))
async def test_what_is_issued_is_trusted_by_its_authority(name: str) -> None:
    pair, authority = issue(NAMES, NOW)
    tls = Tls()
    tls.use(pair)
    async with echo(tls) as port, Visitor(port, authority, name) as visitor:
        assert await visitor.say(b"hello") == b"hello"


async def test_and_by_no_other() -> None:
    tls = Tls()
    tls.use(issue(NAMES, NOW)[0])
    async with echo(tls) as port:
        with pytest.raises(ssl.SSLCertVerificationError):
            async with Visitor(port, issue(NAMES, NOW)[1]):
                pass


def test_what_is_issued_lives_for_a_year() -> None:
    found = describe(issue(NAMES, NOW)[0])
    assert found.names == NAMES
    assert found.not_before == NOW - timedelta(hours=1)
    assert found.not_after == found.not_before + timedelta(days=365)


@pytest.mark.parametrize("make", [lambda: issue(NAMES, NOW), with_rsa], ids=["ECDSA to ECDSA", "ECDSA to RSA"])
async def test_a_new_certificate_closes_nothing(make: Callable[[], tuple[ServingPair, bytes]]) -> None:
    (old, old_authority), (new, new_authority) = issue(NAMES, NOW), make()
    tls = Tls()
    tls.use(old)
    async with echo(tls) as port, Visitor(port, old_authority) as before:
        tls.use(new)
        async with Visitor(port, new_authority) as after:
            assert await before.say(b"still here") == b"still here"
            assert await after.say(b"hello") == b"hello"


async def test_a_pair_that_can_not_be_served_leaves_the_old_one() -> None:
    (old, authority), (other, _) = issue(NAMES, NOW), issue(NAMES, NOW)
    tls = Tls()
    tls.use(old)
    for bad in (ServingPair(other.certificate, old.key), ServingPair(b"x", b"y")):
        with pytest.raises(CertificateError):
            tls.use(bad)
    async with echo(tls) as port, Visitor(port, authority) as visitor:
        assert await visitor.say(b"hello") == b"hello"


@pytest.mark.parametrize("chosen", [0, 1])
def test_keys_are_not_shown(chosen: int) -> None:
    pair, _ = issue(NAMES, NOW)
    assert "PRIVATE" not in (repr, str)[chosen](pair)


async def test_without_memory_files_a_private_file_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create")
    Tls().use(issue(NAMES, NOW)[0])


async def test_files_are_followed_through_a_swap(tmp_path: Path) -> None:
    first, second = (issue(NAMES, NOW)[0] for _ in range(2))
    files = write(tmp_path, first)
    async with aclosing(files.pairs()) as pairs:
        assert await anext(pairs) == first
        write(tmp_path, second)
        assert await anext(pairs) == second


async def test_files_that_are_half_written_are_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told of once, and the old pair stays until the new one is whole."""
    first, second = (issue(NAMES, NOW)[0] for _ in range(2))
    files = write(tmp_path, first)
    states = iter(
        [
            ServingPair(second.certificate, first.key),
            ServingPair(second.certificate, b""),
            ServingPair(second.certificate, b""),
            second,
        ]
    )
    told: list[str] = []
    monkeypatch.setattr(certificates.log, "warning", lambda _, error: told.append(error), raising=False)
    async with aclosing(files.pairs()) as pairs:
        assert await anext(pairs) == first
        looks = 0

        async def look(_: float) -> None:
            nonlocal looks
            looks += 1
            write(tmp_path, next(states))

        monkeypatch.setattr("awssts.adapters.certificates.asyncio.sleep", look)
        assert await anext(pairs) == second
    assert looks == 4
    assert [text.rpartition(": ")[2] for text in told] == [
        "the key is not that of the certificate",
        "there is no certificate and unencrypted key in PEM",
    ]


@pytest.mark.parametrize(
    ("certificate", "key", "message"),
    [
        (None, None, "tls.crt: No such file or directory"),
        (b"", b"", "there is no certificate and unencrypted key in PEM"),
    ],
)
async def test_files_that_can_not_be_used_at_first_are_told(
    tmp_path: Path, certificate: bytes | None, key: bytes | None, message: str
) -> None:
    files = Files(tmp_path / "tls.crt", tmp_path / "tls.key")
    if certificate is not None and key is not None:
        files.certificate.write_bytes(certificate)
        files.key.write_bytes(key)
    async with aclosing(files.pairs()) as pairs:
        with pytest.raises(CertificateError, match=message):
            await anext(pairs)


def test_an_encrypted_key_is_refused() -> None:
    pair, _ = issue(NAMES, NOW)
    key = serialization.load_pem_private_key(pair.key, None)
    encrypted = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
    )
    with pytest.raises(CertificateError, match="unencrypted"):
        describe(ServingPair(pair.certificate, encrypted))


def test_who_vouches_for_what_is_served() -> None:
    tls = Tls()
    pair, authority = issue(NAMES, NOW)
    _, other = issue(NAMES, NOW)
    assert not tls.vouched_by(authority)
    tls.use(pair)
    for bundle, vouches in (
        (authority, True),
        (other + authority, True),
        (other, False),
        (pair.certificate, False),
        (b"", False),
        (b"nonsense", False),
    ):
        assert tls.vouched_by(bundle) == vouches
