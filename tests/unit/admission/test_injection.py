"""What becomes of pods that ask for the sidecar: tests/data/injection has the pods, and what comes of them."""

import asyncio
import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from awssts.domain import injection
from awssts.domain.admissionreview import AdmissionRequest, Verdict, read
from awssts.domain.errors import ClusterForbidden
from awssts.domain.request import parse
from awssts.services import injecting
from awssts.services.injecting import Injecting
from tests.unit import golden
from tests.unit.admission.reviews import applied, raw

Json = dict[str, Any]

FOLDER = Path(__file__).parents[2] / "data" / "injection"
CASES = sorted((FOLDER / "input").glob("*.yaml"))
IMAGE = "registry.example.com/awssts:1.0"
REGION = "us-west-2"


def pod_review(pod: Any, **details: Any) -> AdmissionRequest:
    kind = {"kind": {"group": "", "version": "v1", "kind": "Pod"}}
    return read(json.dumps(raw(pod, **{**kind, **details})).encode())


def verdict_on(pod: Json, request: Json | None, **details: Any) -> Verdict:
    review = pod_review(pod, **details)
    name = injection.asked(review)
    if isinstance(name, Verdict):
        return name
    found = injection.source(name, parse(request) if request else None, REGION)
    return injection.inject(review, name, found, IMAGE)


def given(case: Path) -> tuple[Json, Json | None]:
    pod, *rest = yaml.safe_load_all(case.read_text())
    return pod, rest[0] if rest else None


def after(pod: Json, request: Json | None) -> Json:
    return applied(pod, verdict_on(pod, request), pod_review(pod))


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_becomes(case: Path) -> None:
    pod, request = given(case)
    verdict = verdict_on(pod, request)
    told = {"warnings": list(verdict.warnings), "problems": list(verdict.problems)}
    changed = after(pod, request)
    result = {key: value for key, value in told.items() if value} | ({"pod": changed} if changed != pod else {})
    golden.compare(FOLDER / "output" / case.name, result)
    assert bool(verdict.problems) <= (changed == pod)


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_a_second_call_changes_nothing(case: Path) -> None:
    """The API server calls again when another webhook has changed the pod since."""
    pod, request = given(case)
    once = after(pod, request)
    for container in once["spec"].get("initContainers", ()):
        container["terminationMessagePath"] = "/dev/termination-log"  # it has filled in its defaults meanwhile
    again = verdict_on(once, request)
    assert again.patch == ()
    assert again.problems == verdict_on(pod, request).problems


def test_a_container_that_came_later_is_served_too() -> None:
    pod, request = given(FOLDER / "input" / "plain.yaml")
    once = after(pod, request)
    once["spec"]["containers"].append({"name": "late", "image": "late:1"})
    twice = after(once, request)
    web, late = twice["spec"]["containers"]
    assert web == once["spec"]["containers"][0]
    assert late["env"] == web["env"]
    assert [container["name"] for container in twice["spec"]["initContainers"]] == ["awssts"]


def test_keys_that_came_later_are_told() -> None:
    pod, request = given(FOLDER / "input" / "plain.yaml")
    once = after(pod, request)
    once["spec"]["containers"][0]["env"].append({"name": "AWS_WEB_IDENTITY_TOKEN_FILE", "value": "/token"})
    verdict = verdict_on(once, request)
    assert verdict.patch == ()
    assert "has AWS credentials of its own (AWS_WEB_IDENTITY_TOKEN_FILE)" in verdict.warnings[0]


def test_the_namespace_of_the_review_counts() -> None:
    """A pod of a ReplicaSet has no name and no namespace yet."""
    pod, request = given(FOLDER / "input" / "own-namespace.yaml")
    pod["metadata"] = {"generateName": "shop-7d9f-", "annotations": pod["metadata"]["annotations"]}
    assert verdict_on(pod, request).patch
    assert not verdict_on(pod, request, namespace="other").allowed


@pytest.mark.parametrize(
    "details",
    [
        {"operation": "UPDATE", "oldObject": {}},
        {"operation": "DELETE"},
        {"subResource": "eviction"},
        {"kind": {"group": "", "version": "v1", "kind": "Node"}},
    ],
    ids=str,
)
def test_all_else_is_let_go(details: Json) -> None:
    pod, request = given(FOLDER / "input" / "another-namespace.yaml")
    assert verdict_on(pod, request, **details) == Verdict()


def test_a_pod_that_does_not_ask_is_let_go() -> None:
    pod, request = given(FOLDER / "input" / "plain.yaml")
    for metadata in ({"name": "shop"}, {"name": "shop", "annotations": {"awssts.dev/injected": "reports"}}):
        assert verdict_on(pod | {"metadata": metadata}, request) == Verdict()


@pytest.mark.parametrize(
    "variable",
    [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECURITY_TOKEN",
        "AWS_DEFAULT_PROFILE",
        "AWS_CONFIG_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    ],
)
def test_variables_that_go_before_the_sidecar(variable: str) -> None:
    pod, request = given(FOLDER / "input" / "plain.yaml")
    for value, left in (("x", True), ("", False)):
        pod["spec"]["containers"][0]["env"] = [{"name": variable, "value": value}]
        verdict = verdict_on(pod, request)
        assert (verdict.patch == ()) == left
        assert any(f"has AWS credentials of its own ({variable})" in told for told in verdict.warnings) == left


def test_what_is_given_is_not_changed() -> None:
    pod, request = given(FOLDER / "input" / "many-containers.yaml")
    review = pod_review(pod)
    before = copy.deepcopy(review)
    injection.inject(review, "reports", injection.source("reports", parse(request or {}), None), IMAGE)
    assert review == before


class FakeCluster:
    """A request, or what happens instead."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    async def request(self, namespace: str, name: str) -> Json | None:
        assert (namespace, name) == ("team", "reports")
        if isinstance(self.answer, Exception):
            raise self.answer
        return await self.answer() if callable(self.answer) else self.answer


async def test_the_request_is_looked_up() -> None:
    pod, request = given(FOLDER / "input" / "target-of-another-name.yaml")
    verdict = await Injecting(FakeCluster(request), image=IMAGE, region=REGION).review(pod_review(pod))
    assert verdict == verdict_on(pod, request)
    without = await Injecting(FakeCluster(None), image=IMAGE, region=REGION).review(pod_review(pod))
    assert without == verdict_on(pod, None)


@pytest.mark.parametrize(
    ("answer", "image", "told"),
    [
        (ClusterForbidden("the operator may not get it"), IMAGE, "can't be looked up: the operator may not get it"),
        (None, None, "the operator runs without --sidecar-image"),
    ],
)
async def test_a_mishap_lets_no_pod_go_without(answer: Any, image: str | None, told: str) -> None:
    pod, _ = given(FOLDER / "input" / "plain.yaml")
    verdict = await Injecting(FakeCluster(answer), image=image, region=None).review(pod_review(pod))
    assert not verdict.allowed
    assert told in verdict.message


async def test_the_api_server_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(injecting, "PATIENCE", 0.01)
    pod, _ = given(FOLDER / "input" / "plain.yaml")
    verdict = await Injecting(FakeCluster(asyncio.Event().wait), image=IMAGE, region=None).review(pod_review(pod))
    assert "the API server does not answer" in verdict.message
