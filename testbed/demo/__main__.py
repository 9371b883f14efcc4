"""`python -m testbed.demo`: runs the steps one after the other, and tells how each went."""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.cluster import binaries
from testbed.demo import consumption, life, mfa, setting, vending
from testbed.demo.screen import Screen
from testbed.demo.stage import Stage
from testbed.process import ReportedError

if TYPE_CHECKING:
    from collections.abc import Callable

INTERRUPTED = 130


@dataclass(frozen=True)
class Step:
    """`do` returns the result for the table; `log` is where to look when it fails."""

    title: str
    do: Callable[[Stage], str]
    log: str = "operator.log"


STEPS = (
    Step("Start a Kubernetes cluster", setting.cluster, "kube-apiserver.log"),
    Step("Start a strict AWS STS", setting.aws, "sts.log"),
    Step("Install the CRDs", setting.crds, "kube-apiserver.log"),
    Step("Start the operator", setting.operator),
    Step("Apply the examples", life.apply),
    Step("Ask for five more, with MFA", mfa.ask),
    Step("Look at the Secret, without its values", life.look),
    Step("Call AWS: environment", consumption.environment),
    Step("Call AWS: credentials file", consumption.credentials_file),
    Step("Call AWS: credential_process", consumption.credential_process),
    Step("Call AWS: sidecar", vending.begin, "sidecar.log"),
    Step("Ask for a renewal", life.renew),
    Step("Renew under a program", vending.rotate, "program.log"),
    Step("Delete the Secret", life.repair),
    Step("See MFA answered", mfa.answered),
    Step("Restart the operator", life.restart),
)


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(INTERRUPTED))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs are started without it
    screen = Screen()
    logs = Path(tempfile.mkdtemp(prefix="awssts-demo-"))
    kept = False
    try:
        binaries.programs(*binaries.CONTROL_PLANE)  # the first time it takes minutes, with progress: in no step
        with Stage(screen, logs) as stage:
            kept = not run(stage)
    except ReportedError as error:
        screen.failed(str(error))
        return 1
    except KeyboardInterrupt:
        screen.line("\nInterrupted; nothing is left running.")
        return INTERRUPTED
    finally:
        if not kept:
            shutil.rmtree(logs)
    return 1 if kept else 0


def run(stage: Stage) -> bool:
    """All steps, to the first that fails."""
    rows: list[tuple[str, str, float]] = []
    for number, step in enumerate(STEPS, start=1):
        stage.screen.heading(number, step.title)
        began = time.monotonic()
        try:
            result = step.do(stage)
        except Exception as error:  # noqa: BLE001 - whatever it was, the log tells more than a traceback
            explain(stage, step, error)
            return False
        took = time.monotonic() - began
        stage.screen.done(result, took)
        rows.append((step.title, result, took))
    stage.screen.table(rows)
    stage.screen.note(
        "Next: `make cluster` starts such a cluster and leaves it running; with it and the quick start in README.md "
        "you can try awssts with an AWS account of your own."
    )
    return True


def explain(stage: Stage, step: Step, error: Exception) -> None:
    """What failed, the end of the log that says why, and where all logs are."""
    text = str(error) if isinstance(error, ReportedError) else f"{type(error).__name__}: {error}"
    stage.screen.failed(text)
    log = stage.logs / step.log
    if log.exists() and "\n" not in text:  # else the end of a log is in the error already
        stage.screen.note(f"The end of {step.log}:")
        stage.screen.output("\n".join(log.read_text(errors="replace").splitlines()[-15:]))
    stage.screen.note(f"The logs are in {stage.logs}")


if __name__ == "__main__":
    sys.exit(main())
