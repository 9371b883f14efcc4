"""The commands on requests, with a program in kubectl's place. On a real cluster: integration/test_commands.py."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from awssts.entry import giving
from awssts.entry.cli import main
from awssts.entry.completion import words
from tests.unit.builders import as_json, body, condition, status
from tests.unit.entry.kubectl_stand_in import StandIn

HOUR = timedelta(hours=1)
HEAVY = ("kopf", "boto3", "botocore", "cryptography", "kubernetes", "aiohttp", "pydantic", "asyncio", "yaml")


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    made = StandIn(tmp_path)
    monkeypatch.setenv("AWSSTS_KUBECTL", str(made.program))
    monkeypatch.delenv("NO_COLOR", raising=False)
    return made


def run(*arguments: str, **details: Any) -> Result:
    return CliRunner().invoke(main, arguments, **details)


def ready(name: str = "reports", **details: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    told = status(
        condition("Ready", message="valid until later"),
        observed_generation=1,
        secret_name=name,
        access_key_id="ASIA1",
        expiration=now + 8 * HOUR + timedelta(seconds=30),
        next_renewal=now + 4 * HOUR + timedelta(seconds=30),
    )
    return body(name=name, status=as_json(told), **details)


def stalled(name: str = "broken", message: str = "there is no Secret 'iam': create it") -> dict[str, Any]:
    told = [condition("Ready", state="False", reason="SecretNotFound", message=message)]
    told.append(condition("Stalled", reason="SecretNotFound", message=message))
    return body(name=name, status=as_json(status(*told, observed_generation=1)))


# status.


def test_the_table(kubectl: StandIn) -> None:
    kubectl.holds(ready(), stalled())
    result = run("status")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "NAME      READY   REASON           EXPIRES   NEXT",
        "broken    False   SecretNotFound   -         needs a change",
        "  ↳ there is no Secret 'iam': create it",
        "reports   True    Issued           in 8h     renews in 4h",
    ]
    wide = run("status", "-o", "wide", "-A").stdout.splitlines()
    assert wide[0].split("   ")[0].strip() == "NAMESPACE"
    assert "ASIA1" in wide[-1]


def test_one_in_detail(kubectl: StandIn) -> None:
    kubectl.holds(ready())
    told = run("status", "reports").stdout
    assert "Request:    team/reports\nReady:      True (Issued)\nSays:       valid until later\n" in told
    assert "in 8h\nNext:       renews in 4h, at 20" in told


def test_colours_are_for_terminals_that_want_them(kubectl: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    kubectl.holds(ready(), stalled())
    assert "\x1b[" not in run("status").stdout
    assert "\x1b[31m" in run("status", color=True).stdout
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in run("status", color=True).stdout


def test_a_message_cannot_paint_over_the_terminal(kubectl: StandIn) -> None:
    kubectl.holds(stalled(message="it\x1b[2K is\r\nready"))
    told = run("status").stdout
    assert all(line.isprintable() for line in told.splitlines())
    assert "\x1b" not in run("status", "broken").stdout


def test_json(kubectl: StandIn) -> None:
    kubectl.holds(ready(), stalled())
    told = json.loads(run("status", "-o", "json").stdout)
    assert [(one["name"], one["ready"], one["health"]) for one in told] == [
        ("broken", False, "bad"),
        ("reports", True, "good"),
    ]
    assert told[1]["next"]["what"] == "renews"
    assert 8 * 3600 <= told[1]["secondsLeft"] <= 8 * 3600 + 30
    assert json.loads(run("status", "reports", "-o", "json").stdout)["reason"] == "Issued"


@pytest.mark.parametrize(("held", "code"), [([ready()], 0), ([ready(), stalled()], 3), ([body()], 3), ([], 0)])
def test_check(kubectl: StandIn, held: list[dict[str, Any]], code: int) -> None:
    kubectl.holds(*held)
    assert run("status", "--check").exit_code == code
    assert run("status").exit_code == 0


def test_kubectls_options_reach_kubectl(kubectl: StandIn) -> None:
    kubectl.holds(ready())
    run("status", "-n", "other", "--context", "there", "--kubeconfig", "/a/file")
    (arguments, _), *_ = kubectl.asked
    assert "/namespaces/other/" in arguments[2]
    assert arguments[-2:] == ["--context=there", "--kubeconfig=/a/file"]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('Error from server (Forbidden): User "bob" cannot list', 'User "bob" cannot list'),
        ("Error from server (NotFound): the server could not find the requested resource", "install the CRDs"),
        ("The connection to the server was refused", "The connection to the server was refused"),
        ("E1124 02:00:00.0 1 memcache.go:265] noise\nUnable to connect to the server: EOF", "Unable to connect"),
        ("error: You must be logged in to the server (Unauthorized)", "You must be logged in"),
        ("", "did not say why"),
    ],
)
def test_what_kubectl_fails_with_is_told(kubectl: StandIn, said: str, told: str) -> None:
    kubectl.says("awsstsrequests", said=said, code=1)
    result = run("status")
    assert (result.exit_code, result.stdout) == (1, "")
    assert told in result.stderr
    assert result.stderr.startswith("Error: ")
    assert len(result.stderr.splitlines()) == 1


def test_no_object_is_no_crash(kubectl: StandIn) -> None:
    kubectl.says("awsstsrequests", "<html>")
    assert "is there a proxy?" in run("status").stderr


def test_what_a_login_plugin_says_is_passed_on(kubectl: StandIn, capfd: pytest.CaptureFixture[str]) -> None:
    kubectl.holds(ready())
    kubectl.says("awsstsrequests?", {"items": [], "metadata": {}}, said="open https://login and enter ABCD\n")
    assert "enter ABCD" in run("status").stderr + capfd.readouterr().err


def test_without_kubectl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWSSTS_KUBECTL", "/nowhere/kubectl")
    assert "install kubectl, or name it in AWSSTS_KUBECTL" in run("status").stderr


def test_status_imports_nothing_heavy(kubectl: StandIn) -> None:
    """A second of imports before a table is a second too much."""
    kubectl.holds(ready())
    code = "import sys; from awssts.entry.cli import main\ntry: main(['status'])\nfinally: print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)  # noqa: S603
    loaded = {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}
    assert "reports" in done.stdout
    assert not loaded & set(HEAVY)


# mfa and renew, before anything is waited for.


@pytest.mark.parametrize(
    ("arguments", "typed", "code", "told"),
    [
        (["mfa", "reports", "12345"], "", 2, "six digits"),
        (["mfa", "reports"], "abcdef\n", 2, "six digits"),
        (["mfa", "reports"], "", 2, "six digits"),
        (["mfa", "reports", "123456"], "", 1, "names no MFA device"),
        (["mfa", "nope", "123456"], "", 1, "there is no AwsStsRequest 'nope' in namespace 'team'"),
        (["renew"], "", 2, "give the NAME of a request, or --all"),
        (["renew", "reports", "--all"], "", 2, "give the NAME of a request, or --all"),
        (["renew", "reports", "nope"], "", 1, "there is no AwsStsRequest 'nope'"),
        (["status", "reports", "-A"], "", 2, "don't go together"),
        (["exec", "reports"], "", 2, "Missing argument"),
    ],
)
def test_what_can_not_be(kubectl: StandIn, arguments: list[str], typed: str, code: int, told: str) -> None:
    with_device = "mfa" in arguments and typed in {"", "abcdef\n"} and len(arguments) == 2
    kubectl.holds(ready(mfa={"serialNumber": "arn:aws:iam::1:mfa/x"}) if with_device else ready())
    result = run(*arguments, input=typed)
    assert (result.exit_code, result.stdout) == (code, "")
    assert told in result.stderr
    assert not [arguments for arguments, _ in kubectl.asked if arguments[0] == "patch"]


def test_a_code_is_taken_back_after_ctrl_c(kubectl: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    kubectl.holds(ready(mfa={"serialNumber": "arn:aws:iam::1:mfa/x"}))
    kubectl.says("patch", ready())
    monkeypatch.setattr(giving, "follow", interrupted)
    result = run("mfa", "reports", input="123456\n")
    assert (result.exit_code, result.stdout) == (1, "")
    patches = [
        json.loads(given)["metadata"]["annotations"] for arguments, given in kubectl.asked if "patch" in arguments
    ]
    assert patches == [{"awssts.dev/token-code": "123456"}, {"awssts.dev/token-code": None}]
    assert not any("123456" in " ".join(arguments) for arguments, _ in kubectl.asked)


def test_renewals_are_asked_for_through_a_pipe(kubectl: StandIn) -> None:
    kubectl.holds(ready(), ready("daily"))
    kubectl.says("patch", ready())
    result = run("renew", "reports", "daily", "reports")
    assert result.stdout == "reports: renewal asked for\ndaily: renewal asked for\n"
    patches = [(arguments, given) for arguments, given in kubectl.asked if arguments[0] == "patch"]
    assert [arguments[2] for arguments, _ in patches] == ["reports", "daily"]
    assert all("awssts.dev/renew" in json.loads(given)["metadata"]["annotations"] for _, given in patches)


# exec.


def test_exec_refuses_what_has_no_credentials(kubectl: StandIn) -> None:
    kubectl.holds(stalled(), ready())
    assert "broken has no credentials: SecretNotFound" in run("exec", "broken", "--", "env").stderr
    assert "reports has no credentials" in run("exec", "reports", "--", "env").stderr  # its Secret is gone


# Completion.


def test_words_for_kubectl(kubectl: StandIn) -> None:
    kubectl.holds(ready(), stalled())
    assert words(["status", ""]) == ["broken", "reports", ":4"]
    assert words(["status", "-n", "team", "re"]) == ["reports", ":4"]
    assert words(["sta"]) == ["status\t" + main.commands["status"].get_short_help_str(), ":4"]
    assert words(["explain", "-f", ""])[-1] == ":0"
    kubectl.says("awsstsrequests", said="Unable to connect", code=1)
    assert words(["status", ""]) == [":4"]
