"""What ``awssts explain`` judges a request by: read from the cluster, or from manifests."""

import base64
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import click

from awssts.adapters.kubectl import Json, Kubectl, namespace_path, policies_path, secret_path
from awssts.domain import names
from awssts.domain.errors import ClusterForbidden, InvalidSpec
from awssts.domain.policy import InvalidPolicy, Policy, load
from awssts.domain.request import Request, parse
from awssts.domain.resources import Spec
from awssts.domain.stamp import Keys
from awssts.entry.following import found
from awssts.services import stamps


@dataclass(frozen=True, slots=True)
class Unknown:
    """Marks what can't be known, and why."""

    why: str


@dataclass
class Scene:
    """What a request is judged by; None where it is known not to be there."""

    request: Request
    policies: list[Policy | InvalidPolicy]
    namespace: Json | Unknown  # metadata
    key_secret: Json | Unknown | None
    target: Json | Unknown | None  # metadata
    stamp_keys: Keys | Unknown

    @property
    def spec(self) -> Spec:
        """The request's spec; a scene of one that can't be understood is not made."""
        if isinstance(self.request.spec, InvalidSpec):
            raise self.request.spec
        return self.request.spec


def from_cluster(kubectl: Kubectl, name: str, system: str) -> Scene:
    """Return the scene as the cluster holds it; ``system`` is the operator's own namespace.

    Raises:
        ClickException: there is no such request, or it can't be understood.
        AwsstsError: policies can't be read; without them there is nothing to explain.
    """
    request = _understood(found(kubectl, name))
    home = kubectl.namespace
    secret = _spec(request).credentials_secret_ref.name
    with ThreadPoolExecutor() as threads:
        policies = threads.submit(lambda: [load(body) for body in kubectl.items(policies_path())])
        namespace = threads.submit(_allowed, lambda: kubectl.get(namespace_path(home)))
        key_secret = threads.submit(_allowed, lambda: kubectl.get(secret_path(home, secret)))
        target = threads.submit(_allowed, lambda: kubectl.get(secret_path(home, request.target_name)))
        stamp_keys = threads.submit(_allowed, lambda: kubectl.get(secret_path(system, stamps.SECRET)))
        there = namespace.result() or {"metadata": {}}
        written = target.result()
        return Scene(
            request=request,
            policies=policies.result(),
            namespace=there if isinstance(there, Unknown) else there["metadata"],
            key_secret=key_secret.result(),
            target=written["metadata"] if isinstance(written, dict) else written,
            stamp_keys=_stamp_keys(stamp_keys.result(), system),
        )


def from_manifests(documents: Iterable[Json], name: str | None, namespace: str | None = None) -> Scene:
    """Return the scene of the manifests: one request (that of the name, where there are several), its policies,
    and, where they are there, its Namespace and its Secret.

    Raises:
        ClickException: there is no such request, or more than one, or it can't be understood.
    """
    there = [item for item in documents if isinstance(item.get("metadata"), dict)]
    requests = [item for item in there if item.get("kind") == names.KIND and _named(item, name, namespace)]
    if not requests:
        raise click.ClickException("the manifests have no such AwsStsRequest: give its file too with -f")
    if len(requests) > 1:
        raise click.ClickException(f"the manifests have {len(requests)} such AwsStsRequests: give NAME and -n")
    request = _understood(_completed(requests[0], namespace))
    home, secret = request.identity.namespace, _spec(request).credentials_secret_ref.name
    found = {(item.get("kind"), _home(item), item["metadata"].get("name")): item for item in there}
    namespaces = {item["metadata"].get("name"): item["metadata"] for item in there if item.get("kind") == "Namespace"}
    keys = found.get(("Secret", home, secret)) or found.get(("Secret", "", secret))
    return Scene(
        request=request,
        policies=[load(item) for item in there if item.get("kind") == names.POLICY_KIND],
        namespace=namespaces.get(home, Unknown("the manifests have no such Namespace")),
        key_secret=_encoded(keys) if keys else Unknown("the manifests have no such Secret"),
        target=None,
        stamp_keys=Unknown("manifests have no key to check it with"),
    )


def _understood(body: Json) -> Request:
    try:
        request = parse(body)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise click.ClickException("the request's metadata can't be understood: see awssts check") from None
    _spec(request)
    return request


def _spec(request: Request) -> Spec:
    if isinstance(request.spec, InvalidSpec):
        raise click.ClickException(f"the request can't work: {request.spec.message}")
    return request.spec


def _allowed(read: Callable[[], Json | None]) -> Json | Unknown | None:
    try:
        return read()
    except ClusterForbidden as error:
        return Unknown(error.message)


def _stamp_keys(found: Json | Unknown | None, system: str) -> Keys | Unknown:
    """Return the keys that stamps are signed with."""
    if isinstance(found, Unknown):
        return found
    keys = stamps.keys_in(found.get("data") or {}) if found else None
    return keys or Unknown(f"there is no key in Secret {system}/{stamps.SECRET}")


def _named(document: Mapping[str, Any], name: str | None, namespace: str | None) -> bool:
    home = _home(document) or namespace
    return name in {None, document["metadata"].get("name")} and namespace in {None, home}


def _completed(document: Json, namespace: str | None) -> Json:
    """Return a manifest with what the API server would add."""
    added = {"namespace": namespace or "default", "uid": "", "creationTimestamp": "1970-01-01T00:00:00Z"}
    return {**document, "metadata": added | document["metadata"]}


def _home(document: Mapping[str, Any]) -> str:
    return str(document["metadata"].get("namespace") or "")


def _encoded(secret: Json) -> Json:
    """Return a Secret as the API server would hold it: ``stringData`` goes into ``data``."""
    data, text = secret.get("data"), secret.get("stringData")
    encoded = {str(key): _base64(str(value)) for key, value in text.items()} if isinstance(text, dict) else {}
    return {**secret, "data": (data if isinstance(data, dict) else {}) | encoded}


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
