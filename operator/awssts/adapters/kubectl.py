"""The cluster as a person reaches it: through kubectl, so with every way to log in that kubectl knows.

Importing ``kubernetes.aio`` takes a second; kubectl answers in some 40 ms (docs/decisions/0038).
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote, urlencode

from awssts.domain import names
from awssts.domain.errors import AwsstsError, ClusterForbidden, ClusterUnavailable

Json = dict[str, Any]

VARIABLE = "AWSSTS_KUBECTL"  # names another program than kubectl
TIMEOUT = 20  # seconds for an answer
PAGE = 500
_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_FROM_SERVER = re.compile(r"^Error from server \((\w+)\): ", re.MULTILINE)
_FINAL = re.compile(r"^(Error from server|error: |Unable to connect|The connection to the server|[EWI]\d{4} )")


class NotFound(ClusterUnavailable):
    """There is no such object."""


@dataclass(frozen=True)
class Kubectl:
    """Calls of kubectl with the options that the user gave.

    Every method raises ``ClusterUnavailable`` where the cluster can't be reached and ``ClusterForbidden`` where
    the user's rights do not suffice, in kubectl's own words.
    """

    context: str | None = None
    kubeconfig: str | None = None
    chosen: str | None = None  # namespace
    program: str = field(default_factory=lambda: os.environ.get(VARIABLE) or "kubectl")

    @cached_property
    def namespace(self) -> str:
        """The chosen namespace, else that of the context, else ``default``: kubectl's own rule."""
        if self.chosen:
            return self.chosen
        try:
            found = self._run("config", "view", "--minify", "--output=jsonpath={..namespace}").decode()
        except ClusterUnavailable:  # no kubeconfig, or a wrong one: the next call says so
            found = _POD_NAMESPACE.read_text() if _POD_NAMESPACE.exists() else ""
        return found.strip() or "default"

    def get(self, path: str) -> Json | None:
        """Return what is there, or None where nothing is."""
        try:
            return _decoded(self._run("get", "--raw", path))
        except NotFound:
            return None

    def items(self, path: str) -> Iterator[Json]:
        """Yield the items of a collection, in pages.

        Raises:
            ClusterUnavailable: among other things, the cluster does not know the kind.
        """
        query = {"limit": str(PAGE)}
        while True:
            try:
                page = _decoded(self._run("get", "--raw", f"{path}?{urlencode(query)}"))
            except NotFound:
                kind = path.rpartition("/")[2]
                raise ClusterUnavailable(f"the cluster has no {kind}: install the CRDs of awssts") from None
            yield from page.get("items") or ()
            if not (following := page["metadata"].get("continue")):
                break
            query["continue"] = following

    def annotate(self, name: str, annotations: dict[str, str | None]) -> Json:
        """Set annotations of an ``AwsStsRequest`` (None takes one away) and return it as it is then.

        Values go through a pipe: a command line can be read by everybody on the machine.

        Raises:
            NotFound: there is none.
        """
        change = json.dumps({"metadata": {"annotations": annotations}}).encode()
        kind = f"{names.PLURAL}.{names.GROUP}"
        where = ("--namespace", self.namespace, "--type=merge", "--patch-file=/dev/stdin", "--output=json")
        return _decoded(self._run("patch", kind, name, *where, given=change))

    def watch(self, path: str, since: str, seconds: float) -> Iterator[Json]:
        """Yield the objects of a collection as they change, for at most that long; it may end before."""
        lasts = max(1, round(seconds))
        query = urlencode({"watch": "true", "resourceVersion": since, "timeoutSeconds": lasts})
        with self._started(["get", "--raw", f"{path}?{query}"], timeout=lasts + 5) as (process, _):
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            for line in process.stdout:
                event = _decoded(line)
                if event.get("type") in {"ADDED", "MODIFIED", "DELETED"}:
                    yield event["object"] | {"deleted": event["type"] == "DELETED"}

    def _run(self, *arguments: str, given: bytes | None = None) -> bytes:
        with self._started(arguments, given=given) as (process, said):
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            output = process.stdout.read()
            failed = process.wait() != 0
        if failed:
            raise _error("".join(said))
        return output

    @contextlib.contextmanager
    def _started(
        self, arguments: Sequence[str], *, given: bytes | None = None, timeout: int = TIMEOUT
    ) -> Iterator[tuple["subprocess.Popen[bytes]", list[str]]]:
        """Start kubectl and end it; what it says on standard error is all known when the context is left."""
        options = [f"--request-timeout={timeout}s"]
        options += [f"--context={self.context}"] if self.context else []
        options += [f"--kubeconfig={self.kubeconfig}"] if self.kubeconfig else []
        program = shutil.which(self.program)
        if program is None:
            raise ClusterUnavailable(f"{self.program} is not on the PATH: install kubectl, or name it in {VARIABLE}")
        said: list[str] = []
        with subprocess.Popen(  # noqa: S603 - the user's own kubectl
            [program, *arguments, *options],
            stdin=subprocess.PIPE if given is not None else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            listener = threading.Thread(target=_listen, args=(process.stderr, said))
            listener.start()
            try:
                if process.stdin is not None:
                    with contextlib.suppress(BrokenPipeError):
                        process.stdin.write(given or b"")
                        process.stdin.close()
                yield process, said
            finally:
                process.kill()
                listener.join()


def _listen(stream: IO[bytes], said: list[str]) -> None:
    """Keep what kubectl fails with; pass on at once what a login plug-in says to the person, who may have to act."""
    for line in stream:
        text = line.decode(errors="replace")
        if said or _FINAL.match(text):
            said.append(text)
        else:
            sys.stderr.write(text)
            sys.stderr.flush()


def _decoded(output: bytes) -> Json:
    try:
        found = json.loads(output)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ClusterUnavailable("the API server did not answer with an object: is there a proxy?")
    return found


def _error(said: str) -> AwsstsError:
    lines = [line for line in said.splitlines() if not re.match(r"[EWI]\d{4} ", line)]
    text = " ".join(lines or said.splitlines()[-1:]) or "kubectl failed and did not say why"
    found = _FROM_SERVER.match(text)
    reason = found[1] if found else ""
    message = text[found.end() :] if found else text.removeprefix("error: ").removeprefix("Error from server: ")
    if reason == "NotFound":
        return NotFound(message)
    if reason in {"Forbidden", "Unauthorized"} or "(Unauthorized)" in message:
        return ClusterForbidden(message)
    return ClusterUnavailable(message)


def request_path(namespace: str, name: str = "") -> str:
    """Return the path of an ``AwsStsRequest``, or of all in the namespace; of all there are without one."""
    folder = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
    return f"/apis/{names.API_VERSION}{folder}/{names.PLURAL}" + (f"/{quote(name, safe='')}" if name else "")


def policies_path() -> str:
    """Return the path of all ``AwsStsPolicy`` objects."""
    return f"/apis/{names.API_VERSION}/{names.POLICY_PLURAL}"


def secret_path(namespace: str, name: str) -> str:
    """Return the path of a Secret."""
    return f"/api/v1/namespaces/{quote(namespace, safe='')}/secrets/{quote(name, safe='')}"


def namespace_path(name: str) -> str:
    """Return the path of a namespace."""
    return f"/api/v1/namespaces/{quote(name, safe='')}"
