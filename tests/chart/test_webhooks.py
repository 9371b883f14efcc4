"""Whom the webhooks are called for: nobody answers them here, so a real API server refuses what it asks about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from awssts.domain.registration import DUTIES, Expected, problems
from testbed.helm import NAMESPACE, Helm
from tests.chart.profiles import of_kind
from tests.integration.patience import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.cluster import Cluster

SHOP = {"namespaces": ["shop", "reports"]}
KINDS = {
    "mutatingwebhookconfigurations": "MutatingWebhookConfiguration",
    "validatingwebhookconfigurations": "ValidatingWebhookConfiguration",
}
REQUEST = """
apiVersion: awssts.dev/v1alpha1
kind: AwsStsRequest
metadata: {name: any}
spec: {credentialsSecretRef: {name: keys}}
"""
POLICY = """
apiVersion: awssts.dev/v1alpha1
kind: AwsStsPolicy
metadata: {name: any}
spec: {limits: {maxDuration: 1h}}
"""
POD = """
apiVersion: v1
kind: Pod
metadata: {name: any, annotations: {awssts.dev/inject: any}}
spec: {containers: [{name: any, image: any}]}
"""


@pytest.fixture(scope="module")
def registered(cluster: Cluster, helm: Helm) -> Iterator[Cluster]:
    """The webhooks of a release for two namespaces, of which one is there; and its CRDs."""
    applied = yaml.safe_dump_all(of_kind(helm.render(SHOP), "CustomResourceDefinition", *KINDS.values()))
    cluster.kubectl("create", "namespace", "shop")
    cluster.kubectl("apply", "--server-side", "--filename=-", input=applied)
    cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    for namespace in ("shop", "default"):
        cluster.kubectl("wait", "--for=create", "serviceaccount/default", f"--namespace={namespace}", "--timeout=60s")
    eventually(lambda: refusal(cluster, REQUEST, "shop"), "the webhooks are known to the API server")
    yield cluster
    cluster.kubectl("delete", "--filename=-", input=applied)
    cluster.kubectl("delete", "namespace", "shop")


def refusal(cluster: Cluster, body: str, namespace: str) -> str:
    command = ("create", "--dry-run=server", "--filename=-", f"--namespace={namespace}")
    return cluster.kubectl(*command, input=body, check=False).stderr


@pytest.mark.parametrize(
    ("body", "namespace", "webhook"),
    [
        (REQUEST, "shop", "stamp.awssts.dev"),
        (POD, "shop", "inject.awssts.dev"),
        (POLICY, "default", "validate.awssts.dev"),  # of the cluster, not of a namespace
        (REQUEST, "default", None),
        (POD, "default", None),
    ],
    ids=["request", "pod", "policy", "request-elsewhere", "pod-elsewhere"],
)
def test_only_what_the_operator_may_read_is_sent(
    registered: Cluster, body: str, namespace: str, webhook: str | None
) -> None:
    said = refusal(registered, body, namespace)
    assert said == "" if webhook is None else f'failed calling webhook "{webhook}"' in said, said


@pytest.mark.parametrize("given", [{}, SHOP], ids=["cluster-wide", "namespaced"])
def test_the_operator_finds_its_registration_in_order(helm: Helm, given: dict[str, Any]) -> None:
    expected = Expected(
        service="awssts-webhook",
        namespace=NAMESPACE,
        trusted=lambda _: True,
        namespaces=frozenset(given.get("namespaces", ())),
    )
    rendered = helm.render(given)
    for plural, duties in DUTIES.items():
        (configuration,) = of_kind(rendered, KINDS[plural])
        for webhook in configuration["webhooks"]:
            webhook["clientConfig"]["caBundle"] = "the operator's"
        assert problems(configuration, duties, expected) == []
