"""The thread that ends the process in time."""

import subprocess
import sys
import threading
import time

import pytest

from awssts.adapters.watchdog import Watchdog

HANGS = """
import asyncio, sys, time
from awssts.adapters import logs
from awssts.adapters.watchdog import Watchdog

async def main():
    Watchdog().end_at(time.monotonic() + 0.1)
    if "log" in sys.argv:
        import logging
        logging.getLogger().handlers[0].acquire()
    time.sleep(60)  # not asyncio's: nothing else of the loop is run

logs.configure("info", "text")
asyncio.run(main())
"""


@pytest.fixture
def ended() -> threading.Event:
    return threading.Event()


@pytest.mark.parametrize("log", ["", "log"], ids=["the loop", "the log, too"])
def test_a_process_that_hangs_ends(log: str) -> None:
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", HANGS, log], capture_output=True, text=True, check=False, timeout=30)  # noqa: S603 - ours
    assert done.returncode == 1
    assert ("what was not finished in time is cut off" in done.stderr) is (log == "")
    assert time.monotonic() - began < 20


def test_a_moment_that_is_put_off_is_none(ended: threading.Event) -> None:
    dog = Watchdog(ended.set)
    dog.end_at(time.monotonic() + 0.05)
    dog.end_at(time.monotonic() + 60)
    assert not ended.wait(0.15)
    dog.end_at(time.monotonic() + 0.05)
    assert ended.wait(10), "an earlier one counts again"
    dog.stop()


def test_stopped_it_ends_nothing(ended: threading.Event) -> None:
    dog = Watchdog(ended.set)
    dog.stop()
    dog.end_at(time.monotonic() + 0.05)
    dog.stop()
    assert not ended.wait(0.15)
    assert "watchdog" not in {thread.name for thread in threading.enumerate()}
    dog.end_at(time.monotonic())
    assert ended.wait(10)
    dog.stop()
