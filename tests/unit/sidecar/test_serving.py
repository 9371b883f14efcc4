"""A sidecar over its life: credentials come, change, break and expire; probes and metrics tell."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from awssts.domain.errors import AwsstsError
from awssts.entry.sidecar import server
from awssts.entry.sidecar.server import Settings, Sidecar
from tests.unit.sidecar.samples import LATER, NOW, process_file, profile, secrets_in, vended
from tests.unit.sidecar.stage import TOKEN, Clock, Stage, head, running

BROKEN = ({"credentials.json": b"{"}, {"credentials.json": b""}, {"credentials.json": b"\xff" * 100}, {})


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with running(tmp_path) as started:
        yield started


async def key_id(stage: Stage) -> str | int:
    """Return the id of the key that is served, or the status of another answer."""
    (answer,) = await stage.ask(stage.get())
    found: str | int = json.loads(answer.body).get("AccessKeyId", answer.status)
    return found


async def probe(stage: Stage, path: str, method: str = "GET") -> tuple[int, str]:
    (answer,) = await stage.ask(head(method, path, "Host: 10.1.2.3:9912"), port=stage.health_port)
    return answer.status, answer.body.decode()


async def metrics(stage: Stage) -> dict[str, int]:
    """Return the samples, by name without the common prefix."""
    _, text = await probe(stage, "/metrics")
    samples = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name.removeprefix("awssts_sidecar_"): int(value) for name, _, value in samples}


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_on_both_loopback_addresses(stage: Stage, address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    (answer,) = await stage.ask(stage.get(host=f"{host}:{stage.port}"), address=address)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")


async def test_new_credentials_are_served(stage: Stage) -> None:
    for number in (1, 2, 3):
        stage.write(number)
        assert await key_id(stage) == vended(number).access_key_id


async def test_it_follows_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "LOOK", 0.01)
    async with running(tmp_path, follow=True) as stage, asyncio.timeout(10):
        stage.mounted.write(process_file(vended(2)))
        while await key_id(stage) != vended(2).access_key_id:
            pass


@pytest.mark.parametrize("files", BROKEN)
async def test_the_last_good_ones_until_they_expire(stage: Stage, files: dict[str, bytes]) -> None:
    stage.mounted.write(files)
    stage.sidecar.vendor.look()
    assert await key_id(stage) == vended(1).access_key_id
    assert await probe(stage, "/readyz") == (200, "ok\n")
    stage.clock.now = LATER
    (answer,) = await stage.ask(stage.get())
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert "expired at 2026-01-31T13:00:00Z" in json.loads(answer.body)["message"]
    assert await probe(stage, "/readyz") == (503, "the credentials expired at 2026-01-31T13:00:00Z\n")
    stage.mounted.write(process_file(vended(2, LATER + timedelta(hours=1))))
    stage.sidecar.vendor.look()
    assert await key_id(stage) == vended(2).access_key_id


async def test_the_folder_goes_and_comes(stage: Stage, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "mount").rename(tmp_path / "gone")
    for _ in range(3):
        stage.sidecar.vendor.look()
    assert await key_id(stage) == vended(1).access_key_id
    assert [text for text in caplog.messages if "is served" in text] == [
        f"{tmp_path / 'mount'}: No such file or directory; what was read before is served"
    ]
    (tmp_path / "gone").rename(tmp_path / "mount")
    stage.write(2)
    assert await key_id(stage) == vended(2).access_key_id


async def test_nothing_yet(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    vendor = Sidecar(Settings(folder=tmp_path / "none", token_file=tmp_path / "token"), Clock()).vendor
    assert vendor.unready() == "nothing was read yet"
    vendor.look()
    assert vendor.unready() == f"{tmp_path / 'none'}: No such file or directory"
    (tmp_path / "none").mkdir()
    vendor.look()
    assert vendor.unready().startswith("there is no credentials.json, no AWS_ACCESS_KEY_ID and no credentials: ")


async def test_an_expiry_is_told_once(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.clock.now = LATER
    for _ in range(3):
        stage.sidecar.vendor.look()
    expired = f"{vended(1).access_key_id} expired at 2026-01-31T13:00:00Z: it is served no more"
    assert caplog.messages.count(expired) == 1


async def test_without_a_known_expiration(stage: Stage) -> None:
    """What an INI file says is served for as long as it is there, and SDKs come back for the next."""
    stage.mounted.write(profile(vended(2)))
    stage.sidecar.vendor.look()
    stage.clock.now = NOW + timedelta(days=2)
    (answer,) = await stage.ask(stage.get())
    assert json.loads(answer.body)["Expiration"] == "2026-02-02T12:20:00Z"
    assert "credentials_expiration_timestamp_seconds" not in await metrics(stage)


async def test_probes(stage: Stage) -> None:
    assert await probe(stage, "/healthz") == (200, "ok\n")
    assert await probe(stage, "/readyz") == (200, "ok\n")
    stage.token_file.unlink()
    assert await probe(stage, "/readyz") == (503, "there is no token\n")
    assert await probe(stage, "/healthz") == (200, "ok\n")
    for path in ("/", "/credentials", "//healthz", "/healthz?x"):
        assert (await probe(stage, path))[0] == 404
    assert (await probe(stage, "/healthz", "POST"))[0] == 405


async def test_metrics(stage: Stage) -> None:
    await stage.ask(stage.get() * 2, stage.get(token="wrong"))
    stage.mounted.write({})
    stage.sidecar.vendor.look()
    assert await metrics(stage) == {
        "ready": 1,
        "credentials_expiration_timestamp_seconds": int(LATER.timestamp()),
        'reads_total{outcome="taken"}': 1,
        'reads_total{outcome="refused"}': 1,
        'requests_total{status="200"}': 2,
        'requests_total{status="403"}': 1,
        "connections": 0,
        'connections_cut_total{reason="evicted"}': 0,
        'connections_cut_total{reason="late"}': 0,
    }


async def test_metrics_are_in_prometheus_form_and_tell_nothing(stage: Stage) -> None:
    (answer,) = await stage.ask(head("GET", "/metrics", "Host: x"), port=stage.health_port)
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    text = answer.body.decode()
    assert not any(part in text for part in (*secrets_in(vended(1)), TOKEN))
    comment = r"# (HELP \w+ \S.*|TYPE \w+ (gauge|counter))"
    sample = r'awssts_sidecar_\w+(\{\w+="\w+"\})? \d+'
    assert [line for line in text.splitlines() if not re.fullmatch(f"{comment}|{sample}", line)] == []


async def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        settings = Settings(folder=tmp_path, token_file=tmp_path / "token", port=port, health_port=0)
        sidecar = Sidecar(settings, Clock())
        with pytest.raises(AwsstsError, match=f"can't listen on 127.0.0.1, port {port}: Address already in use$"):
            await sidecar.start()
        await sidecar.stop()


async def test_a_pod_without_ipv6(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "LOOPBACK", ("127.0.0.1", "2001:db8::1"))
    async with running(tmp_path) as stage:
        assert await stage.status(stage.get()) == [200]


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("192.0.2.1", r"can't listen on 192\.0\.2\.1: this pod has no such address"),
        ("300.1.2.3", r"can't listen on '300\.1\.2\.3': that is no address"),
        ("::1::", "can't listen on '::1::': that is no address"),
    ],
)
async def test_an_address_that_can_not_be(tmp_path: Path, address: str, problem: str) -> None:
    settings = Settings(folder=tmp_path, token_file=tmp_path / "token", health_address=address)
    with pytest.raises(AwsstsError, match=problem):
        await Sidecar(settings, Clock()).start()
