"""The audit of locked libraries, with uv itself and a database on this machine that knows what it is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
WEAKNESS = {
    "id": "GHSA-test-test-test",
    "modified": "2026-01-01T00:00:00Z",
    "summary": "keys can be read",
    "affected": [{"package": {"ecosystem": "PyPI", "name": "kopf"}, "versions": ["0"]}],
}


class Database(ThreadingHTTPServer):
    """OSV's API, as far as uv asks: https://google.github.io/osv.dev/api/."""

    weak: str = ""  # a library

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class Answer(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
        weak = self.server.weak  # type: ignore[attr-defined] # a Database
        self._say({"results": [self._found(each["package"]["name"] == weak) for each in asked]})

    def do_GET(self) -> None:
        self._say(WEAKNESS)

    def _found(self, weak: bool) -> dict[str, Any]:
        return {"vulns": [{"id": WEAKNESS["id"], "modified": WEAKNESS["modified"]}]} if weak else {}

    def _say(self, what: Any) -> None:
        text = json.dumps(what).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def database() -> Iterator[Database]:
    with Database(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def audit(url: str, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "testbed.audit"],
        cwd=ROOT,
        env={**os.environ, "AWSSTS_OSV_URL": url, "NO_PROXY": "127.0.0.1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def test_nothing_is_known(database: Database) -> None:
    assert audit(database.url) == (0, "Audited: no known weakness in what uv.lock names\n")


def test_a_weakness_fails_it(database: Database) -> None:
    database.weak = "kopf"
    code, said = audit(database.url)
    assert code == 1
    assert "GHSA-test-test-test" in said
    assert "Failed: upgrade what is named above" in said


@pytest.mark.parametrize(("wanted", "code"), [("", 0), ("required", 1)])
def test_no_database_is_no_all_clear(wanted: str, code: int) -> None:
    found, said = audit("http://127.0.0.1:9/", AWSSTS_AUDIT=wanted)
    assert (found, said.partition(":")[0]) == (code, "Not audited")
