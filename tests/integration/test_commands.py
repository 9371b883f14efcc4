"""The commands for people, on the real API with the operator at work: status, renew, mfa, exec, credential-process."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest

from tests.integration.patience import eventually
from tests.integration.terminal import Terminal
from tests.integration.test_mfa import Registered, until_authenticated
from tests.integration.test_mfa_people import spec, until_asked, wrong

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.cluster import Cluster
    from testbed.sts import StrictSts, User
    from tests.integration.operator_process import OperatorProcess
    from tests.integration.workspace import Workspace


@pytest.fixture
def terminal(cluster: Cluster, space: Workspace, tmp_path: Path) -> Terminal:
    return Terminal(cluster, space, tmp_path)


@pytest.fixture
def issued(operator: OperatorProcess, space: Workspace, user: User) -> str:
    """The key id of `reports`, which is Ready."""
    assert operator.alive
    space.keys(user)
    space.request(region="eu-west-1")
    space.until_ready()
    return space.held_key() or ""


@pytest.fixture
def phone(space: Workspace, sts: StrictSts, user: User) -> Registered:
    """A device of which nobody but a person has the seed."""
    space.keys(user)
    return Registered(sts.device(user), "", sts)


# status.


def test_status(terminal: Terminal, space: Workspace, issued: str) -> None:
    space.request("broken", keys="nowhere")
    space.until_reason("SecretNotFound", "broken")
    lines = terminal.run("awssts", "status").stdout.splitlines()
    assert lines[0].split() == ["NAME", "READY", "REASON", "EXPIRES", "NEXT"]
    assert lines[1].split()[:3] == ["broken", "False", "SecretNotFound"]
    assert lines[2].startswith("  ↳ there is no Secret 'nowhere'")
    assert lines[-1].startswith("reports   True    Issued           in 11h59m   renews in ")
    assert f"Access key: {issued}" in terminal.run("kubectl", "awssts", "status", "reports").stdout
    terminal.run("awssts", "status", "--check", code=3)
    terminal.run("awssts", "status", "reports", "--check")
    told = json.loads(terminal.run("awssts", "status", "-A", "-o", "json").stdout)
    mine = {one["name"]: one["health"] for one in told if one["namespace"] == space.name}
    assert mine == {"broken": "bad", "reports": "good"}


def test_the_namespace_and_the_context_are_chosen_as_with_kubectl(
    cluster: Cluster, terminal: Terminal, space: Workspace, issued: str
) -> None:
    assert issued
    assert "no AwsStsRequests in namespace default" in terminal.run("awssts", "status", "-n", "default").stderr
    terminal.run("kubectl", "config", "rename-context", "awssts-testbed", "here")
    terminal.run("kubectl", "config", "set-context", "there", "--cluster=nowhere", "--namespace=else")
    terminal.run("kubectl", "config", "use-context", "there")
    assert terminal.run("awssts", "status", code=1).stderr.startswith("Error: ")
    assert "reports" in terminal.run("awssts", "status", "--context", "here").stdout
    assert "context" in terminal.run("awssts", "status", "--context", "nope", code=1).stderr
    admin = str(cluster.kubeconfig)
    options = ("--kubeconfig", admin, "-n", space.name)
    assert "reports" in terminal.run("awssts", "status", *options).stdout


def test_who_may_not_look_is_told_so_by_the_api(
    cluster: Cluster, space: Workspace, issued: str, tmp_path: Path
) -> None:
    assert issued
    terminal = Terminal(cluster, space, tmp_path, cluster.user_kubeconfig("nobody"))
    said = terminal.run("awssts", "status", code=1).stderr
    assert 'User "nobody" cannot list resource "awsstsrequests"' in said
    assert 'User "nobody" cannot get' in terminal.run("awssts", "status", "reports", code=1).stderr


def test_names_complete_in_the_shell(terminal: Terminal, issued: str) -> None:
    assert issued
    asked = {"_AWSSTS_COMPLETE": "bash_complete", "COMP_WORDS": "awssts status rep", "COMP_CWORD": "2"}
    assert terminal.run("awssts", **asked).stdout.strip() == "plain,reports"
    assert terminal.run("kubectl_complete-awssts", "renew", "").stdout == "reports\n:4\n"
    assert "\nstatus\t" in terminal.run("kubectl_complete-awssts", "").stdout
    assert terminal.run("kubectl", "__complete", "awssts", "status", "re").stdout.startswith("reports\n:4\n")


# renew.


def test_renew(terminal: Terminal, space: Workspace, issued: str) -> None:
    told = terminal.run("awssts", "renew", "reports", "--wait").stdout
    fresh = space.held_key()
    assert fresh != issued
    assert told.startswith(f"reports: renewed, {fresh} is valid until ")
    assert terminal.run("awssts", "renew", "--all").stdout == "reports: renewal asked for\n"
    space.until_renewed(fresh)


def test_a_renewal_that_fails_says_why(terminal: Terminal, space: Workspace, issued: str, user: User) -> None:
    space.change_secret("reports-iam", data={"aws_secret_access_key": None})
    done = terminal.run("awssts", "renew", "reports", "--wait", "--timeout=30", code=1)
    assert "SecretKeyMissing: Secret 'reports-iam' has no key aws_secret_access_key" in done.stderr
    space.keys(user)
    space.change(suspend=True)
    assert "is suspended" in terminal.run("awssts", "renew", "reports", code=1).stderr
    assert "there is no AwsStsRequest 'nope'" in terminal.run("awssts", "renew", "reports", "nope", code=1).stderr
    assert issued


# mfa.


@pytest.mark.usefixtures("operator")
def test_a_code_is_given(terminal: Terminal, space: Workspace, phone: Registered) -> None:
    space.request(mfa=spec(phone))
    until_asked(space)
    assert f"needs a code: awssts mfa -n {space.name} reports" in terminal.run("awssts", "status").stdout
    bad = wrong(phone.device.code())
    for told in ("the last code was wrong", "the last code was wrong"):  # also when the answer is the same
        done = terminal.run("awssts", "mfa", "reports", given=f"{bad}\n", code=3)
        assert told in done.stderr
        assert bad not in done.stdout + done.stderr
        bad = wrong(bad)
    code = phone.device.code()
    done = terminal.run("awssts", "mfa", "reports", given=f"{code[:3]} {code[3:]}\n")
    assert done.stdout.startswith("accepted: credentials until ")
    until_authenticated(space)
    assert [call.result for call in phone.calls] == ["AccessDenied", "AccessDenied", "Success"]


def test_a_request_without_a_device_takes_no_code(terminal: Terminal, issued: str) -> None:
    assert issued
    assert "names no MFA device" in terminal.run("awssts", "mfa", "reports", "123456", code=1).stderr
    assert "six digits" in terminal.run("awssts", "mfa", "reports", "12345", code=2).stderr


# exec and credential-process.


def test_exec(terminal: Terminal, issued: str, sts: StrictSts, user: User) -> None:
    others = {"AWS_PROFILE": "mine", "AWS_ROLE_ARN": "arn:aws:iam::1:role/x", "AWS_SESSION_TOKEN": "old"}
    shown = terminal.run("awssts", "exec", "reports", "--", "env", **others).stdout.splitlines()
    names = {line.partition("=")[0] for line in shown if line.startswith("AWS_")}
    assert names == {
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_CREDENTIAL_EXPIRATION",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
    }
    assert f"AWS_ACCESS_KEY_ID={issued}" in shown
    who = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
    called = terminal.run(
        "kubectl", "awssts", "exec", "reports", "--", "python", "-c", who,
        AWS_ENDPOINT_URL_STS=sts.endpoint, NO_PROXY="127.0.0.1", PYTHONWARNINGS="default",
    )  # fmt: skip
    assert called.stdout.strip() == user.arn


def test_exec_is_the_command(terminal: Terminal, issued: str) -> None:
    assert issued
    terminal.run("awssts", "exec", "reports", "--", "sh", "-c", "exit 42", code=42)
    assert "no such command" in terminal.run("awssts", "exec", "reports", "--", "nope", code=127).stderr
    status = terminal.run("awssts", "exec", "reports", "--", "cat", "/proc/self/status").stdout
    ignored = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("SigIgn:"))
    assert not ignored & (1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1)  # which Python ignores
    running = terminal.start("awssts", "exec", "reports", "--", "sh", "-c", "echo here; exec sleep 60")
    assert running.stdout is not None
    assert running.stdout.readline() == "here\n"
    running.terminate()
    assert running.wait(10) == -signal.SIGTERM
    running.communicate()


def test_an_sdk_gets_credentials_by_a_process(
    terminal: Terminal, space: Workspace, issued: str, sts: StrictSts, user: User
) -> None:
    assert issued
    config = terminal.home / "config"
    config.write_text(f"[default]\nregion = eu-west-1\ncredential_process = awssts credential-process --name reports -n {space.name}\n")  # fmt: skip # noqa: E501
    who = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
    called = terminal.run(
        "python", "-c", who,
        AWS_CONFIG_FILE=str(config), AWS_ENDPOINT_URL_STS=sts.endpoint, NO_PROXY="127.0.0.1", PYTHONWARNINGS="default",
    )  # fmt: skip
    assert called.stdout.strip() == user.arn


def test_expired_credentials_are_refused(terminal: Terminal, space: Workspace, issued: str) -> None:
    assert issued
    space.change(suspend=True)
    eventually(lambda: space.condition()["reason"] == "Suspended", "it is suspended")
    space.change_secret(metadata={"annotations": {"awssts.dev/expiration": "2026-01-01T00:00:00Z"}})
    for command in (["exec", "reports", "--", "env"], ["credential-process", "--name", "reports"]):
        done = terminal.run("awssts", *command, code=1)
        assert done.stdout == ""
        assert "the credentials expired at 2026-01-01T00:00:00Z" in done.stderr


def test_a_secret_that_may_not_be_read(cluster: Cluster, space: Workspace, issued: str, tmp_path: Path) -> None:
    assert issued
    terminal = Terminal(cluster, space, tmp_path, cluster.user_kubeconfig("nobody"))
    done = terminal.run("awssts", "credential-process", "--name", "reports", code=1)
    assert done.stdout == ""
    assert "forbidden" in done.stderr
