"""``python -m bench.sidecar``: how small the sidecar is, how soon it answers and how fast, beside bare aiohttp.

The load comes from wrk: that on PATH, or Debian's package, fetched into the cache without installing it.
"""

import argparse
import http.client
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from testbed import debian
from testbed.process import free_port
from testbed.sidecar import PROGRAM, SidecarProcess

CONNECTIONS = 64
STARTS = 9
TICKS = os.sysconf("SC_CLK_TCK")
TOKEN = "bench-token-of-some-length"  # noqa: S105 - for no credentials at all
ANSWER = {
    "AccessKeyId": "ASIAIOSFODNN7EXAMPLE",
    "SecretAccessKey": "x" * 40,
    "Token": "x" * 1000,
    "Expiration": "2099-01-01T00:00:00Z",
}
BARE = f"""
from aiohttp import web
async def answer(request): return web.Response(text={json.dumps(ANSWER)!r}, content_type="application/json")
app = web.Application()
app.router.add_get("/credentials", answer)
web.run_app(app, host="127.0.0.1", port=int(__import__("sys").argv[1]), access_log=None, print=None)
"""


class Server:
    """A server as a process, and what the system says of it."""

    def __init__(self, name: str, command: list[str], port: int) -> None:
        self.name = name
        self.port = port
        self._command = command
        self._process: subprocess.Popen[bytes]

    @contextmanager
    def running(self) -> Iterator[float]:
        """Run it within the block; give the seconds from its start to its first 200."""
        began = time.perf_counter()
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while not self._answers():
                time.sleep(0.002)
            yield time.perf_counter() - began
        finally:
            self._process.terminate()
            self._process.wait()

    @property
    def memory(self) -> tuple[float, float]:
        """Resident memory, and the share of it that is its own (PSS), in MB."""
        text = Path(f"/proc/{self._process.pid}/smaps_rollup").read_text()
        rss, pss = (int(_found(rf"(?m)^{name}: +(\d+) kB", text)[1]) / 1000 for name in ("Rss", "Pss"))
        return rss, pss

    @property
    def cpu(self) -> float:
        """CPU seconds so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/credentials", headers={"Authorization": TOKEN})
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


def load(server: Server, seconds: int) -> tuple[float, float]:
    """Return requests a second, and the 99th percentile of latency in ms; each must be answered with 200."""
    wrk, environment = debian.program("wrk", "wrk", "libluajit-5.1-2")
    options = ["-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", "-H", f"Authorization: {TOKEN}"]
    said = subprocess.run(
        [wrk, *options, f"http://127.0.0.1:{server.port}/credentials"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise ValueError(said)
    late = _found(r"99% +([\d.]+)(us|ms|s)", said)
    unit = {"us": 0.001, "ms": 1, "s": 1000}[late[2]]
    return float(_found(r"Requests/sec: +([\d.]+)", said)[1]), float(late[1]) * unit


def _found(pattern: str, text: str) -> re.Match[str]:
    if (match := re.search(pattern, text)) is None:
        raise ValueError(f"there is no {pattern} in: {text}")
    return match


def servers(folder: Path) -> tuple[Server, Server]:
    """Return the sidecar, and the bare handler."""
    sidecar = SidecarProcess(folder, "--log-level=error")
    renamed = {"SessionToken" if name == "Token" else name: value for name, value in ANSWER.items()}
    sidecar.mounted.write({"credentials.json": json.dumps({"Version": 1, **renamed})})
    sidecar.token_file.write_text(TOKEN)
    port = free_port()
    return (
        Server("awssts sidecar", sidecar.command, sidecar.port),
        Server("bare aiohttp", [sys.executable, "-c", BARE, str(port)], port),
    )


def measure(seconds: int, rounds: int, idle: int) -> None:
    """Print the figures as they come."""
    with tempfile.TemporaryDirectory() as folder:
        both = servers(Path(folder))
        for server in both:
            took = []
            for _ in range(STARTS):
                with server.running() as start:
                    took.append(start)
            median, worst = statistics.median(took), max(took)
            print(f"{server.name}: start to first 200: median {median * 1000:.0f} ms, worst {worst * 1000:.0f} ms")
        found: dict[str, list[tuple[float, float]]] = {server.name: [] for server in both}
        for _ in range(rounds):  # in turn: what else the machine does hits both
            for server in both:
                with server.running():
                    fresh = server.memory
                    rate, late = load(server, seconds)
                    found[server.name].append((rate, late))
                    tired = server.memory
                print(
                    f"{server.name}: {rate:.0f} requests/s, p99 {late:.1f} ms; RSS {fresh[0]:.1f} MB "
                    f"(PSS {fresh[1]:.1f}), after the load {tired[0]:.1f} MB (PSS {tired[1]:.1f})"
                )
        for part, unit in ((0, "requests/s"), (1, "p99")):
            ratio = statistics.median(ours[part] / theirs[part] for ours, theirs in zip(*found.values(), strict=True))
            print(f"sidecar / bare aiohttp, {unit}: {ratio:.2f}")
        with both[0].running():
            before = both[0].cpu
            time.sleep(idle)
            print(f"idle for {idle} s: {100 * (both[0].cpu - before) / idle:.3f} % of a core")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.sidecar", description=f"Measures {PROGRAM.name} sidecar.")
    parser.add_argument("--seconds", type=int, default=8, help="of load, each round (default: 8)")
    parser.add_argument("--rounds", type=int, default=3, help="of load on each server (default: 3)")
    parser.add_argument("--idle", type=int, default=60, help="seconds of an idle sidecar (default: 60)")
    arguments = parser.parse_args()
    measure(arguments.seconds, arguments.rounds, arguments.idle)
