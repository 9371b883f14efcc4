"""Each manifest in the documents is one that a real API server takes, strictly; parts of manifests are completed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from testbed.cluster import Cluster
from tests.documents import BY_MODELS, PARTS, ROOT, Block, everywhere
from tests.integration.patience import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

FOREIGN = ROOT / "tests" / "data" / "documents" / "foreign-kinds.yaml"
SHOWN = [
    block
    for block in everywhere("yaml")
    if block.mark != "given to" and (block.complete or block.document not in BY_MODELS)
]


@pytest.fixture(scope="module")
def taker() -> Iterator[Cluster]:
    """Knows awssts's kinds and, as far as documents show them, those of others; and has the namespaces they name."""
    with Cluster() as running:
        running.kubectl("apply", "--server-side", "--filename", ROOT / "crds", "--filename", FOREIGN)
        running.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        for name in sorted({"default"} | {namespace for block in SHOWN for namespace in namespaces(block)}):
            if name != "default":
                running.kubectl("create", "namespace", name)
            running.kubectl("create", "serviceaccount", "default", f"--namespace={name}")  # no pod is taken without
        yield running


def namespaces(block: Block) -> set[str]:
    """Those that its objects are in."""
    return {each["metadata"].get("namespace", "default") for each in block.objects if block.complete}


@pytest.mark.parametrize("block", SHOWN, ids=str)
def test_an_api_server_takes_it(taker: Cluster, block: Block) -> None:
    manifest = block.text if block.complete else yaml.safe_dump_all([PARTS[block.name](each) for each in block.objects])
    strictly = ["--server-side", "--validate=strict", "--dry-run=server", "--filename=-"]

    def taken() -> bool:  # an Established CRD answers 429 for a moment
        done = taker.kubectl("apply", *strictly, input=manifest, check=False)
        assert done.returncode == 0 or "TooManyRequests" in done.stderr or "429" in done.stderr, done.stderr
        return done.returncode == 0

    eventually(taken, str(block), timeout=30)
