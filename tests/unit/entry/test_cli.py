"""The command line, as people and CI use it."""

import json
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner, Result

from awssts import __version__, app, gateway
from awssts.adapters import logs
from awssts.domain.errors import ClusterUnavailable
from awssts.entry.cli import main
from awssts.settings import Admission
from tests.unit.builders import ROLE_ARN


def run(*arguments: str, **details: Any) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], **details)


def document(name: str | None = "reports", **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "apiVersion": "awssts.dev/v1alpha1",
        "kind": "AwsStsRequest",
        "metadata": {"name": name} if name else {},
        "spec": {"credentialsSecretRef": {"name": "iam"}},
    }
    return found | changes


def spec(**fields: Any) -> dict[str, Any]:
    return {"credentialsSecretRef": {"name": "iam"}} | fields


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "request.yaml"


def check(file: Path, *documents: Any) -> Result:
    """Check a file with these documents in it."""
    file.write_text(yaml.safe_dump_all(documents))
    return run("check", "-f", str(file))


def findings(result: Result, file: Path) -> list[str]:
    return [line.removeprefix(f"{file}: ") for line in result.stderr.splitlines()]


# The gateway.


def test_codes_are_remembered_by_address_only_where_it_is_the_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[Any] = []

    async def served(settings: Any) -> None:
        ran.append(settings)

    monkeypatch.setattr(gateway, "run", served)
    monkeypatch.setattr(logs, "configure", lambda *_: None)
    options = ("gateway", "--namespace", "people", "--without-tls")
    result = run(*options, "--mfa-remember", "8h")
    assert (result.exit_code, ran) == (2, [])
    assert "give --proxy" in result.stderr
    assert [run(*options, *more).exit_code for more in ([], ["--mfa-remember", "8h", "--proxy", "10.0.0.1"])] == [0, 0]
    assert len(ran) == 2


# Help.


def commands() -> list[str]:
    return sorted(main.commands)


def test_help_lists_the_commands_with_what_they_do() -> None:
    for flag in ("--help", "-h"):
        result = run(flag)
        assert result.exit_code == 0
        assert "An AwsStsRequest names a Secret with the keys of an IAM user" in result.stdout
        assert {"operator", "check", "version"} <= set(commands())
        for name in commands():
            assert f"  {name} " in result.stdout
            assert main.commands[name].get_short_help_str()


