"""A program asks AWS who it is, with the credentials in each of the forms that the Secret has them in."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.process import ReportedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from testbed.demo.stage import Stage

PROGRAM = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"


def environment(stage: Stage) -> str:
    stage.screen.note("As with envFrom in a pod: the Secret's AWS_… keys are the program's environment.")
    variables = {key: value for key, value in stage.secret("session").items() if key.startswith("AWS_")}
    stage.screen.output("  ".join(sorted(variables)))
    return who(stage, variables)


def credentials_file(stage: Stage) -> str:
    stage.screen.note("The Secret of the role, mounted; an SDK reads its credentials file.")
    with mounted(stage, "reports-aws") as folder:
        return who(stage, {"AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials")})


def credential_process(stage: Stage) -> str:
    stage.screen.note(
        "Mounted again; an SDK finds in the config file how to get credentials, and comes back before they expire. "
        "The config file names the mount path: a change of that needs no call to STS."
    )
    with private_folder() as folder:
        calls = stage.sts.counters().total()
        patch = json.dumps({"spec": {"target": {"mountPath": str(folder)}}})
        stage.kubectl("patch", "awssts", "session", "--type=merge", f"--patch={patch}")
        stage.wait(lambda: str(folder) in stage.secret("session")["config"], "the new mount path")
        if stage.sts.counters().total() != calls:
            raise ReportedError("another mount path took a call to STS")
        write(folder, stage.secret("session"))
        stage.screen.output(stage.secret("session")["config"])
        return who(stage, {"AWS_CONFIG_FILE": str(folder / "config")})


def who(stage: Stage, variables: Mapping[str, str]) -> str:
    """Runs a program with no AWS settings but these; returns the ARN that AWS knows its credentials by."""
    files = " ".join(f"{name}={value}" for name, value in variables.items() if "FILE" in name)
    stage.screen.command(f'{files} python -c "{PROGRAM}"'.strip())
    with private_folder() as home:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**stage.aws_environment(), "HOME": str(home), **variables},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        raise ReportedError(f"GetCallerIdentity failed: {done.stderr.strip().rpartition(chr(10))[2]}")
    return done.stdout.strip()


@contextmanager
def mounted(stage: Stage, secret: str) -> Iterator[Path]:
    """The Secret's keys as files, as a pod that mounts it sees them."""
    with private_folder() as folder:
        write(folder, stage.secret(secret))
        yield folder


@contextmanager
def private_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="awssts-demo-mount-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def write(folder: Path, data: Mapping[str, str]) -> None:
    for key, value in data.items():
        with os.fdopen(os.open(folder / key, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(value)
