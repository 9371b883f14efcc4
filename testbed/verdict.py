"""The last line of `make test`: what passed, in plain words; or that a tier ran no test at all."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from testbed.process import ReportedError


@dataclass(frozen=True)
class Tier:
    """What pytest wrote about one of its runs."""

    name: str
    passed: int
    skipped: int
    failed: int
    seconds: float

    def __str__(self) -> str:
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} {self.name} tests in {self.seconds:.0f} s{skipped}"


def read(report: Path) -> Tier:
    """The sums of a JUnit file, which is named after the tier."""
    if not report.exists():
        raise ReportedError(f"{report} is missing: the {report.stem} tests did not run")
    suites = ET.parse(report).getroot().iter("testsuite")  # noqa: S314 - pytest's own
    tests = skipped = failed = 0
    seconds = 0.0
    for suite in suites:
        tests += int(suite.get("tests", 0))
        skipped += int(suite.get("skipped", 0))
        failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        seconds += float(suite.get("time", 0))
    return Tier(report.stem, tests - skipped - failed, skipped, failed, seconds)


def verdict(checks: list[str], tiers: list[Tier]) -> str:
    """Raises where a tier didn't show anything, or showed a failure."""
    for tier in tiers:
        if tier.failed:
            raise ReportedError(f"{tier.failed} {tier.name} tests failed")
        if not tier.passed:
            raise ReportedError(f"no {tier.name} test ran: {tier.skipped} were skipped")
    return f"Passed: {', '.join([*checks, *map(str, tiers)])}"


def main(arguments: list[str]) -> int:
    """`arguments`: names of other checks that have passed, and pytest's reports."""
    checks = [name for name in arguments if not name.endswith(".xml")]
    try:
        print(verdict(checks, [read(Path(name)) for name in arguments if name.endswith(".xml")]))
    except ReportedError as error:
        print(f"Failed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