@pytest.mark.parametrize("command", commands())
def test_help_of_a_command_teaches(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: main {command}")
    for parameter in main.commands[command].params:
        assert not isinstance(parameter, click.Option) or parameter.help, f"{parameter.name} has no help"


@pytest.mark.parametrize(
    "option", [option for option in main.commands["operator"].params if isinstance(option, click.Option)], ids=str
)
def test_every_option_of_the_operator_is_a_variable_too(option: click.Option) -> None:
    variable = "AWSSTS_" + option.opts[0].removeprefix("--").upper().replace("-", "_")
    assert option.envvar == variable
    assert f"env var: {variable}" in " ".join(run("operator", "--help").stdout.split())


def test_version() -> None:
    result = run("version")
    assert (result.exit_code, result.stdout) == (0, f"awssts {__version__}\n")


def test_an_unknown_command() -> None:
    assert run("renwe").exit_code == 2


# The operator.


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[app.Settings]:
    """The settings that the operator would have run with."""
    found: list[app.Settings] = []

    async def note(settings: app.Settings) -> None:
        found.append(settings)

    monkeypatch.setattr(app, "run", note)
    monkeypatch.setattr("awssts.adapters.logs.configure", lambda *_: None)
    return found


def test_operator_defaults(started: list[app.Settings]) -> None:
    assert run("operator").exit_code == 0
    assert started == [app.Settings()]


def test_operator_by_flags(started: list[app.Settings]) -> None:
    flags = "--namespace a --namespace b --region eu-west-1 --workers 4 --sts-concurrency 2 --sts-rate 0.5"
    assert run("operator", *flags.split()).exit_code == 0
    assert started == [
        app.Settings(namespaces=("a", "b"), region="eu-west-1", workers=4, sts_concurrency=2, sts_rate=0.5)
    ]


def test_operator_by_variables(started: list[app.Settings]) -> None:
    variables = {"AWSSTS_NAMESPACE": "a b", "AWSSTS_WORKERS": "4", "AWSSTS_REGION": "eu-west-1"}
    assert run("operator", env=variables).exit_code == 0
    assert run("operator", "--workers", "8", env=variables).exit_code == 0
    assert [(one.namespaces, one.workers, one.region) for one in started] == [
        (("a", "b"), 4, "eu-west-1"), (("a", "b"), 8, "eu-west-1"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "flags", ["--workers 0", "--workers many", "--sts-rate 601", "--sts-concurrency 65", "--log-level loud", "--x"]
)
def test_operator_refuses_what_makes_no_sense(started: list[app.Settings], flags: str) -> None:
    assert run("operator", *flags.split()).exit_code == 2
    assert not started


def test_the_operator_says_why_it_cannot_run(monkeypatch: pytest.MonkeyPatch, started: list[app.Settings]) -> None:
    async def fail(_: app.Settings) -> None:
        raise ClusterUnavailable("no way to the cluster: set KUBECONFIG, or run in a pod")

    monkeypatch.setattr(app, "run", fail)
    result = run("operator")
    assert result.exit_code == 1
    assert result.stderr == "Error: no way to the cluster: set KUBECONFIG, or run in a pod\n"
    assert not started


def test_the_sidecars_image_is_for_the_admission_webhook(started: list[app.Settings]) -> None:
    assert run("operator", "--admission-port=9443", "--sidecar-image=awssts:1").exit_code == 0
    assert started == [app.Settings(admission=Admission(port=9443, sidecar_image="awssts:1"))]
    assert "--sidecar-image goes with --admission-port" in run("operator", "--sidecar-image=awssts:1").stderr


# check.


def test_a_good_manifest(file: Path) -> None:
    result = check(file, document())
    assert (result.exit_code, result.stdout, result.stderr) == (0, "1 object checked, 0 problems\n", "")


def test_every_problem_names_file_object_and_field(file: Path) -> None:
    bad = spec(duration="10m", region="Frankfurt", role={"arn": "x"}, extra=1)
    result = check(file, document(), document("daily", spec=bad), {"kind": "ConfigMap", "apiVersion": "v1"})
    assert result.exit_code == 1
    assert result.stdout == "2 objects checked, 4 problems\n"
    assert all(line.startswith(f"{file}: AwsStsRequest/daily: spec.") for line in result.stderr.splitlines())
    fields = [line.split(": ")[2] for line in result.stderr.splitlines()]
    assert sorted(fields) == ["spec.duration", "spec.extra", "spec.region", "spec.role.arn"]
    assert "10m is out of range: must be at least 15m and at most 36h" in result.stderr


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        (document(None), "AwsStsRequest/?: metadata.name: is missing"),
        (document(metadata=None), "AwsStsRequest/?: metadata.name: is missing"),
        (
            document(apiVersion="awssts.dev/v2"),
            "AwsStsRequest/reports: apiVersion: awssts.dev/v2 is not known: use awssts.dev/v1alpha1",
        ),
        (document(specs={}), "AwsStsRequest/reports: specs: no such field"),
        (document(spec=None), "AwsStsRequest/reports: spec.credentialsSecretRef: Field required"),
        (
            document("iam"),
            "AwsStsRequest/iam: spec: target.name must differ from credentialsSecretRef.name: the keys would be "
            "overwritten",
        ),
    ],
)
def test_a_problem(file: Path, found: dict[str, Any], problem: str) -> None:
    result = check(file, found)
    assert (result.exit_code, findings(result, file)) == (1, [problem])


