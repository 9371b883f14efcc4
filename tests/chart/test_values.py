"""The schema of the values refuses whatever is not in values.yaml, and README.md tells of all that is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from testbed import values as described
from testbed.helm import CHART, Helm, HelmError
from tests.chart.profiles import PROFILES, values

if TYPE_CHECKING:
    from collections.abc import Iterator

TOLD = [path for path, _ in described.rows((CHART / "values.yaml").read_text())]
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())


def strict(schema: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of all objects with a list of what they may hold."""
    if "properties" in schema:
        yield path
        for name, below in schema["properties"].items():
            yield from strict(below, (*path, name))


STRICT = list(strict(SCHEMA))


def at(path: tuple[str, ...]) -> Any:
    found: Any = VALUES
    for name in path:
        found = found[name]
    return found


@pytest.mark.parametrize("path", STRICT, ids=".".join)
def test_a_typo_is_refused(helm: Helm, path: tuple[str, ...]) -> None:
    wrong: dict[str, Any] = {"typo": 1}
    for name in reversed(path):
        wrong = {name: wrong}
    with pytest.raises(HelmError, match="additional properties 'typo' not allowed"):
        helm.render(wrong)


@pytest.mark.parametrize("path", STRICT, ids=".".join)
def test_the_schema_lists_what_is_in_the_values(path: tuple[str, ...]) -> None:
    schema = SCHEMA
    for name in path:
        schema = schema["properties"][name]
    listed = set(schema["properties"]) - {"global"}
    assert listed == set(at(path)) or path[-1:] == ("issuerRef",)
    assert schema["additionalProperties"] is False


def test_every_value_is_told_of() -> None:
    leaves = {".".join((*path, name)) for path in STRICT for name in at(path) if (*path, name) not in STRICT}
    assert set(TOLD) == leaves | {"webhooks.certManager.issuerRef"}
    assert len(TOLD) == len(set(TOLD))


@pytest.mark.parametrize("path", TOLD)
def test_every_value_is_rendered_in_two_ways(path: str) -> None:
    """Each switch on and off, each other value as it comes and as somebody may set it: in one of the profiles."""
    default = at(tuple(path.split(".")))
    assert [profile for profile in PROFILES if given(values(profile), path, default) != default] != []


def given(profile: Any, path: str, default: Any) -> Any:
    for name in path.split("."):
        if not isinstance(profile, dict) or name not in profile:
            return default
        profile = profile[name]
    return profile


def test_the_readme_is_up_to_date() -> None:
    assert (CHART / "README.md").read_text() == described.readme(), "make crds"
