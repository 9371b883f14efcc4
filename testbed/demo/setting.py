"""The first steps of the demo: what has to be there before a request can be answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.demo import examples
from testbed.demo.stage import ROOT
from testbed.process import wait_until

if TYPE_CHECKING:
    from testbed.demo.stage import Stage


def cluster(stage: Stage) -> str:
    stage.running.enter_context(stage.cluster)
    stage.kubectl("version", "--client=false")
    return "etcd and kube-apiserver are ready"


def aws(stage: Stage) -> str:
    stage.screen.note(
        "No AWS account is needed: this STS runs here. It checks signatures, keys, durations and trust policies as "
        "AWS does, and each answer is a new credential."
    )
    stage.running.enter_context(stage.sts)
    stage.user = examples.prepare(stage.sts)
    stage.screen.output(f"{stage.user.arn} with key {stage.user.access_key_id}")
    return "an STS, an IAM user, a role"


def crds(stage: Stage) -> str:
    stage.kubectl("apply", "--server-side", f"--filename={ROOT / 'crds'}", shown="apply --server-side -f crds/")
    stage.cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    serves = ["get", "awsstsrequests", "--all-namespaces"]  # an Established CRD answers 429 for a moment
    wait_until(lambda: stage.cluster.kubectl(*serves, check=False).returncode == 0, timeout=60, what="the CRD's API")
    return "the API server knows AwsStsRequest"


def operator(stage: Stage) -> str:
    role = ROOT / "testbed" / "demo" / "operator-role.yaml"
    stage.kubectl("apply", "--server-side", f"--filename={role}", shown="apply --server-side -f operator-role.yaml")
    stage.screen.command(f"AWS_ENDPOINT_URL_STS={stage.sts.endpoint} awssts operator")
    stage.start_operator()
    return "watching requests and Secrets"
