"""`awssts sidecar` as a process: its options, its size, its beginning and its end."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from awssts.domain import container_protocol
from awssts.domain.container_protocol import PATH
from awssts.entry.cli import main as awssts
from awssts.entry.sidecar import command, connection, health
from awssts.entry.sidecar.server import Settings
from testbed.process import wait_until
from testbed.sidecar import PROGRAM, SidecarProcess
from tests.unit.sidecar.samples import process_file, secrets_in, vended

ROOT = Path(__file__).parents[3]
DOCUMENT = (ROOT / "docs" / "sidecar.md").read_text()
SOURCES = "".join(Path(module.__file__).read_text() for module in (container_protocol, connection, health))
PARSER = command.parser("awssts sidecar")
LARGE = {
    "aiohttp",
    "boto3",
    "botocore",
    "click",
    "kopf",
    "kubernetes",
    "prometheus_client",
    "pydantic",
    "structlog",
    "yaml",
}


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """The settings that it would have run with."""
    found: list[Settings] = []

    async def note(settings: Settings) -> None:
        found.append(settings)

    monkeypatch.setattr(command, "run", note)
    monkeypatch.setattr(command.logging, "basicConfig", lambda **_: None)
    return found


def test_defaults(started: list[Settings]) -> None:
    assert command.main(["--dir", "/d", "--token-file", "/t"]) == 0
    assert started == [Settings(folder=Path("/d"), token_file=Path("/t"))]


def test_all_options(started: list[Settings]) -> None:
    flags = "--dir /d --port 1 --health-port 0 --health-address ::1 --token-file /t --create-token --log-level error"
    assert command.main(flags.split()) == 0
    assert started == [
        Settings(
            folder=Path("/d"),
            port=1,
            health_port=0,
            health_address="::1",
            token_file=Path("/t"),
            create_token=True,
        )
    ]


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        ("", "the following arguments are required: --dir, --token-file"),
        ("--dir /d", "the following arguments are required: --token-file"),
        ("--dir /d --token-file /t --port 0", "argument --port: '0' is not a port, 1 to 65535"),
        ("--dir /d --token-file /t --port 65536", "argument --port: '65536' is not a port, 1 to 65535"),
        ("--dir /d --token-file /t --health-port x", "argument --health-port: 'x' is not a port, 0 to 65535"),
        ("--dir /d --token-file /t --token secret", "unrecognized arguments: --token"),
    ],
)
def test_wrong_options(flags: str, problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(flags.split())
    assert ended.value.code == 2
    assert problem in capsys.readouterr().err


def test_the_command_line_of_the_rest_knows_it(started: list[Settings]) -> None:
    done = CliRunner().invoke(awssts, ["sidecar", "--dir", "/d", "--token-file", "/t", "--create-token"])
    assert done.exit_code == 0
    assert started == [Settings(folder=Path("/d"), token_file=Path("/t"), create_token=True)]
    assert "  sidecar " in CliRunner().invoke(awssts, ["--help"]).stdout


def test_help() -> None:
    done = subprocess.run([PROGRAM, "sidecar", "--help"], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.startswith("Usage: awssts sidecar --dir DIR --token-file FILE")
    for flag in ("--create-token", "--port", "--health-port", "--health-address", "--log-level"):
        assert f"\n  {flag} " in done.stdout


def test_the_document_has_all_of_it() -> None:
    """Each option, each code of an error, each metric."""
    options = {f"`{flag}" for flag in re.findall(r"^  (--[a-z-]+)", PARSER.format_help(), re.MULTILINE)}
    codes = {f"`{code}`" for code in re.findall(r'failure\(\s*[\w.]+,\s*"(\w+)"', SOURCES)}
    metrics = {f"`awssts_sidecar_{name}" for name in re.findall(r'_family\("(\w+)"', SOURCES)}
    assert (len(options), len(codes), len(metrics)) == (7, 11, 6)
    assert [each for each in options | codes | metrics if each not in DOCUMENT] == []


def test_the_example_fits(started: list[Settings]) -> None:
    """What the sidecar is told there, and what its neighbour is."""
    *_, deployment = yaml.safe_load_all((ROOT / "examples" / "07-sidecar-by-hand.yaml").read_text())
    pod = deployment["spec"]["template"]["spec"]
    (sidecar,), (program,) = pod["initContainers"], pod["containers"]
    name, *flags = sidecar["args"]
    assert name == "sidecar"
    assert command.main(flags) == 0
    (settings,) = started
    environment = {each["name"]: each["value"] for each in program["env"]}
    assert environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] == f"http://127.0.0.1:{settings.port}{PATH.decode()}"
    assert environment["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] == str(settings.token_file)
    assert sidecar["startupProbe"]["httpGet"] == {"path": "/readyz", "port": settings.health_port}
    mounts = {mount["name"]: mount["mountPath"] for mount in sidecar["volumeMounts"]}
    assert mounts == {"aws": str(settings.folder), "awssts-token": str(settings.token_file.parent)}


def test_nothing_large_is_imported() -> None:
    code = (
        "import sys; sys.argv = ['awssts', 'sidecar', '--dir', '/none', '--token-file', '/none/token', "
        "'--create-token']\n"
        "import awssts.__main__\n"
        "try: awssts.__main__.main()\n"
        "finally: print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 1
    assert done.stderr.startswith("Error: --create-token can't write /none/token: ")
    found = set(done.stdout.split())
    assert "h11" in found
    assert found & LARGE == set()


def get(sidecar: SidecarProcess, connection: http.client.HTTPConnection) -> int:
    """Return the status of a request with the token, on a connection that stays."""
    connection.request("GET", "/credentials", headers={"Authorization": sidecar.token_file.read_text()})
    answer = connection.getresponse()
    answer.read()
    return answer.status


def memory(sidecar: SidecarProcess, kind: str) -> int:
    """Return what the system says of it, in kB."""
    lines = Path(f"/proc/{sidecar.process.pid}/status").read_text().splitlines()
    (size,) = [int(line.split()[1]) for line in lines if line.startswith(f"{kind}:")]
    return size


@pytest.fixture
def running(tmp_path: Path) -> Iterator[SidecarProcess]:
    sidecar = SidecarProcess(tmp_path, "--health-address=127.0.0.1")
    sidecar.mounted.write(process_file(vended(1, None)))
    with sidecar:
        yield sidecar


@pytest.fixture
def kept(running: SidecarProcess) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=10)
    yield connection
    connection.close()


def test_its_end(running: SidecarProcess, kept: http.client.HTTPConnection) -> None:
    """It closes what is idle, and ends well at once."""
    assert get(running, kept) == 200
    os.kill(running.process.pid, signal.SIGTERM)
    wait_until(lambda: not running.process.alive, timeout=5, what="the end")
    assert running.process.returncode == 0
    assert kept.sock is not None
    assert kept.sock.recv(1) == b""


def test_its_log_has_the_key_id_and_nothing_else_of_it(
    running: SidecarProcess, kept: http.client.HTTPConnection
) -> None:
    assert get(running, kept) == 200
    running.stop()
    said = running.process.log.read_text()
    assert f"INFO took up {vended(1).access_key_id}, which expires at an unknown time" in said
    assert not [part for part in (*secrets_in(vended(1)), running.token_file.read_text()) if part in said]


def test_its_size(running: SidecarProcess, kept: http.client.HTTPConnection) -> None:
    """After a thousand requests it still has the megabytes that were promised."""
    for _ in range(1000):
        assert get(running, kept) == 200
    assert memory(running, "VmRSS") < 30_000


def test_who_asks_and_never_reads(running: SidecarProcess, kept: http.client.HTTPConnection) -> None:
    """Answers to him don't fill the memory, and he is cut off."""
    running.mounted.write(process_file(vended(2, None), SessionToken="t" * 60_000))  # buffers are soon full
    wait_until(lambda: vended(2).access_key_id in running.process.log_tail(), timeout=10, what="the long answer")
    assert get(running, kept) == 200
    before = memory(running, "VmHWM")
    host, token = f"127.0.0.1:{running.port}", running.token_file.read_text()
    asked = f"GET /credentials HTTP/1.1\r\nHost: {host}\r\nAuthorization: {token}\r\n\r\n".encode() * 200_000
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as mute, pytest.raises(ConnectionError):
        mute.sendall(asked)
    assert memory(running, "VmHWM") - before < 4_000


def test_its_start_takes_little_cpu(tmp_path: Path) -> None:
    """In a pod it gets a fifth of a core. The best of three counts: the first may have to compile, others disturb."""
    taken = []
    for number in range(3):
        (folder := tmp_path / str(number)).mkdir()
        with SidecarProcess(folder, "--health-address=127.0.0.1") as sidecar:
            fields = Path(f"/proc/{sidecar.process.pid}/stat").read_text().rpartition(")")[2].split()
        taken.append((int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"))
    assert min(taken) < 0.4  # s


def test_a_taken_port_ends_it(running: SidecarProcess, tmp_path: Path) -> None:
    flags = [f"--dir={tmp_path}", f"--token-file={running.token_file}", f"--port={running.port}", "--health-port=0"]
    done = subprocess.run(  # noqa: S603
        [PROGRAM, "sidecar", *flags], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 1
    assert done.stderr.endswith(f"Error: can't listen on 127.0.0.1, port {running.port}: Address already in use\n")
    assert "Traceback" not in done.stderr
