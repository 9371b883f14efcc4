"""What comes of the values, and what a real API server says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from testbed.helm import CHART, Helm, HelmError
from tests.chart.profiles import DATA, PROFILES, of_kind, pods, values
from tests.unit.golden import compare

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.cluster import Cluster

DRY_RUN = ("apply", "--server-side", "--dry-run=server", "--validate=strict", "--filename=-")
NAMESPACES = ("shop", "reports", "restricted")


@pytest.fixture(scope="module")
def prepared(cluster: Cluster) -> Iterator[Cluster]:
    """With the kinds of Prometheus Operator and cert-manager, the profiles' namespaces, and one that is restricted."""
    cluster.kubectl("apply", "--server-side", "--filename", DATA / "optional-kinds.yaml")
    cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    for name in NAMESPACES:
        cluster.kubectl("create", "namespace", name)
    cluster.kubectl("label", "namespace", "restricted", "pod-security.kubernetes.io/enforce=restricted")
    cluster.kubectl("wait", "--for=create", "serviceaccount/default", "--namespace=restricted", "--timeout=60s")
    yield cluster
    cluster.kubectl("delete", "namespace", *NAMESPACES)
    cluster.kubectl("delete", "--filename", DATA / "optional-kinds.yaml")


@pytest.mark.parametrize("profile", PROFILES)
def test_as_expected(helm: Helm, profile: str) -> None:
    """AWSSTS_GOLDEN=write writes the files anew. The CRDs are those of crds/, as another test sees."""
    rendered = helm.render({**values(profile), "crds": {"enabled": False}})
    compare(DATA / "rendered" / f"{profile}.yaml", {_called(each): each for each in rendered})


def _called(each: dict[str, Any]) -> str:
    metadata = each["metadata"]
    return " ".join([each["kind"], *filter(None, [metadata.get("namespace"), metadata["name"]])])


@pytest.mark.parametrize("profile", PROFILES)
def test_an_api_server_takes_it(helm: Helm, prepared: Cluster, profile: str) -> None:
    """It knows every field, and lets the pods into a namespace that takes restricted ones only."""
    rendered = helm.render(values(profile))
    others = [each for each in rendered if each["kind"] != "Pod"]
    done = prepared.kubectl(*DRY_RUN, input=yaml.safe_dump_all(others))
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == len(others)
    for name, spec in pods(rendered):
        prepared.kubectl(*DRY_RUN, input=_restricted(name, spec | {"serviceAccountName": "default"}))


def test_a_pod_like_any_other_is_refused(prepared: Cluster) -> None:
    """So the restriction is one."""
    pod = _restricted("any", {"containers": [{"name": "any", "image": "any"}]})
    assert 'violates PodSecurity "restricted' in prepared.kubectl(*DRY_RUN, input=pod, check=False).stderr


def _restricted(name: str, spec: dict[str, Any]) -> str:
    metadata = {"name": name, "namespace": "restricted"}
    return yaml.safe_dump({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})


@pytest.mark.parametrize("profile", PROFILES)
def test_every_object_says_where_it_belongs(helm: Helm, profile: str) -> None:
    for each in helm.render(values(profile)):
        metadata = each["metadata"]
        of_the_cluster = each["kind"].startswith(("Cluster", "CustomResource", "Mutating", "Validating"))
        assert ("namespace" in metadata) != of_the_cluster, metadata["name"]
        assert metadata["labels"]["app.kubernetes.io/managed-by"] == "Helm"
        assert len(metadata["name"]) <= 63


def test_long_names_are_cut(helm: Helm) -> None:
    rendered = helm.render({**values("large"), "fullnameOverride": "a" * 50})
    assert max(len(each["metadata"]["name"]) for each in of_kind(rendered, "Deployment", "Service", "Pod")) <= 63


