"""Whether the API server calls the webhooks: what is said of their configurations."""

import asyncio
import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from awssts.domain.errors import ClusterForbidden
from awssts.domain.registration import DUTIES, Expected, Plural, led, problems
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
        in_client(service={"namespace": "team", "name": "awssts-webhook", "path": "/mutate/x"}),
        ["stamp: clientConfig.service has to be awssts-webhook in namespace awssts-system"],
    ),
    "a URL": (in_client(service=None, url="https://127.0.0.1:9443/mutate"), []),
    "a URL with a path": (in_client(service=None, url="https://127.0.0.1:9443/mutate/x"), []),
    "another URL": (
        in_client(service=None, url="https://127.0.0.1:9443/validate"),
        ["stamp: clientConfig has to lead to /mutate"],
    ),
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


PATH = "/mutate/0123"


@pytest.mark.parametrize(
    ("client", "place", "value"),
    [
        ({"service": {}}, "service/path", PATH),
        ({"service": {"path": "/"}}, "service/path", PATH),
        ({"service": {"path": "/mutate"}}, "service/path", PATH),
        ({"service": {"path": "/mutate/of-an-hour-ago"}}, "service/path", PATH),
        ({"url": "https://127.0.0.1:9443/mutate"}, "url", f"https://127.0.0.1:9443{PATH}"),
        ({"url": "https://mutate.example.com:9443/mutate"}, "url", f"https://mutate.example.com:9443{PATH}"),
        ({"url": "https://example.com/mutate-hooks/mutate"}, "url", f"https://example.com/mutate-hooks{PATH}"),
        ({"url": "https://127.0.0.1:9443"}, "url", f"https://127.0.0.1:9443{PATH}"),
        ({"url": "https://127.0.0.1:9443/"}, "url", f"https://127.0.0.1:9443{PATH}"),
        ({"url": "https://example.com/awssts/mutate/old"}, "url", f"https://example.com/awssts{PATH}"),
    ],
)
def test_what_stamps_is_led_to_the_path(client: Json, place: str, value: str) -> None:
    configuration = {
        "webhooks": [
            {"name": "inject", "clientConfig": {"service": {"path": "/inject"}}},
            {"name": "stamp", "clientConfig": client},
        ]
    }
    assert led(configuration, PATH) == [
        {"op": "test", "path": "/webhooks/1/name", "value": "stamp"},
        {"op": "add", "path": f"/webhooks/1/clientConfig/{place}", "value": value},
    ]


@pytest.mark.parametrize(
    "client", [{"service": {"path": PATH}}, {"service": {"path": "/inject"}}, {"url": "https://127.0.0.1:9443/x"}, {}]
)
def test_what_is_led_or_does_not_stamp_stays(client: Json) -> None:
    assert led({"webhooks": [{"name": "it", "clientConfig": client}]}, PATH) == []
    assert led({}, PATH) == []


class FakeCluster:
    """The two configurations."""

    def __init__(self) -> None:
        self.held: dict[Plural, Json | None] = {**shipped()}
        self.failure: Exception | None = None
        self.paths: list[str] = []
        self.looked = asyncio.Event()

    async def lead(self, plural: Plural, name: str, path: str) -> None:
        assert plural == MUTATING
        if self.failure:
            raise self.failure
        self.paths.append(path)
        if len(self.paths) > 1:
            self.looked.set()

    async def webhook_configuration(self, plural: Plural, name: str) -> Json | None:
        assert name == "awssts"
        if self.failure:
            raise self.failure
        return self.held[plural]


async def path() -> str:
    return PATH


async def test_who_calls_at_another_path_has_it_looked_at_soon() -> None:
    cluster = FakeCluster()
    registrations = Registrations(cluster, "awssts", DUTIES, EXPECTED, path, first=1000, look=0)
    watching = asyncio.create_task(registrations.watch())
    await asyncio.sleep(0)
    assert cluster.paths == [PATH], "before anybody can call"
    registrations.hurry()
    await cluster.looked.wait()
    watching.cancel()


async def test_each_change_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    cluster = FakeCluster()
    registrations = Registrations(cluster, "awssts", DUTIES, EXPECTED, path)

    async def told() -> str:
        await registrations.look()
        return capsys.readouterr().out

    assert await told() == ""
    cluster.held[MUTATING] = None
    assert "it is not there" in await told()
    assert await told() == ""
    cluster.failure = ClusterForbidden("the operator may not get it")
    assert (await told()).count("it can't be looked after: the operator may not get it") == 2
    cluster.failure = None
    cluster.held = {**shipped()}
    assert (await told()).count("holds again") == 2
