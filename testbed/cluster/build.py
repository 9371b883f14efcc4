"""One `go build` with progress to look at: the first one takes minutes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from testbed.process import ReportedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MODULE = Path(__file__).parent / "binaries"
GO_MOD = (MODULE / "go.mod").read_text()

# Without its version a Kubernetes built like this calls itself v0.0.0, and clients refuse it.
MAJOR, MINOR, PATCH = re.findall(r"k8s\.io/kubernetes v(\d+)\.(\d+)\.(\d+)", GO_MOD)[0]
VERSION = "k8s.io/component-base/version"
LDFLAGS = (
    f"-s -w -X {VERSION}.gitVersion=v{MAJOR}.{MINOR}.{PATCH} -X {VERSION}.gitTreeState=clean"
    f" -X {VERSION}.gitMajor={MAJOR} -X {VERSION}.gitMinor={MINOR}"
)
FLAGS = ("-mod=readonly", "-trimpath", "-buildvcs=false", f"-ldflags={LDFLAGS}")

REPORT_EVERY = 20.0  # seconds between lines where there is no terminal, as in CI

REMEDIES = {
    "no space left on device": "The disk is full: a first build needs 5 GB (caches of Go and of awssts)",
    "no such host": "The Go modules can't be fetched: check the network and GOPROXY",
    "dial tcp": "The Go modules can't be fetched: check the network, HTTPS_PROXY and GOPROXY",
    "module lookup disabled": "The Go modules can't be fetched: GOPROXY is off",
    "signal: killed": "The build was killed; perhaps memory is short: GOFLAGS=-p=1 needs less",
    "permission denied": "The Go caches can't be written: check GOCACHE and GOMODCACHE (`go env` shows them)",
}


class Progress:
    """What `go build -v` says, counted: one line that changes on a terminal, else a line now and then."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._start = time.monotonic()
        self._packages = 0
        self._modules = 0
        self._ended = threading.Event()
        self._terminal = sys.stderr.isatty()
        self._reporter = threading.Thread(target=self._report, daemon=True)

    def __enter__(self) -> Self:
        self._show()
        self._reporter.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._reporter.join()
        self._show("\n")

    def counted(self, line: str) -> bool:
        """False for a line that is neither a fetched module nor a compiled package: an error then."""
        if line.startswith("go: downloading"):
            self._modules += 1
        elif " " not in line and ":" not in line:
            self._packages += 1
        else:
            return False
        return True

    def _report(self) -> None:
        while not self._ended.wait(0.5 if self._terminal else REPORT_EVERY):
            self._show()

    def _show(self, end: str = "") -> None:
        seconds = int(time.monotonic() - self._start)
        fetched = f"{self._modules} modules fetched, " if self._modules else ""
        text = f"{self._what}: {fetched}{self._packages} packages compiled, {seconds // 60}:{seconds % 60:02}"
        line = f"\r\x1b[K{text}{end}" if self._terminal else f"{text}\n"
        sys.stderr.write(line)
        sys.stderr.flush()


def build(go: Path, packages: Sequence[str], output: Path, progress: Progress, module: Path = MODULE) -> None:
    """Builds packages that a module pins into the folder `output`; an error says what to do."""
    said: list[str] = []
    with subprocess.Popen(
        [str(go), "build", "-v", *FLAGS, "-o", f"{output}/", *packages],
        cwd=module,
        env=environment(os.environ),
        stderr=subprocess.PIPE,
        text=True,
    ) as compiler:
        for line in compiler.stderr or ():
            if not progress.counted(line):
                said.append(line)  # noqa: PERF401 - read to the end, and count on the way
    if compiler.returncode != 0:
        raise ReportedError(explain("".join(said)))


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """Go's own variables count (proxy, caches); the rest is pinned, so that all build the same."""
    return {**given, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"}


def explain(output: str) -> str:
    """The remedy for what went wrong, and the compiler's last words."""
    remedy = next(
        (remedy for sign, remedy in REMEDIES.items() if sign in output),
        "The cluster's programs can't be built",
    )
    return f"{remedy}:\n{output[-2000:].strip()}"
