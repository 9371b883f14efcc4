"""The Kubernetes API, as far as awssts uses it: few calls, JSON in and out, no models in between.

``kubernetes.aio`` brings configuration, authentication and connections; its typed layer would more than double
the CPU time of a call.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import yaml
from kubernetes.aio import config as kubernetes_config
from kubernetes.aio.client import ApiClient, Configuration

from awssts import __version__
from awssts.domain import names
from awssts.domain.errors import AwsstsError, ClusterConflict, ClusterForbidden, ClusterUnavailable, TargetRejected
from awssts.domain.request import Identity
from awssts.domain.resources import Workload

Json = dict[str, Any]

TIMEOUT = aiohttp.ClientTimeout(total=20, connect=5)
PAGE = 500
_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_MERGE = "application/merge-patch+json"
_APPLY = "application/apply-patch+yaml"  # JSON is YAML


class NotFound(Exception):  # noqa: N818 - an answer, not a failure
    """The API server has no such object."""


class NotInstalled(ClusterUnavailable):
    """The API server knows no such kind."""


async def configuration() -> Configuration:
    """Return how to reach the cluster: KUBECONFIG, else the pod's service account, else ~/.kube/config.

    Raises:
        ClusterUnavailable: none of them is there, or it can't be understood.
    """
    found = Configuration()
    try:
        if "KUBERNETES_SERVICE_HOST" in os.environ and not os.environ.get("KUBECONFIG"):
            kubernetes_config.load_incluster_config(client_configuration=found)
        else:
            loader = await kubernetes_config.load_kube_config(client_configuration=found)
            if hasattr(loader, "exec_plugin_expiry"):
                found.refresh_api_key_hook = _renewing(loader)  # type: ignore[assignment] # it says None
    except kubernetes_config.ConfigException as error:
        raise ClusterUnavailable(f"no way to the cluster: {error}; set KUBECONFIG, or run in a pod") from None
    except (yaml.YAMLError, OSError, TypeError, AttributeError) as error:
        raise ClusterUnavailable(f"the kubeconfig can't be read: {type(error).__name__}; mend it") from None
    found.proxy = found.proxy or _proxy(found.host)
    return found


def _renewing(loader: Any) -> Callable[[Configuration], Awaitable[None]]:
    """Return what has the kubeconfig's command give another token once the one that it gave has expired."""
    one = asyncio.Lock()

    async def renew(configuration: Configuration) -> None:
        async with one:
            await loader.load_from_exec_plugin()  # looks at the expiration itself; a failure is logged
            configuration.api_key["BearerToken"] = loader.token

    return renew


def _proxy(host: str) -> str | None:
    """Return the proxy that the environment names for the API server, where it does."""
    server = urlsplit(host)
    bypassed = proxy_bypass(server.hostname or "") or proxy_bypass(server.netloc)  # the one knows IPv6, the other ports
    return None if bypassed else getproxies().get(server.scheme)


def context_namespace() -> str:
    """Return the namespace of the kubeconfig's current context, else ``default``."""
    try:
        _, current = kubernetes_config.list_kube_config_contexts()
    except kubernetes_config.ConfigException:
        return "default"
    return str(current["context"].get("namespace") or "default")


