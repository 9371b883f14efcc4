"""A program that knows nothing but the sidecar keeps calling AWS, while its credentials are renewed under it."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

from testbed.demo.consumption import private_folder
from testbed.process import Process, ReportedError, wait_until
from testbed.sidecar import SidecarProcess

if TYPE_CHECKING:
    from testbed.demo.stage import Stage

NAME = "stock"  # of 07-sidecar-by-hand.yaml
PROGRAM = """
import boto3, time
session = boto3.Session()
client, credentials = session.client("sts"), session.get_credentials()
while True:
    arn = client.get_caller_identity()["Arn"]
    print(credentials.get_frozen_credentials().access_key, arn, flush=True)
    time.sleep(0.1)
"""


def begin(stage: Stage) -> str:
    stage.screen.note(
        "The Secret is mounted once more, beside a sidecar. A program that finds nothing but the sidecar calls AWS ten "
        "times a second from now on. Its credentials last for 15 minutes: with less than that left, an SDK looks for "
        "others on each call."
    )
    before = stage.secret(NAME)
    stage.kubectl("patch", "awssts", NAME, "--type=merge", '--patch={"spec": {"duration": "15m"}}')
    stage.wait(lambda: stage.secret(NAME) != before, "credentials for 15 minutes")
    folder = stage.running.enter_context(private_folder())
    stage.sidecar = SidecarProcess(folder, "--health-address=127.0.0.1", log=stage.logs / "sidecar.log")
    stage.sidecar.mounted.write(stage.secret(NAME))
    stage.screen.command("awssts sidecar --dir … --token-file … --create-token")
    stage.running.enter_context(stage.sidecar)
    environment = {
        **stage.aws_environment(),
        **stage.sidecar.environment,
        "HOME": str(folder),
        "AWS_DEFAULT_REGION": "eu-central-1",
    }
    stage.program = Process("program", [sys.executable, "-c", PROGRAM], log=stage.logs / "program.log", env=environment)
    stage.running.enter_context(stage.program)
    wait_until(lambda: bool(said(stage)), timeout=60, what="the program's first call", process=stage.program)
    return said(stage)[0][1]


def rotate(stage: Stage) -> str:
    old = stage.secret(NAME)
    stage.kubectl("annotate", "awssts", NAME, f"awssts.dev/renew={int(time.time())}")
    stage.wait(lambda: stage.secret(NAME) != old, "new credentials")
    new = stage.secret(NAME)
    stage.sidecar.mounted.write(new)
    key_id = json.loads(new["credentials.json"])["AccessKeyId"]
    wait_until(lambda: said(stage)[-1][0] == key_id, timeout=60, what="a call with the new key", process=stage.program)
    stage.sts.expire(json.loads(old["credentials.json"])["AccessKeyId"])
    calls = len(said(stage))
    wait_until(lambda: len(said(stage)) > calls + 5, timeout=60, what="calls after that", process=stage.program)
    stage.program.stop()
    stage.sidecar.stop()
    keys = list(dict.fromkeys(key for key, _ in said(stage)))
    stage.screen.output("\n".join(f"{sum(key == each for key, _ in said(stage))} calls with {each}" for each in keys))
    if len(keys) != 2 or stage.program.returncode != -15:
        raise ReportedError(f"the program ended with {stage.program.returncode}, after calls with {keys}")
    return f"{len(said(stage))} calls with {len(keys)} keys, all answered, and no restart"


def said(stage: Stage) -> list[tuple[str, str]]:
    """Key id and ARN of each of the program's calls so far; an error of one ends the program."""
    lines = stage.program.log.read_text().splitlines(keepends=True) if stage.program.log.exists() else []
    found = [line.split() for line in lines if line.endswith("\n")]
    if any(len(words) != 2 for words in found):
        raise ReportedError(f"a call of the program failed: {lines[-1].strip()}")
    return [(words[0], words[1]) for words in found]
