"""login and credential-process: against a real TLS server that answers as awssts's gateway and as CAS do."""

import asyncio
import json
import ssl
import stat
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from botocore.configloader import raw_config_parse
from click.testing import CliRunner, Result

from awssts.adapters.authority import issue
from awssts.domain.held import written
from awssts.entry.cli import main
from tests.unit.builders import credentials

PASSWORD, CODE = "correct horse battery", "123456"
LATER = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=2)
GIVEN = credentials(expiration=LATER)
ANSWER = {
    "Version": 1,
    "AccessKeyId": GIVEN.access_key_id,
    "SecretAccessKey": GIVEN.secret_access_key,
    "SessionToken": GIVEN.session_token,
    "Expiration": written(LATER),
}
FILE = (
    f"[default]\naws_access_key_id={GIVEN.access_key_id}\naws_secret_access_key={GIVEN.secret_access_key}\n"
    f"aws_session_token={GIVEN.session_token}\nregion=eu-west-1\n"
)


def run(*arguments: str, **details: Any) -> Result:
    return CliRunner().invoke(main, arguments, **details)


@dataclass
class Door:
    """A gateway: what it answers, and what came to it."""

    ca: Path
    url: str = ""
    forms: list[dict[str, str]] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    answer: Callable[[dict[str, str]], web.StreamResponse] = lambda _: web.json_response(ANSWER)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.targets.append(request.path_qs)
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.forms.append(form)
        return self.answer(form)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWSSTS_USERNAME", "AWSSTS_GATEWAY", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USER", "ada")
    monkeypatch.setenv("LOGNAME", "ada")
    monkeypatch.setenv("NO_PROXY", "*")
    return tmp_path


@pytest.fixture
def door(home: Path) -> Iterator[Door]:
    """One that listens on loopback, with a certificate of an authority that nobody knows."""
    served, authority = issue(["localhost"], datetime.now(UTC))
    (home / "served.pem").write_bytes(served.certificate + served.key)
    made = Door(home / "ca.pem")
    made.ca.write_bytes(authority)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(home / "served.pem")
    loop, stop, up = asyncio.new_event_loop(), asyncio.Event(), threading.Event()

    async def serve() -> None:
        application = web.Application()
        application.router.add_post("/{path:.*}", made.handle)
        runner = web.AppRunner(application)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        assert site._server is not None  # noqa: SLF001 - where aiohttp keeps the port
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined] # noqa: SLF001
        made.url = f"https://localhost:{port}"
        up.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert up.wait(10)
    yield made
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    loop.close()


def login(door: Door, *options: str, typed: str = f"{PASSWORD}\n{CODE}\n") -> Result:
    return run("login", "--gateway", door.url, "--cacert", str(door.ca), *options, input=typed)


def test_name_and_password_go_into_the_body(door: Door) -> None:
    result = login(door, "--duration", "12h")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"credentials until {written(LATER)}\n"
    assert door.forms == [{"username": "ada", "password": PASSWORD, "duration": "PT43200S"}]
    assert door.targets == ["/actuator/awsSts"]


def test_all_parameters_of_cas(door: Door) -> None:
    options = ["--username", "bob", "--role-arn", "arn:aws:iam::1:role/x", "--serial-number", "arn:aws:iam::1:mfa/b"]
    assert login(door, *options, "--mfa").exit_code == 0
    assert door.forms == [
        {
            "username": "bob",
            "password": PASSWORD,
            "duration": "PT3600S",
            "roleArn": "arn:aws:iam::1:role/x",
            "serialNumber": "arn:aws:iam::1:mfa/b",
            "token": CODE,
        }
    ]


