"""A cluster whose API server calls the admission webhooks, and the people who use it.

Test files take the fixtures by name: `guarded, webhook = guarded_cluster.guarded, guarded_cluster.webhook`.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from kubernetes.aio import config as kubernetes_config
from kubernetes.aio.client import Configuration

from awssts.adapters.selfmade import SelfMade
from awssts.adapters.webhooks import WebhookCluster, registrations
from awssts.domain import calling
from awssts.domain.request import parse
from awssts.domain.stamp import Keys, UserInfo, verified
from awssts.domain.subject import STAMP
from awssts.services.injecting import Injecting
from awssts.services.registrations import STAMPING
from awssts.services.stamps import SECRET as STAMP_KEY
from awssts.services.stamps import SIGNING, Stamps
from testbed.cluster import Cluster, kubectl_program
from testbed.process import free_port
from tests.integration.admission_server import Parts, Serving, registered
from tests.integration.operator_process import RIGHTS, ROOT, SYSTEM, account_kubeconfig
from tests.integration.patience import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from awssts.entry.admission import Certificates

Json = dict[str, Any]

OPERATOR = f"system:serviceaccount:{SYSTEM}:awssts"
FORGED = json.dumps({"username": "root", "groups": ["system:masters"], "uid": "", "extra": {}})
IMAGE = "registry.example.com/awssts:1.0"
BOTH = ("mutatingwebhookconfiguration", "validatingwebhookconfiguration")
PEOPLE = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: developer}
rules:
- apiGroups: [awssts.dev]
  resources: [awsstsrequests, awsstsrequests/status]
  verbs: ["*"]
- apiGroups: ["", apps]
  resources: [pods, deployments]
  verbs: ["*"]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: awssts-requests}
rules:
- apiGroups: [awssts.dev]
  resources: [awsstsrequests]
  verbs: [get, patch]
"""


class Person:
    """kubectl as a user who may do anything to requests."""

    def __init__(self, kubeconfig: Path) -> None:
        self._environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "KUBECACHEDIR": str(kubeconfig) + ".cache"}

    def kubectl(self, *arguments: str, given: Json | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - the testbed's kubectl
            [kubectl_program(), "--namespace=team", *arguments],
            input=json.dumps(given) if given else None,
            capture_output=True,
            text=True,
            check=False,
            env=self._environment,
        )

    def does(self, *arguments: str, given: Json | None = None) -> str:
        """What kubectl warned of, where it succeeds."""
        done = self.kubectl(*arguments, given=given)
        assert done.returncode == 0, done.stderr
        return done.stderr

    def fails(self, *arguments: str, given: Json | None = None) -> str:
        """What kubectl shows then."""
        done = self.kubectl(*arguments, given=given)
        assert done.returncode != 0, done.stdout
        return done.stderr

    def patches(self, name: str, change: Json, *more: str) -> str:
        return self.does("patch", "awssts", name, "--type=merge", f"--patch={json.dumps(change)}", *more)

    def stamp(self, name: str, keys: Keys) -> Any:
        """Who applied the request, as the operator understands it; None where it has no genuine stamp."""
        shown = parse(json.loads(self.kubectl("get", "awssts", name, "--output=json").stdout))
        found = verified(shown.annotations, shown.subject, keys) if shown.subject else None
        return found.authentication if isinstance(found, UserInfo) else None


def request(name: str, annotations: Json | None = None, **spec: Any) -> Json:
    return {
        "apiVersion": "awssts.dev/v1alpha1",
        "kind": "AwsStsRequest",
        "metadata": {"name": name, "annotations": annotations or {}},
        "spec": {"credentialsSecretRef": {"name": "reports-iam"}, **spec},
    }


def policy(name: str, **spec: Any) -> Json:
    return {"apiVersion": "awssts.dev/v1alpha1", "kind": "AwsStsPolicy", "metadata": {"name": name}, "spec": spec}


