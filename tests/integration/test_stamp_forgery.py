"""Somebody is let off MFA for who he is; the owner of the namespace pretends to be him where no webhook is called.

The operator serves the webhooks as its users have it: its own process, a certificate in files, its key in a Secret.
"""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from awssts.adapters.authority import issue
from awssts.domain.subject import STAMP
from awssts.services.stamps import SECRET, SIGNING
from testbed.process import free_port
from tests.integration import kube, policies
from tests.integration.admission_server import MANIFEST, registered
from tests.integration.operator_process import RIGHTS, SYSTEM, OperatorProcess
from tests.integration.patience import eventually, throughout
from tests.integration.policies import (
    PERSON,
    OwnerApi,
    annotate,
    asks_sts_no_more,
    issuing_calls,
    mfa,
    until_code_wanted,
    until_issued,
    until_message,
)
from tests.integration.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from testbed.cluster import Cluster
    from testbed.sts import Device, StrictSts, User
    from tests.integration.audit import Audit
    from tests.integration.policies import Administrator
    from tests.integration.secrecy import Secrecy

admin, device, owner_api = policies.admin, policies.device, policies.owner_api

CI = "ci-bot"
FORGED = json.dumps({"username": CI, "uid": "", "groups": ["system:authenticated"], "extra": {}})
BUT_CI = {"authenticationAttribute": {"names": ["username"], "value": CI, "reverseMatch": True}}
ONLY_CI = {"authenticationAttribute": {"names": ["username"], "value": "nobody-is-called-so"}}


class Guard:
    """The webhooks, which the administrator can take away and put back."""

    def __init__(self, cluster: Cluster, port: int, bundle: bytes) -> None:
        self._cluster, self._port, self._bundle = cluster, port, base64.b64encode(bundle).decode()

    def put(self, space: Workspace) -> None:
        registered(self._cluster, self._port, self._bundle)
        eventually(lambda: "six digits" in probed(space), "the webhooks are called")
        eventually(lambda: would_be_stamped(space), "the operator has told the API server where it stamps")

    def take(self, space: Workspace) -> None:
        self._cluster.kubectl("delete", "--ignore-not-found", f"--filename={MANIFEST}")
        eventually(lambda: not probed(space), "the webhooks are no longer called")


def would_be_stamped(space: Workspace) -> bool:
    """Whether a request would be."""
    made = space.api.create(kube.path(kube.REQUESTS, space.name) + "?dryRun=All", body_of("probe", {}))
    return STAMP in made["metadata"].get("annotations", {})


def probed(space: Workspace) -> str:
    """What the API server says to a request that only the webhooks refuse."""
    body = body_of("probe", {"awssts.dev/token-code": "x"})
    try:
        space.api.create(kube.path(kube.REQUESTS, space.name) + "?dryRun=All", body)
    except AssertionError as refused:
        return str(refused)
    return ""


def body_of(name: str, annotations: dict[str, str], **spec: Any) -> kube.Json:
    return {
        "apiVersion": "awssts.dev/v1alpha1",
        "kind": "AwsStsRequest",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"credentialsSecretRef": {"name": "reports-iam"}, **spec},
    }


@pytest.fixture(scope="module")
def serving(
    cluster: Cluster, kubeconfig: Path, sts: StrictSts, secrecy: Secrecy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[OperatorProcess, Guard]]:
    folder = tmp_path_factory.mktemp("serving")
    pair, authority = issue({"127.0.0.1"}, datetime.now(UTC))
    for name, content in (("tls.crt", pair.certificate), ("tls.key", pair.key)):
        (folder / name).write_bytes(content)
    cluster.kubectl("apply", "--filename", RIGHTS / "webhook.yaml")
    port = free_port()
    files = [f"--admission-certificate={folder / 'tls.crt'}", f"--admission-key={folder / 'tls.key'}"]
    options = [f"--admission-port={port}", f"--admission-namespace={SYSTEM}", *files]
    with OperatorProcess(kubeconfig, sts.endpoint, folder, options=options) as running:
        secrecy.logs.add(running.log)
        running.until_started()
        yield running, Guard(cluster, port, authority)
    cluster.kubectl("delete", "--ignore-not-found", f"--filename={MANIFEST}")


@pytest.fixture
def guard(serving: tuple[OperatorProcess, Guard], space: Workspace) -> Guard:
    """The webhooks, which are there at first."""
    serving[1].put(space)
    return serving[1]


@pytest.fixture
def ci(cluster: Cluster, owner_api: Workspace, tmp_path: Path) -> Iterator[Workspace]:
    """The namespace as the one sees it who is let off."""
    cluster.kubectl("create", "rolebinding", "ci", "--role=owner", f"--user={CI}", f"--namespace={owner_api.name}")
    with OwnerApi(cluster, CI, tmp_path) as api:
        yield Workspace(api, owner_api.name)


def stamp_of(space: Workspace, name: str = "reports") -> str:
    found = space.api.get(kube.path(kube.REQUESTS, space.name, name)) or {}
    text: str = found["metadata"]["annotations"][STAMP]
    return text


def put_anew(space: Workspace, body: kube.Json) -> None:
    space.delete_request()
    space.api.create(kube.path(kube.REQUESTS, space.name), body)


TRIGGERED = "Triggered"

