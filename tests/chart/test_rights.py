"""Who may do what: the chart gives the operator what the integration tests run with, and users what they need."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from testbed.helm import NAMESPACE, Helm
from tests.chart.profiles import PROFILES, of_kind, values
from tests.integration.patience import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.cluster import Cluster

DATA = Path(__file__).parents[1] / "data"
BARE = {"leaderElection": {"enabled": False}, "operator": {"replicas": 1}, "webhooks": {"enabled": False}}
OPERATOR = f"system:serviceaccount:{NAMESPACE}:awssts"


def granted(objects: list[dict[str, Any]]) -> dict[str, set[str]]:
    """The verbs by group and resource, of the roles that some account is bound to."""
    bound = {each["roleRef"]["name"] for each in of_kind(objects, "ClusterRoleBinding", "RoleBinding")}
    found: defaultdict[str, set[str]] = defaultdict(set)
    for role in of_kind(objects, "ClusterRole", "Role"):
        if role["metadata"]["name"] in bound:
            for rule in role["rules"]:
                for resource in rule["resources"]:
                    found[f"{resource}.{rule['apiGroups'][0]}"] |= set(rule["verbs"])
    return dict(found)


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text()))


def without_tests(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for each in objects if "helm.sh/hook" not in each["metadata"].get("annotations", {})]


@pytest.mark.parametrize(
    ("file", "given"),
    [
        ("cluster-wide.yaml", BARE),
        ("namespaced.yaml", BARE | {"namespaces": ["here"], "policies": {"enabled": False}}),
    ],
)
def test_the_operator_gets_what_it_is_tested_with(helm: Helm, file: str, given: dict[str, Any]) -> None:
    assert granted(without_tests(helm.render(given))) == granted(documents(DATA / "rbac" / file))


@pytest.mark.parametrize(
    ("switch", "file"), [("leaderElection", "leader-election.yaml"), ("rolloutRestart", "rollout-restart.yaml")]
)
def test_a_switch_gives_what_it_is_tested_with(helm: Helm, switch: str, file: str) -> None:
    tested = granted(documents(DATA / "rbac" / file))
    plain, switched = (granted(without_tests(helm.render(BARE | each))) for each in ({}, {switch: {"enabled": True}}))
    assert {resource: switched[resource] for resource in tested} == tested
    assert set(switched) - set(plain) == set(tested)


def test_the_webhooks_take_what_they_are_tested_with(helm: Helm) -> None:
    tested = granted(documents(DATA / "rbac" / "webhook.yaml"))
    served = granted(without_tests(helm.render(BARE | {"webhooks": {"enabled": True}})))
    assert [resource for resource in tested if tested[resource] - served[resource]] == []
    added = set(served) - set(granted(without_tests(helm.render(BARE))))
    assert added == set(tested) - {"secrets.", "awsstsrequests.awssts.dev"}


def test_the_webhooks_are_those_of_the_tests(helm: Helm) -> None:
    tested = documents(DATA / "admission" / "webhooks.yaml")
    injecting = "inject.awssts.dev" in {webhook["name"] for each in tested for webhook in each["webhooks"]}
    rendered = helm.render({"injection": {"enabled": injecting}})
    for each in of_kind(rendered, "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
        del each["metadata"]["labels"]
        assert each in tested


@pytest.mark.parametrize("profile", PROFILES)
def test_nothing_that_is_worth_much_to_a_thief(helm: Helm, profile: str) -> None:
    rights = granted(helm.render(values(profile)))
    verbs = {verb for verbs in rights.values() for verb in verbs}
    assert "*" not in verbs | set(rights)
    assert not verbs & {"delete", "deletecollection", "impersonate", "escalate", "bind", "approve", "sign"}
    assert not {resource.split(".")[0] for resource in rights} & {"pods", "serviceaccounts", "configmaps", "nodes"}


def test_namespaced_takes_no_right_of_the_cluster(helm: Helm) -> None:
    rendered = helm.render({**values("namespaced"), "crds": {"enabled": False}})
    assert of_kind(rendered, "ClusterRole", "ClusterRoleBinding", "ValidatingWebhookConfiguration") == []


@pytest.fixture(scope="module")
def roles(cluster: Cluster, helm: Helm) -> Iterator[Cluster]:
    """The chart's roles, applied; and a namespace whose users have the cluster's own roles view, edit and admin."""
    kinds = ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "ServiceAccount", "CustomResourceDefinition")
    applied = yaml.safe_dump_all(of_kind(helm.render({}), *kinds))
    cluster.kubectl("apply", "--server-side", "--filename=-", input=applied)
    cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    cluster.kubectl("create", "namespace", "team")
    for role in ("view", "edit", "admin"):
        cluster.kubectl("create", "rolebinding", role, f"--clusterrole={role}", f"--user={role}", "--namespace=team")
    aggregated = ("get", "clusterroles", "view", "edit", "admin", "--output=yaml")
    eventually(lambda: cluster.kubectl(*aggregated).stdout.count("awssts.dev") >= 5, "the aggregated roles")
    yield cluster
    cluster.kubectl("delete", "namespace", "team")
    cluster.kubectl("delete", "--filename=-", "--ignore-not-found", input=applied)


# Who, where, verbs, what, and whether he may; docs/security.md shows it.
EXPECTED: list[tuple[str, str, str, str, bool]] = [
    ("view", "team", "get list watch", "awsstsrequests", True),
    ("view", "team", "create update patch delete", "awsstsrequests", False),
    ("edit", "team", "get list watch create update patch delete deletecollection", "awsstsrequests", True),
    ("edit", "team", "update patch", "awsstsrequests --subresource=status", False),
    ("admin", "team", "get create delete", "awsstsrequests", True),
    ("edit", "default", "get create", "awsstsrequests", False),
    *[(who, "team", "create update patch delete", "awsstspolicies", False) for who in ("view", "edit", "admin")],
    (OPERATOR, "team", "get list watch patch", "awsstsrequests", True),
    (OPERATOR, "team", "create update delete", "awsstsrequests", False),
    (OPERATOR, "team", "get list watch create patch", "secrets", True),
    (OPERATOR, "team", "update delete deletecollection", "secrets", False),
    (OPERATOR, "team", "create update patch delete", "awsstspolicies", False),
    (OPERATOR, "team", "get create", "pods", False),
    (OPERATOR, "team", "patch", "deployments.apps", False),
    (OPERATOR, "team", "get", "configmaps", False),
    (OPERATOR, NAMESPACE, "get update", "secrets/awssts-webhook-tls", True),
    (OPERATOR, NAMESPACE, "update", "secrets/another", False),
    (OPERATOR, NAMESPACE, "create", "leases.coordination.k8s.io", True),
    (OPERATOR, NAMESPACE, "get update", "leases.coordination.k8s.io/awssts", True),
    (OPERATOR, NAMESPACE, "get update patch delete", "leases.coordination.k8s.io/another", False),
    (OPERATOR, NAMESPACE, "patch", "validatingwebhookconfigurations/awssts", True),
    (OPERATOR, NAMESPACE, "patch", "validatingwebhookconfigurations/another", False),
    (f"{OPERATOR}-test", NAMESPACE, "create", "awsstsrequests", True),
    (f"{OPERATOR}-test", NAMESPACE, "get list delete", "awsstsrequests", False),
    (f"{OPERATOR}-test", NAMESPACE, "get list", "secrets", False),
]


@pytest.mark.parametrize(("who", "namespace", "verbs", "resource", "may"), EXPECTED)
def test_who_may_what(roles: Cluster, who: str, namespace: str, verbs: str, resource: str, *, may: bool) -> None:
    for verb in verbs.split():
        command = ("auth", "can-i", verb, *resource.split(), f"--as={who}", f"--namespace={namespace}")
        assert roles.kubectl(*command, check=False).stdout.strip() == ("yes" if may else "no"), verb
