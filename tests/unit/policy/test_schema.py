"""The models as the CRD's source: every field described, everything bounded."""

from collections.abc import Iterator
from typing import Any

from awssts.domain.crd import structural
from awssts.domain.policy import PolicySpec

SCHEMA = structural(PolicySpec.model_json_schema(by_alias=True, mode="validation"))


def nodes(node: dict[str, Any], path: str = "spec") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            yield from nodes(node[key], f"{path}[]")


def test_every_field_is_described() -> None:
    undescribed = [
        f"{path}.{name}"
        for path, node in nodes(SCHEMA)
        for name, child in node.get("properties", {}).items()
        if not child.get("description")
    ]
    assert undescribed == []


def test_every_string_list_and_map_is_bounded() -> None:
    for path, node in nodes(SCHEMA):
        match node.get("type"):
            case "string":
                assert "maxLength" in node or "enum" in node, path
            case "array":
                assert "maxItems" in node, path
            case "object" if "additionalProperties" in node:
                assert "maxProperties" in node, path


def test_the_fields_are_those_of_the_design() -> None:
    assert list(SCHEMA["properties"]) == [
        "priority",
        "selector",
        "limits",
        "awsCredentials",
        "principal",
        "authorization",
        "mfa",
    ]
    assert list(SCHEMA["properties"]["mfa"]["properties"]["triggers"]["properties"])[:3] == [
        "adaptive",
        "global",
        "optIn",
    ]
