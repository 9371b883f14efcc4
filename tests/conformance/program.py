"""A program of one of the SDKs, running: it is asked for a call now and then, with the same client."""

from __future__ import annotations

import json
import os
import queue
import re
import subprocess
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

LONGEST = 40.0  # seconds: Rust gives up after 17; who takes longer has no limit
TRIES, PAUSE = 6, 0.5  # for what an SDK does in the background


@dataclass(frozen=True)
class Answer:
    """Who AWS says the program is, by the last part of the ARN; or its error; or neither: it still waits."""

    who: str = ""
    error: str = ""


def first_clause(error: str) -> str:
    """What doesn't change from one time to the next."""
    return re.split(r"[.,;:]?\s*\n|[.,;] ", error.strip())[0]


class Program:
    """Ends with the `with` block; and by itself, at the end of its input, should we end first."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        self._command = command
        self._env = {"PATH": os.environ["PATH"], **env}  # nothing else of ours: it may have AWS settings
        self._log = log
        self._answers: queue.Queue[str] = queue.Queue()

    def __enter__(self) -> Self:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, env=self._env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def call(self) -> Answer:
        """Has it call AWS once."""
        assert self._process.stdin is not None
        self._process.stdin.write("call\n")
        self._process.stdin.flush()
        return self.answer()

    def answer(self) -> Answer:
        """The answer to a call that was made."""
        try:
            line = self._answers.get(timeout=LONGEST)
        except queue.Empty:
            return Answer()
        if not line:
            raise AssertionError(f"{self._command[0]} ended: {self._log.read_text()[-2000:]}")
        print(line, end="")  # for who looks into a failure
        found = json.loads(line)
        return Answer(found.get("arn", "").rpartition("/")[2], first_clause(found.get("error", "")))

    def becomes(self, who: str) -> Answer:
        """Calls until AWS says that, or the SDK had its time: some fetch in the background."""
        found = self.call()
        for _ in range(TRIES - 1):
            if found.who == who:
                break
            time.sleep(PAUSE)
            found = self.call()
        return found

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put("")