@contextmanager
def guarded_cluster(folder: Path, *, controllers: bool = False) -> Iterator[Cluster]:
    """A cluster of its own: while its webhooks are down, nobody else shall be refused."""
    with Cluster(directory=folder, controllers=controllers) as running:
        kubectl = running.kubectl
        kubectl("apply", "--server-side", "--filename", ROOT / "crds")
        kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        kubectl("create", "namespace", SYSTEM)
        kubectl("create", "namespace", "team")
        kubectl("create", "serviceaccount", "awssts", f"--namespace={SYSTEM}")
        kubectl("apply", "--filename", RIGHTS / "webhook.yaml")
        kubectl("apply", "--filename=-", input=PEOPLE)
        who = f"--serviceaccount={SYSTEM}:awssts"
        kubectl("create", "clusterrolebinding", "awssts-requests", "--clusterrole=awssts-requests", who)
        kubectl("create", "clusterrolebinding", "developers", "--clusterrole=developer", "--group=developers")
        for plural in ("awsstsrequests", "awsstspolicies"):
            serves = ["get", plural, "--all-namespaces"]
            eventually(lambda serves=serves: kubectl(*serves, check=False).returncode == 0, "the CRDs' API")  # type: ignore[misc]
        yield running


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with guarded_cluster(tmp_path_factory.mktemp("guarded")) as running:
        yield running


@pytest.fixture(scope="module")
def anna(guarded: Cluster) -> Person:
    return Person(guarded.user_kubeconfig("anna", ["developers"]))


@pytest.fixture(scope="module")
def ben(guarded: Cluster) -> Person:
    return Person(guarded.user_kubeconfig("ben", ["developers", "contractors"]))


@pytest.fixture(scope="module")
def admin(guarded: Cluster) -> Person:
    return Person(guarded.kubeconfig)


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def operator_kubeconfig(guarded: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return account_kubeconfig(guarded, "awssts", tmp_path_factory.mktemp("operator") / "kubeconfig")


async def as_operator(kubeconfig: Path) -> WebhookCluster:
    found = Configuration()
    await kubernetes_config.load_kube_config(config_file=str(kubeconfig), client_configuration=found)
    return WebhookCluster(found)


async def parts(certificates: Certificates, cluster: WebhookCluster) -> Parts:
    """What the server is made of besides its certificates."""
    injecting = Injecting(cluster, image=IMAGE, region="eu-west-1")
    stamps = await stamps_of(cluster)

    async def lead() -> None:
        await cluster.lead(STAMPING, "awssts", calling.path(await stamps.keys(), datetime.now(UTC)))

    return Parts(certificates, stamps, injecting, await cluster.user_name(), lead, cluster.close)


async def stamps_of(cluster: WebhookCluster) -> Stamps:
    """With the key that all of them share."""
    stamps = Stamps(cluster, SYSTEM, lambda: datetime.now(UTC))
    await stamps.load()
    return stamps


@pytest.fixture
def keys(guarded: Cluster, webhook: Serving) -> Keys:
    """What the stamps are signed with."""
    assert webhook
    return signing_keys(guarded)


def signing_keys(cluster: Cluster) -> Keys:
    shown = cluster.kubectl("get", "secret", STAMP_KEY, f"--namespace={SYSTEM}", "--output=json").stdout
    return Keys((base64.b64decode(json.loads(shown)["data"][SIGNING]),))


@pytest.fixture
def webhook(guarded: Cluster, port: int, operator_kubeconfig: Path, anna: Person) -> Iterator[Serving]:
    """The webhooks with a certificate of their own making; the API server calls them."""

    async def made() -> Parts:
        cluster = await as_operator(operator_kubeconfig)
        certificates = SelfMade(
            cluster=cluster,
            namespace=SYSTEM,
            names=frozenset({"127.0.0.1"}),
            registrations=registrations(["awssts"], ["awssts"]),
            clock=lambda: datetime.now(UTC),
        )
        return await parts(certificates, cluster)

    registered(guarded, port)
    with Serving(port, made) as running:
        obeyed(anna)
        yield running


def obeyed(person: Person) -> None:
    """Until the API server calls the webhooks: it hears of a configuration by a watch."""
    bad = request("probe", {"awssts.dev/token-code": "x"})
    arguments = ("create", "--dry-run=server", "--filename=-")
    refused = "a code has six digits"
    eventually(lambda: refused in person.kubectl(*arguments, given=bad).stderr, "the webhooks are called")
    good = request("probe")
    shown = (*arguments, "--output=json")
    eventually(lambda: STAMP in person.kubectl(*shown, given=good).stdout, "the webhooks stamp")


@pytest.fixture
def name(request: pytest.FixtureRequest, anna: Person) -> Iterator[str]:
    """The test's own name for objects; they are gone afterwards."""
    found = request.node.name.partition("[")[0].removeprefix("test_").replace("_", "-")[:60].strip("-")
    yield found
    anna.kubectl("delete", "awssts", found, "--ignore-not-found")
