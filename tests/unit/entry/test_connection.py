"""How kopf gets to the cluster: with the same token as the operator's own calls, and heard when it lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio.client import Configuration
from kubernetes.aio.config.incluster_config import InClusterConfigLoader

from awssts.entry.connection import Connection, settings

if TYPE_CHECKING:
    from pathlib import Path

SERVICE = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}


async def test_in_a_pod(tmp_path: Path) -> None:
    token, authority = tmp_path / "token", tmp_path / "ca.crt"
    token.write_text("of-the-account")
    authority.write_text("PEM")
    configuration = Configuration()
    InClusterConfigLoader(str(token), str(authority), environ=SERVICE).load_and_set(configuration)
    found = await settings(configuration)
    assert (found.server, found.token, found.ca_path) == ("https://10.96.0.1:443", "of-the-account", str(authority))


@pytest.mark.parametrize(("value", "token"), [("Bearer abc", "abc"), ("abc", "abc"), (None, None)])
async def test_with_a_kubeconfig(value: str | None, token: str | None) -> None:
    configuration = Configuration()
    if value:
        configuration.api_key["BearerToken"] = value
    assert (await settings(configuration)).token == token


async def test_it_is_another_with_another_token_only() -> None:
    """Else kopf would take one that was refused for new, and try it again for ever."""
    configuration = Configuration()
    connection = Connection(configuration, print)
    given = [await connection(), await connection()]
    configuration.api_key["BearerToken"] = "Bearer abc"
    given.append(await connection())
    assert given[0] == given[1]
    assert given[1] != given[2]
    assert given[2].aiohttp_session.headers["Authorization"] == "Bearer abc"
    for each in (given[0], given[2]):
        await each.aiohttp_session.close()


async def test_lists_are_heard_and_watches_are_not() -> None:
    async def nothing(_: web.Request) -> web.Response:
        return web.Response()

    heard: list[str] = []
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", nothing)
    async with TestServer(application) as server:
        connection = await Connection(Configuration(host=str(server.make_url(""))), heard.append)()
        async with connection.aiohttp_session as session:
            for path in ("/api/v1/namespaces/team/secrets?limit=500", "/apis/awssts.dev/v1alpha1/awsstsrequests"):
                await session.get(server.make_url(path))
                await session.get(server.make_url(path).update_query(watch="true"))
                await session.get(server.make_url(path).update_query({"continue": "abc"}))
                await session.post(server.make_url(path))
    assert heard == ["secrets", "awsstsrequests"]
