"""Probes and metrics of an operator, as kubelet and Prometheus see them."""

from __future__ import annotations

import re
import urllib.request
from urllib.error import HTTPError


def probe(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as refused:
        return refused.code, refused.read().decode()


def value(port: int, metric: str, labels: str = "") -> float | None:
    """The value of a sample; None where there is none."""
    found = re.search(rf"^{re.escape(metric + labels)} (\S+)$", probe(port, "metrics")[1], re.MULTILINE)
    return float(found[1]) if found else None
