"""The rights of tests/data/rbac are enough and not one too many; what is missing is said in a sentence."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from testbed.cluster import Cluster, kubectl_program
from testbed.process import free_port
from tests.integration.audit import Audit
from tests.integration.operator_process import RIGHTS, SYSTEM, OperatorProcess, account_kubeconfig
from tests.integration.patience import eventually
from tests.integration.workspace import Pod, Workspace, calls_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testbed.sts import StrictSts, User
    from tests.integration.conftest import Launch
    from tests.integration.kube import Api

NAMESPACED = f"system:serviceaccount:{SYSTEM}:awssts-namespaced"


@pytest.fixture(scope="module")
def namespaced(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The kubeconfig of an account that has rights where `namespaced.yaml` is applied, and nowhere else."""
    cluster.kubectl("create", "serviceaccount", "awssts-namespaced", f"--namespace={SYSTEM}")
    return account_kubeconfig(cluster, "awssts-namespaced", tmp_path_factory.mktemp("namespaced") / "kubeconfig")


@pytest.fixture
def spaces(cluster: Cluster, api: Api, space: Workspace, user: User) -> Iterator[list[Workspace]]:
    """Three namespaces with keys; the account works in the first two."""
    made = [space, Workspace(api, f"{space.name}-second"), Workspace(api, f"{space.name}-third")]
    for each in made[1:]:
        cluster.kubectl("create", "namespace", each.name)
    for each in made[:2]:
        cluster.kubectl("apply", f"--namespace={each.name}", "--filename", RIGHTS / "namespaced.yaml")
    for each in made:
        each.keys(user)
        each.request()
    yield made
    for each in made[1:]:
        each.clear()


def test_some_namespaces(
    cluster: Cluster, launch: Launch, namespaced: Path, sts: StrictSts, spaces: list[Workspace], user: User
) -> None:
    first, second, third = spaces
    audit = Audit(cluster, NAMESPACED)
    options = ["--no-policies", f"--namespace={first.name}", f"--namespace={second.name}"]
    operator = launch(namespaced, options=options)
    operator.start()
    for each in (first, second):
        issued = each.until_ready()["accessKeyId"]
        assert Pod(each, sts).identity() == user.arn
        each.renew()
        issued = each.until_renewed(issued)
        each.delete_secret()
        eventually(lambda each=each: each.secret() is not None, "the repair")
        each.until_ready()
    assert third.secret() is None
    assert third.status() == {}
    assert audit.refused() == []
    asked = {event.get("objectRef", {}).get("namespace") for event in audit.events()} - {None}
    assert asked == {first.name, second.name}
    assert operator.stop() == 0


def test_all_namespaces(cluster: Cluster, launch: Launch, space: Workspace, user: User, pod: Pod, audit: Audit) -> None:
    """Every test of this suite runs under these rights: here is looked at what was refused."""
    assert cluster
    space.keys(user)
    space.request()
    with launch() as operator:
        space.until_ready()
        space.change(target={"formats": ["Environment"]})
        space.delete_secret()
        eventually(lambda: space.secret() is not None, "the repair")
        space.until_ready()
        assert pod.identity() == user.arn
        assert audit.refused() == []
        assert operator.alive


@pytest.mark.parametrize("name", ["cluster-wide.yaml", "namespaced.yaml"])
def test_no_rights_that_are_worth_much_to_a_thief(name: str) -> None:
    documents = list(yaml.safe_load_all((RIGHTS / name).read_text()))
    rules = [rule for document in documents for rule in document.get("rules", ())]
    verbs = {verb for rule in rules for verb in rule["verbs"]}
    resources = {resource for rule in rules for resource in rule["resources"]}
    assert rules
    assert "*" not in verbs | resources
    assert not verbs & {"delete", "deletecollection", "impersonate", "escalate", "bind"}
    assert not resources & {"pods", "pods/exec", "serviceaccounts/token", "configmaps"}


