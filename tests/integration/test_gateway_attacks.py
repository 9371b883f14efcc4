"""What those try who have no password, or more time than they need: guessing, listening, holding on."""

from __future__ import annotations

import itertools
import socket
import ssl
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration import gateways, policies
from tests.integration.gateways import PASSWORD, People
from tests.integration.patience import eventually

if TYPE_CHECKING:
    from testbed.sts import Device, StrictSts, User
    from tests.integration.gateways import GatewayProcess, Place

place, gateway, people, device = gateways.place, gateways.gateway, gateways.people, policies.device
FAILED = 401, "Authentication failed"
FORM = "Content-Type: application/x-www-form-urlencoded\r\n"


def connect(gateway: GatewayProcess) -> ssl.SSLSocket:
    trusted = ssl.create_default_context(cafile=gateway.authority)
    plain = socket.create_connection(("127.0.0.1", gateway.port), timeout=30)
    return trusted.wrap_socket(plain, server_hostname="localhost")


def answer_to(gateway: GatewayProcess, *parts: bytes, pause: float = 0) -> bytes:
    """What comes back until the gateway ends the connection."""
    with closing(connect(gateway)) as connection:
        received = b""
        try:
            for part in parts:
                connection.sendall(part)
                if pause:
                    eventually(gateways.elapsed(pause), "a slow client")
            while chunk := connection.recv(65536):
                received += chunk
        except OSError:
            return received
        return received


class TestGuessing:
    def test_passwords_of_one_user(self, people: People, user: User) -> None:
        """From as many addresses as one likes: eight guesses, then fewer and fewer; then even the right one waits."""
        anna = people.add(keys=user)
        people.settle()
        addresses = (f"10.50.{number}.1" for number in itertools.count())
        with ThreadPoolExecutor(8) as pool:
            guesses = [pool.submit(people.call, anna, f"guess-{n}", address=next(addresses)) for n in range(30)]
        looked_at = [answer for answer in (guess.result() for guess in guesses) if answer.status != 429]
        assert {answer.said for answer in looked_at} == {FAILED}
        assert 8 <= len(looked_at) <= 13

        def locked() -> int:
            answer = people.call(anna, "guess", address=next(addresses))
            return int(answer.headers.get("Retry-After", 0)) // 8

        eventually(locked, "a lock of eight seconds")
        answer = people.call(anna, PASSWORD, address=next(addresses))
        assert answer.status == 429
        wait = int(answer.headers["Retry-After"])
        eventually(gateways.elapsed(wait), "the end of it", timeout=wait + 5)
        assert people.call(anna, PASSWORD, address=next(addresses)).status == 200

    def test_users_from_one_address(self, people: People) -> None:
        """One password for many users."""
        address = "2001:db8:1:2::{:x}"  # within the network that one customer has
        names = [f"name-{number}" for number in range(60)]
        answers = [people.call(name, "guess", address=address.format(i + 1)) for i, name in enumerate(names)]
        statuses = [answer.status for answer in answers]
        assert set(statuses) == {401, 429}
        assert statuses.count(401) <= 44
        assert people.call("somebody", "guess", address="2001:db8:1:3::1").status == 401

    def test_codes_of_somebody_whose_password_is_known(
        self, people: People, sts: StrictSts, user: User, device: Device
    ) -> None:
        """Also between calls that ask what is needed, which take nothing back."""
        anna = people.add(keys=user, mfa={"serialNumber": device.serial_number})
        people.settle()
        wrong = (f"{number:06}" for number in itertools.count())
        statuses = []
        for _ in range(14):
            statuses.append(people.call(anna, token=next(wrong)).status)
            people.call(anna)
        assert 429 in statuses
        assert statuses.index(429) <= 9
        assert sts.counters().codes.get(device.serial_number, 0) <= 10

    def test_forged_addresses(self, place: Place) -> None:
        """X-Forwarded-For of whoever is no known proxy counts for nothing."""
        with place.gateway(proxies="192.0.2.0/24") as running:
            people = People(place.space, place.sts, running)
            people.call("nobody", "guess", address="10.66.0.1")
            assert [line["address"] for line in people.audit()] == ["127.0.0.1"]

    def test_who_there_is_takes_no_less_time(self, people: People, user: User) -> None:
        """One after the other, so that both see the same machine; medians within a half of each other."""
        anna = people.add(keys=user)
        people.settle()
        times: dict[str, list[float]] = {anna: [], "nobody-of-that-name": []}
        for number in range(7):
            for name, taken in times.items():
                begin = time.perf_counter()
                assert people.call(name, "wrong", address=f"10.70.{number}.1").said == FAILED
                taken.append(time.perf_counter() - begin)
        known, unknown = (statistics.median(taken) for taken in times.values())
        assert unknown > known / 1.5
        assert known > unknown / 1.5