def test_an_unknown_kind(file: Path) -> None:
    result = check(file, document(kind="AwsStsRequests"))
    assert result.exit_code == 1
    assert "AwsStsRequests/reports: kind: AwsStsRequests is not known: there " in result.stderr


@pytest.mark.parametrize(
    "garbage",
    [
        document(metadata="reports"),
        document(metadata=["reports"]),
        document(metadata={"name": 5}),
        document(spec="text"),
        document(spec=[]),
        {"apiVersion": "awssts.dev/v1alpha1"},
        {"apiVersion": "v1", "kind": "List", "items": [document(spec=[])]},
    ],
)
def test_garbage_is_a_problem_and_no_crash(file: Path, garbage: Any) -> None:
    result = check(file, garbage)
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit), result.exception
    assert findings(result, file)


@pytest.mark.parametrize(
    "text", ["", "just text", "- a\n- list\n", "---\n---\n", "apiVersion: 5\n", "kind: List\nitems: 5\n"]
)
def test_what_is_no_object_of_awssts_is_passed_over(file: Path, text: str) -> None:
    file.write_text(text)
    result = run("check", "-f", str(file))
    assert (result.exit_code, result.stdout) == (0, "0 objects checked, 0 problems\n")


@pytest.mark.parametrize("content", [b"a: [", b"\xff\xfe\x00", b"\x00", b"a: b: c"])
def test_what_is_not_yaml(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    result = run("check", "-f", str(file))
    assert result.exit_code == 1
    assert findings(result, file)[0].startswith("not YAML: ")
    assert len(result.stderr.splitlines()) == 1


def test_a_list(file: Path) -> None:
    items = [document(), document("daily", spec={}), {"apiVersion": "v1", "kind": "Secret"}]
    result = check(file, {"apiVersion": "v1", "kind": "List", "items": items})
    assert result.stdout == "2 objects checked, 1 problem\n"
    assert findings(result, file) == ["AwsStsRequest/daily: spec.credentialsSecretRef: Field required"]


def test_a_folder(tmp_path: Path) -> None:
    for name, found in (("a.yaml", document()), ("b/c.yml", document(spec={})), ("d.json", document(spec={}))):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(json.dumps(found))
    (tmp_path / "notes.txt").write_text("a: [")
    result = run("check", "--filename", str(tmp_path))
    assert result.stdout == "3 objects checked, 2 problems\n"
    assert [line.split(": ")[0] for line in result.stderr.splitlines()] == [
        str(tmp_path / "b" / "c.yml"), str(tmp_path / "d.json"),
    ]  # fmt: skip


def test_several_files(tmp_path: Path) -> None:
    one, other = tmp_path / "one.yaml", tmp_path / "other.yaml"
    one.write_text(yaml.safe_dump(document()))
    other.write_text(yaml.safe_dump(document(spec={})))
    assert run("check", "-f", str(one), "-f", str(other)).stdout == "2 objects checked, 1 problem\n"


def test_standard_input() -> None:
    assert run("check", "-f", "-", input=json.dumps(document())).exit_code == 0
    result = run("check", "-f", "-", input=json.dumps(document(spec={})))
    assert result.exit_code == 1
    assert result.stderr == "-: AwsStsRequest/reports: spec.credentialsSecretRef: Field required\n"


@pytest.mark.parametrize("arguments", [[], ["-f", "/nowhere/at/all.yaml"], ["request.yaml"]])
def test_a_wrong_use(arguments: list[str]) -> None:
    result = run("check", *arguments)
    assert result.exit_code == 2
    assert "Usage" in result.stderr


def test_a_role_is_checked_by_the_same_models(file: Path) -> None:
    assert check(file, document(spec=spec(role={"arn": ROLE_ARN}))).exit_code == 0
    assert check(file, document(spec=spec(role={"arn": ROLE_ARN}, duration="13h"))).exit_code == 1
