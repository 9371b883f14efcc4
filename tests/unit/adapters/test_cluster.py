"""Calls to an API server that answers as it is told to."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port
from kubernetes.aio.client import Configuration

from awssts.adapters.cluster import Cluster, configuration
from awssts.adapters.webhooks import Registration, WebhookCluster
from awssts.domain.errors import AwsstsError, ClusterConflict, ClusterForbidden, ClusterUnavailable, TargetRejected
from awssts.domain.request import Identity

IDENTITY = Identity("team", "reports", "uid-of-reports")
SECRET = {"metadata": {"namespace": "team", "name": "reports"}, "data": {}}


class Api:
    """What it answers, and what it was asked."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, Any]] = []
        self.asked: list[web.Request] = []
        self.bodies: list[Any] = []

    async def answer(self, asked: web.Request) -> web.Response:
        self.asked.append(asked)
        text = await asked.text()
        self.bodies.append(json.loads(text) if text else None)
        status, found = self.answers.pop(0)
        body = found if isinstance(found, str) else json.dumps(found)
        return web.Response(status=status, text=body, content_type="application/json")


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
async def cluster(api: Api) -> AsyncIterator[Cluster]:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", api.answer)
    async with TestServer(application) as server:
        made = Cluster(Configuration(host=str(server.make_url("")).rstrip("/")))
        yield made
        await made.close()


@pytest.mark.parametrize(
    ("status", "kind", "text"),
    [
        (401, ClusterForbidden, "Kubernetes refuses the operator: no"),
        (403, ClusterForbidden, "Kubernetes refuses the operator: no"),
        (400, TargetRejected, "Kubernetes refuses the object: no"),
        (413, TargetRejected, "Kubernetes refuses the object: no"),
        (422, TargetRejected, "Kubernetes refuses the object: no"),
        (409, ClusterConflict, "the object was changed meanwhile: no"),
        (429, ClusterUnavailable, "the API server answered 429: no"),
        (500, ClusterUnavailable, "the API server answered 500: no"),
        (503, ClusterUnavailable, "the API server answered 503: no"),
    ],
)
async def test_refusals(cluster: Cluster, api: Api, status: int, kind: type[AwsstsError], text: str) -> None:
    api.answers = [(status, {"kind": "Status", "message": "no"})]
    with pytest.raises(kind) as raised:
        await cluster.apply_secret(SECRET)
    assert raised.value.message == text


@pytest.mark.parametrize("body", ["<html>bad gateway</html>", "", "[]", "null"])
async def test_a_refusal_that_is_no_answer_of_kubernetes(cluster: Cluster, api: Api, body: str) -> None:
    api.answers = [(502, body)]
    with pytest.raises(ClusterUnavailable, match="the API server answered 502"):
        await cluster.secret("team", "reports")


async def test_an_answer_that_is_no_answer_of_kubernetes(cluster: Cluster, api: Api) -> None:
    """A proxy on the way may answer 200 with a page of its own."""
    api.answers = [(200, "<html>please log in</html>")]
    with pytest.raises(ClusterUnavailable):
        await cluster.secret("team", "reports")


async def test_a_long_message_is_cut(cluster: Cluster, api: Api) -> None:
    api.answers = [(422, {"message": "x" * 10_000})]
    with pytest.raises(TargetRejected) as raised:
        await cluster.apply_secret(SECRET)
    assert len(raised.value.message) < 1000


@pytest.mark.parametrize("version", [None, "7"])
async def test_a_secret_of_the_webhook_whose_namespace_is_not_there(
    cluster: Cluster, api: Api, version: str | None
) -> None:
    api.answers = [(404, {"message": 'namespaces "awssts" not found'})]
    webhooks = WebhookCluster(cluster.settings)
    with pytest.raises(ClusterUnavailable, match='no place for the object: namespaces "awssts" not found'):
        await webhooks.write_secret("awssts", "awssts-stamp-key", {"key": b"k"}, version)
    await webhooks.close()


