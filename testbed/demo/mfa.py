"""MFA without anybody's doing: several requests of one virtual device, and one code for them all."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from testbed.process import ReportedError

if TYPE_CHECKING:
    from testbed.demo.stage import Stage

REQUESTS = 5
LABEL = "demo=mfa"


def ask(stage: Stage) -> str:
    device = stage.sts.device(stage.user)
    seed = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "demo-mfa"},
        "stringData": {"seed": device.seed},
    }
    items = [seed, *(request(number, device.serial_number) for number in range(1, REQUESTS + 1))]
    stage.sts.reset_counters()
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    shown = "apply --server-side -f -  # a seed, and five requests with spec.mfa"
    stage.kubectl("apply", "--server-side", "--filename=-", input=text, shown=shown)
    return "they wait for the device's next code, at most 30 s"


def answered(stage: Stage) -> str:
    began = time.monotonic()
    stage.kubectl("wait", "--for=condition=Ready", "awssts", "--selector", LABEL, "--timeout=60s")
    stage.kubectl("get", "awssts", "--selector", LABEL)
    codes = stage.sts.counters().with_code
    if codes != 1 or stage.sts.counters().reused_codes:
        raise ReportedError(f"{codes} codes were used for {REQUESTS} requests")
    return f"{REQUESTS} requests are Ready with one code, after {time.monotonic() - began:.0f} s more"


def request(number: int, serial_number: str) -> dict[str, object]:
    return {
        "apiVersion": "awssts.dev/v1alpha1",
        "kind": "AwsStsRequest",
        "metadata": {"name": f"with-mfa-{number}", "labels": dict([LABEL.split("=")])},
        "spec": {
            "credentialsSecretRef": {"name": "session-iam"},
            "mfa": {"serialNumber": serial_number, "totpSecretRef": {"name": "demo-mfa"}},
        },
    }
