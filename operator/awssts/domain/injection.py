"""Adds the sidecar to a pod that asks for it: a pod and what is known of its request go in, a verdict comes out.

The sidecar goes before all other init containers, so that these have credentials too, and its startup probe holds all
that come after it until there are some. It needs nothing that the "restricted" pod security standard forbids.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from awssts.domain import sidecar
from awssts.domain.admissionreview import AdmissionRequest, Resource, Verdict
from awssts.domain.errors import InvalidSpec
from awssts.domain.names import GROUP
from awssts.domain.request import Request
from awssts.domain.resources import Format
from awssts.domain.sidecar import CREDENTIALS, OURS, SIDECAR, TOKEN, TOKEN_MOUNT

Json = dict[str, Any]

INJECT: Final = f"{GROUP}/inject"
CHOSEN: Final = f"{GROUP}/inject-containers"
INJECTED: Final = f"{GROUP}/injected"  # what we have added, and for which request: we may be called again

# With one of these, the SDKs would never come to the sidecar, or the keys are somebody's on purpose.
_KEYS = frozenset(
    {
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_SECURITY_TOKEN",
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_CONFIG_FILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        *OURS,
    }
)
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the credentials come from: the target Secret, and the region they are meant for."""

    secret: str
    region: str | None = None
    warnings: tuple[str, ...] = ()


def asked(request: AdmissionRequest) -> str | Verdict:
    """Return the name of the AwsStsRequest that a pod asks for; a verdict where there is nothing to look up."""
    new = request.new
    concerns = (request.kind.group, request.kind.kind, request.operation) == ("", "Pod", "CREATE")
    if new is None or not concerns or request.sub_resource or INJECT not in new.annotations:
        return Verdict()
    namespace, slash, name = new.annotations[INJECT].rpartition("/")
    if slash and namespace != request.namespace:
        return _refused(f"a pod can only have credentials of a request in its own namespace, {request.namespace}")
    if len(name) > 253 or not _NAME.fullmatch(name):
        return _refused("give the name of an AwsStsRequest: lower-case letters, digits, - and .")
    return name


def source(name: str, request: Request | None, region: str | None) -> Source:
    """Return where the credentials come from; ``region`` is for requests that name none."""
    if request is None:
        told = (
            f"there is no AwsStsRequest {name} in this namespace yet: the pod waits for it, and for the Secret {name}"
        )
        return Source(secret=name, region=region, warnings=(told,))
    spec = request.spec
    if isinstance(spec, InvalidSpec):
        return Source(secret=name, region=region, warnings=(f"AwsStsRequest {name} is invalid: {spec.message}",))
    warnings: tuple[str, ...] = ()
    if set(spec.target.formats) == {Format.CREDENTIALS_FILE}:
        warnings = (f"AwsStsRequest {name} writes a credentials file alone, which does not tell when they expire",)
    return Source(secret=request.target_name, region=spec.region or region, warnings=warnings)


def inject(request: AdmissionRequest, name: str, found: Source, image: str) -> Verdict:
    """Return the pod's verdict: what is added, why nothing is, or why it can't be."""
    assert request.new is not None  # noqa: S101 - `asked` has looked
    pod = request.new
    if problem := _problem(pod, name):
        return problem
    warnings = tuple(f"{_field(INJECT)}: {line}" for line in found.warnings)
    chosen = _chosen(pod)
    for container in _containers(pod):
        if container["name"] in chosen and (own := _own_keys(container, found)):
            told = f"container {container['name']} has AWS credentials of its own ({own}): the pod is left as it is"
            return Verdict(warnings=(*warnings, f"{_field(INJECT)}: {told}"))
    for container in _containers(pod):
        if container["name"] in chosen and (other := _in_the_way(container)):
            told = f"container {container['name']} mounts the volume {other} on {TOKEN_MOUNT}, where the token goes"
            return _refused(f"{told}: mount it elsewhere")
    return Verdict(warnings=warnings, patch=tuple(_patch(pod, name, found, chosen, image)))


