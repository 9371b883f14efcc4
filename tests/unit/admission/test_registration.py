"""Whether the API server calls the webhooks: what is said of their configurations."""

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from awssts.domain.errors import ClusterForbidden
from awssts.domain.registration import DUTIES, Expected, Plural, problems
from awssts.services.registrations import Registrations

Json = dict[str, Any]

MANIFEST = Path(__file__).parents[2] / "data" / "admission" / "webhooks.yaml"
MUTATING: Plural = "mutatingwebhookconfigurations"
VALIDATING: Plural = "validatingwebhookconfigurations"
EXPECTED = Expected(service="awssts-webhook", namespace="awssts-system", trusted=lambda bundle: bundle == "ours")


def shipped() -> dict[Plural, Json]:
    """The configurations as they are installed, with a bundle."""
    documents = list(yaml.safe_load_all(MANIFEST.read_text()))
    for document in documents:
        for webhook in document["webhooks"]:
            webhook["clientConfig"]["caBundle"] = "ours"
    mutating, validating = documents
    return {MUTATING: mutating, VALIDATING: validating}


def test_what_is_shipped_holds() -> None:
    for plural, configuration in shipped().items():
        assert problems(configuration, DUTIES[plural], EXPECTED) == []


def changed(**fields: Any) -> Callable[[Json], Any]:
    return lambda webhook: webhook.update(fields)


def in_rule(**fields: Any) -> Callable[[Json], Any]:
    return lambda webhook: webhook["rules"][0].update(fields)


def in_client(**fields: Any) -> Callable[[Json], Any]:
    return lambda webhook: webhook["clientConfig"].update(fields)


UNCALLED = "no webhook gets CREATE and UPDATE of awsstsrequests"
LEFT_OUT = "namespaceSelector leaves some out: it has to be empty, or to name all namespaces of the operator"
EVERYTHING = {"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"], "operations": ["*"], "scope": "*"}
BROKEN: dict[str, tuple[Callable[[Json], Any], list[str]]] = {
    "ignored": (changed(failurePolicy="Ignore"), ["stamp: failurePolicy has to be Fail, and is Ignore"]),
    "by default": (lambda webhook: webhook.pop("failurePolicy"), []),
    "namespace left out": (
        changed(namespaceSelector={"matchLabels": {"a": "b"}}),
        ["stamp: " + LEFT_OUT],
    ),
    "requests left out": (
        changed(objectSelector={"matchExpressions": [{"key": "a", "operator": "Exists"}]}),
        ["stamp: objectSelector leaves some out: it has to be empty"],
    ),
    "empty selectors": (changed(namespaceSelector={}, objectSelector={}), []),
    "condition": (
        changed(matchConditions=[{"name": "mine", "expression": "request.namespace != 'team'"}]),
        ["stamp: matchConditions: mine is not one of awssts, and may leave some out"],
    ),
    "no condition": (changed(matchConditions=None), []),
    "no rules": (changed(rules=[]), [UNCALLED]),
    "creation only": (in_rule(operations=["CREATE"]), [UNCALLED]),
    "another group": (in_rule(apiGroups=["example.org"]), [UNCALLED]),
    "another kind": (in_rule(resources=["awsstspolicies"]), [UNCALLED]),
    "status only": (in_rule(resources=["awsstsrequests/status"]), [UNCALLED]),
    "cluster-wide ones only": (in_rule(scope="Cluster"), [UNCALLED]),
    "everything": (in_rule(**EVERYTHING), []),
    "another path": (
        in_client(service={"namespace": "awssts-system", "name": "awssts-webhook", "path": "/validate"}),
        ["stamp: clientConfig has to lead to /mutate"],
    ),
    "another service": (
        in_client(service={"namespace": "team", "name": "awssts-webhook", "path": "/mutate"}),
        ["stamp: clientConfig.service has to be awssts-webhook in namespace awssts-system"],
    ),
    "a URL": (in_client(service=None, url="https://127.0.0.1:9443/mutate"), []),
    "another bundle": (
        in_client(caBundle="theirs"),
        ["stamp: clientConfig.caBundle does not vouch for the certificate that is served"],
    ),
    "no bundle": (in_client(caBundle=None), ["stamp: clientConfig.caBundle is missing"]),
}


@pytest.mark.parametrize(("change", "told"), BROKEN.values(), ids=BROKEN)
def test_what_does_not_hold_is_named(change: Callable[[Json], Any], told: list[str]) -> None:
    configuration = shipped()[MUTATING]
    change(configuration["webhooks"][0])
    expected = [line.replace("stamp: ", "stamp.awssts.dev: ") for line in told]
    assert problems(configuration, DUTIES[MUTATING], EXPECTED) == expected


def by_name(*values: str, **more: Any) -> Json:
    return {"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "In", "values": values}], **more}


@pytest.mark.parametrize(
    ("selector", "told"),
    [
        ({}, False),
        (by_name("team", "finance"), False),
        (by_name("team", "finance", "other"), False),
        (by_name("team"), True),
        (by_name("team", "finance", matchLabels={"tier": "gold"}), True),
        (
            {"matchExpressions": [*by_name("team", "finance")["matchExpressions"], {"key": "x", "operator": "Exists"}]},
            True,
        ),
        ({"matchExpressions": [{"key": "x", "operator": "Exists"}]}, True),
        ({"matchLabels": {"kubernetes.io/metadata.name": "team"}}, True),
    ],
)
def test_an_operator_of_some_namespaces_needs_no_more(selector: Json, told: bool) -> None:
    configuration = shipped()[MUTATING]
    configuration["webhooks"][0]["namespaceSelector"] = selector
    expected = replace(EXPECTED, namespaces=frozenset({"team", "finance"}))
    assert bool(problems(configuration, DUTIES[MUTATING], expected)) == told


def test_one_that_is_not_there() -> None:
    assert problems(None, DUTIES[MUTATING], EXPECTED) == ["it is not there"]
    assert problems({"webhooks": None}, DUTIES[VALIDATING], EXPECTED) == [
        UNCALLED,
        "no webhook gets CREATE and UPDATE of awsstspolicies",
    ]


def test_a_second_webhook_that_holds_will_do() -> None:
    configuration = shipped()[MUTATING]
    configuration["webhooks"].insert(0, copy.deepcopy(configuration["webhooks"][0]) | {"failurePolicy": "Ignore"})
    assert problems(configuration, DUTIES[MUTATING], EXPECTED) == []


class FakeCluster:
    """The two configurations."""

    def __init__(self) -> None:
        self.held: dict[Plural, Json | None] = {**shipped()}
        self.failure: Exception | None = None

    async def webhook_configuration(self, plural: Plural, name: str) -> Json | None:
        assert name == "awssts"
        if self.failure:
            raise self.failure
        return self.held[plural]


async def test_each_change_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    cluster = FakeCluster()
    registrations = Registrations(cluster, "awssts", DUTIES, EXPECTED)

    async def told() -> str:
        await registrations.look()
        return capsys.readouterr().out

    assert await told() == ""
    cluster.held[MUTATING] = None
    assert "it is not there" in await told()
    assert await told() == ""
    cluster.failure = ClusterForbidden("the operator may not get it")
    assert (await told()).count("it can't be read: the operator may not get it") == 2
    cluster.failure = None
    cluster.held = {**shipped()}
    assert (await told()).count("holds again") == 2
