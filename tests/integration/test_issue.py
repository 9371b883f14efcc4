"""From `kubectl apply` to credentials that AWS accepts, in every format."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.patience import eventually
from tests.integration.workspace import Pod, Workspace, calls_of

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.cluster import Cluster
    from testbed.sts import StrictSts, User
    from tests.integration.conftest import Launch
    from tests.integration.operator_process import OperatorProcess

pytestmark = pytest.mark.usefixtures("operator")

WHO_AM_I = "import boto3; print(boto3.Session().client('sts').get_caller_identity()['Arn'])"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
}
ALL_KEYS = ENVIRONMENT | {"credentials", "config", "credentials.json"}
CLOSE = timedelta(minutes=2)


def who_am_i(sts: StrictSts, **environment: str) -> str:
    """What a program with boto3 says it is, in exactly that environment."""
    done = subprocess.run(  # noqa: S603 - the program above
        [sys.executable, "-c", WHO_AM_I],
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "AWS_ENDPOINT_URL_STS": sts.endpoint, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-500:]
    return done.stdout.strip()


def mounted(data: dict[str, str], folder: Path) -> Path:
    """The Secret as files, as a pod mounts it."""
    folder.mkdir(exist_ok=True)
    for name, value in data.items():
        (folder / name).write_text(value)
    return folder


def manifest(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "awssts.dev/v1alpha1",
        "kind": "AwsStsRequest",
        "metadata": {"name": name},
        "spec": {"credentialsSecretRef": {"name": "reports-iam"}, **spec},
    }


def apply(cluster: Cluster, space: Workspace, *objects: dict[str, Any]) -> None:
    both = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
    cluster.kubectl("apply", f"--namespace={space.name}", "--filename=-", input=json.dumps(both))


def wait_for_all(cluster: Cluster, space: Workspace) -> None:
    cluster.kubectl("wait", f"--namespace={space.name}", "--for=condition=Ready", "awssts", "--all", "--timeout=60s")


def test_a_session_in_every_format(
    cluster: Cluster, sts: StrictSts, space: Workspace, user: User, tmp_path: Path
) -> None:
    space.keys(user)
    mount = tmp_path / "aws"
    apply(cluster, space, manifest("reports", region="eu-west-1", target={"mountPath": str(mount)}))
    wait_for_all(cluster, space)

    data = space.secret()
    assert data is not None
    assert set(data) == ALL_KEYS
    mounted(data, mount)
    assert who_am_i(sts, **{key: data[key] for key in ENVIRONMENT}) == user.arn
    region = {"AWS_REGION": "eu-west-1"}
    assert who_am_i(sts, AWS_SHARED_CREDENTIALS_FILE=f"{mount}/credentials", **region) == user.arn
    assert who_am_i(sts, AWS_CONFIG_FILE=f"{mount}/config") == user.arn  # credential_process, and its region

    (call,) = calls_of(sts, user)
    assert (call.operation, call.duration_seconds, call.region) == ("GetSessionToken", 43_200, "eu-west-1")


def test_a_role(cluster: Cluster, sts: StrictSts, space: Workspace, user: User, pod: Pod) -> None:
    name = f"reports-{space.name}"
    role = sts.role(name, trust=user.arn)
    space.keys(user)
    apply(cluster, space, manifest("reports", role={"arn": role}))
    wait_for_all(cluster, space)

    session = f"{space.name}.reports"
    assert pod.identity() == f"arn:aws:sts::123456789012:assumed-role/{name}/{session}"
    assert space.status()["roleArn"] == role
    (call,) = calls_of(sts, user)
    assert (call.operation, call.role_session_name, call.duration_seconds) == ("AssumeRole", session, 3_600)


def test_all_that_assume_role_takes(sts: StrictSts, space: Workspace, user: User, pod: Pod) -> None:
    conditions = {
        "StringEquals": {"sts:ExternalId": "partner-7", "aws:RequestTag/team": "data", "sts:SourceIdentity": "jane"}
    }
    actions = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]
    statement = {"Effect": "Allow", "Principal": {"AWS": user.arn}, "Action": actions}
    trust = {"Statement": [statement | {"Action": actions[0], "Condition": conditions}, statement]}
    role = sts.role("strict-reports", trust, max_session_duration=7_200)
    space.keys(user)
    space.request(
        duration="2h",
        role={
            "arn": role,
            "sessionName": "nightly",
            "externalId": "partner-7",
            "policy": '{"Version": "2012-10-17", "Statement": []}',
            "policyArns": ["arn:aws:iam::aws:policy/ReadOnlyAccess"],
            "tags": {"team": "data"},
            "transitiveTagKeys": ["team"],
            "sourceIdentity": "jane",
        },
    )
    space.until_ready()
    assert pod.identity().endswith("assumed-role/strict-reports/nightly")
    assert calls_of(sts, user)[-1].duration_seconds == 7_200


@pytest.mark.parametrize(
    ("formats", "keys"),
    [
        (["Environment"], ENVIRONMENT - {"AWS_REGION", "AWS_DEFAULT_REGION"}),
        (["CredentialsFile"], {"credentials"}),
        (["CredentialProcess"], {"config", "credentials.json"}),
    ],
)
def test_one_format_alone(space: Workspace, user: User, formats: list[str], keys: set[str]) -> None:
    space.keys(user)
    space.request(target={"formats": formats})
    space.until_ready()
    assert set(space.secret() or ()) == keys


def test_a_profile_and_a_target_of_its_own(sts: StrictSts, space: Workspace, user: User, tmp_path: Path) -> None:
    mount = tmp_path / "aws"
    space.keys(user)
    target = {"name": "reports-aws", "profile": "nightly", "mountPath": str(mount)}
    space.request(region="eu-central-1", target=target)
    assert space.until_ready()["secretName"] == "reports-aws"
    assert space.secret("reports") is None
    data = space.secret("reports-aws")
    assert data is not None
    mounted(data, mount)
    profile = {"AWS_PROFILE": "nightly", "AWS_REGION": "eu-central-1"}
    assert who_am_i(sts, AWS_SHARED_CREDENTIALS_FILE=f"{mount}/credentials", **profile) == user.arn
    assert who_am_i(sts, AWS_CONFIG_FILE=f"{mount}/config", **profile) == user.arn


def test_a_template(space: Workspace, user: User, api: Any) -> None:
    space.keys(user)
    template = {
        "type": "example.com/aws",
        "labels": {"team": "data"},
        "annotations": {"example.com/for": "reports"},
        "data": {"s3.ini": "key=${accessKeyId} region=${region} until=${expiration} cost=$$5", "AWS_REGION": "mars-1"},
    }
    space.request(region="eu-west-1", target={"template": template})
    status = space.until_ready()
    found = api.get(f"/api/v1/namespaces/{space.name}/secrets/reports")
    assert found["type"] == "example.com/aws"
    assert found["metadata"]["labels"] == {"team": "data", "awssts.dev/type": "target"}
    assert found["metadata"]["annotations"]["example.com/for"] == "reports"
    data = space.secret() or {}
    assert data["s3.ini"] == f"key={status['accessKeyId']} region=eu-west-1 until={status['expiration']} cost=$5"
    assert data["AWS_REGION"] == "mars-1"


def test_keys_of_other_names(space: Workspace, user: User, pod: Pod) -> None:
    """Also with the newline that `echo` leaves, which is no part of a key."""
    data = {"id": f"{user.access_key_id}\n", "the-secret": f"{user.secret_access_key}\n", "aws_access_key_id": "no"}
    space.secret_of("legacy", data)
    space.api.create(
        f"/apis/awssts.dev/v1alpha1/namespaces/{space.name}/awsstsrequests",
        manifest("reports")
        | {
            "spec": {
                "credentialsSecretRef": {
                    "name": "legacy",
                    "accessKeyIdKey": "id",
                    "secretAccessKeyKey": "the-secret",
                }
            }
        },
    )
    space.until_ready()
    assert pod.identity() == user.arn


def test_what_the_status_tells(cluster: Cluster, space: Workspace, user: User) -> None:
    space.keys(user)
    space.request(duration="1h30m")
    status = space.until_ready()
    issued, expires, renews = (
        datetime.fromisoformat(status[field]) for field in ("issuedAt", "expiration", "nextRenewal")
    )
    assert abs(datetime.now(UTC) - issued) < CLOSE
    assert abs(expires - issued - timedelta(minutes=90)) < CLOSE
    assert timedelta(minutes=30) <= expires - renews <= timedelta(minutes=33)  # a third, and up to 10 % of it
    assert status["accessKeyId"] == space.held_key()
    assert status["secretName"] == "reports"
    assert "failures" not in status
    assert "nextAttempt" not in status
    ready = space.condition()
    assert ready["message"].startswith(f"{status['accessKeyId']} is valid until {status['expiration']}")
    eventually(lambda: space.events() == [("Normal", "Issued")], "one Event")

    listed = cluster.kubectl("get", "awssts", f"--namespace={space.name}").stdout.splitlines()
    assert listed[0].split() == ["NAME", "READY", "REASON", "SECRET", "EXPIRES", "RENEWS", "AGE"]
    assert listed[1].split()[:6] == [
        "reports",
        "True",
        "Issued",
        "reports",
        status["expiration"],
        status["nextRenewal"],
    ]
    assert max(map(len, listed)) <= 100
    assert "reports" in cluster.kubectl("get", "aws", f"--namespace={space.name}").stdout  # the category


def test_the_region_of_the_operator_for_requests_that_name_none(
    operator: OperatorProcess, launch: Launch, sts: StrictSts, space: Workspace, user: User
) -> None:
    operator.stop()
    space.keys(user)
    space.request()
    space.request("elsewhere", region="us-west-2")
    with launch(options=["--region=eu-north-1"]):
        space.until_ready()
        space.until_ready("elsewhere")
    operator.start()
    assert (space.secret() or {})["AWS_REGION"] == "eu-north-1"
    assert (space.secret("elsewhere") or {})["AWS_REGION"] == "us-west-2"
    assert {call.region for call in calls_of(sts, user)} == {"eu-north-1", "us-west-2"}


def test_twenty_at_once(cluster: Cluster, sts: StrictSts, space: Workspace, user: User) -> None:
    space.keys(user)
    names = [f"reports-of-department-{number}" for number in range(20)]
    apply(cluster, space, *(manifest(name) for name in names))
    wait_for_all(cluster, space)
    held = {space.held_key(name) for name in names}
    assert len(held) == 20
    assert None not in held
    assert len(calls_of(sts, user)) == 20


def test_the_secret_belongs_to_the_request(space: Workspace, user: User) -> None:
    space.keys(user)
    space.request()
    space.until_ready()
    (owner,) = space.metadata()["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["controller"]) == ("AwsStsRequest", "reports", True)
    assert not owner["blockOwnerDeletion"]
    found = space.api.get(f"/apis/awssts.dev/v1alpha1/namespaces/{space.name}/awsstsrequests/reports") or {}
    assert owner["uid"] == found["metadata"]["uid"]
    assert space.metadata()["managedFields"][0]["manager"] == "awssts"


def test_kubectl_explains(cluster: Cluster) -> None:
    told = cluster.kubectl("explain", "awssts.spec.credentialsSecretRef").stdout
    assert "The Secret with the long-term keys of an IAM user" in re.sub(r"\s+", " ", told)
