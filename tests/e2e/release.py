"""The release, and what its operator does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.helm import NAMESPACE

if TYPE_CHECKING:
    from testbed.cluster import Cluster
    from testbed.sts import StrictSts, User

HERE = f"--namespace={NAMESPACE}"
OPERATORS = "--selector=app.kubernetes.io/component=operator"


def rolled_out(cluster: Cluster, name: str = "awssts") -> None:
    """Waits for a Deployment; the error shows what it said."""
    where = (f"deployment/{name}", HERE)
    done = cluster.kubectl("rollout", "status", *where, "--timeout=180s", check=False)
    if done.returncode:
        pods = cluster.kubectl("describe", "pods", HERE).stdout
        logs = cluster.kubectl("logs", *where, "--tail=20", check=False).stdout
        pytest.fail(f"{done.stderr}\n{pods}\n{logs}")


def leader(cluster: Cluster) -> str:
    """Who holds the Lease."""
    return cluster.kubectl("get", "lease/awssts", HERE, "--output=jsonpath={.spec.holderIdentity}").stdout


def issued(sts: StrictSts, user: User) -> int:
    """The calls to STS for new credentials that began with this user's key."""
    keys, found = {user.access_key_id}, 0
    for call in sts.calls():
        if call.access_key_id in keys and call.operation in {"GetSessionToken", "AssumeRole"}:
            keys.add(call.issued_access_key_id)
            found += 1
    return found
