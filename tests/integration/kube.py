"""The Kubernetes API as the administrator, JSON in and out: for what is looked at too often to start a kubectl."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Self

import urllib3

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.cluster import Cluster

Json = dict[str, Any]
MERGE = "application/merge-patch+json"
REQUESTS = "apis/awssts.dev/v1alpha1", "awsstsrequests"
SECRETS = "api/v1", "secrets"
EVENTS = "api/v1", "events"


def path(kind: tuple[str, str], namespace: str = "", name: str = "") -> str:
    """The path of all objects of a kind, those of a namespace, or one."""
    group, plural = kind
    parts = [group, *(["namespaces", namespace] if namespace else ()), plural, *([name] if name else ())]
    return "/" + "/".join(parts)


class Api:
    """Calls to one API server."""

    def __init__(self, cluster: Cluster) -> None:
        self._server = cluster.server
        self._pool = urllib3.PoolManager(
            ca_certs=str(cluster.ca),
            headers={"Authorization": f"Bearer {cluster.admin_token}", "User-Agent": "tests"},
            retries=False,
            maxsize=4,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.clear()

    def get(self, where: str) -> Json | None:
        """None where there is nothing."""
        return self._call("GET", where)

    def create(self, where: str, body: Json) -> Json:
        created = self._call("POST", where, body)
        assert created is not None, f"no {where}"
        return created

    def merge(self, where: str, body: Json) -> Json:
        merged = self._call("PATCH", where, body, MERGE)
        assert merged is not None, f"no {where}"
        return merged

    def delete(self, where: str) -> None:
        """Also of a whole collection, and of what isn't there."""
        self._call("DELETE", where)

    def watch(self, where: str, since: str) -> urllib3.BaseHTTPResponse:
        """The open stream; `lines` reads it."""
        url = f"{self._server}{where}?watch=true&allowWatchBookmarks=true&resourceVersion={since}"
        return self._pool.request("GET", url, preload_content=False, timeout=urllib3.Timeout(connect=10, read=None))

    def _call(self, method: str, where: str, body: Json | None = None, form: str = "application/json") -> Json | None:
        answer = self._pool.request(
            method,
            self._server + where,
            body=None if body is None else json.dumps(body),
            headers={**self._pool.headers, "Content-Type": form},
            timeout=30,
        )
        if answer.status == 404 and method in {"GET", "DELETE"}:
            return None
        if answer.status >= 400:
            raise AssertionError(f"{method} {where}: {answer.status} {answer.data.decode()}")
        decoded: Json = answer.json()
        return decoded


def lines(stream: urllib3.BaseHTTPResponse) -> Iterator[Json]:
    """The events of a watch, until its end."""
    rest = b""
    for chunk in stream.stream(65536):
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield json.loads(line)
