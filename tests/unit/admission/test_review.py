"""What is no AdmissionReview is told from what is one."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from awssts.domain.admission import Stage, Verdict, read
from tests.unit.admission.reviews import asked, kind, raw, review, thing

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
PARTS = ("uid", "kind", "operation", "userInfo", "object", "oldObject", "subResource", "namespace")


def without(part: str) -> Any:
    found = raw(thing())
    del found["request"][part]
    return found


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff",
        b"[" * 100_000,
        b"null",
        b"[]",
        b"{}",
        b'{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}',
        json.dumps({**raw(thing()), "apiVersion": "admission.k8s.io/v1beta1"}).encode(),
        json.dumps({**raw(thing()), "kind": "Review"}).encode(),
        *(json.dumps(without(part)).encode() for part in ("uid", "kind", "operation", "userInfo", "object")),
        json.dumps(raw(thing(), operation="UPDATE")).encode(),
        json.dumps(raw(thing(), operation="PATCH")).encode(),
        json.dumps(raw(thing(), user={"username": 1})).encode(),
        json.dumps(raw(thing(annotations={"a": "\ud800"}))).encode(),
        json.dumps(raw({"metadata": {"annotations": {"a": 1}}})).encode(),
        json.dumps(raw({"metadata": []})).encode(),
    ],
)
def test_garbage_is_no_review(payload: bytes) -> None:
    with pytest.raises(ValidationError):
        read(payload)


def test_unknown_fields_of_a_newer_api_server_are_passed_over() -> None:
    request = asked({**thing(), "apiVersion": "awssts.dev/v1alpha1"}, options={}, dryRun=True, requestKind={})
    assert request == asked(thing())


def test_objects_of_other_kinds_need_not_look_like_ours() -> None:
    request = asked({"spec": 3}, **kind("PodExecOptions", ""), operation="CREATE")
    assert review(Stage.VALIDATE, request) == Verdict()


@given(part=st.sampled_from(PARTS), value=JSON, stage=st.sampled_from(Stage))
def test_anything_is_either_no_review_or_has_a_verdict(part: str, value: Any, stage: Stage) -> None:
    document = raw(thing(), thing())
    document["request"][part] = value
    try:
        request = read(json.dumps(document).encode())
    except ValidationError:
        return
    assert isinstance(review(stage, request), Verdict)


@given(spec=JSON, annotations=st.dictionaries(st.text(), st.text(), max_size=3))
def test_any_spec_has_a_verdict(spec: Any, annotations: dict[str, str]) -> None:
    try:
        request = asked(thing(spec, annotations), **kind("AwsStsPolicy"))
    except ValidationError:
        return
    assert isinstance(review(Stage.VALIDATE, request), Verdict)
    request = asked(thing(spec, annotations))
    assert review(Stage.MUTATE, request).patch
