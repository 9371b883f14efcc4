"""The tables of docs/consume.md are whole, of the SDKs that are pinned, and change with what is measured."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from testbed.process import ReportedError
from tests.conformance import table
from tests.conformance.program import first_clause
from tests.conformance.scenarios import ROWS, Cell
from tests.conformance.sdks import SDKS, Missing, Sdk

DOCUMENT = table.DOCUMENT.read_text()
CELLS = table.documented(DOCUMENT)


def test_every_cell_is_there_and_nothing_else() -> None:
    assert set(CELLS) == {table.key(sdk, row) for sdk in SDKS for row in ROWS}
    assert all(cell.text not in {"", "?"} for cell in CELLS.values())


def test_written_anew_they_are_the_same() -> None:
    """With another version of an SDK they aren't: AWSSTS_GOLDEN=write make conformance."""
    assert table.rendered(DOCUMENT, CELLS) == DOCUMENT


def test_another_measurement_is_a_difference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = table.key(SDKS[0], ROWS[0])
    assert table.main(report(tmp_path, [*name, CELLS[name].text, CELLS[name].error])) == 0
    assert table.main(report(tmp_path, [*name, "fails", ""])) == 1
    said = capsys.readouterr().err
    assert "+| first call | fails |" in said
    assert "AWSSTS_GOLDEN=write make conformance" in said


def test_what_was_not_measured_stays(tmp_path: Path) -> None:
    row = next(row for row in ROWS if row.cause)
    found = table.measured(report(tmp_path, [*table.key(SDKS[1], row), "goes on", "some error"]))
    changed = table.documented(table.rendered(DOCUMENT, {**CELLS, **found}))
    assert {name: cell for name, cell in changed.items() if cell != CELLS[name]} == found
    assert found == {table.key(SDKS[1], row): Cell("goes on", "some error")}


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in CI, unless a test says so."""
    for name in ("CI", table.WITHOUT):
        monkeypatch.delenv(name, raising=False)


def test_in_ci_all_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    all_but_one = [[*name, cell.text, cell.error] for name, cell in list(CELLS.items())[1:]]
    assert table.main(report(tmp_path, *all_but_one)) == 1
    sdk, layout, title = next(iter(CELLS))
    assert f"not measured: {sdk}, {layout}: {title}\n" in capsys.readouterr().err
    monkeypatch.setenv(table.WITHOUT, f"{sdk},rust")
    assert table.main(report(tmp_path, *all_but_one)) == 0
    monkeypatch.setenv(table.WITHOUT, "cobol")
    with pytest.raises(ReportedError, match="names cobol"):
        table.main(report(tmp_path, *all_but_one))


@pytest.mark.parametrize(
    ("tool", "oldest", "why"),
    [
        ("no-such-compiler", (3, 2), "needs no-such-compiler 3.2 or newer, and there is none on PATH"),
        ("sh", (999,), "needs sh 999 or newer; here it is"),
    ],
)
def test_a_missing_toolchain_is_named(
    tool: str, oldest: tuple[int, ...], why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWSSTS_CACHE", str(tmp_path))
    sdk = Sdk("rust", "Some SDK", build=(), run=(), version=str, tools=((tool, oldest),))
    with pytest.raises(Missing, match=f"Some SDK {why}"):
        sdk.command()


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        ("ExpiredToken", "ExpiredToken"),
        ("StatusCode(503)", "StatusCode(503)"),
        ("none in chain. Attempted:\n one", "none in chain"),
        ("not here, or there", "not here"),
        ("first line:\nsecond", "first line"),
    ],
)
def test_errors_are_cut_to_what_stays_the_same(error: str, kept: str) -> None:
    assert first_clause(error) == kept


def report(folder: Path, *cells: list[str]) -> Path:
    suite = ET.Element("testsuite")
    for cell in cells:
        properties = ET.SubElement(ET.SubElement(suite, "testcase"), "properties")
        ET.SubElement(properties, "property", name=table.PROPERTY, value=json.dumps(cell))
    path = folder / "conformance.xml"
    ET.ElementTree(suite).write(path)
    return path
