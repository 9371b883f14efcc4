"""The release, and what its operator does."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import yaml

from testbed import image
from testbed.helm import NAMESPACE
from tests.integration.patience import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.cluster import Cluster
    from testbed.sts import StrictSts, User

HERE = f"--namespace={NAMESPACE}"
MONITORING = "monitoring"  # the namespace that may read metrics
OPERATORS = "--selector=app.kubernetes.io/component=operator"


def values(cluster: Cluster, sts: StrictSts) -> dict[str, Any]:
    """As they come, but for the image, where AWS and the API server are, and the right to restart workloads."""
    repository, tag = image.NAME.split(":")
    port = cluster.kubectl("get", "endpointslice/kubernetes", "--output=jsonpath={.ports[0].port}").stdout
    monitoring = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": MONITORING}}}
    return {
        "image": {"repository": repository, "tag": tag, "pullPolicy": "Never"},
        "operator": {"env": [{"name": "AWS_ENDPOINT_URL_STS", "value": sts.endpoint}]},
        "rolloutRestart": {"enabled": True},
        "networkPolicy": {
            "ports": [443, int(port)],
            "extraEgress": [{"ports": [{"protocol": "TCP", "port": urlsplit(sts.endpoint).port}]}],
            "metricsFrom": [monitoring],
        },
    }


def rolled_out(cluster: Cluster, name: str = "awssts") -> None:
    """Waits for a Deployment, and for the end of the operator's old pods; the error shows what it said."""
    where = (f"deployment/{name}", HERE)
    done = cluster.kubectl("rollout", "status", *where, "--timeout=180s", check=False)
    if done.returncode:
        pods = cluster.kubectl("describe", "pods", HERE).stdout
        logs = cluster.kubectl("logs", *where, "--tail=20", check=False).stdout
        pytest.fail(f"{done.stderr}\n{pods}\n{logs}")
    eventually(lambda: not any("deletionTimestamp" in pod["metadata"] for pod in operators(cluster)), "no old pod")


def operators(cluster: Cluster) -> list[dict[str, Any]]:
    """The pods of the operator."""
    listed = cluster.kubectl("get", "pods", OPERATORS, HERE, "--output=json").stdout
    found: list[dict[str, Any]] = json.loads(listed)["items"]
    return found


def leading(cluster: Cluster) -> dict[str, Any] | None:
    """The pod that holds the Lease; None between two."""
    holder = cluster.kubectl("get", "lease/awssts", HERE, "--output=jsonpath={.spec.holderIdentity}").stdout
    return next((pod for pod in operators(cluster) if pod["metadata"]["name"] in holder), None)


def issued(sts: StrictSts, user: User) -> int:
    """The calls to STS for new credentials that began with this user's key."""
    keys, found = {user.access_key_id}, 0
    for call in sts.calls():
        if call.access_key_id in keys and call.operation in {"GetSessionToken", "AssumeRole"}:
            keys.add(call.issued_access_key_id)
            found += 1
    return found


@dataclass
class Asked:
    """Requests that somebody applied, one after another."""

    taken: int = 0
    refused: list[str] = field(default_factory=list)


@contextmanager
def asking(cluster: Cluster, namespace: str) -> Iterator[Asked]:
    """Somebody who applies requests all the time, as dry runs: each is a call or two of the webhooks."""
    asked, ended = Asked(), threading.Event()
    bodies = yaml.safe_dump_all(
        {
            "apiVersion": "awssts.dev/v1alpha1",
            "kind": "AwsStsRequest",
            "metadata": {"name": f"asked-{number}", "namespace": namespace},
            "spec": {"credentialsSecretRef": {"name": "iam"}},
        }
        for number in range(50)
    )
    command = ("create", "--dry-run=server", "--validate=false", "--output=name", "--filename=-")

    def ask() -> None:
        while not ended.is_set():
            done = cluster.kubectl(*command, input=bodies, check=False)
            asked.taken += len(done.stdout.splitlines())
            asked.refused += done.stderr.splitlines()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield asked
    finally:
        ended.set()
        for thread in threads:
            thread.join()
