"""The administrator of a test's namespace, who writes its policies and attributes; and its owner, who may not.

Test files take the fixtures by name: `admin, device = policies.admin, policies.device`.
"""

from __future__ import annotations

import base64
import itertools
import json
from typing import TYPE_CHECKING, Any, Self

import pytest
import urllib3

from tests.integration import kube
from tests.integration.kube import Api, Json
from tests.integration.patience import eventually, throughout
from tests.integration.workspace import Workspace, calls_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from testbed.cluster import Cluster
    from testbed.sts import Device, Key, StrictSts, User
    from testbed.sts.journal import Call

POLICIES = "apis/awssts.dev/v1alpha1", "awsstspolicies"
NAMESPACES = "api/v1", "namespaces"
ATTRIBUTE = "principal.awssts.dev/"
PERSON = {"name": "person", "type": "Manual"}
TOTP = {"name": "totp", "type": "Totp"}
ISSUING = {"GetSessionToken", "AssumeRole"}
SYNC = "policy-sync"  # a namespace with a request by which is seen how much the operator has seen
_NUMBERS = itertools.count(1)


def mfa(*providers: Any, **triggers: Any) -> dict[str, Any]:
    """The part of a policy that demands MFA: always, unless it says otherwise, of a person."""
    return {"providers": list(providers) or [PERSON], "triggers": triggers or {"global": {}}}


class Administrator:
    """Writes policies over one namespace, and what that namespace says of its principals."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._api = _Api(cluster)
        self.namespace = namespace

    def __enter__(self) -> Self:
        self.create_namespace(SYNC)
        request = {
            "apiVersion": "awssts.dev/v1alpha1",
            "kind": "AwsStsRequest",
            "metadata": {"name": "sync"},
            "spec": {"credentialsSecretRef": {"name": "none"}},
        }
        if self._api.get(kube.path(kube.REQUESTS, SYNC, "sync")) is None:
            self._api.create(kube.path(kube.REQUESTS, SYNC), request)
        return self

    def __exit__(self, *_: object) -> None:
        self._api.delete(kube.path(POLICIES))
        self._api.delete(kube.path(kube.REQUESTS, SYNC))
        self._api.__exit__()

    def named(self, name: str) -> str:
        """The whole name of a policy."""
        return f"{self.namespace}-{name}"

    def body(self, name: str = "house", **spec: Any) -> Json:
        """A policy over this namespace, unless it has a selector of its own; attributes are the namespace's."""
        mine = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": self.namespace}}}
        return {
            "apiVersion": "awssts.dev/v1alpha1",
            "kind": "AwsStsPolicy",
            "metadata": {"name": self.named(name)},
            "spec": {"selector": mine, "principal": {"sources": ["Namespace"]}, **spec},
        }

    def write(self, name: str = "house", **spec: Any) -> str:
        """Create a policy, or replace it; return its whole name."""
        body = self.body(name, **spec)
        where = kube.path(POLICIES, name=body["metadata"]["name"])
        there = self._api.get(where)
        if there is None:
            self._api.create(kube.path(POLICIES), body)
        else:
            body["metadata"]["resourceVersion"] = there["metadata"]["resourceVersion"]
            self._api.replace(where, body)
        return self.named(name)

    def policy(self, name: str = "house", **spec: Any) -> str:
        """Write a policy, and return once the operator knows it."""
        self.write(name, **spec)
        self.settle()
        return self.named(name)

    def remove(self, name: str = "house") -> None:
        """Delete a policy."""
        self._api.delete(kube.path(POLICIES, name=self.named(name)))

    def attributes(self, namespace: str = "", **values: str | None) -> None:
        """What the namespace says of its principals; None takes it back."""
        annotations = {ATTRIBUTE + name: value for name, value in values.items()}
        self.describe({"annotations": annotations}, namespace)

    def describe(self, metadata: Mapping[str, Any], namespace: str = "") -> None:
        """Labels and annotations of the namespace."""
        self._api.merge(kube.path(NAMESPACES, name=namespace or self.namespace), {"metadata": metadata})

    def create_namespace(self, name: str, **labels: str) -> None:
        if self._api.get(kube.path(NAMESPACES, name=name)) is None:
            self._api.create(kube.path(NAMESPACES), {"metadata": {"name": name, "labels": labels}})

    def settle(self) -> None:
        """Return once the operator has seen all policies and namespaces as they are now.

        A policy is written behind the others that allows a request of its own by a new attribute of that request's
        namespace: both watches have then come so far.
        """
        mark = f"sync-{next(_NUMBERS)}"
        where = kube.path(NAMESPACES, name=SYNC)
        old = (self._api.get(where) or {})["metadata"].get("annotations") or {}
        self._api.merge(where, {"metadata": {"annotations": {**dict.fromkeys(old), ATTRIBUTE + mark: "seen"}}})
        policy = self.body(mark, authorization={"principalAttribute": {"name": mark}})
        policy["spec"]["selector"] = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": SYNC}}}
        self._api.create(kube.path(POLICIES), policy)
        sync = Workspace(self._api, SYNC)
        message = f"allowed by {self.named(mark)}"
        eventually(lambda: sync.condition("sync", "Authorized").get("message") == message, "the watch of policies")
        self.remove(mark)


