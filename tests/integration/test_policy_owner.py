"""The owner of a namespace writes requests and Secrets there, but no policies and no namespaces. Where a policy
rests on what he can't write, nothing that he does gets credentials without the MFA that it demands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration import kube, policies
from tests.integration.patience import eventually
from tests.integration.policies import (
    ATTRIBUTE,
    PERSON,
    TOTP,
    give_code,
    issuing_calls,
    mfa,
    request_with,
    until_code_wanted,
    until_issued,
)
from tests.integration.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed.cluster import Cluster
    from testbed.sts import Device, StrictSts, User
    from tests.integration.policies import Administrator

admin, device, owner_api = policies.admin, policies.device, policies.owner_api
pytestmark = pytest.mark.usefixtures("operator")

EXEMPT = {"principalAttributes": [{"name": "exempt", "value": "yes"}]}
BY_PERSON = PERSON | {
    "bypass": EXEMPT
    | {
        "authenticationAttributes": [{"name": "groups", "value": "admins"}],
        "authenticationMethods": ["ServiceAccount"],
        "services": [{"namespaceSelector": {"matchLabels": {"mfa": "none"}}}],
    }
}
FREE = {"labels": {"mfa": "none", "kubernetes.io/metadata.name": "elsewhere"}}
STAMP = '{"username": "system:serviceaccount:kube-system:admin", "uid": "0", "groups": ["admins"], "extra": {}}'


@dataclass
class Owner:
    """A user of the cluster with what he holds: his namespace, a key, its device with the seed."""

    space: Workspace
    user: User
    device: Device
    sts: StrictSts

    @property
    def by_person(self) -> dict[str, Any]:
        return {"serialNumber": self.device.serial_number}

    @property
    def by_seed(self) -> dict[str, Any]:
        return self.by_person | {"totpSecretRef": {"name": "reports-mfa"}}

    def request(self, name: str = "reports", **spec: Any) -> None:
        self.space.request(name, **{"mfa": self.by_person, **spec})

    def without_mfa(self) -> list[str]:
        """What the operator got from STS for his keys without a code."""
        return [call.operation for call in issuing_calls(self.sts, self.user) if not call.with_code]


@pytest.fixture
def owner(owner_api: Workspace, user: User, device: Device, sts: StrictSts) -> Owner:
    owner_api.keys(user)
    owner_api.secret_of("reports-mfa", {"seed": device.seed})
    return Owner(owner_api, user, device, sts)


@pytest.mark.parametrize(
    ("what", "can"),
    [
        (["patch", "awsstsrequests"], "yes"),
        (["patch", "secrets"], "yes"),
        (["patch", "awsstsrequests", "--subresource=status"], "no"),
        (["get", "awsstspolicies"], "no"),
        (["patch", "awsstspolicies"], "no"),
        (["patch", "namespaces"], "no"),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, list) else part,
)
def test_his_rights(cluster: Cluster, owner_api: Workspace, what: list[str], can: str) -> None:
    whose = [f"--namespace={owner_api.name}", f"--as={owner_api.name}-owner"]
    assert cluster.kubectl("auth", "can-i", *what, *whose, check=False).stdout.strip() == can


# --- before anything was issued -------------------------------------------------------------------------------


def labels(owner: Owner) -> None:
    request_with(owner.space, labels=FREE["labels"], mfa=owner.by_person)


def attributes_on_the_request(owner: Owner) -> None:
    said = {ATTRIBUTE + "exempt": "yes", ATTRIBUTE + "id": "admin"}
    request_with(owner.space, annotations=said, mfa=owner.by_person)


def attributes_in_the_secret(owner: Owner) -> None:
    owner.space.change_secret("reports-iam", stringData={"attributes": "exempt: ['yes']\nid: admin"})
    said = {ATTRIBUTE + "exempt": "yes", ATTRIBUTE + "id": "admin"}
    owner.space.change_secret("reports-iam", metadata={"annotations": said} | FREE)
    owner.request()


def forged_stamp(owner: Owner) -> None:
    request_with(owner.space, annotations={"awssts.dev/authentication": STAMP}, mfa=owner.by_person)


def opted_in_to_a_lax_provider(owner: Owner) -> None:
    request_with(owner.space, annotations={"awssts.dev/mfa": "lax"}, mfa=owner.by_seed)


def opted_in_to_another_policys_lax_provider(owner: Owner) -> None:
    request_with(owner.space, annotations={"awssts.dev/mfa": "robot"}, mfa=owner.by_seed)


def no_device(owner: Owner) -> None:
    owner.request(mfa=None)


def device_only_when_triggered(owner: Owner) -> None:
    owner.request(mfa=owner.by_person | {"when": "Triggered"})


def seed_in_place_of_a_person(owner: Owner) -> None:
    owner.request(mfa=owner.by_seed)


def device_of_another_user(owner: Owner) -> None:
    other = owner.sts.device(owner.sts.user(f"{owner.user.name}-friend"))
    owner.request(mfa={"serialNumber": other.serial_number})
    until_code_wanted(owner.space)
    give_code(owner.space, other.code())
    eventually(lambda: ("Warning", "InvalidDevice") in owner.space.events(), "the refusal")


def invented_code(owner: Owner) -> None:
    owner.request()
    for _ in range(3):
        until_code_wanted(owner.space)
        give_code(owner.space, "000000" if owner.device.code() != "000000" else "000001")
        eventually(lambda: "awssts.dev/token-code" not in annotations_of(owner.space), "the code is taken")


def another_credentials_secret(owner: Owner) -> None:
    owner.space.keys(owner.user, "robot", watched=False)
    owner.request(credentialsSecretRef={"name": "robot"})


def another_name_and_target(owner: Owner) -> None:
    owner.request("robot", target={"name": "elsewhere"})
    owner.request()


def short_and_often(owner: Owner) -> None:
    owner.request(duration="15m", renewBefore="10m")


def a_role_instead(owner: Owner) -> None:
    owner.request(role={"arn": owner.sts.role(owner.user.name, owner.user.arn)})


def a_long_role(owner: Owner) -> None:
    owner.request(role={"arn": owner.sts.role(owner.user.name, owner.user.arn, 43_200)}, duration="12h")


def suspended_and_resumed(owner: Owner) -> None:
    owner.request(suspend=True)
    owner.space.change(suspend=False)


def made_anew(owner: Owner) -> None:
    for _ in range(3):
        owner.request()
        owner.space.delete_request()
    owner.request()


def forged_target(owner: Owner) -> None:
    """As if the operator had written it with credentials that are about to end, and no MFA was needed."""
    owner.space.secret_of("reports", {"AWS_ACCESS_KEY_ID": "ASIAFORGEDFORGED0000"}, {"awssts.dev/type": "target"})
    said = {
        "awssts.dev/request": "reports",
        "awssts.dev/access-key-id": "ASIAFORGEDFORGED0000",
        "awssts.dev/issued-at": "2026-01-01T00:00:00Z",
        "awssts.dev/expiration": "2026-01-01T12:00:00Z",
        "awssts.dev/policy-outcome": NO_MFA,
        "awssts.dev/content-digest": "0" * 32,
    }
    owner.space.change_secret("reports", metadata={"annotations": said})
    owner.request(mfa=owner.by_person | {"when": "Triggered"})


def adopted_secret(owner: Owner) -> None:
    owner.space.secret_of("reports", {"AWS_ACCESS_KEY_ID": "ASIAFORGEDFORGED0000"})
    owner.space.change_secret("reports", metadata={"annotations": {"awssts.dev/policy-outcome": NO_MFA}})
    owner.request(mfa=owner.by_person | {"when": "Triggered"}, target={"creationPolicy": "Adopt"})


NO_MFA = (
    '{"allowed":true,"awsCredentials":null,"forced":false,"maxDuration":null,'
    '"mfa":{"provider":null,"required":false,"webhook":null},"roleArn":null}'
)
WAYS: list[Callable[[Owner], None]] = [
    labels,
    attributes_on_the_request,
    attributes_in_the_secret,
    forged_stamp,
    opted_in_to_a_lax_provider,
    opted_in_to_another_policys_lax_provider,
    no_device,
    device_only_when_triggered,
    seed_in_place_of_a_person,
    device_of_another_user,
    invented_code,
    another_credentials_secret,
    another_name_and_target,
    short_and_often,
    a_role_instead,
    a_long_role,
    suspended_and_resumed,
    made_anew,
    forged_target,
    adopted_secret,
]


@pytest.mark.parametrize("way", WAYS, ids=[way.__name__ for way in WAYS])
def test_gets_nothing_without_a_code_of_the_person(
    admin: Administrator, owner: Owner, way: Callable[[Owner], None]
) -> None:
    lax = {"name": "lax", "type": "Totp", "bypass": {"script": "true"}}
    asked_for = mfa(TOTP | {"name": "robot"}, optIn={})
    admin.write("robots", priority=100, mfa=asked_for)
    admin.policy("house", mfa=mfa(BY_PERSON, lax, optIn={}, script={"expression": "'person'"}))
    way(owner)
    for name in requests_of(owner.space):
        owner.space.renew(name)
        eventually(lambda name=name: person_or_nobody(owner.space, name), f"{name} waits for a person, or is refused")
    admin.settle()
    policies.asks_sts_no_more(owner.sts, owner.user, seconds=1)
    assert [call for call in issuing_calls(owner.sts, owner.user) if call.result == "Success"] == []
    assert owner.without_mfa() == []


def test_and_with_a_code_he_does(admin: Administrator, owner: Owner) -> None:
    """Nor is he locked out: the same policies, and a person."""
    admin.write("robots", priority=100, mfa=mfa(TOTP | {"name": "robot"}, optIn={}))
    admin.policy("house", mfa=mfa(BY_PERSON, script={"expression": "'person'"}))
    owner.request()
    until_code_wanted(owner.space)
    give_code(owner.space, owner.device.code())
    until_issued(owner.space)
    assert owner.without_mfa() == []


def test_racing_the_policy(admin: Administrator, owner: Owner) -> None:
    """What was issued in the moment before it is not renewed without MFA."""
    admin.write("house", mfa=mfa(BY_PERSON))
    names = [f"reports-{number}" for number in range(8)]
    for name in names:
        owner.request(name, mfa=owner.by_person | {"when": "Triggered"})
    admin.settle()
    early = len(owner.without_mfa())
    for name in names:
        owner.space.renew(name)
        until_code_wanted(owner.space, name)
    policies.asks_sts_no_more(owner.sts, owner.user, seconds=1)
    assert len(owner.without_mfa()) == early


def person_or_nobody(space: Workspace, name: str) -> bool:
    """Whether a person is asked for the code, or there is nothing to wait for."""
    stalled, working = space.condition(name, "Stalled"), space.condition(name, "Reconciling")
    return stalled.get("status") == "True" or working.get("reason") == "AwaitingTokenCode"


def requests_of(space: Workspace) -> list[str]:
    listed = space.api.get(kube.path(kube.REQUESTS, space.name)) or {}
    return [found["metadata"]["name"] for found in listed["items"]]


def annotations_of(space: Workspace, name: str = "reports") -> dict[str, str]:
    found = space.api.get(kube.path(kube.REQUESTS, space.name, name)) or {}
    held: dict[str, str] = found["metadata"].get("annotations") or {}
    return held
