"""Draws the dashboard with matplotlib: Grafana's own panels, queries, units and thresholds, not its looks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.dates import AutoDateLocator, DateFormatter
from matplotlib.ticker import FuncFormatter

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.monitoring.dashboard import Panel
    from testbed.monitoring.prometheus import Prometheus, Series

COLUMNS, ROW, MARGIN = 24, 0.36, 0.012
STEPS = 400  # points of a line
SCALES = {  # unit: from this value on, divided by that, with this name
    "s": [(7200.0, 3600.0, "h"), (120.0, 60.0, "min"), (1.0, 1.0, "s"), (1e-9, 1e-3, "ms"), (0.0, 1.0, "s")],
    "bytes": [(0.0, 1e6, "MB")],
    "reqps": [(0.0, 1.0, "/s")],
}
COLOURS = {"green": "#56a64b", "orange": "#ff9830", "red": "#e02f44"}
STYLE = {
    "figure.facecolor": "#f4f5f5",
    "axes.facecolor": "white",
    "axes.edgecolor": "#d8d9da",
    "axes.grid": True,
    "grid.color": "#ececec",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "font.size": 8,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "timezone": "UTC",
}


def draw(panels: list[Panel], prometheus: Prometheus, start: float, end: float, file: Path) -> None:
    """Asks for what each panel shows of that time, and writes a PNG."""
    rows = max(panel.place[1] + panel.place[3] for panel in panels)
    with mpl.rc_context(STYLE):
        figure = plt.figure(figsize=(16, rows * ROW))
        for panel in panels:
            x, y, width, height = panel.place
            left, below, above = (
                (0.0, 0.1, 0.1) if panel.kind == "stat" else (0.026, 2.4, 0.8)
            )  # for what is written there
            axes = figure.add_axes(
                (
                    x / COLUMNS + MARGIN / 2 + left,
                    1 - (y + height - below) / rows,
                    width / COLUMNS - MARGIN - left,
                    (height - below - above) / rows,
                )
            )
            (_stat if panel.kind == "stat" else _chart)(axes, panel, prometheus, start, end)
        file.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(file, dpi=90)
        plt.close(figure)


def _stat(axes: Any, panel: Panel, prometheus: Prometheus, _start: float, end: float) -> None:
    found = prometheus.over(panel.queries[0].expression, end, end, 1)
    value = found[0].points[-1][1] if found else 0.0
    colour = [name for least, name in panel.thresholds if value >= least][-1]
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.text(0.04, 0.82, panel.title, fontsize=9, va="center")
    axes.text(0.5, 0.4, measured(value, panel.unit), ha="center", va="center", fontsize=20, color=COLOURS[colour])


def _chart(axes: Any, panel: Panel, prometheus: Prometheus, start: float, end: float) -> None:
    axes.set_title(panel.title, loc="left", fontsize=9)
    step = (end - start) / STEPS if not panel.stacked else 60.0
    lines = [
        (query.named(series.labels), series)
        for query in panel.queries
        for series in prometheus.over(query.expression, start, end, step)
    ]
    if panel.stacked:
        _bars(axes, lines, step)
    else:
        for name, series in lines:
            axes.plot(*_moments(series), linewidth=1, label=name)
    axes.set_xlim(_moment(start), _moment(end))
    axes.xaxis.set_major_locator(AutoDateLocator(maxticks=7))
    axes.xaxis.set_major_formatter(DateFormatter("%H:%M"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: measured(value, panel.unit)))
    if lines:
        columns = 5 if max(len(name) for name, _ in lines) < 16 else 3
        axes.legend(loc="upper left", bbox_to_anchor=(0, -0.13), ncols=columns, borderaxespad=0.2, handlelength=1)
    else:
        axes.text(0.5, 0.5, "No data", transform=axes.transAxes, ha="center", color="#8e8e8e")


def _bars(axes: Any, lines: list[tuple[str, Series]], step: float) -> None:
    bottoms: dict[float, float] = {}
    for name, series in lines:
        moments = [at for at, _ in series.points]
        values = [value for _, value in series.points]
        below = [bottoms.get(at, 0.0) for at in moments]
        axes.bar([_moment(at) for at in moments], values, bottom=below, width=step / 86_400, label=name)
        bottoms |= {at: low + value for at, low, value in zip(moments, below, values, strict=True)}


def _moments(series: Series) -> tuple[list[datetime], list[float]]:
    return [_moment(at) for at, _ in series.points], [value for _, value in series.points]


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def measured(value: float, unit: str) -> str:
    """A value with its unit, in a few characters."""
    for least, one, name in SCALES.get(unit, ()):
        if abs(value) >= least:
            return f"{value / one:.3g} {name}"
    return f"{value:.3g}"
