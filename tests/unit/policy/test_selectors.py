"""Selectors select as those of Kubernetes do."""

from typing import Any

import pytest
from pydantic import ValidationError

from awssts.domain.policy.schema.selectors import LabelSelector, Selector, ServiceSelector

LABELS = {"app": "web", "tier": "", "example.org/team": "pay"}


def expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        ({}, True),
        ({"matchLabels": {"app": "web"}}, True),
        ({"matchLabels": {"app": "web", "example.org/team": "pay"}}, True),
        ({"matchLabels": {"app": "web", "example.org/team": "ops"}}, False),
        ({"matchLabels": {"app": "we"}}, False),
        ({"matchLabels": {"tier": ""}}, True),
        ({"matchLabels": {"missing": ""}}, False),
        (expression("app", "In", "api", "web"), True),
        (expression("app", "In", "api"), False),
        (expression("missing", "In", ""), False),
        (expression("app", "NotIn", "api"), True),
        (expression("app", "NotIn", "api", "web"), False),
        (expression("missing", "NotIn", "web"), True),
        (expression("tier", "Exists"), True),
        (expression("missing", "Exists"), False),
        (expression("missing", "DoesNotExist"), True),
        (expression("app", "DoesNotExist"), False),
        ({"matchLabels": {"app": "web"}, **expression("tier", "DoesNotExist")}, False),
    ],
)
def test_label_selector(selector: dict[str, Any], selected: bool) -> None:
    assert LabelSelector.model_validate(selector).matches(LABELS) is selected


@pytest.mark.parametrize(
    ("selector", "problem"),
    [
        (expression("a", "In"), "values must not be empty"),
        (expression("a", "NotIn"), "values must not be empty"),
        (expression("a", "Exists", "b"), "values must be empty"),
        (expression("a", "DoesNotExist", "b"), "values must be empty"),
        (expression("a", "Gt", "1"), "Input should be"),
        (expression("-a", "Exists"), "pattern"),
        ({"matchLabels": {"a": "b" * 64}}, "at most 63"),
        ({"labels": {}}, "Extra inputs"),
    ],
)
def test_a_selector_that_kubernetes_would_refuse(selector: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        LabelSelector.model_validate(selector)


def test_both_selectors_must_select() -> None:
    web, gold = {"matchLabels": {"app": "web"}}, {"matchLabels": {"tier": "gold"}}
    both = Selector.model_validate({"namespaceSelector": gold, "requestSelector": web})
    assert both.matches({"tier": "gold"}, {"app": "web"})
    assert not both.matches({"tier": "gold"}, {})
    assert not both.matches({}, {"app": "web"})
    assert Selector().matches({}, {})


def test_a_service_selector_says_something() -> None:
    assert ServiceSelector.model_validate({"namespaceSelector": {}}).matches({}, {})
    with pytest.raises(ValidationError, match="set namespaceSelector"):
        ServiceSelector()
