"""Prometheus as a process of the testbed: it scrapes what it is told to, and answers queries."""

from __future__ import annotations

import json
import os
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import yaml

from testbed import debian
from testbed.process import Process, free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class Series:
    """A line of a chart: its labels, and (seconds since 1970, value) pairs."""

    labels: Mapping[str, str]
    points: list[tuple[float, float]]


class Prometheus:
    """Debian's, with a folder of its own; it ends with the `with` block.

    Args:
        targets: host:port of each process that is scraped, by the name of the pod that it stands for.
        interval: seconds between two scrapes.
    """

    def __init__(self, folder: Path, targets: Mapping[str, str], *, interval: int = 5) -> None:
        program, environment = debian.program("prometheus", "prometheus")
        config = folder / "prometheus.yaml"
        config.parent.mkdir(parents=True, exist_ok=True)
        static = [{"targets": [address], "labels": {"pod": pod}} for pod, address in targets.items()]
        every = {"scrape_interval": f"{interval}s"}
        job = {"job_name": "awssts", "honor_labels": True, "static_configs": static}  # as the chart's ServiceMonitor
        config.write_text(yaml.safe_dump({"global": every, "scrape_configs": [job]}))
        self._address = f"127.0.0.1:{free_port()}"
        command = [
            str(program),
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={self._address}",
        ]
        self._process = Process("prometheus", command, log=folder / "prometheus.log", env=os.environ | environment)

    def __enter__(self) -> Self:
        self._process.start()
        wait_until(self._ready, timeout=30, what="Prometheus", process=self._process)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stop()

    def now(self, query: str) -> list[Series]:
        """What a query says now."""
        return [_series(each, [each["value"]]) for each in self._ask("query", query=query)["result"]]

    def over(self, query: str, start: float, end: float, step: float) -> list[Series]:
        """What a query says at each step of a time; OSError with Prometheus's words where it is none."""
        found = self._ask("query_range", query=query, start=f"{start}", end=f"{end}", step=f"{step}")
        return [_series(each, each["values"]) for each in found["result"]]

    def _ask(self, what: str, **parameters: str) -> Any:
        address = f"http://{self._address}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(address, timeout=10) as answer:
            return json.load(answer)["data"]

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{self._address}/-/ready", timeout=1):
                return True
        except OSError:
            return False


def _series(found: Mapping[str, Any], values: list[list[Any]]) -> Series:
    return Series(found["metric"], [(float(at), float(value)) for at, value in values])