async def test_a_registration_that_is_deleted_just_now_is_none(cluster: Cluster, api: Api) -> None:
    """An uninstall must not end the leader before its time."""
    there = {"metadata": {"resourceVersion": "7"}, "webhooks": [{"name": "stamp", "clientConfig": {"service": {}}}]}
    api.answers = [(200, there), (404, {"message": "not found"})] * 2
    webhooks = WebhookCluster(cluster.settings)
    assert not await webhooks.trust(Registration("mutatingwebhookconfigurations", "awssts"), b"authority")
    await webhooks.lead("mutatingwebhookconfigurations", "awssts", "/mutate/0123")
    assert [asked.method for asked in api.asked] == ["GET", "PATCH"] * 2
    await webhooks.close()


async def test_nobody_there() -> None:
    made = Cluster(Configuration(host=f"http://127.0.0.1:{unused_port()}"))
    with pytest.raises(
        ClusterUnavailable, match=r"the API server http://127\.0\.0\.1:\d+ does not answer: ClientConnectorError"
    ):
        await made.secret("team", "reports")
    await made.close()


async def test_what_is_not_there_is_none(cluster: Cluster, api: Api) -> None:
    api.answers = [(404, {"message": "not found"})] * 4
    assert await cluster.request("team", "reports") is None
    assert await cluster.secret("team", "reports") is None
    assert await cluster.secret_metadata("team", "reports") is None
    assert await cluster.apply_status(IDENTITY, {}) is None


async def test_a_secret_is_applied_by_force_in_our_name(cluster: Cluster, api: Api) -> None:
    api.answers = [(200, {"metadata": {"uid": "u"}, "data": {"not": "read"}})]
    assert await cluster.apply_secret(SECRET) == {"uid": "u"}
    (asked,) = api.asked
    assert (asked.method, asked.path) == ("PATCH", "/api/v1/namespaces/team/secrets/reports")
    assert dict(asked.query) == {"fieldManager": "awssts", "force": "true"}
    assert asked.headers["Content-Type"].startswith("application/apply-patch+yaml")
    assert "PartialObjectMetadata" in asked.headers["Accept"], "the data does not travel back"


async def test_a_status_is_applied_to_that_very_request(cluster: Cluster, api: Api) -> None:
    api.answers = [(200, {"metadata": {"resourceVersion": "7"}})]
    await cluster.apply_status(IDENTITY, {"failures": 1})
    assert api.asked[0].path == "/apis/awssts.dev/v1alpha1/namespaces/team/awsstsrequests/reports/status"
    assert api.bodies[0]["metadata"]["uid"] == "uid-of-reports"
    assert api.bodies[0]["status"] == {"failures": 1}


async def test_metadata_is_read_without_the_data(cluster: Cluster, api: Api) -> None:
    api.answers = [(200, {"metadata": {"uid": "u"}})]
    assert await cluster.secret_metadata("team", "reports") == {"uid": "u"}
    assert "PartialObjectMetadata" in api.asked[0].headers["Accept"]


async def test_targets_are_listed_in_pages(cluster: Cluster, api: Api) -> None:
    api.answers = [
        (200, {"metadata": {"continue": "more"}, "items": [{"metadata": {"name": "a"}}]}),
        (200, {"metadata": {}, "items": [{"metadata": {"name": "b"}}]}),
        (200, {"metadata": {}, "items": None}),
    ]
    found = [metadata["name"] async for metadata in cluster.target_metadata(["one", "two"])]
    assert found == ["a", "b"]
    assert [asked.path for asked in api.asked] == [
        "/api/v1/namespaces/one/secrets", "/api/v1/namespaces/one/secrets", "/api/v1/namespaces/two/secrets",
    ]  # fmt: skip
    assert [asked.query.get("continue") for asked in api.asked] == [None, "more", None]
    assert {asked.query["labelSelector"] for asked in api.asked} == {"awssts.dev/type=target"}


