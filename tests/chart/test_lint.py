"""What kube-score, which knows common mistakes in manifests, says of the chart's."""

from __future__ import annotations

import json
import subprocess

import pytest
import yaml

from testbed.cluster.binaries import apart
from testbed.helm import CHART, Helm
from tests.chart.profiles import PROFILES, values

LEFT_OUT = {
    "container-image-pull-policy": "IfNotPresent: tags of releases do not move, and a registry may be down",
    "deployment-has-host-podantiaffinity": "topology spread does it",
    "pod-networkpolicy": "of the pod of `helm test`, which is there for seconds; the others' is looked at here",
    "deployment-replicas": "small.yaml has one, and says so",
    "deployment-has-poddisruptionbudget": "the same",
    "pod-probes-identical": "the same: without metrics, there is only one probe to ask",
    "pod-probes": "the same: without metrics and webhooks nothing can be probed",
}


@pytest.mark.parametrize("profile", PROFILES)
def test_kube_score_finds_nothing(helm: Helm, profile: str) -> None:
    rendered = yaml.safe_dump_all(helm.render({**values(profile), "crds": {"enabled": False}}))
    options = ["--ignore-container-cpu-limit", "--output-format=json", *(f"--ignore-test={name}" for name in LEFT_OUT)]
    done = subprocess.run(  # noqa: S603 - built by this project
        [apart("kube-score"), "score", *options, "-"], input=rendered, capture_output=True, text=True, check=False
    )
    objects = json.loads(done.stdout)
    checks = [(each["object_name"], check) for each in objects for check in each["checks"] if not check["skipped"]]
    assert len(checks) > 15
    assert [(name, check["check"]["id"], check["comments"]) for name, check in checks if check["grade"] < 10] == []


@pytest.mark.parametrize("profile", [profile for profile in PROFILES if profile != "small"])
def test_every_deployment_has_a_network_policy(helm: Helm, profile: str) -> None:
    rendered = helm.render(values(profile))
    chosen = [each["spec"]["podSelector"]["matchLabels"] for each in rendered if each["kind"] == "NetworkPolicy"]
    for each in rendered:
        if each["kind"] == "Deployment":
            labels = each["spec"]["template"]["metadata"]["labels"]
            assert any(wanted.items() <= labels.items() for wanted in chosen), each["metadata"]["name"]


def test_helm_lint_finds_nothing(helm: Helm) -> None:
    assert "0 chart(s) failed" in helm("lint", "--strict", CHART, values=values("large"))
