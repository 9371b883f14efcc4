"""How kopf gets to the cluster: with the same token as the operator's own calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kubernetes.aio.client import Configuration
from kubernetes.aio.config.incluster_config import InClusterConfigLoader

from awssts.app import connection

if TYPE_CHECKING:
    from pathlib import Path

SERVICE = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}


async def test_in_a_pod(tmp_path: Path) -> None:
    token, authority = tmp_path / "token", tmp_path / "ca.crt"
    token.write_text("of-the-account")
    authority.write_text("PEM")
    configuration = Configuration()
    InClusterConfigLoader(str(token), str(authority), environ=SERVICE).load_and_set(configuration)
    found = await connection(configuration)
    assert (found.server, found.token, found.ca_path) == ("https://10.96.0.1:443", "of-the-account", str(authority))


@pytest.mark.parametrize(("value", "token"), [("Bearer abc", "abc"), ("abc", "abc"), (None, None)])
async def test_with_a_kubeconfig(value: str | None, token: str | None) -> None:
    configuration = Configuration()
    if value:
        configuration.api_key["BearerToken"] = value
    assert (await connection(configuration)).token == token