class _Api(Api):
    """The administrator's, who also replaces objects whole."""

    def replace(self, where: str, body: Json) -> None:
        self._call("PUT", where, body)


class OwnerApi(Api):
    """The Kubernetes API as a user with a certificate of his own."""

    def __init__(self, cluster: Cluster, user: str, folder: Path) -> None:
        super().__init__(cluster)
        config = json.loads(cluster.user_kubeconfig(user).read_text())["users"][0]["user"]
        files = {}
        for part in ("certificate", "key"):
            files[part] = folder / f"{user}-{part}.pem"
            files[part].touch(mode=0o600)
            files[part].write_bytes(base64.b64decode(config[f"client-{part}-data"]))
        self._pool = urllib3.PoolManager(
            ca_certs=str(cluster.ca),
            cert_file=str(files["certificate"]),
            key_file=str(files["key"]),
            headers={"User-Agent": "owner"},
            retries=False,
            maxsize=4,
        )


@pytest.fixture
def admin(cluster: Cluster, space: Workspace) -> Iterator[Administrator]:
    with Administrator(cluster, space.name) as made:
        yield made


@pytest.fixture
def device(sts: StrictSts, user: User) -> Device:
    return sts.device(user)


@pytest.fixture
def owner_api(cluster: Cluster, space: Workspace, tmp_path: Path) -> Iterator[Workspace]:
    """The test's namespace as its owner sees it: a user who may write its requests and Secrets, and nothing else."""
    user = f"{space.name}-owner"
    rights = [f"--namespace={space.name}"]
    allowed = ["--verb=*", "--resource=awsstsrequests.awssts.dev,secrets,events"]
    cluster.kubectl("create", "role", "owner", *allowed, *rights)
    cluster.kubectl("create", "rolebinding", "owner", "--role=owner", f"--user={user}", *rights)
    with OwnerApi(cluster, user, tmp_path) as api:
        mine = Workspace(api, space.name)
        eventually(lambda: _may_read(mine), "the owner's rights")
        yield mine


def _may_read(space: Workspace) -> bool:
    try:
        space.secret()
    except AssertionError:
        return False
    return True


# --- what users see -------------------------------------------------------------------------------------------


def until_issued(space: Workspace, name: str = "reports", *, timeout: float = 90) -> Json:
    """The status, once credentials are there as the newest spec asks, and nothing is in the way of others."""

    def issued() -> Json | None:
        found = space.api.get(kube.path(kube.REQUESTS, space.name, name)) or {}
        status: Json = found.get("status") or {}
        held = {condition["type"]: condition for condition in status.get("conditions", ())}
        asked = status.get("observedGeneration") == found.get("metadata", {}).get("generation")
        good = held.get("Ready", {}).get("reason") == "Issued" and not {"Stalled", "Reconciling"} & set(held)
        return status if asked and good and space.is_of_what_is_there(status) else None

    return _told(issued, f"{space.name}/{name} is issued", space, name, timeout)