async def test_a_cluster_without_the_crds(cluster: Cluster, api: Api) -> None:
    api.answers = [(404, "404 page not found")]
    with pytest.raises(ClusterUnavailable, match="install the CRDs"):
        await cluster.check(())


@pytest.mark.parametrize("name", ["a/b", "a?x=1", "../../pods/a"])
async def test_a_strange_name_stays_within_its_path(cluster: Cluster, api: Api, name: str) -> None:
    api.answers = [(404, {})]
    await cluster.secret("team", name)
    assert api.asked[0].path.startswith("/api/v1/namespaces/team/secrets/")
    assert not api.asked[0].query


# What the environment says.

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: here
clusters: [{name: here, cluster: {server: "https://api.example.com:6443"%s}}]
contexts: [{name: here, context: {cluster: here, user: me}}]
users: [{name: me, user: {token: made-up}}]
"""


@pytest.mark.parametrize(
    ("environment", "more", "proxy"),
    [
        ({}, "", None),
        ({"HTTPS_PROXY": "http://proxy:3128"}, "", "http://proxy:3128"),
        ({"HTTP_PROXY": "http://proxy:3128"}, "", None),
        ({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": ".example.com"}, "", None),
        ({"HTTPS_PROXY": "http://proxy:3128"}, ', proxy-url: "http://other:1"', "http://other:1"),
    ],
    ids=["none", "https", "of another scheme", "not for that host", "the kubeconfig's own"],
)
async def test_the_proxy(
    environment: dict[str, str], more: str, proxy: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "ALL_PROXY", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "kubeconfig").write_text(KUBECONFIG % more)
    monkeypatch.setattr("kubernetes.aio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "kubeconfig"))
    assert (await configuration()).proxy == proxy


async def test_no_proxy_for_an_ipv6_address(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", "fd00:10:96::1,.svc")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    (tmp_path / "kubeconfig").write_text((KUBECONFIG % "").replace("api.example.com:6443", "[fd00:10:96::1]:443"))
    monkeypatch.setattr("kubernetes.aio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "kubeconfig"))
    assert (await configuration()).proxy is None


COMMAND = """#!/bin/sh
echo >>{folder}/calls
number=$(wc -l <{folder}/calls)
[ "$number" -ne 3 ] || {{ echo "no network" >&2; exit 1; }}
[ "$number" -gt 1 ] && ends={later} || ends={soon}
echo '{{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
  "status": {{"token": "token-'$number'", "expirationTimestamp": "'$ends'"}}}}'
"""


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")  # the library's, since 3.12
async def test_a_command_of_the_kubeconfig_gives_another_token_in_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def given(moment: timedelta) -> str:
        return (datetime.now(UTC) + moment).strftime("%Y-%m-%dT%H:%M:%SZ")

    async def token() -> str | None:
        return (await found.auth_settings())["BearerToken"]["value"]

    text = COMMAND.format(folder=tmp_path, soon=given(timedelta(minutes=1)), later=given(timedelta(hours=1)))
    (tmp_path / "token").write_text(text)
    (tmp_path / "token").chmod(0o700)
    command = f'exec: {{apiVersion: client.authentication.k8s.io/v1, command: "{tmp_path}/token"}}'
    (tmp_path / "kubeconfig").write_text((KUBECONFIG % "").replace("token: made-up", command))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setattr("kubernetes.aio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "kubeconfig"))
    found = await configuration()
    assert set(await asyncio.gather(*(token() for _ in range(5)))) == {"Bearer token-2"}
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=2), tick=True):
        assert await token() == "Bearer token-2", "the command failed: the old one is better than none"
        assert await token() == "Bearer token-4"


async def test_a_netrc_of_the_machine_is_nobodys(
    cluster: Cluster, api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("default login somebody password made-up-password\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    api.answers.append((200, SECRET))
    await cluster.secret("team", "reports")
    assert "Authorization" not in api.asked[0].headers
