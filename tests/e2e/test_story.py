"""From `helm install` to `helm uninstall`, on a node that runs pods: one story, told in order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from testbed.helm import NAMESPACE, Helm
from testbed.sts import allow
from tests.e2e.conftest import TEAM, rolled_out
from tests.e2e.pods import MOUNT, Consumer, Team
from tests.integration.patience import eventually

if TYPE_CHECKING:
    from testbed.cluster import Cluster
    from testbed.sts import StrictSts, User

REPORTS = Path(__file__).parents[2] / ".cache" / "reports"
TURNOVER = 180  # seconds for kubelet to bring a changed Secret into a pod: its period of 60, and some

WITH_MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def user(sts: StrictSts) -> User:
    return sts.user("team")


@pytest.fixture(scope="module")
def team(cluster: Cluster, installed: Helm, user: User) -> Team:
    assert installed
    made = Team(cluster)
    made.secret("iam", aws_access_key_id=user.access_key_id, aws_secret_access_key=user.secret_access_key)
    return made


def test_helm_test(installed: Helm) -> None:
    said = installed("test", "awssts", f"--namespace={NAMESPACE}", "--logs")
    assert "A request would be taken.\nThe admission webhook has stamped it.\n" in said


def test_a_pod_with_environment_variables(cluster: Cluster, team: Team, sts: StrictSts, user: User) -> None:
    team.request("job", target={"formats": ["Environment"]})
    job = Consumer(cluster, "job")
    job.start(sts, {"envFrom": [{"secretRef": {"name": "job"}}]}, "--once")
    said = job.first_words()
    assert said["arn"] == user.arn
    assert said["key"] == team.key("job") != user.access_key_id


def test_a_running_pod_sees_a_rotation(cluster: Cluster, team: Team, sts: StrictSts, user: User) -> None:
    """It is not started again, and at no second it has nothing, or something that expired."""
    team.request("web")
    web = Consumer(cluster, "web")
    mounted = {
        "env": [
            {"name": "AWS_SHARED_CREDENTIALS_FILE", "value": f"{MOUNT}/credentials"},
            {"name": "CREDENTIALS_FOLDER", "value": MOUNT},
        ],
        "volumeMounts": [{"name": "aws", "mountPath": MOUNT, "readOnly": True}],
    }
    web.start(sts, mounted, volumes=[{"name": "aws", "secret": {"secretName": "web"}}])
    first = web.first_words()["key"]
    before = web.state()
    team.kubectl("annotate", "awssts/web", "awssts.dev/renew=now")
    second = eventually(lambda: (key := team.key("web")) != first and key, "the renewal")
    eventually(lambda: web.says()[-1].get("key") == second, "the new key in the pod", timeout=TURNOVER)
    eventually(lambda: [line.get("key") for line in web.says()].count(second) > 3, "some more calls with it")
    view = web.says()
    REPORTS.mkdir(parents=True, exist_ok=True)
    (REPORTS / "pod-view.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in view))
    assert [line for line in view if "error" in line or line["left"] <= 0 or line["arn"] != user.arn] == []
    assert list(dict.fromkeys(line["key"] for line in view)) == [first, second]
    assert web.state() == before


def test_mfa_from_a_seed(cluster: Cluster, team: Team, sts: StrictSts, user: User) -> None:
    """A role whose trust policy asks for MFA, in a pod."""
    device = sts.device(user)
    team.secret("device", seed=device.seed)
    role = sts.role("reports", {"Statement": [allow(user.arn, condition=WITH_MFA)]})
    team.request(
        "reports",
        role={"arn": role},
        mfa={"serialNumber": device.serial_number, "totpSecretRef": {"name": "device", "key": "seed"}},
        target={"formats": ["Environment"]},
    )
    job = Consumer(cluster, "reports")
    job.start(sts, {"envFrom": [{"secretRef": {"name": "reports"}}]}, "--once")
    assert ":assumed-role/reports/" in job.first_words()["arn"]


def test_another_pod_of_the_operator_asks_nothing_of_sts(cluster: Cluster, team: Team, sts: StrictSts) -> None:
    """But for the one renewal that shows that it is at work."""
    keys = {name: team.key(name) for name in ("job", "web", "reports")}
    calls = issued(sts)
    cluster.kubectl("delete", "pods", "--selector=app.kubernetes.io/component=operator", f"--namespace={NAMESPACE}")
    rolled_out(cluster)
    team.kubectl("annotate", "awssts/job", "awssts.dev/renew=again")
    eventually(lambda: team.key("job") != keys["job"], "a renewal by the new one")
    assert issued(sts) == calls + 1
    assert {name: team.key(name) for name in ("web", "reports")} == {name: keys[name] for name in ("web", "reports")}


def test_another_takes_over_from_a_leader_that_is_killed(cluster: Cluster, team: Team, sts: StrictSts) -> None:
    """With one call to STS for the request that is to be renewed, and none for the others."""
    before, calls = leader(cluster), issued(sts)
    pods = json.loads(cluster.kubectl("get", "pods", f"--namespace={NAMESPACE}", "--output=json").stdout)["items"]
    leading = [pod for pod in pods if pod["metadata"]["name"] in before]
    assert [len(pods), len(leading)] == [2, 1], before
    key = team.key("job")
    cluster.kill_container(leading[0]["status"]["containerStatuses"][0]["containerID"])
    renew = ("annotate", "awssts/job", "awssts.dev/renew=by another", "--overwrite", f"--namespace={TEAM}")
    eventually(lambda: cluster.kubectl(*renew, check=False).returncode == 0, "a webhook that is alive")
    eventually(lambda: team.key("job") != key, "a renewal by the other one", timeout=90)
    assert leader(cluster) != before
    assert issued(sts) == calls + 1
    assert sts.counters().reused_codes == 0


def leader(cluster: Cluster) -> str:
    """Who holds the Lease."""
    path = "jsonpath={.spec.holderIdentity}"
    return cluster.kubectl("get", "lease/awssts", f"--namespace={NAMESPACE}", f"--output={path}").stdout


def issued(sts: StrictSts) -> int:
    """The calls to STS that only the operator makes."""
    return sts.counters().total("GetSessionToken") + sts.counters().total("AssumeRole")


def test_uninstalled(cluster: Cluster, installed: Helm, team: Team) -> None:
    """The CRDs stay, and so do requests and credentials; nothing waits for the operator, not even a namespace."""
    installed("uninstall", "awssts", f"--namespace={NAMESPACE}")
    listed = ("get", "all", f"--namespace={NAMESPACE}", "--output=name")
    eventually(lambda: not cluster.kubectl(*listed).stdout, "the end of the operator")
    assert len(team.kubectl("get", "awssts", "--output=name").split()) == 3
    assert team.kubectl("get", "secret/web", "--output=name")
    cluster.kubectl("delete", "namespace", TEAM, "--timeout=120s")