@pytest.mark.parametrize(("kind", "policy"), [("ClusterIP", None), ("NodePort", "Local"), ("LoadBalancer", "Local")])
def test_the_gateway_sees_who_calls(helm: Helm, kind: str, policy: str | None) -> None:
    """It locks out by address; an API server refuses the policy for a ClusterIP."""
    rendered = helm.render({"gateway": {"enabled": True, "tlsSecretName": "tls", "service": {"type": kind}}})
    (service,) = [
        each["spec"] for each in of_kind(rendered, "Service") if each["metadata"]["name"].endswith("-gateway")
    ]
    assert (service["type"], service.get("externalTrafficPolicy")) == (kind, policy)


@pytest.mark.parametrize(
    ("given", "seconds", "grace"),
    [
        ({}, 5, 35),
        ({"operator": {"preStopSeconds": 15, "terminationGracePeriodSeconds": 60}}, 15, 75),
        ({"operator": {"preStopSeconds": 0}}, None, 30),
        ({"webhooks": {"enabled": False}}, None, 30),  # nobody calls it
    ],
)
def test_who_ends_serves_until_nobody_calls(helm: Helm, given: dict[str, Any], seconds: int | None, grace: int) -> None:
    spec = dict(pods(helm.render(given)))["awssts"]
    sleep = spec["containers"][0].get("lifecycle", {}).get("preStop", {}).get("sleep", {})
    assert (sleep.get("seconds"), spec["terminationGracePeriodSeconds"]) == (seconds, grace)


def test_crds_are_kept(helm: Helm) -> None:
    crds = of_kind(helm.render({}), "CustomResourceDefinition")
    written = [yaml.safe_load(path.read_text()) for path in sorted((CHART.parents[1] / "crds").glob("*.yaml"))]
    assert [crd["spec"] for crd in crds] == [crd["spec"] for crd in written]
    assert [crd["metadata"]["name"] for crd in crds] == [crd["metadata"]["name"] for crd in written]
    assert {crd["metadata"]["annotations"]["helm.sh/resource-policy"] for crd in crds} == {"keep"}
    assert of_kind(helm.render({"crds": {"enabled": False}}), "CustomResourceDefinition") == []


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"leaderElection": {"enabled": False}}, "operator.replicas must be 1"),
        ({"operator": {"replicas": 1, "shards": 2}, "leaderElection": {"enabled": False}}, "operator.shards takes"),
        ({"gateway": {"enabled": True}}, "gateway.tlsSecretName must name"),
        ({"webhooks": {"enabled": False, "certManager": {"enabled": True}}}, "certManager.enabled takes webhooks"),
        ({"metrics": {"enabled": False, "serviceMonitor": {"enabled": True}}}, "serviceMonitor.enabled takes metrics"),
        ({"serviceAccount": {"create": False}}, "serviceAccount.name says which"),
        ({"operator": {"podLabels": {"awssts.dev/shard": "9"}}}, "operator.podLabels must not have awssts.dev/shard"),
        ({"gateway": {"podLabels": {"app.kubernetes.io/name": "me"}}}, "gateway.podLabels must not have app.kuber"),
        ({"commonLabels": {"helm.sh/chart": "mine"}}, "commonLabels must not have helm.sh/chart: the chart sets it"),
        ({"metrics": {"dashboard": {"labels": {"app.kubernetes.io/name": "me"}}}}, "dashboard.labels must not have"),
        ({"operator": {"tolerations": [{"keys": "a"}]}}, "'keys' not allowed"),
        ({"gateway": {"affinity": {"nodes": {}}}}, "'nodes' not allowed"),
        ({"operator": {"resources": {"limits": {"memory": ["1Gi"]}}}}, "limits/memory"),
        ({"image": {"digest": "latest"}}, "image/digest"),
        ({"region": "Frankfurt"}, "region"),
    ],
)
def test_what_cannot_work_is_refused(helm: Helm, wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(HelmError, match=why):
        helm.render(wrong)
