"""The life of a request: issued, looked at, renewed, repaired, left in peace."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from testbed.demo import examples
from testbed.process import ReportedError

if TYPE_CHECKING:
    from testbed.demo.stage import Stage

QUIET = 3.0  # seconds to see that nothing happens
NAME = "session"  # of 01-session.yaml


def apply(stage: Stage) -> str:
    stage.screen.note("The placeholders in the examples are replaced by the key of the IAM user.")
    text = "\n---\n".join(examples.with_key(manifest, stage.user) for manifest in examples.manifests())
    stage.kubectl("apply", "--server-side", "--filename=-", input=text, shown="apply --server-side -f examples/")
    stage.kubectl("wait", "--for=condition=Ready", "awssts", "--all", "--timeout=60s")
    table = stage.kubectl("get", "awssts")
    return f"{len(table.splitlines()) - 1} requests are Ready"


def look(stage: Stage) -> str:
    stage.kubectl("describe", "secret", NAME)
    return f"Secret {NAME!r}: {len(stage.secret(NAME))} keys, in three formats"


def renew(stage: Stage) -> str:
    before, began = key_id(stage), time.monotonic()
    stage.kubectl("annotate", "awssts", NAME, f"awssts.dev/renew={int(time.time())}")
    stage.wait(lambda: key_id(stage) != before, "new credentials")
    took = time.monotonic() - began
    stage.screen.output(f"Access key id {before} before, {key_id(stage)} now")
    return f"new credentials after {took:.1f} s"


def repair(stage: Stage) -> str:
    before = stage.object("secret", NAME)["metadata"]["uid"]
    stage.kubectl("delete", "secret", NAME)
    began = time.monotonic()
    stage.wait(lambda: uid(stage) not in {"", before}, "another Secret")
    took = time.monotonic() - began
    stage.kubectl("get", "secret", NAME)
    return f"there again after {took:.1f} s"


def restart(stage: Stage) -> str:
    stage.screen.note("SIGTERM, and the operator started again. Then each request gets a label that changes nothing.")
    stage.operator.stop()
    if stage.operator.returncode != 0:
        raise ReportedError(f"the operator ended with code {stage.operator.returncode}")
    stage.sts.reset_counters()
    seen = len(stage.by_operator())
    stage.start_operator()
    stage.kubectl("label", "awssts", "--all", "restarted=once")
    time.sleep(QUIET)
    calls, writes = stage.sts.counters().total(), stage.writes(seen)
    if calls or writes:
        raise ReportedError(f"after the restart: {calls} calls to STS, {writes} writes to the cluster")
    return f"{calls} calls to STS, {writes} writes to the cluster"


def key_id(stage: Stage) -> str:
    """The access key id that the status names: no secret."""
    return str(stage.object("awssts", NAME)["status"].get("accessKeyId", ""))


def uid(stage: Stage) -> str:
    wanted = ["get", "secret", NAME, "--ignore-not-found", "--output=jsonpath={.metadata.uid}"]
    return stage.cluster.kubectl(*wanted).stdout