class TestHoldingOn:
    def test_headers_that_never_end(self, gateway: GatewayProcess, people: People) -> None:
        begin = time.monotonic()
        with ThreadPoolExecutor(20) as pool:
            slow = [
                pool.submit(answer_to, gateway, b"POST /actuator/awsSts HTTP/1.1\r\nHost: x\r\n") for _ in range(20)
            ]
            assert people.send("GET", "/healthz").status == 200
            assert [each.result() for each in slow] == [b""] * 20
        assert time.monotonic() - begin < 25

    def test_a_body_that_never_ends(self, gateway: GatewayProcess) -> None:
        head = f"POST /actuator/awsSts HTTP/1.1\r\nHost: x\r\n{FORM}Content-Length: 100\r\n\r\nusername=".encode()
        assert answer_to(gateway, head).startswith(b"HTTP/1.1 408 ")

    @pytest.mark.parametrize(
        ("head", "body", "statuses"),
        [
            (FORM + "Content-Length: 20000\r\n", b"username=" + b"a" * 19_991, {b"413"}),
            (FORM + "Transfer-Encoding: chunked\r\n", b"4e20\r\n" + b"a" * 20_000 + b"\r\n0\r\n\r\n", {b"413"}),
            ("X-Long: " + "a" * 20_000 + "\r\n", b"", {b"400"}),
            ("".join(f"X-{number}: a\r\n" for number in range(500)), b"", {b"400"}),
            (FORM + "Content-Length: -1\r\n", b"", {b"400"}),
            (FORM + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n", {b"400"}),
            (FORM + "Content-Encoding: gzip\r\nContent-Length: 3\r\n", b"a=b", {b"415"}),
            (FORM + "Content-Length: 3\r\n", b"\xff=\xfe", {b"400"}),
            (FORM + "Content-Length: 9\r\n", b"a=%ff%fe%", {b"400"}),
            (FORM + "Content-Length: 240\r\n", b"a=&" * 80, {b"400"}),
        ],
        ids=[
            "large",
            "large in chunks",
            "header",
            "headers",
            "length",
            "smuggling",
            "gzip",
            "bytes",
            "escapes",
            "many",
        ],
    )
    def test_limits(self, gateway: GatewayProcess, head: str, body: bytes, statuses: set[bytes]) -> None:
        request = f"POST /actuator/awsSts HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{head}\r\n".encode() + body
        assert answer_to(gateway, request)[9:12] in statuses

    def test_a_target_that_is_too_long(self, gateway: GatewayProcess) -> None:
        request = b"POST /actuator/awsSts?a=" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"
        assert answer_to(gateway, request)[9:12] == b"400"

    def test_no_tls(self, gateway: GatewayProcess, people: People) -> None:
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=30) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert connection.recv(100) == b""
        assert people.send("GET", "/healthz").status == 200

    def test_memory_stays(self, gateway: GatewayProcess, people: People) -> None:
        """Two verifications at once, whoever comes: 64 MB beside what it needs itself."""
        with ThreadPoolExecutor(30) as pool:
            list(pool.map(lambda n: people.call(f"some-{n}", "guess", address=f"10.80.{n}.1"), range(90)))
        status = Path(f"/proc/{gateway.pid}/status").read_text().splitlines()
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
        assert peak < 260_000, f"{peak} kB"


def test_secrets_of_calls_are_in_no_log(people: People) -> None:
    """Also of those that fail early, and at debug level."""
    secret = "s3cr3t-of-a-call-in-the-query"
    people.call("anna", None, query={"password": secret})
    people.call("anna", secret, query={"duration": "x"})
    people.send("POST", f"/actuator/awsSts?password={secret}&token={secret}", b"{}", {"Content-Type": "text/xml"})
    people.send("GET", f"/nowhere?password={secret}")
    answer_to(people.gateway, f"POST /actuator/awsSts?password={secret} HTTP/9.9\r\n\r\n".encode())
    answer_to(people.gateway, f"POST /?{secret}\x01 HTTP/1.1\r\nBad header {secret}\r\n\r\n".encode())
    assert secret not in people.gateway.said()


def test_a_new_certificate(place: Place) -> None:
    """Looked for each ten seconds; the old one is served until then, and nobody is cut off."""
    with place.gateway() as running:
        people = People(place.space, place.sts, running)
        before = served(running)
        running.renew_certificate()
        eventually(lambda: served(running) != before, "the new certificate", timeout=30)
        assert people.send("GET", "/healthz").status == 200


def served(gateway: GatewayProcess) -> bytes | None:
    with closing(connect(gateway)) as connection:
        return connection.getpeercert(binary_form=True)
