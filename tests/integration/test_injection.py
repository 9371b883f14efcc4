"""Pods that ask for the sidecar, on a real API server: what is stored is what kubelet would run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from awssts.domain.injection import INJECT, INJECTED
from tests.integration import guarded_cluster as scene
from tests.integration.guarded_cluster import IMAGE, guarded_cluster, request
from tests.integration.patience import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.cluster import Cluster
    from tests.integration.admission_server import Serving
    from tests.integration.guarded_cluster import Person

Json = dict[str, Any]

webhook, name, port = scene.webhook, scene.name, scene.port
anna, operator_kubeconfig = scene.anna, scene.operator_kubeconfig

RESTRICTED = {  # what the "restricted" pod security standard asks of a container
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
URI = "AWS_CONTAINER_CREDENTIALS_FULL_URI"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """With controllers, which make pods of templates; its namespace demands restricted pods."""
    with guarded_cluster(tmp_path_factory.mktemp("guarded"), controllers=True) as running:
        account = ("get", "serviceaccount", "default", "--namespace=team")
        eventually(lambda: running.kubectl(*account, check=False).returncode == 0, "the service account of pods")
        running.kubectl("label", "namespace", "team", "pod-security.kubernetes.io/enforce=restricted")
        yield running


def template(asked: str | None, *containers: Json) -> Json:
    annotations = {INJECT: asked} if asked is not None else {}
    held = [{"name": "web", "image": "shop:1"}, *containers]
    return {
        "metadata": {"annotations": annotations, "labels": {"app": "shop"}},
        "spec": {"containers": [{**one, "securityContext": RESTRICTED} for one in held]},
    }


def pod(name: str, asked: str | None, *containers: Json) -> Json:
    made = template(asked, *containers)
    return {**made, "apiVersion": "v1", "kind": "Pod", "metadata": {**made["metadata"], "name": name}}


def stored(person: Person, *which: str) -> Json:
    shown: Json = json.loads(person.kubectl("get", "pod", *which, "--output=json").stdout)
    return shown


def served(found: Json) -> dict[str, bool]:
    """Of each container, whether its SDKs are led to the sidecar."""
    containers = [*found["spec"].get("initContainers", ()), *found["spec"]["containers"]]
    return {one["name"]: any(variable["name"] == URI for variable in one.get("env", ())) for one in containers}


@pytest.mark.usefixtures("webhook")
def test_a_pod_that_asks_gets_the_sidecar(anna: Person, name: str) -> None:
    anna.does("create", "--filename=-", given=request(name, region="eu-central-1", target={"name": "aws"}))
    warned = anna.does("create", "--filename=-", given=pod(name, name))
    found = stored(anna, name)
    anna.does("delete", "pod", name, "--now")
    assert warned == ""
    assert served(found) == {"awssts": False, "web": True}
    (sidecar,) = found["spec"]["initContainers"]
    assert (sidecar["image"], sidecar["restartPolicy"]) == (IMAGE, "Always")
    volumes = {volume["name"]: volume for volume in found["spec"]["volumes"]}
    assert volumes["awssts-credentials"]["secret"] == {"secretName": "aws", "optional": True, "defaultMode": 420}
    assert volumes["awssts-token"]["emptyDir"]["medium"] == "Memory"
    assert {"name": "AWS_REGION", "value": "eu-central-1"} in found["spec"]["containers"][0]["env"]
    assert found["metadata"]["annotations"][INJECTED] == name


@pytest.mark.usefixtures("webhook")
def test_a_copy_of_a_pod_is_taken_as_it_is(anna: Person, name: str) -> None:
    anna.does("create", "--filename=-", given=request(name))
    anna.does("create", "--filename=-", given=pod(name, name))
    found = stored(anna, name)
    anna.does("delete", "pod", name, "--now")
    for field in ("uid", "resourceVersion", "creationTimestamp"):
        del found["metadata"][field]
    anna.does("create", "--filename=-", given=found)
    again = stored(anna, name)
    anna.does("delete", "pod", name, "--now")
    assert again["spec"]["initContainers"] == found["spec"]["initContainers"]
    assert again["spec"]["volumes"] == found["spec"]["volumes"]


@pytest.mark.usefixtures("webhook")
def test_pods_of_a_deployment_get_it_too(anna: Person, name: str) -> None:
    """They have neither name nor namespace of their own yet; and the request may come later."""
    wanted = {"selector": {"matchLabels": {"app": "shop"}}, "template": template(name)}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": wanted}
    anna.does("create", "--filename=-", given=body)
    eventually(lambda: stored(anna, "--selector=app=shop")["items"], "the Deployment's pod")
    found = stored(anna, "--selector=app=shop")["items"][0]
    anna.does("delete", "deployment", name, "--cascade=foreground", "--wait=false")
    anna.does("delete", "pod", "--selector=app=shop", "--now")
    assert served(found) == {"awssts": False, "web": True}
    assert {"secretName": name, "optional": True, "defaultMode": 420} in [
        volume.get("secret") for volume in found["spec"]["volumes"]
    ]


@pytest.mark.usefixtures("webhook")
@pytest.mark.parametrize(
    ("asked", "containers", "told"),
    [
        ("finance/reports", [], "a pod can only have credentials of a request in its own namespace, team"),
        ("Reports", [], "give the name of an AwsStsRequest"),
        ("reports", [{"name": "awssts", "image": "shop:1"}], "the pod has a container awssts already"),
    ],
)
def test_what_can_not_be_is_refused(anna: Person, name: str, asked: str, containers: list[Json], told: str) -> None:
    shown = anna.fails("create", "--filename=-", given=pod(name, asked, *containers))
    assert f'The Pod "{name}" is invalid: metadata.annotations[awssts.dev/inject]: ' in shown
    assert told in shown


@pytest.mark.usefixtures("webhook")
def test_a_pod_with_keys_is_left_alone(anna: Person, name: str) -> None:
    anna.does("create", "--filename=-", given=request(name))
    own = {"name": "worker", "image": "shop:1", "env": [{"name": "AWS_ACCESS_KEY_ID", "value": "AKIA"}]}
    warned = anna.does("create", "--filename=-", given=pod(name, name, own))
    found = stored(anna, name)
    anna.does("delete", "pod", name, "--now")
    assert "Warning: metadata.annotations[awssts.dev/inject]: container worker has AWS credentials" in warned
    assert served(found) == {"web": False, "worker": False}


@pytest.mark.usefixtures("webhook")
def test_one_without_its_request_waits(anna: Person, name: str) -> None:
    warned = anna.does("create", "--filename=-", given=pod(name, name))
    assert served(stored(anna, name))["web"]
    anna.does("delete", "pod", name, "--now")
    assert f"there is no AwsStsRequest {name} in this namespace yet" in warned


def test_without_the_operator_only_pods_that_ask_are_refused(webhook: Serving, anna: Person, name: str) -> None:
    webhook.__exit__(None, None, None)
    assert 'failed calling webhook "inject.awssts.dev"' in anna.fails("create", "--filename=-", given=pod(name, name))
    anna.does("create", "--filename=-", given=pod(name, None))
    anna.does("delete", "pod", name, "--now")