def test_a_code_is_asked_for_when_the_gateway_wants_one(door: Door) -> None:
    def answer(form: dict[str, str]) -> web.StreamResponse:
        needed = {"reason": "CodeNeeded", "message": "a code is needed", "needed": ["token"]}
        return web.json_response(ANSWER) if "token" in form else web.json_response(needed, status=401)

    door.answer = answer
    assert login(door).exit_code == 0
    assert [form.get("token") for form in door.forms] == [None, CODE]
    result = login(door, typed=f"{PASSWORD}\n\n")
    assert (result.exit_code, result.stderr) == (1, "Error: the gateway answered 401: a code is needed\n")


def test_credentials_of_cas_end_as_asked(door: Door) -> None:
    """Its answer does not say when."""
    door.answer = lambda _: web.Response(text=FILE)
    before = datetime.now(UTC).replace(microsecond=0)
    result = login(door, "--duration", "PT30M", "-o", "json")
    told = json.loads(result.stdout)
    assert told["SessionToken"] == GIVEN.session_token
    ends = datetime.fromisoformat(told["Expiration"])
    assert before + timedelta(minutes=30) <= ends <= datetime.now(UTC) + timedelta(minutes=30)
    assert "export AWS_REGION=eu-west-1" in login(door, "-o", "env").stdout


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (web.Response, "did not answer with credentials"),
        (
            lambda: web.Response(text="<html>welcome</html>", content_type="text/html"),
            "did not answer with credentials",
        ),
        (lambda: web.json_response({"Version": 1}), "did not answer with credentials"),
        (lambda: web.Response(text="Authentication failed", status=401), "answered 401: Authentication failed"),
        (lambda: web.Response(text="a\x1b[2Kb\nc", status=403), "answered 403: a [2Kb c"),
        (
            lambda: web.json_response({"message": "Too many attempts"}, status=429, headers={"Retry-After": "30"}),
            "answered 429: Too many attempts; try again in 30 s",
        ),
        (lambda: web.Response(status=503), "answered 503: no reason"),
        (lambda: web.Response(status=404), "is not there: is it the URL"),
        (lambda: web.Response(status=302, headers={"Location": "https://else"}), "redirects"),
        (lambda: web.Response(status=307, headers={"Location": "/else"}), "redirects"),
    ],
)
def test_a_no_and_garbage(door: Door, home: Path, answer: Callable[[], web.Response], told: str) -> None:
    door.answer = lambda _: answer()
    result = login(door, "--profile", "work", "-o", "json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert told in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert len(door.forms) == 1
    assert not (home / ".aws").exists()


def test_expired_credentials_are_not_kept(door: Door, home: Path) -> None:
    door.answer = lambda _: web.json_response(ANSWER | {"Expiration": "2026-01-01T00:00:00Z"})
    assert "expired at 2026-01-01" in login(door).stderr
    assert not (home / ".aws").exists()


def test_an_authority_that_nobody_knows(door: Door) -> None:
    result = run("login", "--gateway", door.url, input=f"{PASSWORD}\n")
    assert "its certificate is not to be trusted" in result.stderr
    assert "--cacert" in result.stderr
    door.ca.write_text("no certificate")
    assert "the authorities in" in login(door).stderr
    assert door.forms == []


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://gateway.example.org", "would travel in the clear to gateway.example.org"),
        ("gateway.example.org", "has to be like https://"),
        ("https://ada:word@gateway.example.org", "has to be like https://"),
        ("ftp://gateway.example.org", "has to be like https://"),
        ("https://localhost:1", "can't be reached: Connection refused"),
    ],
)
@pytest.mark.usefixtures("home")
def test_a_url_that_can_not_be(url: str, told: str) -> None:
    result = run("login", "--gateway", url, input=f"{PASSWORD}\n")
    assert (result.exit_code, result.stdout) == (1, "")
    assert told in result.stderr


