"""What fails a whole run of pytest when something secret has left, whichever test was the last, and how often it ran.

A failed assertion at a session's end would be one of its last test, which is run again and then passes.
"""

from __future__ import annotations

from typing import Any

import pytest

FOUND = pytest.StashKey[list[str]]()
_OUTPUT = "leaks"


def report(config: pytest.Config, leaks: list[str]) -> None:
    """Takes down where something secret was found, without repeating it."""
    config.stash.setdefault(FOUND, []).extend(leaks)


class Leaks:
    """A plugin: workers of xdist tell it what they found, and it tells the run's result."""

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        found = session.config.stash.get(FOUND, [])
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput[_OUTPUT] = found
        elif found:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        report(node.config, getattr(node, "workeroutput", {}).get(_OUTPUT, []))

    def pytest_terminal_summary(self, terminalreporter: Any, config: pytest.Config) -> None:
        for leak in config.stash.get(FOUND, []):
            terminalreporter.write_line(f"FAILED: something secret has left: {leak}", red=True)
