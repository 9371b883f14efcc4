"""The chart's dashboard, read: its panels, and their queries as Grafana would ask them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from testbed.helm import CHART

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE = CHART / "files" / "dashboard.json"
RATE_INTERVAL = "1m"  # Grafana's $__rate_interval for scrapes 15 seconds apart


@dataclass(frozen=True)
class Query:
    """One of a panel's."""

    expression: str
    legend: str

    def named(self, labels: Mapping[str, str]) -> str:
        """What the legend says of a series."""
        return re.sub(r"{{\s*(\w+)\s*}}", lambda found: labels.get(found[1], ""), self.legend)


@dataclass(frozen=True)
class Panel:
    """A number or a chart; its place in a grid of 24 columns."""

    kind: str
    title: str
    place: tuple[int, int, int, int]  # x, y, width, height
    unit: str
    stacked: bool
    queries: list[Query]
    thresholds: list[tuple[float, str]]  # from this value on, that colour


def panels() -> list[Panel]:
    """All of them, with the variables filled in: every namespace."""
    return [_panel(each) for each in json.loads(FILE.read_text())["panels"]]


def _panel(found: Mapping[str, Any]) -> Panel:
    at, defaults = found["gridPos"], found["fieldConfig"]["defaults"]
    steps = defaults.get("thresholds", {}).get("steps", [])
    return Panel(
        kind=found["type"],
        title=found["title"],
        place=(at["x"], at["y"], at["w"], at["h"]),
        unit=defaults["unit"],
        stacked="stacking" in defaults.get("custom", {}),
        queries=[Query(_filled(each["expr"]), each["legendFormat"]) for each in found["targets"]],
        thresholds=[(float("-inf") if step["value"] is None else step["value"], step["color"]) for step in steps],
    )


def _filled(expression: str) -> str:
    return expression.replace("$namespace", ".*").replace("$__rate_interval", RATE_INTERVAL)