class Cluster:
    """Calls to one API server.

    Every method raises ``ClusterUnavailable`` where it does not answer, or with 409, 429 or 5xx, and
    ``ClusterForbidden`` where the operator's rights do not suffice.
    """

    def __init__(self, settings: Configuration) -> None:
        settings.connection_pool_maxsize = 32
        settings.client_session_kwargs = {"trust_env": False}  # else ~/.netrc and proxies are looked up at each call
        self.settings = settings
        self._client = ApiClient(settings)
        self._client.user_agent = f"awssts/{__version__}"

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def check(self, namespaces: Sequence[str]) -> None:
        """Raise ClusterUnavailable or ClusterForbidden when the operator can't work here; without CRDs NotInstalled."""
        for folder in _request_folders(namespaces):
            try:
                await self._call("GET", f"{folder}?limit=1", accept=_METADATA_LIST)
            except NotFound:
                raise _not_installed(folder) from None

    async def request(self, namespace: str, name: str) -> Json | None:
        """Return the ``AwsStsRequest``, or None where there is none."""
        return await self._get(_request_path(namespace, name))

    async def secret(self, namespace: str, name: str) -> Json | None:
        """Return the Secret with its data, or None where there is none."""
        return await self._get(path_of_secret(namespace, name))

    async def namespace_metadata(self, name: str) -> Json | None:
        """Return the namespace's metadata, or None where there is none."""
        found = await self._get(f"/api/v1/namespaces/{quote(name)}", accept=_METADATA)
        return found["metadata"] if found else None

    async def namespaces(self) -> AsyncIterator[Json]:
        """Yield the metadata of every namespace."""
        async for item in self._list("/api/v1/namespaces", {}, _METADATA_LIST):
            yield item["metadata"]

    async def policies(self) -> AsyncIterator[Json]:
        """Yield every ``AwsStsPolicy``."""
        async for item in self._list(f"/apis/{names.API_VERSION}/{names.POLICY_PLURAL}", {}, "application/json"):
            yield item

    async def secret_metadata(self, namespace: str, name: str) -> Json | None:
        """Return the Secret's metadata, or None where there is none; its data does not travel."""
        found = await self._get(path_of_secret(namespace, name), accept=_METADATA)
        return found["metadata"] if found else None

    async def request_metadata(self, namespaces: Sequence[str]) -> AsyncIterator[Json]:
        """Yield the metadata of every ``AwsStsRequest``, in pages; in all namespaces when none is named."""
        for folder in _request_folders(namespaces):
            async for item in self._list(folder, {}, _METADATA_LIST):
                yield item["metadata"]

    async def target_metadata(self, namespaces: Sequence[str]) -> AsyncIterator[Json]:
        """Yield the metadata of every target Secret, in pages; in all namespaces when none is named."""
        async for item in self._secrets(names.TARGET, namespaces, _METADATA_LIST):
            yield item["metadata"]

    async def labelled_credentials(self, namespaces: Sequence[str]) -> AsyncIterator[Json]:
        """Yield every credentials Secret that is labelled as one, with its data."""
        async for item in self._secrets(names.CREDENTIALS, namespaces, "application/json"):
            yield item

    async def _secrets(self, kind: str, namespaces: Sequence[str], accept: str) -> AsyncIterator[Json]:
        for namespace in namespaces or ("",):
            folder = f"/api/v1/namespaces/{quote(namespace)}/secrets" if namespace else "/api/v1/secrets"
            async for item in self._list(folder, {"labelSelector": f"{names.TYPE_LABEL}={kind}"}, accept):
                yield item

    async def create_secret(self, secret: Json) -> Json:
        """Create the Secret and return its metadata; the data does not travel back.

        Raises:
            ClusterConflict: there is one of that name.
        """
        path = (
            f"{path_of_secret(secret['metadata']['namespace'], '')}?{urlencode({'fieldManager': names.FIELD_MANAGER})}"
        )
        answer = await self._write(self._call("POST", path, secret, accept=_METADATA))
        metadata: Json = answer["metadata"]
        return metadata

    async def apply_secret(self, secret: Json) -> Json:
        """Write the Secret whole, by server-side apply, and return its new metadata.

        Raises:
            ClusterConflict: it is not the one of the ``uid`` or ``resourceVersion`` that is given.
            TargetRejected: the API server does not take it as it is.
        """
        metadata = secret["metadata"]
        path = path_of_secret(metadata["namespace"], metadata["name"])
        answer = await self._write(self._call("PATCH", f"{path}?{_APPLIED}", secret, accept=_METADATA))
        applied: Json = answer["metadata"]
        return applied

    async def take_token_code(self, identity: Identity, code: str) -> bool:
        """Remove the annotation with the code; say whether it was still there and the same."""
        path = "/metadata/annotations/" + names.TOKEN_CODE.replace("/", "~1")
        change = [
            {"op": "test", "path": "/metadata/uid", "value": identity.uid},
            {"op": "test", "path": path, "value": code},
            {"op": "remove", "path": path},
        ]
        try:
            url = _request_path(identity.namespace, identity.name)
            await self._call("PATCH", url, change, accept=_METADATA, content_type="application/json-patch+json")
        except (NotFound, TargetRejected):
            return False
        return True

    async def apply_status(self, identity: Identity, status: Json) -> Json | None:
        """Write the status, and return the request's new metadata; None where the request is gone."""
        body = {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "metadata": {"name": identity.name, "namespace": identity.namespace, "uid": identity.uid},
            "status": status,
        }
        path = f"{_request_path(identity.namespace, identity.name)}/status?{_APPLIED}"
        try:
            answer = await self._call("PATCH", path, body, accept=_METADATA)
        except NotFound:
            return None
        metadata: Json = answer["metadata"]
        return metadata

    async def patch_workload(self, namespace: str, workload: Workload, change: Json) -> bool:
        """Merge the change into a workload; say whether there is one.

        Raises:
            TargetRejected: the API server does not take it.
        """
        path = f"/apis/apps/v1/namespaces/{quote(namespace)}/{workload.kind.lower()}s/{quote(workload.name)}"
        url = f"{path}?{urlencode({'fieldManager': names.FIELD_MANAGER})}"
        try:
            await self._call("PATCH", url, change, accept=_METADATA, content_type=_MERGE)
        except NotFound:
            return False
        return True

    async def create_event(self, namespace: str, event: Json) -> None:
        """Write an Event."""
        await self._call("POST", f"/api/v1/namespaces/{quote(namespace)}/events", event, accept=_METADATA)

    async def _write(self, call: Awaitable[Json]) -> Json:
        """Await it; what can't be found on writing is the namespace."""
        try:
            return await call
        except NotFound as error:
            raise ClusterUnavailable(f"the API server has no place for the object: {error}") from None

    async def _list(self, path: str, query: dict[str, str], accept: str) -> AsyncIterator[Json]:
        query = query | {"limit": str(PAGE)}
        while True:
            try:
                page = await self._call("GET", f"{path}?{urlencode(query)}", accept=accept)
            except NotFound:
                raise _not_installed(path) from None
            for item in page.get("items") or ():
                yield item
            if not (following := page["metadata"].get("continue")):
                break
            query["continue"] = following

    async def _get(self, path: str, accept: str = "application/json") -> Json | None:
        try:
            return await self._call("GET", path, accept=accept)
        except NotFound:
            return None

    async def _call(
        self, method: str, path: str, body: Json | list[Json] | None = None, *, accept: str, content_type: str = _APPLY
    ) -> Json:
        headers = {"Accept": accept, "User-Agent": self._client.user_agent}
        if method == "PATCH":
            headers["Content-Type"] = content_type
        await self._client.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
        url = f"{self.settings.host}{path}"
        try:
            answer = await self._client.rest_client.request(
                method, url, headers=headers, body=body, _request_timeout=TIMEOUT
            )
            payload = await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ClusterUnavailable(
                f"the API server {self.settings.host} does not answer: {type(error).__name__}"
            ) from None
        if answer.status >= 400:
            raise _error(answer.status, payload)
        try:
            decoded: Json = json.loads(payload)
        except ValueError:
            raise ClusterUnavailable(
                f"the API server answered {answer.status} without JSON: is there a proxy?"
            ) from None
        return decoded


