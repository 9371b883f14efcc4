"""The CRDs and the models they are generated from."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from awssts.domain import crd
from awssts.domain.resources import Spec
from awssts.domain.status import Status

CRDS = Path(__file__).parents[3] / "crds"
SCHEMA = crd.awsstsrequests()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def fields(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property of a schema by its path, as ``kubectl explain`` takes it."""
    for name, child in schema.get("properties", {}).items():
        yield f"{path}.{name}".removeprefix("."), child
        yield from fields(child, f"{path}.{name}")
        yield from fields(child.get("items", {}), f"{path}.{name}")


FIELDS = {path: field for path, field in fields(SCHEMA) if path.startswith(("spec", "status"))}


def models(kind: type[BaseModel], path: str) -> Iterator[str]:
    """Every field of a model and of those in it, by its path on the wire."""
    for name, field in kind.model_fields.items():
        here = f"{path}.{field.alias or name}"
        yield here
        for inner in _models_in(field.annotation):
            yield from models(inner, here)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _models_in(argument)


def test_what_is_checked_in_is_what_the_models_give(tmp_path: Path) -> None:
    crd.main(str(tmp_path))
    generated = {file.name: file.read_text() for file in tmp_path.iterdir()}
    assert generated
    for name, text in generated.items():
        assert (CRDS / name).read_text() == text, "run `make crds`"
    assert yaml.safe_load(generated["awssts.dev_awsstsrequests.yaml"]) == crd.awsstsrequests()


@pytest.mark.parametrize("path", sorted(FIELDS))
def test_every_field_is_described(path: str) -> None:
    text = FIELDS[path].get("description", "")
    assert text.endswith("."), "kubectl explain shows it"
    assert "\n" not in text


@pytest.mark.parametrize(("model", "root"), [(Spec, "spec"), (Status, "status")])
def test_every_field_of_the_models_is_in_the_crd_and_no_other(model: type[BaseModel], root: str) -> None:
    assert set(models(model, root)) == {path for path in FIELDS if path.startswith(f"{root}.")}


def test_everything_has_a_bound() -> None:
    """The API server refuses CEL rules whose cost it can't bound, and etcd objects of over 1.5 MB."""
    for path, field in FIELDS.items():
        if not path.startswith("spec"):
            continue
        match field.get("type"):
            case "string":
                assert "maxLength" in field or "enum" in field, path
            case "array":
                assert "maxItems" in field, path
            case "object" if "additionalProperties" in field:
                assert "maxProperties" in field, path


def test_no_default_is_written_into_what_users_apply() -> None:
    assert not [path for path, field in FIELDS.items() if "default" in field]


def test_every_rule_has_a_message_of_its_own() -> None:
    rules = [rule for field in [SCHEMA, *FIELDS.values()] for rule in field.get("x-kubernetes-validations", ())]
    assert len(rules) > 10
    assert all(rule.get("message") for rule in rules)
