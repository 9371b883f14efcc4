"""A run in which something secret has left fails, also where each of its tests passes at a second try."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFTEST = """
import pytest
from tests.integration import leaks

def pytest_configure(config):
    config.pluginmanager.register(leaks.Leaks(), "leaks")

@pytest.fixture(scope="session", autouse=True)
def secrecy(request):
    yield
    leaks.report(request.config, {found!r})
"""
TESTS = "import pytest\n@pytest.mark.parametrize('n', range(4))\ndef test(n): pass\n"


@pytest.mark.parametrize("options", [(), ("-n2", "--dist=loadfile")], ids=["alone", "two workers"])
@pytest.mark.parametrize("found", [[], ["a log: <a secret value>"]], ids=["nothing", "something"])
def test_a_leak_fails_the_run(tmp_path: Path, found: list[str], options: tuple[str, ...]) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST.format(found=found))
    (tmp_path / "test_some.py").write_text(TESTS)
    done = subprocess.run(  # noqa: S603 - pytest
        [sys.executable, "-m", "pytest", "--rootdir", tmp_path, "-c", "/dev/null", "--reruns=2", *options, tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == bool(found), done.stdout
    assert "4 passed" in done.stdout
    assert ("something secret has left: a log: <a secret value>" in done.stdout) is bool(found)