def until_authorized(space: Workspace, status: str, reason: str, name: str = "reports", *, timeout: float = 60) -> str:
    """The message of the condition Authorized, once it has that status for that reason."""

    def told() -> Json | None:
        found = space.condition(name, "Authorized")
        return found if (found.get("status"), found.get("reason")) == (status, reason) else None

    message: str = _told(told, f"{space.name}/{name}: Authorized {status} {reason}", space, name, timeout)["message"]
    return message


def until_refused(space: Workspace, reason: str, name: str = "reports", *, timeout: float = 60) -> str:
    """Why the request gets no credentials, as all its conditions tell; there are none."""
    message = until_authorized(space, "False", reason, name, timeout=timeout)
    ready = space.condition(name)
    assert (ready["status"], ready["reason"], ready["message"]) == ("False", reason, message)
    assert space.secret(name) is None
    return message


def until_failing(space: Workspace, reason: str, name: str = "reports", *, timeout: float = 60) -> str:
    """Why credentials that are there are not renewed: Ready stays true, and says so."""
    message = until_authorized(space, "False", reason, name, timeout=timeout)
    ready = space.condition(name)
    assert (ready["status"], ready["reason"]) == ("True", "RenewalFailing")
    assert message in ready["message"]
    return message


def until_code_wanted(space: Workspace, name: str = "reports", *, timeout: float = 60) -> None:
    """A person is asked for a code."""

    def asked() -> Json | None:
        found = space.condition(name, "Reconciling")
        return found if found.get("reason") == "AwaitingTokenCode" else None

    _told(asked, f"{space.name}/{name} awaits a code", space, name, timeout)


def give_code(space: Workspace, code: str, name: str = "reports") -> None:
    """What `awssts mfa` does."""
    annotate(space, {"awssts.dev/token-code": code}, name)


def request_with(
    space: Workspace,
    name: str = "reports",
    *,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    **spec: Any,
) -> None:
    """A request that has these from the beginning."""
    metadata = {"name": name, "labels": labels or {}, "annotations": annotations or {}}
    body = {"apiVersion": "awssts.dev/v1alpha1", "kind": "AwsStsRequest", "metadata": metadata}
    spec = {"credentialsSecretRef": {"name": "reports-iam"}} | spec
    space.api.create(kube.path(kube.REQUESTS, space.name), body | {"spec": spec})


def annotate(space: Workspace, annotations: Mapping[str, str | None], name: str = "reports") -> None:
    change_metadata(space, name, annotations=annotations)


def change_metadata(space: Workspace, name: str = "reports", **metadata: Any) -> None:
    """A merge patch of a request's metadata."""
    space.api.merge(kube.path(kube.REQUESTS, space.name, name), {"metadata": metadata})


def issuing_calls(sts: StrictSts, key: Key) -> list[Call]:
    """The calls with this long-term key that give credentials."""
    return [call for call in calls_of(sts, key) if call.operation in ISSUING]


def asks_sts_no_more(sts: StrictSts, key: Key, *, seconds: float = 1.5) -> None:
    """From now on no credentials are asked for."""
    before = len(issuing_calls(sts, key))
    throughout(lambda: len(issuing_calls(sts, key)) == before, "another call to STS", seconds=seconds)


def _told(probe: Any, what: str, space: Workspace, name: str, timeout: float) -> Json:
    try:
        found: Json = eventually(probe, what, timeout=timeout)
    except AssertionError as late:
        late.add_note(f"its status: {space.status(name)}")
        raise
    return found


def until_message(space: Workspace, kind: str, part: str, name: str = "reports", *, timeout: float = 60) -> str:
    """The message of a condition, once it has this in it."""

    def told() -> Json | None:
        found = space.condition(name, kind)
        return found if part in found.get("message", "") else None

    message: str = _told(told, f"{space.name}/{name}: {kind}: …{part}…", space, name, timeout)["message"]
    return message