# Each is given the owner's namespace, the stamp of CI's request, and the device's part of the spec.
WAYS: dict[str, Callable[[Workspace, str, kube.Json], Any]] = {
    "written by hand": lambda space, _, device: put_anew(space, body_of("reports", {STAMP: FORGED}, mfa=device)),
    "copied from another request": lambda space, stamp, device: put_anew(
        space, body_of("reports", {STAMP: stamp}, mfa=device)
    ),
    "none": lambda space, _, device: put_anew(space, body_of("reports", {}, mfa=device)),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_stamp_that_he_puts_on_a_request_is_nobodys(
    *,
    guard: Guard,
    admin: Administrator,
    owner_api: Workspace,
    ci: Workspace,
    sts: StrictSts,
    user: User,
    device: Device,
    way: Callable[[Workspace, str, kube.Json], Any],
) -> None:
    owner = owner_api
    owner.keys(user)
    admin.policy(mfa=mfa(PERSON, **BUT_CI))
    triggered = {"serialNumber": device.serial_number, "when": TRIGGERED}
    ci.request("theirs", mfa=triggered)
    until_issued(owner, "theirs")
    guard.take(owner)
    way(owner, stamp_of(owner, "theirs"), triggered)
    until_code_wanted(owner)
    asks_sts_no_more(sts, user)
    assert [call.with_code for call in issuing_calls(sts, user)] == [False]


def test_an_old_stamp_is_none_for_what_the_request_has_become(
    *,
    guard: Guard,
    admin: Administrator,
    owner_api: Workspace,
    ci: Workspace,
    sts: StrictSts,
    user: User,
    device: Device,
) -> None:
    """CI had applied it; then the owner changed it, and was stamped. He puts CI's stamp back, and then its spec too."""
    owner = owner_api
    owner.keys(user)
    admin.policy(mfa=mfa(PERSON, **BUT_CI))
    ci.request(mfa={"serialNumber": device.serial_number, "when": TRIGGERED})
    until_issued(owner)
    before = stamp_of(owner)
    owner.change(duration="1h")
    until_code_wanted(owner)
    assert json.loads(stamp_of(owner))["username"] == f"{owner.name}-owner"
    guard.take(owner)
    annotate(owner, {STAMP: before})
    until_code_wanted(owner)
    owner.change(duration=None)
    annotate(owner, {STAMP: before})
    owner.renew()
    until_code_wanted(owner)
    asks_sts_no_more(sts, user)
    assert [call.with_code for call in issuing_calls(sts, user)] == [False]


def test_a_policy_that_asks_says_why_nobody_is_known(
    *, guard: Guard, admin: Administrator, owner_api: Workspace, user: User, device: Device
) -> None:
    owner = owner_api
    owner.keys(user)
    admin.policy(mfa=mfa(PERSON, **ONLY_CI))
    guard.take(owner)
    triggered = {"serialNumber": device.serial_number, "when": TRIGGERED}
    put_anew(owner, body_of("reports", {STAMP: FORGED}, mfa=triggered))
    told = until_message(owner, "Authorized", "and that is unknown")
    assert "its stamp is not signed by the admission webhook: apply it again, with any change" in told
    guard.put(owner)
    annotate(owner, {"example.org/applied": "again"})
    until_issued(owner)


def test_what_is_live_outlives_a_restart_and_the_loss_of_the_key(
    *,
    serving: tuple[OperatorProcess, Guard],
    guard: Guard,
    cluster: Cluster,
    admin: Administrator,
    owner_api: Workspace,
    ci: Workspace,
    sts: StrictSts,
    user: User,
    device: Device,
    audit: Audit,
) -> None:
    """No call and no write; only the next issuance asks who applied the request, and then nobody did."""
    operator, owner = serving[0], owner_api
    owner.keys(user)
    admin.policy(mfa=mfa(PERSON, **BUT_CI))
    ci.request(mfa={"serialNumber": device.serial_number, "when": TRIGGERED})
    held = until_issued(owner)["accessKeyId"]
    key = cluster.kubectl("get", "secret", SECRET, f"--namespace={SYSTEM}", "--output=json").stdout
    assert operator.stop() == 0
    cluster.kubectl("delete", "secret", SECRET, f"--namespace={SYSTEM}")

    audit.mark()
    sts.reset_counters()
    operator.start()
    eventually(lambda: "watch secrets" in audit.asked(), "the watches")
    throughout(lambda: sts.counters().total() == 0, "a call to STS", seconds=3)
    assert audit.asked(owner.name) == {}
    assert owner.held_key() == held
    made = cluster.kubectl("get", "secret", SECRET, f"--namespace={SYSTEM}", "--output=json").stdout
    assert json.loads(made)["data"][SIGNING] != json.loads(key)["data"][SIGNING]
    assert json.loads(made)["data"][SIGNING] not in operator.said()

    owner.renew()
    until_code_wanted(owner)
    guard.put(owner)
    annotate(ci, {"example.org/applied": "again"})
    owner.until_renewed(held)
    assert [call.with_code for call in issuing_calls(sts, user)] == [False]


def test_a_missing_registration_is_told(serving: tuple[OperatorProcess, Guard], guard: Guard, space: Workspace) -> None:
    operator = serving[0]
    guard.take(space)
    operator.stop()
    before = len(operator.said())
    operator.start()
    told = ("mutatingwebhookconfigurations", "validatingwebhookconfigurations", "it is not there", "does not hold")
    eventually(lambda: all(part in operator.said()[before:] for part in told), "a warning")
