"""Nothing secret leaves: collects every secret value of a cluster, and every text that none of them may be in."""

from __future__ import annotations

import base64
import json
import re
import threading
from typing import TYPE_CHECKING, Self

import urllib3

from tests.integration import kube

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.kube import Api, Json

SECRET_KEY = re.compile(r"secret|token|seed|password", re.IGNORECASE)  # keys of Secrets with nothing else in them
IN_FILES = re.compile(r'(?:secret_?access_?key|session_?token)"?\s*[:=]\s*"?([^\s"]+)', re.IGNORECASE)
SHORTEST = 12  # characters: what is shorter may be in a text by chance


class Secrecy:
    """Watches Secrets, requests and Events in all their versions; log files are read at the end."""

    def __init__(self, api: Api) -> None:
        self.values: set[str] = set()
        self.texts: set[str] = set()
        self.logs: set[Path] = set()
        self._api = api
        self._streams: list[urllib3.BaseHTTPResponse] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        for kind in (kube.SECRETS, kube.REQUESTS, kube.EVENTS):
            listed = self._api.get(kube.path(kind))
            assert listed is not None, kind
            stream = self._api.watch(kube.path(kind), listed["metadata"]["resourceVersion"])
            thread = threading.Thread(target=self._follow, args=(stream, kind), daemon=True)
            thread.start()
            self._streams.append(stream)
            self._threads.append(thread)
        return self

    def __exit__(self, *_: object) -> None:
        for stream in self._streams:
            stream.shutdown()
        for thread in self._threads:
            thread.join(10)
        for stream in self._streams:
            stream.close()

    def leaks(self) -> list[str]:
        """Where a secret value is, plain or in base64; without repeating it."""
        texts = [*self.texts, *(log.read_text(errors="replace") for log in self.logs)]
        beginnings = {form[:SHORTEST]: form for value in self.values for form in _forms(value)}
        found = []
        for text in texts:
            for start in range(len(text) - SHORTEST + 1):
                form = beginnings.get(text[start : start + SHORTEST])
                if form is not None and text.startswith(form, start):
                    found.append(text[max(0, start - 200) : start] + "<a secret value>")
        return found

    def _follow(self, stream: urllib3.BaseHTTPResponse, kind: tuple[str, str]) -> None:
        try:
            for event in kube.lines(stream):
                if event["type"] not in {"BOOKMARK", "ERROR"}:
                    self._take(event["object"], kind)
        except (urllib3.exceptions.HTTPError, OSError, ValueError):
            return  # it was shut down

    def _take(self, found: Json, kind: tuple[str, str]) -> None:
        if kind == kube.SECRETS:
            self.values.update(secret_values(found.get("data") or {}))
            found = found["metadata"]
        self.texts.add(json.dumps(found, ensure_ascii=False))


def secret_values(data: dict[str, str]) -> set[str]:
    """What is secret in a Secret's data (base64)."""
    values: set[str] = set()
    for key, encoded in data.items():
        text = base64.b64decode(encoded).decode(errors="replace").strip()
        if SECRET_KEY.search(key):
            values.add(text)
            values.update(re.findall(r"[?&]secret=([A-Z2-7]+)", text))  # otpauth://…
        values.update(IN_FILES.findall(text))
    return {value for value in values if len(value) >= SHORTEST}


def _forms(value: str) -> tuple[str, str]:
    return value, base64.b64encode(value.encode()).decode()
