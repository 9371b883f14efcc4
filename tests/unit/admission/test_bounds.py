"""Reviews that would cost too much: what is not done for them, by counting, and what is said instead."""

import difflib
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from awssts.domain import admissionreview, stamp
from awssts.domain.admission import Stage
from awssts.domain.bulk import MOST_TOLD, has_more_values
from awssts.domain.stamp import ALL_ANNOTATIONS
from awssts.domain.subject import STAMP
from tests.unit.admission.reviews import ANNA, SPEC, asked, by, kind, review, thing


class Counted:
    """A function, and how often it was called."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function, self.calls = function, 0

    def __call__(self, *given: Any, **named: Any) -> Any:
        self.calls += 1
        return self.function(*given, **named)


def counted(patch: pytest.MonkeyPatch, where: Any, name: str) -> Counted:
    found = Counted(getattr(where, name))
    patch.setattr(where, name, found)
    return found


# --- values ---------------------------------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-999, 999) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def values(found: Any) -> int:
    """Members and elements; an empty object or list counts as one that holds one."""
    inner = list(found.values()) if isinstance(found, dict) else found if isinstance(found, list) else None
    return 0 if inner is None else max(1, len(inner)) + sum(map(values, inner))


@given(VALUES, st.booleans())
def test_values_are_counted_without_reading_them(found: Any, ascii_only: bool) -> None:
    document = [found, found]
    text = json.dumps(document, ensure_ascii=ascii_only, separators=(",", ":")).encode(errors="replace")
    assert not has_more_values(text, values(document))
    assert has_more_values(text, values(document) - 1)


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 101,
        b"{" * 101,
        b"," * 101,
        b'"' * 401,
        b'{"a": [' + b"9" * 4_300 + b"]}",
    ],
)
def test_what_is_no_json_is_counted_too(text: bytes) -> None:
    assert has_more_values(text, 100)


def test_text_is_none_however_it_looks() -> None:
    applied = json.dumps(json.dumps({"spec": [{}] * 1_000}) + "\\")
    assert not has_more_values(applied.encode(), 1)


# --- what is refused before it is looked at -------------------------------------------------------------------------


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("name", ["AwsStsRequest", "AwsStsPolicy"])
def test_annotations_over_kubernetes_limit_are_not_digested(
    stage: Stage, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    weight = counted(monkeypatch, admissionreview.subject, "weight")
    request = asked(thing(annotations={"x": "x" * ALL_ANNOTATIONS}), **kind(name))
    verdict = review(stage, request)
    assert verdict.problems == (
        f"metadata.annotations: they have {ALL_ANNOTATIONS + 1} bytes; Kubernetes allows 262144",
    )
    assert weight.calls == 0


def test_each_object_is_digested_once(monkeypatch: pytest.MonkeyPatch) -> None:
    weight = counted(monkeypatch, admissionreview.subject, "weight")
    review(Stage.MUTATE, asked(thing({"duration": "1h"}), thing()))
    assert weight.calls == 2


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"username": "anna", "groups": ["g"] * 20_000}),
        json.dumps({"username": "anna", "groups": [], "extra": {}, "more": "x" * ALL_ANNOTATIONS}),
    ],
)
def test_a_stamp_that_we_can_not_have_made_is_not_read(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read = counted(monkeypatch, stamp._Stamp, "model_validate_json")  # noqa: SLF001 - what costs
    assert stamp.signing_key({STAMP: text}) is None
    assert stamp.claimed({STAMP: text}) is None
    assert read.calls == 0


# --- what is told ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["AwsStsRequest", "AwsStsPolicy"])
def test_some_problems_are_told_and_how_many_more_there_are(name: str) -> None:
    spec = {**(SPEC if name == "AwsStsRequest" else {}), **{f"field{number:04}": 1 for number in range(5_000)}}
    verdict = review(Stage.VALIDATE, asked(by(ANNA, thing(spec)), **kind(name)))
    assert len(verdict.problems) == MOST_TOLD + 1
    assert verdict.problems[0] == "spec.field0000: no such field"
    assert verdict.problems[-1] == "spec: and 4980 more"


def test_likenesses_are_looked_for_a_few_times_only(monkeypatch: pytest.MonkeyPatch) -> None:
    close = counted(monkeypatch, difflib, "get_close_matches")
    annotations = {f"awssts.dev/renewed{number:04}": "" for number in range(3_000)}
    verdict = review(Stage.VALIDATE, asked(by(ANNA, thing(annotations=annotations))))
    assert verdict.allowed
    assert len(verdict.warnings) == MOST_TOLD + 1
    assert verdict.warnings[-1] == "metadata.annotations: and 2980 more"
    assert close.calls == MOST_TOLD
