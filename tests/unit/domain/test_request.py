"""Requests as the cluster holds them, whatever is in them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from awssts.domain import names
from awssts.domain.errors import InvalidSpec
from awssts.domain.request import parse, read_spec
from awssts.domain.resources import Spec
from awssts.domain.status import Status
from tests.unit.builders import NOW, as_json, body, condition, request, status

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ["credentialsSecretRef", "duration", "renewBefore", "region", "role", "mfa", "target", "suspend"]
NESTED = ["name", "arn", "tags", "formats", "template", "serialNumber", "totpSecretRef", "data", "labels"]
NEARLY = st.dictionaries(
    st.sampled_from(FIELDS), JSON | st.dictionaries(st.sampled_from(NESTED), JSON, max_size=3), max_size=5
)


def test_what_is_read() -> None:
    found = request(annotations={names.RENEW: "now"}, generation=3, version=17, duration="1h")
    assert (found.identity.namespace, found.identity.name) == ("team", "reports")
    assert (found.generation, found.resource_version, found.renew) == (3, "17", "now")
    assert isinstance(found.spec, Spec)
    assert found.target_name == "reports"
    assert found.status == Status()


def test_the_target_of_another_name() -> None:
    assert request(target={"name": "other"}).target_name == "other"


@given(JSON | NEARLY, JSON)
def test_nothing_in_spec_or_status_makes_it_fail(spec: Any, garbage: Any) -> None:
    found = parse(body() | {"spec": spec, "status": garbage})
    assert isinstance(found.spec, Spec | InvalidSpec)
    assert found.target_name


@pytest.mark.parametrize(
    "garbage",
    [
        "x",
        [],
        [1],
        {"conditions": "none"},
        {"failures": -1},
        {"expiration": "tomorrow"},
        {"expiration": 5e30},
        7,
        {"expiration": "9999-12-31T23:59:59-01:00"},
        {"expiration": "0001-01-01T00:00:00+14:00"},
    ],
)
def test_a_garbage_status_counts_as_none(garbage: Any) -> None:
    assert parse(body(status=garbage)).status == Status()


def test_a_status_of_a_newer_version_is_understood() -> None:
    written = as_json(status(condition("Ready"), expiration=NOW)) | {"mood": "good"}
    written["conditions"][0]["colour"] = "green"
    found = parse(body(status=written)).status
    assert found.expiration == NOW
    assert found.condition("Ready") is not None
    assert found.condition("Stalled") is None


@pytest.mark.parametrize(
    ("spec", "paths"),
    [
        (None, ["spec.credentialsSecretRef"]),
        ([], ["spec"]),
        ("text", ["spec"]),
        ({"credentialsSecretRef": {"name": ""}}, ["spec.credentialsSecretRef.name"]),
        (
            {"credentialsSecretRef": {"name": "k"}, "role": {"policyArns": ["x"]}},
            ["spec.role.arn", "spec.role.policyArns[0]"],
        ),
        (
            {"credentialsSecretRef": {"name": "k"}, "target": {"template": {"data": {"k": 5}}}},
            ["spec.target.template.data.k"],
        ),
    ],
)
def test_each_problem_names_its_field(spec: Any, paths: list[str]) -> None:
    found = read_spec(spec, "reports")
    assert isinstance(found, InvalidSpec)
    assert [problem.partition(": ")[0] for problem in found.problems] == paths
    assert found.message == "; ".join(found.problems)


def test_values_are_not_repeated() -> None:
    """Somebody may put a secret into the wrong field."""
    secret = "wJalrXUtnFEMI K7MDENG bPxRfiCYEXAMPLEKEY"
    raw = {
        "credentialsSecretRef": {"name": secret, "accessKeyIdKey": secret},
        "role": {"arn": secret},
        "region": secret,
    }
    found = read_spec(raw, "reports")
    assert isinstance(found, InvalidSpec)
    assert len(found.problems) == 4
    assert secret not in found.message
