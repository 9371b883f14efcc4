"""Whether MFA is done, and who answers it, is the policy's to say: over what the request itself would do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integration import policies
from tests.integration.policies import (
    PERSON,
    TOTP,
    annotate,
    asks_sts_no_more,
    give_code,
    issuing_calls,
    mfa,
    until_authorized,
    until_code_wanted,
    until_issued,
    until_refused,
)

if TYPE_CHECKING:
    from testbed.sts import Device, StrictSts, User
    from tests.integration.policies import Administrator
    from tests.integration.workspace import Pod, Workspace

admin, device = policies.admin, policies.device
pytestmark = pytest.mark.usefixtures("operator")

PRODUCTION = {"script": {"expression": "'production' in principal.attributes.stage"}}


@pytest.fixture
def with_seed(space: Workspace, device: Device) -> dict[str, Any]:
    """The `mfa` of a request that uses its seed only when a policy asks for it."""
    space.secret_of("reports-mfa", {"seed": device.seed})
    return {
        "serialNumber": device.serial_number,
        "totpSecretRef": {"name": "reports-mfa"},
        "when": "Triggered",
    }


class TestTriggered:
    def test_a_device_is_used_only_when_a_trigger_fires(
        self,
        *,
        admin: Administrator,
        space: Workspace,
        sts: StrictSts,
        user: User,
        with_seed: dict[str, Any],
        pod: Pod,
    ) -> None:
        space.keys(user)
        admin.attributes(stage="test")
        house = admin.policy(mfa=mfa(TOTP, **PRODUCTION))
        space.request(mfa=with_seed)
        status = until_issued(space)
        assert status["mfa"] == {"required": False, "outcome": "NotRequired"}
        assert [call.with_code for call in issuing_calls(sts, user)] == [False]
        assert space.condition(kind="MFASatisfied") == {}

        admin.attributes(stage="[production, test]")
        space.until_renewed(status["accessKeyId"])
        status = until_issued(space)
        decided = {"required": True, "outcome": "Required", "policy": house, "trigger": "script", "provider": "totp"}
        assert status["mfa"] == decided
        assert [call.with_code for call in issuing_calls(sts, user)] == [False, True]
        assert space.condition(kind="MFASatisfied")["status"] == "True"
        assert pod.identity() == user.arn

    def test_without_a_policy_it_is_not_used(
        self, space: Workspace, sts: StrictSts, user: User, with_seed: dict[str, Any]
    ) -> None:
        space.keys(user)
        space.request(mfa=with_seed)
        space.until_ready()
        assert [call.with_code for call in issuing_calls(sts, user)] == [False]

    def test_always_is_always(
        self, admin: Administrator, space: Workspace, sts: StrictSts, user: User, with_seed: dict[str, Any]
    ) -> None:
        space.keys(user)
        admin.policy(mfa=mfa(TOTP, script={"expression": "false"}))
        space.request(mfa=with_seed | {"when": "Always"})
        until_issued(space)
        assert [call.with_code for call in issuing_calls(sts, user)] == [True]


class TestDeviceMissing:
    def test_no_device(self, admin: Administrator, space: Workspace, sts: StrictSts, user: User) -> None:
        space.keys(user)
        house = admin.policy(mfa=mfa(TOTP))
        space.request()
        who = f"policy {house} demands MFA (trigger global, provider totp)"
        assert until_refused(space, "DeviceMissing") == f"{who}: give the IAM user's device in spec.mfa"
        assert space.condition(kind="Stalled")["reason"] == "DeviceMissing"
        assert issuing_calls(sts, user) == []

    def test_no_seed(
        self, admin: Administrator, space: Workspace, sts: StrictSts, user: User, device: Device, pod: Pod
    ) -> None:
        space.keys(user)
        house = admin.policy(mfa=mfa(TOTP))
        space.request(mfa={"serialNumber": device.serial_number})
        who = f"policy {house} demands MFA (trigger global, provider totp)"
        assert until_refused(space, "DeviceMissing") == f"{who}: give the device's seed in spec.mfa.totpSecretRef"
        space.secret_of("reports-mfa", {"seed": device.seed})
        space.change(mfa={"totpSecretRef": {"name": "reports-mfa"}})
        until_issued(space)
        assert pod.identity() == user.arn
        assert [call.with_code for call in issuing_calls(sts, user)] == [True]


class TestPerson:
    def test_although_there_is_a_seed(
        self,
        *,
        admin: Administrator,
        space: Workspace,
        sts: StrictSts,
        user: User,
        device: Device,
        with_seed: dict[str, Any],
        pod: Pod,
    ) -> None:
        space.keys(user)
        house = admin.policy(mfa=mfa(PERSON))
        space.request(mfa=with_seed)
        until_code_wanted(space)
        asks_sts_no_more(sts, user)
        wanted = space.condition(kind="MFASatisfied")
        assert (wanted["status"], wanted["reason"]) == ("False", "AwaitingTokenCode")
        assert f"awssts mfa -n {space.name} reports" in wanted["message"]
        assert until_authorized(space, "True", "Allowed") == f"allowed by {house}"
        assert ("Warning", "AwaitingTokenCode") in space.events()

        give_code(space, device.code())
        assert until_issued(space)["mfa"]["provider"] == "person"
        assert [call.with_code for call in issuing_calls(sts, user)] == [True]
        assert pod.identity() == user.arn

    def test_a_wrong_code_is_asked_for_again(
        self, admin: Administrator, space: Workspace, sts: StrictSts, user: User, device: Device
    ) -> None:
        space.keys(user)
        admin.policy(mfa=mfa(PERSON))
        space.request(mfa={"serialNumber": device.serial_number})
        until_code_wanted(space)
        give_code(space, "000000" if device.code() != "000000" else "000001")
        policies.until_message(space, "Reconciling", "the last code was wrong")
        assert space.secret() is None
        give_code(space, device.code())
        until_issued(space)
        assert [call.result for call in issuing_calls(sts, user)] == ["AccessDenied", "Success"]

    def test_a_device_of_another_user(self, admin: Administrator, space: Workspace, sts: StrictSts, user: User) -> None:
        theirs = sts.device(sts.user(f"{user.name}-friend"))
        space.keys(user)
        admin.policy(mfa=mfa(PERSON))
        space.request(mfa={"serialNumber": theirs.serial_number})
        until_code_wanted(space)
        give_code(space, theirs.code())
        space.until_reason("InvalidDevice", timeout=20)
        asks_sts_no_more(sts, user)
        assert space.condition(kind="Stalled")["reason"] == "InvalidDevice"
        assert [call.result for call in issuing_calls(sts, user)] == ["AccessDenied"]

    def test_every_time_where_execution_is_forced(
        self, admin: Administrator, space: Workspace, sts: StrictSts, user: User, device: Device
    ) -> None:
        """No session of an earlier code serves another request."""
        here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": space.name}}}
        space.keys(user)
        admin.policy(mfa=mfa(PERSON, applications=[{"selector": here, "forcedExecution": True}]))
        space.request(mfa={"serialNumber": device.serial_number})
        until_code_wanted(space)
        give_code(space, device.code())
        until_issued(space)
        space.request("second", mfa={"serialNumber": device.serial_number})
        until_code_wanted(space, "second")
        assert len(issuing_calls(sts, user)) == 1


class TestBypass:
    """What an administrator writes lets off, and is told of."""

    @pytest.mark.parametrize(
        ("kind", "bypass"),
        [
            ("principalAttributes", [{"name": "kind", "value": "robot"}]),
            ("services", [{"namespaceSelector": {"matchLabels": {"mfa": "none"}}}]),
            ("script", "ns.labels['mfa'] == 'none'"),
            (
                "principalAttributesPerService",
                [
                    {
                        "name": "unknown",
                        "ifMissing": True,
                        "selector": {"namespaceSelector": {"matchLabels": {"mfa": "none"}}},
                    }
                ],
            ),
        ],
    )
    def test_lets_off(
        self, *, admin: Administrator, space: Workspace, sts: StrictSts, user: User, kind: str, bypass: Any
    ) -> None:
        space.keys(user)
        house = admin.policy(mfa=mfa(TOTP | {"bypass": {kind: bypass}}))
        space.request()
        until_refused(space, "DeviceMissing")
        admin.attributes(kind="robot")
        admin.describe({"labels": {"mfa": "none"}})
        decided = until_issued(space)["mfa"]
        assert decided == {
            "required": False,
            "outcome": "Bypassed",
            "policy": house,
            "trigger": "global",
            "provider": "totp",
            "bypass": kind,
        }
        assert [call.with_code for call in issuing_calls(sts, user)] == [False]

    def test_not_where_a_rule_does_without(
        self, admin: Administrator, space: Workspace, sts: StrictSts, user: User
    ) -> None:
        here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": space.name}}}
        space.keys(user)
        robot = TOTP | {"bypass": {"principalAttributes": [{"name": "kind"}]}}
        admin.attributes(kind="robot")
        admin.policy(mfa=mfa(robot, applications=[{"selector": here, "bypassEnabled": False}]))
        space.request()
        until_refused(space, "DeviceMissing")
        assert issuing_calls(sts, user) == []


class TestOptIn:
    def test_adds_mfa(self, admin: Administrator, space: Workspace, sts: StrictSts, user: User, device: Device) -> None:
        space.keys(user)
        admin.policy(mfa=mfa(PERSON, optIn={}))
        space.request(mfa={"serialNumber": device.serial_number, "when": "Triggered"})
        first = until_issued(space)["accessKeyId"]
        annotate(space, {"awssts.dev/mfa": "person"})
        until_code_wanted(space)
        assert space.held_key() == first
        give_code(space, device.code())
        space.until_renewed(first)
        assert [call.with_code for call in issuing_calls(sts, user)] == [False, True]

    def test_for_a_provider_that_is_not_offered(
        self, admin: Administrator, space: Workspace, sts: StrictSts, user: User
    ) -> None:
        space.keys(user)
        admin.policy(mfa=mfa(PERSON, TOTP, optIn={"providers": ["totp"]}))
        space.request()
        until_issued(space)
        annotate(space, {"awssts.dev/mfa": "person"})
        said = policies.until_failing(space, "ProviderUnknown")
        assert said.endswith("asks for a provider that is not offered; there are: totp")
        assert len(issuing_calls(sts, user)) == 1


def test_a_trigger_that_denies_whom_it_does_not_know(
    admin: Administrator, space: Workspace, sts: StrictSts, user: User
) -> None:
    """CAS: deny-if-unmatched."""
    unmatched = {"names": ["clearance"], "value": "high", "denyIfUnmatched": True}
    space.keys(user)
    house = admin.policy(mfa=mfa(TOTP, principalAttribute=unmatched))
    space.request()
    said = until_refused(space, "NotAuthorized")
    assert said == f"policy {house}: the principal has no attribute clearance, and denyIfUnmatched is set"
    assert space.status()["mfa"]["outcome"] == "Refused"
    assert issuing_calls(sts, user) == []
