"""Workloads on the real API server: their pods' template changes with the credentials, and only then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.operator_process import RIGHTS
from tests.integration.patience import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.cluster import Cluster
    from testbed.sts import StrictSts, User
    from tests.integration.kube import Api
    from tests.integration.workspace import Workspace

pytestmark = pytest.mark.usefixtures("operator")
KINDS = ("Deployment", "StatefulSet", "DaemonSet")


@pytest.fixture
def allowed(cluster: Cluster) -> Iterator[None]:
    cluster.kubectl("apply", "--filename", RIGHTS / "rollout-restart.yaml")
    yield
    cluster.kubectl("delete", "--filename", RIGHTS / "rollout-restart.yaml")


def workload(api: Api, space: Workspace, kind: str) -> None:
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": "web"}]}}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    if kind == "StatefulSet":
        spec["serviceName"] = "web"
    api.create(f"/apis/apps/v1/namespaces/{space.name}/{kind.lower()}s", {"metadata": {"name": "web"}, "spec": spec})


def restarted_for(api: Api, space: Workspace, kind: str) -> str:
    found = api.get(f"/apis/apps/v1/namespaces/{space.name}/{kind.lower()}s/web") or {}
    return str((found["spec"]["template"]["metadata"].get("annotations") or {}).get("awssts.dev/restarted-for", ""))


@pytest.mark.usefixtures("allowed")
def test_each_kind_restarts_at_a_renewal(api: Api, space: Workspace, user: User, sts: StrictSts) -> None:
    for kind in KINDS:
        workload(api, space, kind)
    space.keys(user)
    space.request(rolloutRestart=[{"kind": kind, "name": "web"} for kind in KINDS])
    space.until_ready()
    assert {restarted_for(api, space, kind) for kind in KINDS} == {""}
    held = space.held_key()
    space.renew()
    space.until_renewed(held)

    def marks() -> set[str]:
        return {restarted_for(api, space, kind) for kind in KINDS}

    eventually(lambda: len(marks()) == 1 and "" not in marks(), "all restarts")
    eventually(lambda: "RolloutRestarted" in reasons(space), "the Event")
    (mark,) = marks()
    assert space.status()["rollout"] == {"content": mark, "failed": []}


def test_without_the_right_it_says_so_and_goes_on(api: Api, space: Workspace, user: User) -> None:
    workload(api, space, "Deployment")
    space.keys(user)
    space.request(rolloutRestart=[{"kind": "Deployment", "name": "web"}])
    space.until_ready()
    held = space.held_key()
    space.renew()
    space.until_renewed(held)
    failed: Any = eventually(lambda: (space.status().get("rollout") or {}).get("failed"), "the failure")
    assert (failed[0]["kind"], failed[0]["name"]) == ("Deployment", "web")
    assert "cannot patch resource" in failed[0]["message"]
    assert space.condition()["status"] == "True"
    eventually(lambda: "RolloutRestartFailed" in reasons(space), "the Event")


def reasons(space: Workspace) -> set[str]:
    return {reason for _, reason in space.events()}
