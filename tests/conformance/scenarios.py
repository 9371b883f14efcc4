"""What is measured: one function for each row of the table."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tests.conformance.pod import HOURS
from tests.conformance.program import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conformance.pod import Pod
    from tests.conformance.program import Program

OLD, NEW = "old", "new"  # names of credentials
REST = 1.5  # seconds: what Java got a second ago it takes as good, whatever its expiration
LIVES = [timedelta(seconds=seconds) for seconds in (4, 10, 30)]  # longer ones for a program that starts slowly

# When an SDK takes new credentials, looked for from the earliest. Each is well inside or outside of what any SDK has:
# 15 and 10 min before the end (boto3), 5 min (Go, JavaScript), 1 min (Java), 15 s (Java), 5 to 10 s (Rust).
MOMENTS = (
    ("at each call", HOURS),
    ("12 min before the end", timedelta(minutes=12)),
    ("4 min before the end", timedelta(minutes=4)),
    ("40 s before the end", timedelta(seconds=40)),
    ("12 s before the end", timedelta(seconds=12)),
    ("4 s before the end", timedelta(seconds=4)),
)
RANDOM = {  # where an SDK draws a time, it is looked for where it is sure
    "java": {"12 min before the end", "4 min before the end"},
    "rust": {"12 s before the end"},
}


@dataclass(frozen=True)
class Cell:
    """A cell of the table, and the error that the program saw, for the table of errors."""

    text: str
    error: str = ""


@dataclass(frozen=True)
class Row:
    layout: str
    title: str
    measured: Callable[[Pod, str], Cell]
    cause: str = ""  # the row in the table of errors

    def measure(self, pod: Pod, sdk: str) -> Cell:
        """The cell of an SDK; with its error, where the table of errors has a row for it."""
        cell = self.measured(pod, sdk)
        return cell if self.cause else Cell(cell.text)


def judged(during: Answer, after: Answer) -> Cell:
    """What happened, and whether the same process had new credentials afterwards."""
    if during.who:
        return Cell("goes on")
    kind = "fails" if during.error else "waits"
    return Cell(f"{kind}, then works" if after.who == NEW else f"{kind} until restarted", during.error)


# --- any layout ----------------------------------------------------------------------------------------


def first_call(start: Callable[[Pod], Program]) -> Callable[[Pod, str], Cell]:
    def measure(pod: Pod, _sdk: str) -> Cell:
        pod.issue(OLD)
        with start(pod) as program:
            return Cell("works" if program.call().who == OLD else "fails")

    return measure


def rotation(start: Callable[[Pod], Program]) -> Callable[[Pod, str], Cell]:
    """When the same process takes the new credentials; the old ones were replaced long before."""

    def measure(pod: Pod, sdk: str) -> Cell:
        for words, left in MOMENTS:
            if words not in RANDOM.get(sdk, ()) and _takes(pod, start, left):
                return Cell(words)
        return Cell("when expired" if _takes(pod, start, LIVES[0], expired=True) else "no")

    return measure


def _takes(pod: Pod, start: Callable[[Pod], Program], left: timedelta, *, expired: bool = False) -> bool:
    """Whether it takes new ones with that much left. What came too late, for load, shows nothing: again then."""
    for longer in LIVES:
        old = pod.issue(OLD, max(longer, left) if expired else left)
        with start(pod) as program:
            if program.call().who == OLD:
                pod.issue(NEW)
                if expired:
                    pod.expire(old)
                took = program.becomes(NEW).who == NEW
                if not took or expired or datetime.now(UTC) < old.expiration:
                    return took
    raise AssertionError("the program doesn't start in time")


def late(start: Callable[[Pod], Program]) -> Callable[[Pod, str], Cell]:
    """The program calls before there are credentials."""

    def measure(pod: Pod, _sdk: str) -> Cell:
        with start(pod) as program:
            during = program.call()
            pod.issue(NEW)
            return judged(during, program.becomes(NEW))

    return measure


def expired(start: Callable[[Pod], Program]) -> Callable[[Pod, str], Cell]:
    """The credentials end and there are no new ones; then there are."""

    def measure(pod: Pod, _sdk: str) -> Cell:
        for left in LIVES:
            old = pod.issue(OLD, left)
            with start(pod) as program:
                if program.call().who == OLD:
                    pod.expire(old)
                    during = program.call()
                    pod.issue(NEW)
                    return judged(during, program.becomes(NEW))
        raise AssertionError("the program doesn't start in time")

    return measure


# --- the sidecar ---------------------------------------------------------------------------------------


def sidecar(pod: Pod) -> Program:
    if not pod.sidecar.alive:
        pod.sidecar.start()
    return pod.with_sidecar()


def wrong_token(pod: Pod, _sdk: str) -> Cell:
    pod.issue(NEW)
    pod.sidecar.show_wrong_token()
    with sidecar(pod) as program:
        during = program.call()
        pod.sidecar.show_right_token()
        return judged(during, program.becomes(NEW))


def absent(pod: Pod, _sdk: str) -> Cell:
    pod.issue(NEW)
    with sidecar(pod) as program:
        pod.sidecar.kill()
        during = program.call()
        pod.sidecar.start()
        return judged(during, program.becomes(NEW))


def hangs(pod: Pod, _sdk: str) -> Cell:
    pod.issue(NEW)
    with sidecar(pod) as program:
        pod.sidecar.stop()
        return _waited(pod, program)


def hangs_later(left: timedelta) -> Callable[[Pod, str], Cell]:
    def measure(pod: Pod, _sdk: str) -> Cell:
        with _holding(pod, left) as program:
            pod.sidecar.stop()
            return _waited(pod, program)

    return measure


def _waited(pod: Pod, program: Program) -> Cell:
    during = program.call()
    pod.sidecar.go_on()
    pod.issue(NEW)
    if during == Answer():
        program.answer()
    return judged(during, program.becomes(NEW))


def empty_later(left: timedelta) -> Callable[[Pod, str], Cell]:
    """The sidecar has been restarted and has nothing: 503."""

    def measure(pod: Pod, _sdk: str) -> Cell:
        with _holding(pod, left) as program:
            pod.sidecar.kill()
            pod.unmount()
            pod.sidecar.start()
            during = program.call()
            pod.issue(NEW)
            return judged(during, program.becomes(NEW))

    return measure


@contextmanager
def _holding(pod: Pod, left: timedelta) -> Iterator[Program]:
    """A program that has credentials with that much left."""
    pod.issue(OLD, left)
    with sidecar(pod) as program:
        assert program.call().who == OLD
        time.sleep(REST)
        yield program


def process(pod: Pod) -> Program:
    return pod.with_process()


def file(pod: Pod) -> Program:
    return pod.with_file()


SIDECAR, PROCESS, FILE = "Sidecar", "credential_process", "Credentials file"
FAR, NEAR = timedelta(minutes=12), timedelta(seconds=40)

ROWS = (
    Row(SIDECAR, "first call", first_call(sidecar)),
    Row(SIDECAR, "takes new credentials", rotation(sidecar)),
    Row(SIDECAR, "has none yet (503)", late(sidecar), "503"),
    Row(SIDECAR, "wrong token (403)", wrong_token, "403"),
    Row(SIDECAR, "is not there", absent, "no sidecar"),
    Row(SIDECAR, "hangs", hangs, "hangs"),
    Row(SIDECAR, "503, 12 min before the end", empty_later(FAR)),
    Row(SIDECAR, "503, 40 s before the end", empty_later(NEAR)),
    Row(SIDECAR, "hangs, 12 min before the end", hangs_later(FAR)),
    Row(SIDECAR, "hangs, 40 s before the end", hangs_later(NEAR)),
    Row(SIDECAR, "503, after the end", expired(sidecar)),
    Row(PROCESS, "first call", first_call(process)),
    Row(PROCESS, "takes new credentials", rotation(process)),
    Row(PROCESS, "no Secret yet", late(process), "no file"),
    Row(PROCESS, "nothing new after the end", expired(process), "expired file"),
    Row(FILE, "first call", first_call(file)),
    Row(FILE, "takes new credentials", rotation(file)),
    Row(FILE, "no Secret yet", late(file)),
)
