"""The certificate that the admission webhooks are served with: of its own making, and from files that change."""

from __future__ import annotations

import base64
import json
import socket
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from awssts.adapters.authority import issue
from awssts.adapters.certificates import Files, ServingPair
from awssts.adapters.selfmade import SECRET
from tests.integration import guarded_cluster as scene
from tests.integration.admission_server import Parts, Serving
from tests.integration.guarded_cluster import BOTH, as_operator, obeyed, parts, request
from tests.integration.operator_process import SYSTEM
from tests.integration.patience import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from testbed.cluster import Cluster
    from tests.integration.guarded_cluster import Person

Json = dict[str, Any]

guarded, webhook, port = scene.guarded, scene.webhook, scene.port
anna, operator_kubeconfig = scene.anna, scene.operator_kubeconfig


@pytest.mark.usefixtures("webhook")
def test_the_self_made_certificate_is_kept_and_trusted(guarded: Cluster, port: int) -> None:
    secret = json.loads(guarded.kubectl("get", "secret", SECRET, f"--namespace={SYSTEM}", "--output=json").stdout)
    bundle = base64.b64decode(secret["data"]["ca.crt"])
    served = presented(port, bundle)
    assert served == base64.b64decode(secret["data"]["tls.crt"])
    for kind in BOTH:
        webhooks = json.loads(guarded.kubectl("get", kind, "awssts", "--output=json").stdout)["webhooks"]
        assert {base64.b64decode(webhook["clientConfig"]["caBundle"]) for webhook in webhooks} == {bundle}


def test_files_are_swapped_without_a_failed_call(
    *, guarded: Cluster, webhook: Serving, port: int, anna: Person, operator_kubeconfig: Path, tmp_path: Path
) -> None:
    """As a mounted Secret is: a symbolic link to a folder is replaced; calls go on, new connections see the new."""
    webhook.__exit__(None, None, None)
    pairs = [issue({"127.0.0.1"}, datetime.now(UTC)) for _ in range(4)]
    bundle = b"".join(authority for _, authority in pairs)
    files = mounted(tmp_path, pairs[0][0])
    for kind in BOTH:
        change = [
            {"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": base64.b64encode(bundle).decode()}
        ]
        guarded.kubectl("patch", kind, "awssts", "--type=json", f"--patch={json.dumps(change)}")

    async def made() -> Parts:
        cluster = await as_operator(operator_kubeconfig)
        return await parts(files, cluster)

    with Serving(port, made):
        obeyed(anna)
        calls = 0
        for pair, _ in pairs[1:]:
            mounted(tmp_path, pair)
            eventually(creating(anna, lambda pair=pair: presented(port, bundle) == pair.certificate), "it is served")  # type: ignore[misc]
            calls += 1
    assert calls == 3


def creating(person: Person, probe: Callable[[], bool]) -> Callable[[], bool]:
    """The probe, with a request made before each look."""

    def look() -> bool:
        person.does("create", "--dry-run=server", "--filename=-", given=request("swapped"))
        return probe()

    return look


def mounted(folder: Path, pair: ServingPair) -> Files:
    """The pair as kubelet puts it there."""
    new = folder / f"..{len(list(folder.iterdir()))}"
    new.mkdir()
    (new / "tls.crt").write_bytes(pair.certificate)
    (new / "tls.key").write_bytes(pair.key)
    link = folder / "..new"
    link.symlink_to(new.name)
    link.rename(folder / "..data")
    return Files(folder / "..data" / "tls.crt", folder / "..data" / "tls.key", look=0.05)


def presented(port: int, bundle: bytes) -> bytes:
    """The certificate (PEM) that a new connection gets, which one of the authorities has signed."""
    context = ssl.create_default_context(cadata=bundle.decode())
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        der = connection.getpeercert(binary_form=True)
    assert der is not None
    return ssl.DER_cert_to_PEM_cert(der).encode()
