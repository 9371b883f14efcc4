"""Whether the API server calls the admission webhooks as it has to: a pure look at their configurations.

Stamps can't be forged either way; but while a configuration is missing or lets something past, nobody is stamped and
nothing is refused, and that should be told before somebody wonders.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import urlsplit, urlunsplit

from awssts.domain import calling
from awssts.domain.names import GROUP, PLURAL, POLICY_PLURAL, VERSION

Json = Mapping[str, Any]
Plural = Literal["mutatingwebhookconfigurations", "validatingwebhookconfigurations"]

OPERATIONS: Final = frozenset({"CREATE", "UPDATE"})
# The one thing that may go past: what changes neither spec nor labels nor annotations.
CONDITION: Final = (
    "request.operation == 'CREATE' || object.?spec != oldObject.?spec "
    "|| object.metadata.?labels != oldObject.metadata.?labels "
    "|| object.metadata.?annotations != oldObject.metadata.?annotations"
)


@dataclass(frozen=True, slots=True)
class Duty:
    """What has to be sent where."""

    path: str
    resource: str


DUTIES: Final[Mapping[Plural, tuple[Duty, ...]]] = {
    "mutatingwebhookconfigurations": (Duty(calling.ROOT, PLURAL),),
    "validatingwebhookconfigurations": (Duty("/validate", PLURAL), Duty("/validate", POLICY_PLURAL)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """Where the webhooks are served, and for which namespaces (all when empty). ``trusted``: whether this bundle
    (base64) vouches for what is served."""

    service: str
    namespace: str
    trusted: Callable[[str], bool]
    namespaces: frozenset[str] = frozenset()


def led(configuration: Json, path: str) -> list[dict[str, Any]]:
    """Return the JSON patch by which its webhooks that stamp lead to that path; empty where they do."""
    changes: list[dict[str, Any]] = []
    for index, webhook in enumerate(configuration.get("webhooks") or ()):
        client = webhook.get("clientConfig") or {}
        place, old, new = _leading(client, path)
        if new not in {None, old}:
            own = f"/webhooks/{index}"
            changes.append({"op": "test", "path": f"{own}/name", "value": webhook["name"]})
            changes.append({"op": "add", "path": f"{own}/clientConfig/{place}", "value": new})
    return changes


def _leading(client: Json, path: str) -> tuple[str, str, str | None]:
    """Return where the address is, what it is, and what it has to be; None where it doesn't lead to stamps."""
    if (service := client.get("service")) is not None:
        old = service.get("path") or ""
        return "service/path", old, path if calling.leads(old) else None
    old = client.get("url") or ""
    parts = urlsplit(old)
    before, root, after = parts.path.rpartition(calling.ROOT)  # a proxy may have it below a path of its own
    leads = calling.leads(root + after) if root else parts.netloc and calling.leads(parts.path)
    return "url", old, urlunsplit(parts._replace(path=before + path)) if leads else None


def problems(configuration: Json | None, duties: tuple[Duty, ...], expected: Expected) -> list[str]:
    """Return what is wrong with a configuration; None stands for one that is not there."""
    if configuration is None:
        return ["it is not there"]
    webhooks = configuration.get("webhooks") or ()
    found: dict[str, None] = {}
    for duty in duties:
        mine = [webhook for webhook in webhooks if _covers(webhook, duty)]
        if not mine:
            found[f"no webhook gets CREATE and UPDATE of {duty.resource}"] = None
        told = [[f"{webhook.get('name')}: {wrong}" for wrong in _wrong(webhook, duty, expected)] for webhook in mine]
        if all(told):
            found |= dict.fromkeys(itertools.chain(*told))
    return list(found)


def _covers(webhook: Json, duty: Duty) -> bool:
    """Whether it is called for all objects of that resource."""
    called: set[str] = set()
    for rule in webhook.get("rules") or ():
        wanted = (("apiGroups", GROUP), ("apiVersions", VERSION), ("resources", duty.resource))
        matches = all({value, "*"} & set(rule.get(field) or ()) for field, value in wanted)
        if matches and rule.get("scope", "*") != ("Namespaced" if duty.resource == POLICY_PLURAL else "Cluster"):
            called |= set(rule.get("operations") or ())
    return "*" in called or called >= OPERATIONS


def _wrong(webhook: Json, duty: Duty, expected: Expected) -> Iterator[str]:
    if webhook.get("failurePolicy", "Fail") != "Fail":
        yield f"failurePolicy has to be Fail, and is {webhook['failurePolicy']}"
    if (selector := webhook.get("namespaceSelector")) and not _reaches(selector, expected.namespaces):
        yield "namespaceSelector leaves some out: it has to be empty, or to name all namespaces of the operator"
    if webhook.get("objectSelector"):
        yield "objectSelector leaves some out: it has to be empty"
    for condition in webhook.get("matchConditions") or ():
        if " ".join(condition["expression"].split()) != CONDITION:
            yield f"matchConditions: {condition['name']} is not one of awssts, and may leave some out"
    client = webhook.get("clientConfig") or {}
    service = client.get("service")
    if service and (service.get("namespace"), service.get("name")) != (expected.namespace, expected.service):
        yield f"clientConfig.service has to be {expected.service} in namespace {expected.namespace}"
    path = service.get("path", "/") if service else urlsplit(client.get("url", "")).path
    if not (calling.leads(path) if duty.path == calling.ROOT else path.endswith(duty.path)):
        yield f"clientConfig has to lead to {duty.path}"
    if client.get("caBundle") and not expected.trusted(client["caBundle"]):
        yield "clientConfig.caBundle does not vouch for the certificate that is served"
    elif service and not client.get("caBundle"):
        yield "clientConfig.caBundle is missing"


def _reaches(selector: Json, namespaces: frozenset[str]) -> bool:
    """Whether it names all namespaces that the operator works in, where it doesn't work in all."""
    if not namespaces or selector.get("matchLabels") or len(selector.get("matchExpressions") or ()) != 1:
        return False
    (named,) = selector["matchExpressions"]
    by_name = (named.get("key"), named.get("operator")) == ("kubernetes.io/metadata.name", "In")
    return by_name and namespaces <= set(named.get("values") or ())
