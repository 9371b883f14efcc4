"""What somebody has made in a cluster: to see that it is gone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from testbed.helm import NAMESPACE

if TYPE_CHECKING:
    from testbed.cluster import Cluster

PASSING = ("events", "events.events.k8s.io", "ipaddresses.networking.k8s.io", "clustertrustbundles.certificates.k8s.io")
OURS = ("", "default", NAMESPACE)
EVERYWHERE = ("default", "kube-root-ca.crt")  # of every namespace: made some time after it


def made(cluster: Cluster) -> set[str]:
    """Each object of the cluster, but for those of Kubernetes itself."""
    kinds = cluster.kubectl("api-resources", "--verbs=list", "--output=name").stdout.split()
    wanted = ",".join(kind for kind in kinds if kind not in PASSING)
    listed = json.loads(cluster.kubectl("get", wanted, "--all-namespaces", "--output=json").stdout)["items"]
    names = ((each["kind"], each["metadata"].get("namespace", ""), each["metadata"]["name"]) for each in listed)
    return {f"{kind} {home}/{name}" for kind, home, name in names if home in OURS and name not in EVERYWHERE}
