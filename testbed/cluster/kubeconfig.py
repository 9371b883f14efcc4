"""kubeconfig files: complete in themselves, so that they can be copied."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.cluster.certificates import KeyPair


def with_certificate(pair: KeyPair) -> dict[str, str]:
    return {
        "client-certificate-data": _inline(pair.certificate),
        "client-key-data": _inline(pair.key),
    }


def write(path: Path, server: str, ca: Path, user: dict[str, str]) -> Path:
    """JSON, which is YAML too."""
    name = "awssts-testbed"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority-data": _inline(ca)}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "users": [{"name": name, "user": user}],
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(content, indent=2))
    return path


def _inline(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()
