"""Install, upgrade, rollback, uninstall: on a real cluster, with nothing left but the CRDs and what they hold."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
import yaml

from testbed.helm import CHART, NAMESPACE, Helm, HelmError
from tests.chart.made import made
from tests.integration.patience import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testbed.cluster import Cluster

HERE = f"--namespace={NAMESPACE}"
REQUEST = """
apiVersion: awssts.dev/v1alpha1
kind: AwsStsRequest
metadata: {name: kept, namespace: default}
spec: {credentialsSecretRef: {name: keys}}
"""
OPERATORS_OWN = f"""
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {{name: awssts, namespace: {NAMESPACE}}}
spec: {{holderIdentity: an operator}}
---
apiVersion: v1
kind: Secret
metadata: {{name: awssts-stamp-key, namespace: {NAMESPACE}}}
stringData: {{key: what it signs with}}
"""


@pytest.fixture
def release(cluster: Cluster, tmp_path: Path) -> Iterator[Helm]:
    """Helm for the cluster; the CRDs that it left are taken away at the end."""
    yield Helm(tmp_path, cluster.kubeconfig)
    cluster.kubectl("delete", "crd", "--ignore-not-found", "awsstsrequests.awssts.dev", "awsstspolicies.awssts.dev")


@pytest.fixture
def previous(tmp_path: Path) -> Path:
    """The chart as it might have been: another version, without columns in one CRD, and without the webhooks."""
    chart = tmp_path / "previous"
    shutil.copytree(CHART, chart)
    about = yaml.safe_load((chart / "Chart.yaml").read_text())
    (chart / "Chart.yaml").write_text(yaml.safe_dump({**about, "version": "0.0.1", "appVersion": "0.0.1"}))
    path = chart / "files" / "crds" / "awssts.dev_awsstsrequests.yaml"
    crd = yaml.safe_load(path.read_text())
    del crd["spec"]["versions"][0]["additionalPrinterColumns"]
    path.write_text(yaml.safe_dump(crd))
    shutil.rmtree(chart / "templates" / "webhooks")
    return chart


def columns(cluster: Cluster) -> bool:
    return "additionalPrinterColumns" in cluster.kubectl("get", "crd/awsstsrequests.awssts.dev", "--output=json").stdout


def image(cluster: Cluster) -> str:
    path = "jsonpath={.spec.template.spec.containers[0].image}"
    return cluster.kubectl("get", "deployment/awssts", HERE, f"--output={path}").stdout


def test_life_of_a_release(cluster: Cluster, release: Helm, previous: Path) -> None:
    before = made(cluster)
    release("install", "awssts", previous, HERE)
    cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    cluster.kubectl("apply", "--server-side", "--filename=-", input=REQUEST)
    uid = cluster.kubectl("get", "awssts/kept", "--output=jsonpath={.metadata.uid}").stdout
    assert not columns(cluster)
    assert image(cluster).endswith(":0.0.1")

    release("upgrade", "awssts", CHART, HERE)
    assert columns(cluster)
    assert image(cluster).endswith(":0.1.0")
    trusted = [{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": "b3BlcmF0b3I="}]  # the operator's
    webhook = ("mutatingwebhookconfiguration/awssts", "--output=jsonpath={.webhooks[0].clientConfig.caBundle}")
    cluster.kubectl("patch", "mutatingwebhookconfiguration/awssts", "--type=json", f"--patch={json.dumps(trusted)}")
    release("upgrade", "awssts", CHART, HERE, values={"operator": {"workers": 4}, "webhooks": {"timeoutSeconds": 7}})
    assert cluster.kubectl("get", *webhook).stdout == "b3BlcmF0b3I="
    cluster.kubectl("create", "--filename=-", input=OPERATORS_OWN)

    release("rollback", "awssts", "1", HERE)
    assert image(cluster).endswith(":0.0.1")
    assert cluster.kubectl("get", "mutatingwebhookconfigurations", "--output=name").stdout == ""
    holder = ("lease/awssts", HERE, "--output=jsonpath={.spec.holderIdentity}")
    assert cluster.kubectl("get", *holder).stdout == "an operator"

    release("uninstall", "awssts", HERE)
    crds = {f"CustomResourceDefinition /{name}.awssts.dev" for name in ("awsstsrequests", "awsstspolicies")}
    left = before | crds | {"APIService /v1alpha1.awssts.dev", "AwsStsRequest default/kept"}
    eventually(lambda: not (made(cluster) - left), "nothing left but the CRDs and what they hold")
    assert made(cluster) == left
    assert cluster.kubectl("get", "awssts/kept", "--output=jsonpath={.metadata.uid}").stdout == uid

    release("install", "awssts", CHART, HERE)  # once more, over the CRDs that stayed
    release("uninstall", "awssts", HERE)


def test_crds_that_came_by_kubectl(cluster: Cluster, release: Helm) -> None:
    """Helm does not take over by itself what another made, and says so; one option makes it."""
    cluster.kubectl("apply", "--server-side", "--filename", CHART / "files" / "crds")
    with pytest.raises(HelmError, match="invalid ownership metadata"):
        release("install", "awssts", CHART, HERE)
    release("install", "awssts", CHART, HERE, "--take-ownership")
    release("uninstall", "awssts", HERE)


def test_two_releases_side_by_side(cluster: Cluster, release: Helm) -> None:
    """The second does without what is there once in a cluster: CRDs, roles of users. Each has webhooks of its own."""
    for team, first in (("first", True), ("second", False)):
        values = {
            "namespaces": [team],
            "fullnameOverride": f"awssts-{team}",
            "crds": {"enabled": first},
            "rbac": {"aggregate": first},
        }
        release("install", team, CHART, f"--namespace={team}", "--create-namespace", values=values)
    for kind in ("deployment", "mutatingwebhookconfiguration", "validatingwebhookconfiguration"):
        found = cluster.kubectl("get", kind, "--all-namespaces", "--output=jsonpath={.items[*].metadata.name}").stdout
        assert found.split() == ["awssts-first", "awssts-second"]
    for team in ("first", "second"):
        release("uninstall", team, f"--namespace={team}")
        cluster.kubectl("delete", "namespace", team)