def _problem(pod: Resource, name: str) -> Verdict | None:
    ours = pod.annotations.get(INJECTED)
    taken = _taken(pod)
    if taken and ours != name:
        where = f"it was added for the request {ours}" if ours else "it was not added by awssts"
        return _refused(f"the pod has {taken[0]} already, and {where}: leave it out, or give it another name")
    if pod.spec.get("hostNetwork"):
        return _refused("hostNetwork is true: all pods of the node that share its network could reach the sidecar")
    if (pod.spec.get("os") or {}).get("name", "linux") != "linux":
        return _refused("the sidecar runs on Linux only")
    there = {container["name"] for container in _containers(pod)}
    if missing := sorted(_listed(pod) - there):
        known = ", ".join(sorted(there - {SIDECAR}))
        return _refused(f"there is no container {missing[0]!r}; there are {known}", CHOSEN)
    if SIDECAR in _listed(pod):
        return _refused(f"{SIDECAR} is the sidecar itself", CHOSEN)
    return None


def _taken(pod: Resource) -> list[str]:
    """Return what has one of our names already."""
    held = [f"a container {SIDECAR}" for container in _containers(pod) if container["name"] == SIDECAR]
    volumes = {volume["name"] for volume in pod.spec.get("volumes") or ()}
    return held + [f"a volume {name}" for name in (CREDENTIALS, TOKEN) if name in volumes]


def _containers(pod: Resource) -> Iterator[Json]:
    yield from pod.spec.get("initContainers") or ()
    yield from pod.spec.get("containers") or ()


def _listed(pod: Resource) -> set[str]:
    return {name.strip() for name in pod.annotations.get(CHOSEN, "").split(",")} - {""}


def _chosen(pod: Resource) -> set[str]:
    """Return the containers that get credentials: those that are named, else all but other sidecars."""
    if listed := _listed(pod):
        return listed
    return {container["name"] for container in _containers(pod) if container.get("restartPolicy") != "Always"}


def _own_keys(container: Json, found: Source) -> str:
    """Return what gives keys to a container; empty where nothing does, or only we do."""
    for variable in container.get("env") or ():
        if variable["name"] in _KEYS and variable.get("value") != OURS.get(variable["name"], ""):
            return str(variable["name"])
    for whole in container.get("envFrom") or ():
        if (whole.get("secretRef") or {}).get("name") == found.secret and not whole.get("prefix"):
            return f"envFrom the Secret {found.secret}"
    return ""


def _in_the_way(container: Json) -> str:
    """Return the volume that is mounted where the token goes; empty where there is none, or it is ours."""
    for mount in container.get("volumeMounts") or ():
        if mount["name"] != TOKEN and mount["mountPath"].rstrip("/") == TOKEN_MOUNT:
            return str(mount["name"])
    return ""


def _patch(pod: Resource, name: str, found: Source, chosen: set[str], image: str) -> Iterator[Json]:
    spec = pod.spec
    for kind in ("containers", "initContainers"):
        before = spec.get(kind) or []
        after = [sidecar.served(one, found.region) if one["name"] in chosen else one for one in before]
        if kind == "initContainers" and all(one["name"] != SIDECAR for one in _containers(pod)):
            after.insert(0, sidecar.sidecar(image, spec))
        yield from _changed(f"/spec/{kind}", before, after)
    volumes = spec.get("volumes") or []
    there = {volume["name"] for volume in volumes}
    more = [volume for volume in sidecar.volumes(found.secret) if volume["name"] not in there]
    yield from _changed("/spec/volumes", volumes, [*volumes, *more])
    if pod.annotations.get(INJECTED) != name:
        yield {"op": "add", "path": "/metadata/annotations/" + INJECTED.replace("/", "~1"), "value": name}


def _changed(path: str, before: list[Json], after: list[Json]) -> Iterator[Json]:
    if after != before:
        yield {"op": "add", "path": path, "value": after}


def _refused(problem: str, annotation: str = INJECT) -> Verdict:
    return Verdict(problems=(f"{_field(annotation)}: {problem}",))


def _field(annotation: str) -> str:
    return f"metadata.annotations[{annotation}]"
