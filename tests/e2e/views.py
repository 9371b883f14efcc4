"""What a pod had, each second."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

HEAD = ("kind of use", "seconds", "keys", "least seconds left", "longest pause", "errors")


@dataclass(frozen=True)
class View:
    """The lines that consumer.py printed in a pod; `use` is the way in which it got its credentials."""

    use: str
    lines: list[dict[str, Any]]

    @property
    def good(self) -> list[dict[str, Any]]:
        return [line for line in self.lines if "error" not in line]

    @property
    def errors(self) -> list[str]:
        return [line["error"] for line in self.lines if "error" in line]

    @property
    def keys(self) -> list[str]:
        """One after another: a key that comes back is there twice."""
        return [key for key, _ in itertools.groupby(line["key"] for line in self.good)]

    @property
    def seconds(self) -> int:
        return round(self.lines[-1]["at"] - self.lines[0]["at"]) if self.lines else 0

    @property
    def least_left(self) -> int:
        return min((line["left"] for line in self.good), default=0)

    @property
    def longest_pause(self) -> int:
        """Seconds between two lines: a call that hangs is no error, and yet a pod without credentials."""
        return round(max((b["at"] - a["at"] for a, b in itertools.pairwise(self.lines)), default=0))

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        name = f"pod-view-{self.use.split()[0]}.jsonl"
        (folder / name).write_text("".join(f"{json.dumps(line)}\n" for line in self.lines))

    def row(self) -> tuple[str, ...]:
        sums = (self.seconds, len(self.keys), self.least_left, self.longest_pause, len(self.errors))
        return (self.use, *map(str, sums))


def table(views: Iterable[View]) -> list[str]:
    """Lines for a terminal."""
    rows = [HEAD, *(view.row() for view in views)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


SEEN = pytest.StashKey[list[View]]()  # for the end of pytest's output