# What is left on the machine.


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_cache_serves_sdks_until_the_credentials_expire(door: Door, home: Path) -> None:
    process = ("credential-process", "--gateway", door.url)
    result = run(*process)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"run `awssts login --gateway {door.url}`" in result.stderr
    login(door)
    assert json.loads(run(*process).stdout) == ANSWER
    files = [path for path in (home / ".aws").rglob("*") if path.is_file()]
    assert [mode(path) for path in files] == [0o600]
    assert run(*process, "--role-arn", "arn:aws:iam::1:role/x").exit_code == 1  # another login
    assert run(*process, "--username", "bob").exit_code == 1
    files[0].write_text(json.dumps(ANSWER | {"Expiration": "2026-01-01T00:00:00Z"}))
    result = run(*process)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "have expired: run `awssts login" in result.stderr
    for garbage in ("", "[]", "{", '{"AccessKeyId": 1}'):
        files[0].write_text(garbage)
        assert run(*process).exit_code == 1


OLD = """\
# mine
[default]
aws_access_key_id = AKIA1
aws_secret_access_key = long-term

[work]
region = us-east-1
aws_access_key_id = ASIA0
aws_secret_access_key = old
aws_session_token = old
output = json
[last]
aws_access_key_id = AKIA2
"""


def sdk_reads(file: Path, profile: str) -> str | None:
    """The id of the key that botocore finds in a profile."""
    found: str | None = raw_config_parse(str(file)).get(profile, {}).get("aws_access_key_id")
    return found


@pytest.mark.parametrize("head", ["[work]", "[work] # of the firm", "[work];", "[work]\t"])
def test_a_profile_is_written_and_all_else_stays(door: Door, home: Path, head: str) -> None:
    file = home / ".aws" / "credentials"
    file.parent.mkdir()
    file.write_text(OLD.replace("[work]", head))
    file.chmod(0o644)
    assert login(door, "--profile", "work").exit_code == 0
    text = file.read_text()
    assert mode(file) == 0o600
    assert text.startswith(OLD[: OLD.index("[work]")])
    assert text.endswith("region = us-east-1\noutput = json\n[last]\naws_access_key_id = AKIA2\n")
    assert "= old" not in text
    assert (
        f"{head}\naws_access_key_id = {GIVEN.access_key_id}\naws_secret_access_key = {GIVEN.secret_access_key}\n"
        in text
    )
    assert [sdk_reads(file, name) for name in ("default", "work", "last")] == ["AKIA1", GIVEN.access_key_id, "AKIA2"]
    login(door, "--profile", "work")
    assert file.read_text() == text
    login(door, "--profile", "new")
    assert file.read_text().startswith(text + "\n[new]\naws_access_key_id = ")
    assert not [path for path in file.parent.iterdir() if path.name.startswith(".credentials")]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[work]\nregion = x\n[work]\nregion = y\n", "has a fault in line 3"),
        ("[work]\nregion = x\nregion = y\n", "has a fault in line 3"),
        ("aws_secret_access_key = hidden\n", "has a fault in line 1"),
        ("[work]\nhidden\n", "has a fault in line 2"),
        ("[work]\naws_session_token =\n  hidden\n", "can't be replaced as it is written"),
        ("[last]\nregion = x\n [work]\n", "can't be replaced as it is written"),  # to botocore, region has two lines
    ],
    ids=["two sections", "two values", "no section", "no value", "two lines", "indented"],
)
def test_a_file_stays_that_sdks_could_not_read(door: Door, home: Path, text: str, told: str) -> None:
    file = home / ".aws" / "credentials"
    file.parent.mkdir()
    file.write_text(text)
    result = login(door, "--profile", "work")
    assert (result.exit_code, file.read_text()) == (1, text)
    assert told in result.stderr
    assert "hidden" not in result.stderr


def test_values_after_colons_are_replaced(door: Door, home: Path) -> None:
    file = home / ".aws" / "credentials"
    file.parent.mkdir()
    file.write_text("[work]\naws_access_key_id: ASIA0\nAWS_SESSION_TOKEN : old\n")
    assert login(door, "--profile", "work").exit_code == 0
    assert sdk_reads(file, "work") == GIVEN.access_key_id


