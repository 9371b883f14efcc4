"""Pods that use credentials, and what they say."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from testbed import image
from tests.e2e.conftest import TEAM
from tests.integration.patience import eventually

if TYPE_CHECKING:
    from testbed.cluster import Cluster
    from testbed.sts import StrictSts

PROGRAM = (Path(__file__).parent / "consumer.py").read_text()
MOUNT = "/var/run/secrets/awssts.dev"
SECURITY = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


@dataclass(frozen=True)
class Consumer:
    """A pod of the team's, with the program of consumer.py; its image happens to be the operator's: it has boto3."""

    cluster: Cluster
    name: str

    def start(self, sts: StrictSts, container: dict[str, Any], *arguments: str, volumes: Any = ()) -> None:
        environment = [{"name": "AWS_ENDPOINT_URL_STS", "value": sts.endpoint}, *container.pop("env", ())]
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": self.name, "namespace": TEAM},
            "spec": {
                "restartPolicy": "Never",
                "automountServiceAccountToken": False,
                "terminationGracePeriodSeconds": 1,
                "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
                "containers": [
                    {
                        "name": "program",
                        "image": image.NAME,
                        "imagePullPolicy": "Never",
                        "command": ["python3", "-c", PROGRAM, *arguments],
                        "env": environment,
                        "securityContext": SECURITY,
                        **container,
                    }
                ],
                "volumes": list(volumes),
            },
        }
        self.cluster.kubectl("apply", "--server-side", "--filename=-", input=yaml.safe_dump(pod))

    def says(self) -> list[dict[str, Any]]:
        """A line for each second of its life."""
        done = self.cluster.kubectl("logs", f"pod/{self.name}", f"--namespace={TEAM}", check=False)
        return [json.loads(line) for line in done.stdout.splitlines()] if done.returncode == 0 else []

    def first_words(self) -> dict[str, Any]:
        return eventually(self.says, f"the first words of {self.name}", timeout=120)[0]

    def state(self) -> tuple[str, int]:
        """Its uid, and how often its container was started again."""
        found = self.cluster.kubectl("get", f"pod/{self.name}", f"--namespace={TEAM}", "--output=json").stdout
        pod = json.loads(found)
        return pod["metadata"]["uid"], pod["status"]["containerStatuses"][0]["restartCount"]


@dataclass(frozen=True)
class Team:
    """The namespace of somebody who uses awssts."""

    cluster: Cluster

    def kubectl(self, *arguments: str, **options: Any) -> str:
        return self.cluster.kubectl(*arguments, f"--namespace={TEAM}", **options).stdout

    def secret(self, name: str, **data: str) -> None:
        self.kubectl("create", "secret", "generic", name, *(f"--from-literal={k}={v}" for k, v in data.items()))

    def request(self, name: str, **spec: Any) -> None:
        """Applied, and ready."""
        body = {
            "apiVersion": "awssts.dev/v1alpha1",
            "kind": "AwsStsRequest",
            "metadata": {"name": name},
            "spec": {"credentialsSecretRef": {"name": "iam"}, "region": "eu-central-1", **spec},
        }
        self.kubectl("apply", "--server-side", "--filename=-", input=yaml.safe_dump(body))
        self.kubectl("wait", "--for=condition=Ready", f"awssts/{name}", "--timeout=90s")

    def key(self, name: str) -> str:
        """The one that the request's status tells of."""
        return self.kubectl("get", f"awssts/{name}", "--output=jsonpath={.status.accessKeyId}")
