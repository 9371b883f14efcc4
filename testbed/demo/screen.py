"""What the demo prints: each step with what happens in it, how it ended and how long it took; then a table."""

from __future__ import annotations

import os
import sys
import textwrap

BOLD, DIM, RED, GREEN = "1", "2", "31", "32"
WIDTH = 100


class Screen:
    """A terminal with colours, or plain lines for a file and for NO_COLOR."""

    def __init__(self) -> None:
        self._colours = sys.stdout.isatty() and not os.environ.get("NO_COLOR")

    def heading(self, number: int, title: str) -> None:
        self.line()
        self.line(self._in(BOLD, f"{number:2}  {title}"))

    def note(self, text: str) -> None:
        """A sentence about what happens."""
        for part in textwrap.wrap(text, WIDTH - 4):
            self.line(f"    {part}")

    def command(self, text: str) -> None:
        """A command that a person could type."""
        self.line(f"    {self._in(DIM, '$')} {text}")

    def output(self, text: str) -> None:
        """What a command answered."""
        for part in text.rstrip().splitlines():
            self.line(f"    {self._in(DIM, part)}" if part else "")

    def done(self, result: str, seconds: float) -> None:
        self.line(f"    {self._in(GREEN, '✓')} {result} ({seconds:.1f} s)")

    def failed(self, reason: str) -> None:
        self.line(f"    {self._in(RED, '✗')} {reason}")

    def table(self, rows: list[tuple[str, str, float]]) -> None:
        """Step, result and time of each row, and the sum of the times."""
        total = ("", "all together", sum(seconds for *_, seconds in rows))
        first = max(len(step) for step, *_ in rows)
        second = max(len(result) for _, result, _ in [*rows, total])
        self.line()
        self.line(self._in(BOLD, f"{'step':{first}}  {'result':{second}}    time"))
        for step, result, seconds in [*rows, total]:
            self.line(f"{step:{first}}  {result:{second}}  {seconds:4.1f} s")
        self.line()

    def line(self, text: str = "") -> None:
        print(text, flush=True)

    def _in(self, style: str, text: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self._colours else text
