"""The closing line of `make test`: a tier that shows nothing is a failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed import verdict

if TYPE_CHECKING:
    from pathlib import Path


def report(folder: Path, name: str, *, tests: int, skipped: int = 0, failures: int = 0, errors: int = 0) -> str:
    path = folder / f"{name}.xml"
    sums = f'tests="{tests}" skipped="{skipped}" failures="{failures}" errors="{errors}" time="2.4"'
    path.write_text(f'<testsuites><testsuite name="pytest" {sums}/></testsuites>')
    return str(path)


def test_says_what_passed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unit, integration = report(tmp_path, "unit", tests=10), report(tmp_path, "integration", tests=5, skipped=2)
    assert verdict.main(["lint", unit, integration]) == 0
    said = capsys.readouterr().out
    assert said == "Passed: lint, 10 unit tests in 2 s, 3 integration tests in 2 s, 2 skipped\n"


@pytest.mark.parametrize(
    ("sums", "why"),
    [
        ({"tests": 0}, "no integration test ran"),
        ({"tests": 3, "skipped": 3}, "no integration test ran: 3 were skipped"),
        ({"tests": 3, "failures": 1}, "1 integration tests failed"),
        ({"tests": 3, "errors": 2}, "2 integration tests failed"),
    ],
)
def test_fails_for_a_tier(tmp_path: Path, capsys: pytest.CaptureFixture[str], sums: dict[str, int], why: str) -> None:
    arguments = ["lint", report(tmp_path, "unit", tests=1), report(tmp_path, "integration", **sums)]
    assert verdict.main(arguments) == 1
    assert why in capsys.readouterr().err


def test_fails_without_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verdict.main([str(tmp_path / "unit.xml")]) == 1
    assert "the unit tests did not run" in capsys.readouterr().err
