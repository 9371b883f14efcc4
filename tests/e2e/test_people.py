"""The chart's gateway: somebody logs in from a pod, and AWS takes what comes of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from testbed.cluster.certificates import Authority
from testbed.helm import CHART, NAMESPACE
from tests.e2e.pods import Team, running
from tests.e2e.release import HERE, rolled_out

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.cluster import Cluster
    from testbed.helm import Helm
    from testbed.sts import StrictSts, User

PROGRAM = (Path(__file__).parent / "login.py").read_text()
PASSWORD = "correct horse battery staple"
GATEWAY = f"awssts-gateway.{NAMESPACE}.svc"

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def anna(cluster: Cluster, sts: StrictSts) -> User:
    """A user of the gateway in a namespace of people, added as an administrator does it."""
    user = sts.user("anna")
    people = Team.of(cluster, "people", user)
    command = ("user", "add", "anna", f"--namespace={people.name}", "--credentials-secret=iam", "--password-stdin")
    subprocess.run(  # noqa: S603 - this project's own
        [sys.executable, "-m", "awssts", *command],
        input=f"{PASSWORD}\n",
        env={**os.environ, "KUBECONFIG": str(cluster.kubeconfig)},
        capture_output=True,
        text=True,
        check=True,
    )
    return user


@pytest.fixture(scope="module")
def authority(
    cluster: Cluster, installed: Helm, sts: StrictSts, anna: User, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Whom callers of the gateway trust; it runs."""
    assert anna is not None
    signs = Authority(tmp_path_factory.mktemp("people") / "pki")
    pair = signs.server("gateway", [], [GATEWAY])
    cluster.kubectl("create", "secret", "tls", "gateway-tls", f"--cert={pair.certificate}", f"--key={pair.key}", HERE)
    environment = [{"name": "AWS_ENDPOINT_URL_STS", "value": sts.endpoint}]
    gateway = {"enabled": True, "namespaces": ["people"], "tlsSecretName": "gateway-tls", "env": environment}
    installed("upgrade", "awssts", CHART, HERE, "--reset-then-reuse-values", values={"gateway": gateway})
    rolled_out(cluster, "awssts-gateway")
    yield signs.certificate.read_text()
    cluster.kubectl("delete", "secret", "gateway-tls", HERE)


def test_a_login_from_a_pod(cluster: Cluster, team: Team, sts: StrictSts, authority: str, anna: User) -> None:
    address = cluster.kubectl("get", "service/awssts-gateway", HERE, "--output=jsonpath={.spec.clusterIP}").stdout
    environment = {
        "GATEWAY": GATEWAY,
        "AUTHORITY": authority,
        "USERNAME": "anna",
        "PASSWORD": PASSWORD,
        "AWS_ENDPOINT_URL_STS": sts.endpoint,
    }
    container = {"env": [{"name": name, "value": value} for name, value in environment.items()]}
    name = {"ip": address, "hostnames": [GATEWAY]}
    said = team.pod("anna", running(PROGRAM, container, hostAliases=[name])).first_words()
    assert (said["refusal"], said["arn"]) == (401, anna.arn)
    assert said["key"] != anna.access_key_id
