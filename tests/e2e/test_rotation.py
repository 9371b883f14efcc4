"""A running pod, and what it has each second."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.pods import MOUNT, consuming
from tests.integration.patience import eventually

if TYPE_CHECKING:
    from testbed.sts import StrictSts, User
    from tests.e2e.pods import Team

REPORTS = Path(__file__).parents[2] / ".cache" / "reports"
TURNOVER = 180  # seconds for kubelet to bring a changed Secret into a pod: its period of 60, and some

pytestmark = pytest.mark.timeout(900)


def test_a_running_pod_sees_a_rotation(team: Team, sts: StrictSts, user: User) -> None:
    """It is not started again, and at no second it has nothing, or something that expired."""
    team.request("web")
    mounted = {
        "env": [
            {"name": "AWS_SHARED_CREDENTIALS_FILE", "value": f"{MOUNT}/credentials"},
            {"name": "CREDENTIALS_FOLDER", "value": MOUNT},
        ],
        "volumeMounts": [{"name": "aws", "mountPath": MOUNT, "readOnly": True}],
    }
    web = team.pod("web", consuming(sts, mounted, volumes=[{"name": "aws", "secret": {"secretName": "web"}}]))
    first = web.first_words()["key"]
    second = team.renewed("web")
    eventually(lambda: web.says()[-1].get("key") == second, "the new key in the pod", timeout=TURNOVER)
    eventually(lambda: [line.get("key") for line in web.says()].count(second) > 3, "some more calls with it")
    view = web.says()
    REPORTS.mkdir(parents=True, exist_ok=True)
    (REPORTS / "pod-view.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in view))
    assert [line for line in view if "error" in line or line["left"] <= 0 or line["arn"] != user.arn] == []
    assert list(dict.fromkeys(line["key"] for line in view)) == [first, second]
    assert web.restarts() == 0
