"""Pods that are watched from the first test to the last, whatever happens to the operator meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.e2e.pods import MOUNT, Pod, Team, consuming
from tests.e2e.views import View
from tests.integration.patience import eventually

if TYPE_CHECKING:
    from testbed.sts import StrictSts, User

LIFETIME = "15m"  # the shortest that AWS knows; with less than that left, boto3 asks the sidecar before each call
JOB = 720  # seconds: over the renewal of what it began with, and not beyond its end


@dataclass(frozen=True)
class Watched:
    """A team with one pod for each kind of use."""

    user: User
    pods: dict[str, Pod]

    def views(self) -> list[View]:
        return [View(use, pod.says()) for use, pod in self.pods.items()]


def start(team: Team, sts: StrictSts, user: User) -> Watched:
    """The pod with the sidecar is there before the request that it asks for."""
    api = team.pod("api", consuming(sts, {}), annotations={"awssts.dev/inject": "api"})
    eventually(lambda: waits(api), "a sidecar that holds its pod", timeout=120)
    for name in ("job", "web", "api"):
        formats = ["Environment"] if name == "job" else ["CredentialsFile", "CredentialProcess"]
        team.request(name, duration=LIFETIME, target={"formats": formats})
    job = team.pod("job", consuming(sts, {"envFrom": [{"secretRef": {"name": "job"}}]}, f"--seconds={JOB}"))
    mounted = {
        "env": [
            {"name": "AWS_SHARED_CREDENTIALS_FILE", "value": f"{MOUNT}/credentials"},
            {"name": "CREDENTIALS_FOLDER", "value": MOUNT},
        ],
        "volumeMounts": [{"name": "aws", "mountPath": MOUNT, "readOnly": True}],
    }
    web = team.pod("web", consuming(sts, mounted, volumes=[{"name": "aws", "secret": {"secretName": "web"}}]))
    return Watched(user, {"envFrom": job, "mounted files": web, "injected sidecar": api})


def waits(pod: Pod) -> bool:
    """Whether its sidecar runs, and its program doesn't."""
    status = pod.status()
    sidecar, *_ = *status.get("initContainerStatuses", ()), {}
    program, *_ = *status.get("containerStatuses", ()), {}
    return "running" in sidecar.get("state", {}) and "waiting" in program.get("state", {})
