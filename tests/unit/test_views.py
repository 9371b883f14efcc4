"""The sums of what pods had each second, as the end-to-end tests judge and show them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.e2e.views import View, table

if TYPE_CHECKING:
    from pathlib import Path


def line(at: float, key: str, left: int) -> dict[str, Any]:
    return {"at": at, "key": key, "left": left, "arn": "arn:aws:iam::123456789012:user/web"}


LINES = [line(10, "A", 90), line(11, "A", 89), {"at": 12, "error": "no"}, line(25.2, "B", 900), line(26, "A", 74)]


def test_sums() -> None:
    view = View("mounted files", LINES)
    assert view.keys == ["A", "B", "A"]
    assert (view.seconds, view.least_left, view.longest_pause, view.errors) == (16, 74, 13, ["no"])


def test_a_pod_that_said_nothing() -> None:
    assert View("none", []).row() == ("none", "0", "0", "0", "0", "0")


def test_the_table() -> None:
    assert table([View("mounted files", LINES)]) == [
        "kind of use    seconds  keys  least seconds left  longest pause  errors",
        "mounted files  16       3     74                  13             1",
    ]


def test_the_report(tmp_path: Path) -> None:
    View("mounted files", LINES).write(tmp_path / "reports")
    written = (tmp_path / "reports" / "pod-view-mounted.jsonl").read_text().splitlines()
    assert [json.loads(each) for each in written] == LINES
