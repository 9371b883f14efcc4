"""The CRD of AwsStsRequest on a real API server: what it takes, and what it says about the rest."""

from __future__ import annotations

import json
import re
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from awssts.domain.errors import InvalidSpec
from awssts.domain.request import read_spec
from testbed.cluster import Cluster
from testbed.process import wait_until
from tests.integration.crd_cases import ACCEPTED, REFUSED, Case

if TYPE_CHECKING:
    from collections.abc import Iterator

CRD = Path(__file__).parents[2] / "crds" / "awssts.dev_awsstsrequests.yaml"
SCHEMA = yaml.safe_load(CRD.read_text())["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster() as running:
        running.kubectl("apply", "--server-side", f"--filename={CRD}")
        running.kubectl("wait", "--for=condition=Established", f"--filename={CRD}", "--timeout=30s")
        wait_until(lambda: _explained(running), timeout=30, what="kubectl explain")
        yield running


def _explained(cluster: Cluster) -> bool:
    return cluster.kubectl("explain", "awsstsrequest.spec", check=False).returncode == 0


def refusal(cluster: Cluster, case: Case) -> str:
    """What kubectl shows a user when the API server refuses it; empty when it doesn't."""
    document = {
        "apiVersion": "awssts.dev/v1alpha1",
        "kind": "AwsStsRequest",
        "metadata": {"name": case.name},
        "spec": case.spec,
    }
    request = urllib.request.Request(  # noqa: S310 - always https
        f"{cluster.server}/apis/awssts.dev/v1alpha1/namespaces/default/awsstsrequests"
        "?dryRun=All&fieldValidation=Strict",
        data=json.dumps(document).encode(),
        headers={"Authorization": f"Bearer {cluster.admin_token}", "Content-Type": "application/json"},
    )
    trusted = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(cluster.ca)))
    try:
        with urllib.request.build_opener(trusted, urllib.request.ProxyHandler({})).open(request, timeout=10):
            return ""
    except urllib.error.HTTPError as error:
        with error:
            return str(json.load(error)["message"])


def test_kubectl_shows_it(cluster: Cluster) -> None:
    document = {
        "apiVersion": "awssts.dev/v1alpha1",
        "kind": "AwsStsRequest",
        "metadata": {"name": "reports"},
        "spec": {"credentialsSecretRef": {"name": "iam"}, "duration": "10m"},
    }
    done = cluster.kubectl("apply", "--filename=-", input=json.dumps(document), check=False)
    assert done.returncode == 1
    assert done.stderr == (
        'The AwsStsRequest "reports" is invalid: spec.duration: Invalid value: "10m": '
        "must be at least 15m and at most 36h\n"
    )


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.title)
def test_what_is_refused_and_what_the_user_sees(cluster: Cluster, case: Case) -> None:
    said = refusal(cluster, case)
    assert case.message in said
    assert case.field in said
    assert "evaluat" not in said, "a rule failed instead of saying what is wrong"


@pytest.mark.parametrize("case", ACCEPTED, ids=lambda case: case.title)
def test_what_is_taken(cluster: Cluster, case: Case) -> None:
    assert refusal(cluster, case) == ""


@pytest.mark.parametrize("case", [*REFUSED, *ACCEPTED], ids=lambda case: case.title)
def test_python_says_the_same(case: Case) -> None:
    """``awssts check`` and the operator judge as the API server does."""
    found = read_spec(case.spec, case.name)
    assert isinstance(found, InvalidSpec) is bool(case.message)


def constraints(schema: dict[str, Any], path: str = "spec") -> Iterator[tuple[str, str]]:
    """Every rule of the schema: the field's path, and what a user is told by it."""
    for rule in schema.get("x-kubernetes-validations", ()):
        yield path, rule["message"]
    for keyword, told in TOLD.items():
        if keyword in schema:
            yield path, told.format(schema[keyword])
    for required in schema.get("required", ()):
        yield f"{path}.{required}", "Required value"
    for name, child in schema.get("properties", {}).items():
        yield from constraints(child, f"{path}.{name}")
    if isinstance(children := schema.get("additionalProperties"), dict):
        yield from constraints(children, f"{path}.*")
    if "items" in schema:
        yield from constraints(schema["items"], f"{path}[*]")


