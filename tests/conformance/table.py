"""The tables in docs/consume.md: read, and compared with what was measured.

`python -m tests.conformance.table REPORT` does the latter with pytest's JUnit file. With AWSSTS_GOLDEN=write in the
environment it writes them anew. A column that wasn't measured, for want of a toolchain, stays as it is; in CI that is a
failure, unless AWSSTS_CONFORMANCE_WITHOUT names the SDK.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from testbed.process import ReportedError
from tests.conformance.scenarios import ROWS, Cell, Row
from tests.conformance.sdks import SDKS, Sdk

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

DOCUMENT = Path(__file__).parents[2] / "docs" / "consume.md"
BEHAVIOUR, ERRORS = "what SDKs do", "what their errors say"
PROPERTY = "cell"
WITHOUT = "AWSSTS_CONFORMANCE_WITHOUT"  # names of SDKs, with commas between
WRITES = os.environ.get("AWSSTS_GOLDEN") == "write"

Key = tuple[str, str, str]  # SDK, layout, title of the row


def key(sdk: Sdk, row: Row) -> Key:
    """What a cell is found by."""
    return sdk.name, row.layout, row.title


def documented(document: str) -> dict[Key, Cell]:
    """The cells of both tables."""
    errors = {
        (sdk.name, cause): error.strip("`")
        for cause, *cells in _lines(document, ERRORS)
        for sdk, error in zip(SDKS, cells, strict=True)
    }
    causes = {(row.layout, row.title): row.cause for row in ROWS}
    found = {}
    layout = ""
    for title, *cells in _lines(document, BEHAVIOUR):
        if title.startswith("**"):
            layout = title.strip("*")
            continue
        cause = causes.get((layout, title), "")
        for sdk, text in zip(SDKS, cells, strict=True):
            found[sdk.name, layout, title] = Cell(text, errors.get((sdk.name, cause), ""))
    return found


def rendered(document: str, cells: Mapping[Key, Cell]) -> str:
    """The document with these cells in its tables."""
    behaviour = [_line("", *(f"{sdk.title} {sdk.version()}" for sdk in SDKS)), _line(*["---"] * (len(SDKS) + 1))]
    errors = [_line("", *(sdk.title for sdk in SDKS)), behaviour[1]]
    layout = ""
    for row in ROWS:
        if row.layout != layout:
            layout = row.layout
            behaviour.append(_line(f"**{layout}**", *[""] * len(SDKS)))
        found = [cells.get(key(sdk, row), Cell("?")) for sdk in SDKS]
        behaviour.append(_line(row.title, *(cell.text for cell in found)))
        if row.cause:
            errors.append(_line(row.cause, *(f"`{cell.error}`" if cell.error else "" for cell in found)))
    for name, lines in ((BEHAVIOUR, behaviour), (ERRORS, errors)):
        document = document.replace(_part(document, name), "\n".join([*lines, ""]))
    return document


def measured(report: Path) -> dict[Key, Cell]:
    """The cells that pytest noted in its report."""
    found = {}
    for noted in ET.parse(report).getroot().iter("property"):  # noqa: S314 - pytest's own
        if noted.get("name") == PROPERTY:
            sdk, layout, title, text, error = json.loads(noted.get("value", ""))
            found[sdk, layout, title] = Cell(text, error)
    return found


def unmeasured(cells: Collection[Key], environment: Mapping[str, str]) -> list[Key]:
    """The cells that have to be measured in CI, and were not."""
    if environment.get("CI") != "true":
        return []
    spared = set(environment.get(WITHOUT, "").split(",")) - {""}
    if unknown := spared - {sdk.name for sdk in SDKS}:
        raise ReportedError(f"{WITHOUT} names {', '.join(sorted(unknown))}: there is no such SDK here")
    wanted = (key(sdk, row) for sdk in SDKS if sdk.name not in spared for row in ROWS)
    return [each for each in wanted if each not in cells]


def main(report: Path) -> int:
    """0 if the document has what was measured, or has it now; and, in CI, if all of it was measured."""
    before, cells = DOCUMENT.read_text(), measured(report)
    if missing := unmeasured(cells, os.environ):
        for sdk, layout, title in missing:
            print(f"not measured: {sdk}, {layout}: {title}", file=sys.stderr)
        print(f"In CI all has to be measured, but for the SDKs that {WITHOUT} names", file=sys.stderr)
        return 1
    after = rendered(before, {**documented(before), **cells})
    if WRITES:
        DOCUMENT.write_text(after)
        return 0
    if before != after:
        name = f"docs/{DOCUMENT.name}"
        sys.stderr.writelines(difflib.unified_diff(before.splitlines(True), after.splitlines(True), name, "measured"))
        print(f"{name} is not what was measured: run AWSSTS_GOLDEN=write make conformance", file=sys.stderr)
    return int(before != after)


def _part(document: str, name: str) -> str:
    """A table as it stands there."""
    found = re.search(rf"<!-- measured: {name} -->\n(.*?)<!-- end -->\n", document, re.DOTALL)
    assert found is not None, f"there is no place for {name}"
    return found[1]


def _lines(document: str, name: str) -> Iterator[list[str]]:
    """The cells of each line of a table but its header."""
    for line in _part(document, name).splitlines()[2:]:
        yield [cell.strip() for cell in line.removeprefix("|").removesuffix("|").split("|")]


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1])))
    except ReportedError as error:
        sys.exit(str(error))
