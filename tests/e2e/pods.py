"""Pods that use credentials, and what they say."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import yaml

from testbed import image
from tests.integration.patience import eventually

if TYPE_CHECKING:
    from testbed.cluster import Cluster
    from testbed.sts import StrictSts, User

PROGRAM = (Path(__file__).parent / "consumer.py").read_text()
MOUNT = "/var/run/secrets/awssts.dev"
SECURITY = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


def running(program: str, container: dict[str, Any], *arguments: str, **more: Any) -> dict[str, Any]:
    """The spec of a pod that runs a Python program; its image happens to be the operator's: it has boto3."""
    return {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": "program",
                "image": image.NAME,
                "imagePullPolicy": "Never",
                "command": ["python3", "-c", program, *arguments],
                "securityContext": SECURITY,
                **container,
            }
        ],
        **more,
    }


def consuming(sts: StrictSts, container: dict[str, Any], *arguments: str, **more: Any) -> dict[str, Any]:
    """The spec of a pod that runs consumer.py."""
    environment = [{"name": "AWS_ENDPOINT_URL_STS", "value": sts.endpoint}, *container.get("env", ())]
    return running(PROGRAM, {**container, "env": environment}, *arguments, **more)


@dataclass(frozen=True)
class Team:
    """The namespace of somebody who uses awssts; it takes restricted pods only."""

    cluster: Cluster
    name: str

    @classmethod
    def founded(cls, cluster: Cluster, name: str) -> Self:
        cluster.kubectl("create", "namespace", name)
        cluster.kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
        cluster.kubectl("wait", "--for=create", "serviceaccount/default", f"--namespace={name}", "--timeout=60s")
        return cls(cluster, name)

    @classmethod
    def of(cls, cluster: Cluster, name: str, user: User) -> Self:
        """With a Secret `iam` that has the user's key."""
        team = cls.founded(cluster, name)
        team.secret("iam", aws_access_key_id=user.access_key_id, aws_secret_access_key=user.secret_access_key)
        return team

    def kubectl(self, *arguments: str, **options: Any) -> str:
        return self.cluster.kubectl(*arguments, f"--namespace={self.name}", **options).stdout

    def apply(self, kind: str, name: str, spec: dict[str, Any], **metadata: Any) -> None:
        versions = {"Pod": "v1", "Deployment": "apps/v1", "AwsStsRequest": "awssts.dev/v1alpha1"}
        body = {
            "apiVersion": versions[kind],
            "kind": kind,
            "metadata": {"name": name, **metadata},
            "spec": spec,
        }
        self.kubectl("apply", "--server-side", "--filename=-", input=yaml.safe_dump(body))

    def secret(self, name: str, **data: str) -> None:
        self.kubectl("create", "secret", "generic", name, *(f"--from-literal={k}={v}" for k, v in data.items()))

    def request(self, name: str, **spec: Any) -> None:
        """Applied, and ready."""
        told = {"credentialsSecretRef": {"name": "iam"}, "region": "eu-central-1", **spec}
        self.apply("AwsStsRequest", name, told)
        self.kubectl("wait", "--for=condition=Ready", f"awssts/{name}", "--timeout=90s")

    def key(self, name: str) -> str:
        """The one that the request's status tells of."""
        return self.kubectl("get", f"awssts/{name}", "--output=jsonpath={.status.accessKeyId}")

    def renewed(self, name: str, *, within: float = 60) -> str:
        """The key after a renewal, which is asked for as long as no webhook answers."""
        before, renew = self.key(name), f"awssts.dev/renew={time.time_ns()}"
        asked = ("annotate", f"awssts/{name}", "--overwrite", renew, f"--namespace={self.name}")
        eventually(lambda: self.cluster.kubectl(*asked, check=False).returncode == 0, "a webhook that answers")
        return eventually(lambda: (key := self.key(name)) != before and key, f"the renewal of {name}", timeout=within)

    def pod(self, name: str, spec: dict[str, Any], **metadata: Any) -> Pod:
        self.apply("Pod", name, {"restartPolicy": "Never", **spec}, **metadata)
        return Pod(self, name)


@dataclass(frozen=True)
class Pod:
    """A pod of a team's."""

    team: Team
    name: str

    def says(self) -> list[dict[str, Any]]:
        """A line for each second of its life."""
        where = (f"pod/{self.name}", "--container=program", f"--namespace={self.team.name}")
        done = self.team.cluster.kubectl("logs", *where, check=False)
        return [json.loads(line) for line in done.stdout.splitlines()] if done.returncode == 0 else []

    def first_words(self, *, within: float = 120) -> dict[str, Any]:
        return eventually(self.says, f"the first words of {self.name}", timeout=within)[0]

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.team.kubectl("get", f"pod/{self.name}", "--output=json"))["status"]
        return found

    def address(self) -> str:
        return eventually(lambda: self.status().get("podIP"), f"the address of {self.name}")

    def restarts(self) -> int:
        """How often its containers were started again."""
        status = self.status()
        containers = [*status.get("initContainerStatuses", ()), *status["containerStatuses"]]
        return sum(each["restartCount"] for each in containers)