TOLD = {
    "pattern": "should match '{}'",
    "enum": "Unsupported value",
    "maximum": "should be less than or equal to {}",
    "minimum": "should be greater than or equal to {}",
    "maxItems": "must have at most {} items",
    "minItems": "should have at least {} items",
    "maxProperties": "must have at most {} items",
    "maxLength": "may not be more than {} ",
    "minLength": "should be at least {} chars long",
}
RULES = [
    *((f"spec: {rule['message']}", "", rule["message"]) for rule in SCHEMA["x-kubernetes-validations"]),
    *((f"{path}: {told}", path, told) for path, told in constraints(SCHEMA["properties"]["spec"])),
]


@pytest.mark.parametrize(("path", "told"), [rule[1:] for rule in RULES], ids=[rule[0] for rule in RULES])
def test_every_rule_has_a_case(path: str, told: str) -> None:
    """A new rule without a case in crd_cases.py fails here."""
    fields = re.compile(re.escape(path).replace(r"\*", r"[^.]+").replace(r"\[[^.]+\]", r"\[\d+\]") or ".*")
    assert [case for case in REFUSED if told in case.message and fields.fullmatch(case.field)]


def test_nulls_are_not_kept(cluster: Cluster) -> None:
    """Helm charts write them for what isn't set: the operator must not stumble over what the API server takes."""
    document = {
        "apiVersion": "awssts.dev/v1alpha1",
        "kind": "AwsStsRequest",
        "metadata": {"name": "nulls", "namespace": "default"},
        "spec": {"credentialsSecretRef": {"name": "iam"}, "suspend": None, "target": {"formats": None}},
    }
    cluster.kubectl("create", "--validate=false", "--filename=-", input=json.dumps(document))
    found = json.loads(cluster.kubectl("get", "awssts/nulls", "--output=json").stdout)
    assert not isinstance(read_spec(found["spec"], "nulls"), InvalidSpec), found["spec"]


# What people meet first.


def test_explain_teaches(cluster: Cluster) -> None:
    text = cluster.kubectl("explain", "awsstsrequest.spec.duration").stdout
    assert "How long the credentials shall live: 12h, 1h30m, PT12H or seconds" in " ".join(text.split())
    whole = " ".join(cluster.kubectl("explain", "awssts", "--recursive").stdout.split())
    for field in ("credentialsSecretRef", "renewBefore", "creationPolicy", "observedGeneration"):
        assert field in whole


def test_short_name_category_and_columns(cluster: Cluster) -> None:
    document = {
        "apiVersion": "awssts.dev/v1alpha1",
        "kind": "AwsStsRequest",
        "metadata": {"name": "shown", "namespace": "default"},
        "spec": {"credentialsSecretRef": {"name": "iam"}},
    }
    cluster.kubectl("create", "--filename=-", input=json.dumps(document))
    told = {
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "Issued",
                "message": "",
                "lastTransitionTime": "2026-11-23T16:00:00Z",
            }
        ],
        "secretName": "shown",
        "expiration": "2026-11-24T04:00:00Z",
        "nextRenewal": "2026-11-24T00:00:00Z",
    }
    patch = json.dumps({"status": told})
    cluster.kubectl("patch", "awssts", "shown", "--subresource=status", "--type=merge", f"--patch={patch}")
    cluster.kubectl("delete", "awssts/nulls", "--ignore-not-found")
    for kind in ("awssts", "awsstsrequest", "awsstsrequests.awssts.dev", "aws"):
        header, row = cluster.kubectl("get", kind).stdout.splitlines()
        assert header.split()[:6] == ["NAME", "READY", "REASON", "SECRET", "EXPIRES", "RENEWS"]
        assert row.split()[:6] == [
            "shown", "True", "Issued", "shown", "2026-11-24T04:00:00Z", "2026-11-24T00:00:00Z",
        ]  # fmt: skip
        assert len(row.rstrip()) <= 100
    cluster.kubectl("wait", "--for=condition=Ready", "awssts/shown", "--timeout=5s")
    wide = cluster.kubectl("get", "awssts", "--output=wide").stdout.splitlines()[0]
    assert {"ROLE", "KEY"} <= set(wide.split())


def test_users_do_not_write_the_status_with_the_spec(cluster: Cluster) -> None:
    document = {
        "apiVersion": "awssts.dev/v1alpha1",
        "kind": "AwsStsRequest",
        "metadata": {"name": "boastful", "namespace": "default"},
        "spec": {"credentialsSecretRef": {"name": "iam"}},
        "status": {"failures": 7},
    }
    cluster.kubectl("create", "--filename=-", input=json.dumps(document))
    found = json.loads(cluster.kubectl("get", "awssts/boastful", "--output=json").stdout)
    assert "status" not in found
    assert found["spec"] == document["spec"], "no defaults are written into it"
