"""What gets into the logs, and what never does."""

import json
import logging
from collections.abc import Callable, Iterator
from typing import Literal

import pytest
import structlog

from awssts.adapters import logs

SECRET = "wJalrXUtn-made-up"  # not on the line that raises: tracebacks show that


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def fail() -> None:
    try:
        int(SECRET)
    except ValueError:
        raise RuntimeError(f"it is {SECRET}") from None


def logged_by_structlog() -> None:
    log = structlog.get_logger("ours")
    try:
        fail()
    except RuntimeError:
        log.exception("unexpected error", name="reports")


def logged_as_an_object() -> None:
    log = structlog.get_logger("ours")
    try:
        fail()
    except RuntimeError as error:
        log.warning("unexpected error", exc_info=error, name="reports")


def logged_by_a_library() -> None:
    try:
        fail()
    except RuntimeError:
        logging.getLogger("library").exception("unexpected error name=reports")


def logged_with_a_cause() -> None:
    try:
        try:
            int(SECRET)
        except ValueError as cause:
            raise RuntimeError("outer") from cause
    except RuntimeError:
        structlog.get_logger("ours").exception("unexpected error", name="reports")


WAYS = [logged_by_structlog, logged_as_an_object, logged_by_a_library, logged_with_a_cause]


@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_the_text_of_an_exception_is_not_logged(
    form: Literal["json", "text"], way: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("debug", form)
    way()
    shown = capsys.readouterr().err
    assert SECRET not in shown
    assert "unexpected error" in shown
    assert "RuntimeError" in shown, "its type"
    assert "test_logs.py" in shown, "its place"
    assert "reports" in shown


def test_json_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "json")
    structlog.get_logger("ours").info("issued", name="reports")
    logging.getLogger("library").warning("careful")
    ours, theirs = map(json.loads, capsys.readouterr().err.splitlines())
    assert (ours["event"], ours["level"], ours["logger"], ours["name"]) == ("issued", "info", "ours", "reports")
    assert ours["timestamp"].endswith("Z")
    assert (theirs["event"], theirs["level"]) == ("careful", "warning")


@pytest.mark.parametrize(
    ("level", "events"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_levels(level: str, events: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(level, "json")
    log = structlog.get_logger("ours")
    for name in ("debug", "info", "warning", "error"):
        getattr(log, name)(name)
    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == events


@pytest.mark.parametrize("library", ["botocore", "botocore.endpoint", "urllib3.connectionpool", "aiohttp.client"])
def test_libraries_that_log_bodies_and_headers_are_kept_quiet(library: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("debug", "text")
    logging.getLogger(library).debug("headers: %s", SECRET)
    logging.getLogger(library).info("body: %s", SECRET)
    assert capsys.readouterr().err == ""