def test_long_term_keys_are_not_written_over(door: Door, home: Path) -> None:
    file = home / ".aws" / "credentials"
    file.parent.mkdir()
    file.write_text(OLD)
    assert "holds long-term keys" in login(door, "--profile", "default").stderr
    assert file.read_text() == OLD
    assert login(door, "--profile", "default", "--force").exit_code == 0
    assert "long-term" not in file.read_text()


@pytest.mark.parametrize("name", ["a]\n[default", "[default]", "a\tb", "a\u2028b"])
def test_no_profile_that_could_be_two(door: Door, home: Path, name: str) -> None:
    result = login(door, "--profile", name)
    assert result.exit_code == 2
    assert "a profile's name has no brackets" in result.stderr
    assert door.forms == []
    assert not (home / ".aws").exists()


@pytest.mark.parametrize(
    "answer",
    [
        lambda evil: web.json_response(ANSWER | {"AccessKeyId": GIVEN.access_key_id + evil}),
        lambda evil: web.Response(text=FILE.replace("\naws_secret", evil.replace("\n", "\n ") + "\naws_secret")),
    ],
    ids=["JSON", "file"],
)
def test_a_gateway_writes_no_other_profile(door: Door, home: Path, answer: Callable[[str], web.Response]) -> None:
    door.answer = lambda _: answer("\n[default]\ncredential_process = evil")
    assert "did not answer with credentials" in login(door, "--profile", "work").stderr
    assert not (home / ".aws").exists()


def test_a_link_to_the_file_stays_one(door: Door, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "dotfiles").mkdir()
    link = home / "link"
    link.symlink_to(home / "dotfiles" / "credentials")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(link))
    login(door, "--profile", "work")
    assert link.is_symlink()
    assert "[work]" in (home / "dotfiles" / "credentials").read_text()


def test_a_file_that_cannot_be_written(door: Door, home: Path) -> None:
    (home / ".aws").write_text("not a folder")
    assert "can't be written" in login(door).stderr


# From a mounted Secret.


def mount(folder: Path, **files: str) -> Path:
    """As kubelet does it: a folder for each version, links that lead through ``..data``."""
    version = folder / f"..{len(list(folder.iterdir())) if folder.exists() else 0}"
    version.mkdir(parents=True)
    for name, content in files.items():
        (version / name.replace("__", ".")).write_text(content)
    link = folder / "..data_tmp"
    link.symlink_to(version.name)
    link.replace(folder / "..data")
    return folder


def test_a_mounted_secret_is_followed(tmp_path: Path) -> None:
    folder = mount(tmp_path / "aws", credentials__json=json.dumps(ANSWER))
    process = ("credential-process", "--dir", str(folder))
    assert json.loads(run(*process).stdout) == ANSWER
    mount(folder, credentials__json=json.dumps(ANSWER | {"AccessKeyId": "ASIA0000000000000002"}))
    assert json.loads(run(*process).stdout)["AccessKeyId"] == "ASIA0000000000000002"
    mount(folder, credentials__json=json.dumps(ANSWER | {"Expiration": "2026-01-01T00:00:00Z"}))
    result = run(*process)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "expired at 2026-01-01T00:00:00Z" in result.stderr


@pytest.mark.parametrize("files", [{}, {"credentials__json": "{"}, {"credentials": FILE}])
def test_a_mounted_secret_that_is_not_whole(tmp_path: Path, files: dict[str, str]) -> None:
    result = run("credential-process", "--dir", str(mount(tmp_path / "aws", **files)))
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"Error: {tmp_path / 'aws'}: " in result.stderr
    assert GIVEN.secret_access_key not in result.stderr


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert "can't be read: No such file" in run("credential-process", "--dir", str(tmp_path / "no")).stderr


@pytest.mark.parametrize("options", [[], ["--dir", "/x", "--name", "y"], ["--gateway", "https://x", "--dir", "/y"]])
def test_one_source_is_given(options: list[str]) -> None:
    assert "give one of" in run("credential-process", *options).stderr