_APPLIED = urlencode({"fieldManager": names.FIELD_MANAGER, "force": "true"})


def _request_path(namespace: str, name: str) -> str:
    return f"/apis/{names.API_VERSION}/namespaces/{quote(namespace)}/{names.PLURAL}/{quote(name, safe='')}"


def _request_folders(namespaces: Sequence[str]) -> list[str]:
    """Return the paths under which requests are: one for each namespace; that of all when none is named."""
    inside = [f"namespaces/{quote(namespace)}/" for namespace in namespaces] or [""]
    return [f"/apis/{names.API_VERSION}/{namespace}{names.PLURAL}" for namespace in inside]


def _not_installed(folder: str) -> NotInstalled:
    if names.GROUP not in folder:
        return NotInstalled(f"the API server knows no {folder}")
    kind = folder.rpartition("/")[2]
    return NotInstalled(f"the cluster has no {kind}.{names.GROUP}: install the CRDs (kubectl apply -f crds/)")


def path_of_secret(namespace: str, name: str) -> str:
    """Return the path of a Secret, or of all in a namespace."""
    return f"/api/v1/namespaces/{quote(namespace, safe='')}/secrets/{quote(name, safe='')}".rstrip("/")


def _error(status: int, payload: bytes) -> AwsstsError | NotFound:
    try:
        answer = json.loads(payload)
    except ValueError:
        answer = None
    message = str(answer.get("message", "") if isinstance(answer, dict) else "")[:500]
    if status == HTTPStatus.NOT_FOUND:
        return NotFound(message)
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return ClusterForbidden(f"Kubernetes refuses the operator: {message}")
    if status in {
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    }:
        return TargetRejected(f"Kubernetes refuses the object: {message}")
    if status == HTTPStatus.CONFLICT:
        return ClusterConflict(f"the object was changed meanwhile: {message}")
    return ClusterUnavailable(f"the API server answered {status}: {message}")
