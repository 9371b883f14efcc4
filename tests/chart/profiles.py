"""The chart in a handful of ways: values of tests/data/chart/values, what becomes of them in …/rendered."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]
DATA = Path(__file__).parents[1] / "data" / "chart"
PROFILES = sorted(path.stem for path in (DATA / "values").glob("*.yaml"))


def values(profile: str) -> Json:
    found: Json = yaml.safe_load((DATA / "values" / f"{profile}.yaml").read_text()) or {}
    return found


def of_kind(objects: list[Json], *kinds: str) -> list[Json]:
    return [each for each in objects if each["kind"] in kinds]


def pods(objects: list[Json]) -> Iterator[tuple[str, Json]]:
    """The spec of every pod that comes of it, by the name of what makes it."""
    for each in objects:
        if each["kind"] == "Pod":
            yield each["metadata"]["name"], each["spec"]
        elif "template" in each.get("spec", {}):
            yield each["metadata"]["name"], each["spec"]["template"]["spec"]