def sentence(operator: OperatorProcess) -> str:
    """What an operator says that ends at once: one sentence, no traceback, and 1."""
    operator.start()
    assert operator.end() == 1
    said = operator.said()
    assert "Traceback" not in said
    errors = [line for line in said.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1, said
    return errors[0]


@dataclass
class Accounts:
    """Makes service accounts that lack something."""

    cluster: Cluster
    api: Api
    folder: Path

    def without(self, resource: str, *, verb: str = "") -> Path:
        """The kubeconfig of one with all rights of `cluster-wide.yaml` but for that one."""
        return _without(self, resource, verb)

    def mend(self, resource: str, *, verb: str) -> None:
        """Gives it the right after all."""
        name = account(resource, verb)
        self.cluster.kubectl(
            "create",
            "clusterrolebinding",
            f"{name}-mended",
            "--clusterrole=awssts",
            f"--serviceaccount={SYSTEM}:{name}",
        )


def account(resource: str, verb: str) -> str:
    return f"awssts-without-{verb or 'all'}-{resource}"


@pytest.fixture
def accounts(cluster: Cluster, api: Api, tmp_path: Path) -> Accounts:
    return Accounts(cluster, api, tmp_path)


def _without(accounts: Accounts, resource: str, verb: str) -> Path:
    cluster, api = accounts.cluster, accounts.api
    name = account(resource, verb)
    documents: list[Any] = list(yaml.safe_load_all((RIGHTS / "cluster-wide.yaml").read_text()))
    rules = next(document["rules"] for document in documents if document["kind"] == "ClusterRole")
    for rule in rules:
        if resource in rule["resources"]:
            rule["verbs"] = [each for each in rule["verbs"] if verb and each != verb]
    rules = [rule for rule in rules if rule["verbs"]]
    group = "/apis/rbac.authorization.k8s.io/v1"
    cluster.kubectl("create", "serviceaccount", name, f"--namespace={SYSTEM}")
    api.create(f"{group}/clusterroles", {"metadata": {"name": name}, "rules": rules})
    cluster.kubectl("create", "clusterrolebinding", name, f"--clusterrole={name}", f"--serviceaccount={SYSTEM}:{name}")
    return account_kubeconfig(cluster, name, accounts.folder / "kubeconfig")


@pytest.mark.parametrize("resource", ["awsstsrequests", "secrets"])
def test_without_a_right_to_list(accounts: Accounts, launch: Launch, resource: str) -> None:
    said = sentence(launch(accounts.without(resource, verb="list")))
    assert said.startswith("Error: Kubernetes refuses the operator: ")
    assert f'cannot list resource "{resource}"' in said


def test_without_a_right_to_read_keys(accounts: Accounts, launch: Launch, space: Workspace, user: User) -> None:
    """The request tells of it, since its owner sees no logs of the operator; it goes on once that is mended."""
    space.keys(user)
    space.request()
    launch(accounts.without("secrets", verb="get")).start()
    condition = space.until_reason("ClusterForbidden", kind="Reconciling")
    assert 'cannot get resource "secrets"' in condition["message"]
    assert space.condition()["status"] == "False"
    accounts.mend("secrets", verb="get")
    space.until_ready()


def test_without_a_right_to_write_secrets(
    accounts: Accounts, launch: Launch, space: Workspace, user: User, sts: StrictSts
) -> None:
    """One call to STS, however long it takes to mend that."""
    space.keys(user)
    space.request()
    launch(accounts.without("secrets", verb="patch")).start()
    condition = space.until_reason("ClusterForbidden", kind="Reconciling")
    assert 'cannot patch resource "secrets"' in condition["message"]
    eventually(lambda: space.status()["failures"] >= 3, "some attempts")
    accounts.mend("secrets", verb="patch")
    space.until_ready()
    assert len(calls_of(sts, user)) == 1


def test_without_a_right_to_write_events(
    accounts: Accounts, launch: Launch, space: Workspace, user: User, pod: Pod
) -> None:
    space.keys(user)
    space.request()
    operator = launch(accounts.without("events"))
    operator.start()
    space.until_ready()
    assert pod.identity() == user.arn
    eventually(lambda: "event lost" in operator.said(), "the complaint")
    assert operator.alive


def test_without_crds(sts: StrictSts, tmp_path: Path) -> None:
    with Cluster(directory=tmp_path / "cluster") as bare:
        said = sentence(OperatorProcess(bare.kubeconfig, sts.endpoint, tmp_path / "operator"))
    assert re.fullmatch(
        r"Error: the cluster has no awssts\w+\.awssts\.dev: install the CRDs \(kubectl apply -f crds/\)", said
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no way to the cluster"),
        ("apiVersion: v1\nkind: Config\n", "no way to the cluster"),
        ("{not yaml: [", "the kubeconfig can't be read"),
    ],
)
def test_without_a_kubeconfig(launch: Launch, tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "broken"
    if content is not None:
        path.write_text(content)
    assert message in sentence(launch(path))


def test_without_an_api_server(launch: Launch, cluster: Cluster, tmp_path: Path) -> None:
    """It may come: that is waited for, in sight of whoever reads the log."""
    nowhere = f"http://127.0.0.1:{free_port()}"
    operator = launch(account_kubeconfig(cluster, "awssts", tmp_path / "kubeconfig", server=nowhere))
    operator.start()
    eventually(lambda: f"the API server {nowhere} does not answer" in operator.said(), "the complaint")
    assert operator.alive
    assert operator.stop() == 0


def test_users_of_a_namespace_see_requests_only_with_rights(cluster: Cluster, space: Workspace) -> None:
    """The CRD gives nobody anything."""
    jane = cluster.user_kubeconfig("jane")
    done = subprocess.run(  # noqa: S603 - kubectl
        [kubectl_program(), f"--kubeconfig={jane}", "get", "awssts", f"--namespace={space.name}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "forbidden" in done.stderr
