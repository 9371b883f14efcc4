"""No call to STS that isn't needed, and no write: whatever changes around a request with the same outcome; and what
changes the outcome is acted upon at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integration import policies
from tests.integration.patience import eventually, throughout
from tests.integration.policies import (
    PERSON,
    TOTP,
    annotate,
    asks_sts_no_more,
    change_metadata,
    give_code,
    issuing_calls,
    mfa,
    until_authorized,
    until_code_wanted,
    until_failing,
    until_issued,
    until_refused,
)
from tests.integration.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed.sts import Device, StrictSts, User
    from tests.integration.audit import Audit
    from tests.integration.kube import Api
    from tests.integration.policies import Administrator
    from tests.integration.workspace import Pod

admin, device = policies.admin, policies.device
pytestmark = pytest.mark.usefixtures("operator")

ON_TEST = {"principalAttribute": {"names": ["stage"], "value": "test"}}
CHANGES: dict[str, Callable[[Administrator, Workspace], Any]] = {
    "a label of the request": lambda _, space: change_metadata(space, labels={"team": "blue"}),
    "an annotation of the request": lambda _, space: annotate(space, {"note": "to self"}),
    "a label of the namespace": lambda admin, _: admin.describe({"labels": {"team": "blue"}}),
    "an annotation of the namespace": lambda admin, _: admin.describe({"annotations": {"note": "to self"}}),
    "another attribute": lambda admin, _: admin.attributes(stage="production", shoe="41"),
    "a policy's priority": lambda admin, _: admin.write(priority=7, mfa=mfa(TOTP, **ON_TEST)),
    "a policy's limit that is not reached": lambda admin, _: admin.write(
        mfa=mfa(TOTP, **ON_TEST), limits={"allowRoot": True}
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_the_same_outcome_costs_nothing(
    *,
    admin: Administrator,
    space: Workspace,
    sts: StrictSts,
    user: User,
    audit: Audit,
    change: Callable[[Administrator, Workspace], Any],
) -> None:
    space.keys(user)
    admin.policy(mfa=mfa(TOTP, **ON_TEST))
    space.request()
    status = until_issued(space)
    eventually(lambda: audit.asked(space.name)["create events"], "the Event")
    audit.mark()
    calls = len(sts.calls())
    change(admin, space)
    admin.settle()
    throughout(lambda: len(sts.calls()) == calls, "a call to STS", seconds=1)
    writes = {what for what in audit.asked(space.name) if what.split()[0] not in {"get", "list", "watch"}}
    assert writes == set()
    assert space.status() == status


def test_a_policy_over_others_costs_nothing(admin: Administrator, space: Workspace, user: User, audit: Audit) -> None:
    """Nor does the operator look at requests that it does not select."""
    space.keys(user)
    space.request()
    until_issued(space)
    eventually(lambda: audit.asked(space.name)["create events"], "the Event")
    audit.mark()
    admin.policy(selector={"namespaceSelector": {"matchLabels": {"tier": "gold"}}}, mfa=mfa(TOTP))
    assert audit.asked(space.name) == {}


def test_a_policy_made_anew_as_it_was_issues_nothing(
    admin: Administrator, space: Workspace, sts: StrictSts, user: User, audit: Audit
) -> None:
    space.keys(user)
    admin.policy(mfa=mfa(TOTP, **ON_TEST))
    space.request()
    held = until_issued(space)["accessKeyId"]
    audit.mark()
    calls = len(sts.calls())
    admin.remove()
    admin.policy(mfa=mfa(TOTP, **ON_TEST))
    throughout(lambda: len(sts.calls()) == calls, "a call to STS", seconds=1)
    assert audit.asked(space.name)["patch secrets"] == 0
    assert until_issued(space)["accessKeyId"] == held


class TestStricter:
    def test_it_is_issued_anew_with_mfa(
        self, admin: Administrator, space: Workspace, sts: StrictSts, user: User, device: Device, pod: Pod
    ) -> None:
        """And relaxed again, nothing is: what was made with MFA also serves without."""
        space.keys(user)
        space.secret_of("reports-mfa", {"seed": device.seed})
        by_seed = {"serialNumber": device.serial_number, "totpSecretRef": {"name": "reports-mfa"}}
        admin.policy()
        space.request(mfa=by_seed | {"when": "Triggered"})
        first = until_issued(space)["accessKeyId"]
        admin.policy(mfa=mfa(TOTP))
        held = space.until_renewed(first)
        assert until_issued(space)["mfa"]["outcome"] == "Required"
        assert [call.with_code for call in issuing_calls(sts, user)] == [False, True]
        assert pod.identity() == user.arn

        admin.policy()
        asks_sts_no_more(sts, user)
        admin.remove()
        admin.settle()
        asks_sts_no_more(sts, user)
        assert space.held_key() == held
        admin.policy(mfa=mfa(TOTP))
        asks_sts_no_more(sts, user)
        assert until_issued(space)["accessKeyId"] == held

    def test_until_then_the_old_credentials_stay(
        self, admin: Administrator, space: Workspace, sts: StrictSts, user: User, device: Device, pod: Pod
    ) -> None:
        space.keys(user)
        admin.policy()
        space.request(mfa={"serialNumber": device.serial_number, "when": "Triggered"})
        held = until_issued(space)["accessKeyId"]
        admin.policy(mfa=mfa(PERSON))
        until_code_wanted(space)
        ready = space.condition()
        assert (ready["status"], ready["reason"]) == ("True", "RenewalFailing")
        assert (space.held_key(), pod.identity()) == (held, user.arn)
        give_code(space, device.code())
        space.until_renewed(held)
        assert [call.with_code for call in issuing_calls(sts, user)] == [False, True]

    def test_a_policy_that_is_made_anew_and_stricter(
        self, admin: Administrator, space: Workspace, sts: StrictSts, user: User, pod: Pod
    ) -> None:
        """It has the name and the generation of the one before."""
        space.keys(user)
        admin.policy()
        space.request()
        held = until_issued(space)["accessKeyId"]
        admin.remove()
        admin.settle()
        admin.policy(mfa=mfa(TOTP))
        until_failing(space, "DeviceMissing", timeout=20)
        assert (space.held_key(), pod.identity()) == (held, user.arn)
        assert len(issuing_calls(sts, user)) == 1


class TestDeletedPolicy:
    def test_lets_go_of_what_it_refused(self, admin: Administrator, space: Workspace, user: User, pod: Pod) -> None:
        space.keys(user)
        admin.policy(mfa=mfa(TOTP))
        space.request()
        until_refused(space, "DeviceMissing")
        admin.remove()
        status = until_issued(space)
        assert pod.identity() == user.arn
        assert {condition["type"] for condition in status["conditions"]} == {"Ready"}
        assert "mfa" not in status

    def test_leaves_what_was_issued(self, admin: Administrator, space: Workspace, sts: StrictSts, user: User) -> None:
        space.keys(user)
        admin.policy()
        space.request()
        held = until_issued(space)["accessKeyId"]
        admin.remove()
        eventually(lambda: not space.condition(kind="Authorized"), "a status without policies")
        asks_sts_no_more(sts, user)
        assert until_issued(space)["accessKeyId"] == held


def test_a_new_namespace_is_under_its_policies_at_once(
    admin: Administrator, api: Api, sts: StrictSts, user: User
) -> None:
    """Its request comes when no watch has told of the namespace yet."""
    admin.policy(selector={"namespaceSelector": {"matchLabels": {"tier": "gold"}}}, mfa=mfa(TOTP))
    spaces = [Workspace(api, f"{admin.namespace}-gold-{number}") for number in range(5)]
    for space in spaces:
        admin.create_namespace(space.name, tier="gold")
        space.request()
        space.keys(user)
    for space in spaces:
        until_refused(space, "DeviceMissing")
        space.clear()
    assert issuing_calls(sts, user) == []


def test_a_namespace_that_gets_the_label(admin: Administrator, space: Workspace, sts: StrictSts, user: User) -> None:
    space.keys(user)
    admin.policy(selector={"namespaceSelector": {"matchLabels": {"tier": "gold"}}}, mfa=mfa(TOTP))
    space.request()
    held = until_issued(space)["accessKeyId"]
    assert space.condition(kind="Authorized") == {}
    admin.describe({"labels": {"tier": "gold"}})
    until_failing(space, "DeviceMissing")
    admin.describe({"labels": {"tier": None}})
    assert until_issued(space)["accessKeyId"] == held
    assert len(issuing_calls(sts, user)) == 1


class TestInvalidPolicy:
    """What the CRD lets through, and can't be understood: its requests get nothing new."""

    @pytest.mark.parametrize(
        ("invalid", "problem"),
        [
            (mfa(TOTP, script={"expression": "principal.("}), "spec.mfa.triggers.script.expression"),
            (mfa(TOTP, script={"expression": "nobody.knows == 1"}), "spec.mfa.triggers.script.expression"),
            (
                mfa(TOTP, principalAttribute={"names": ["a"], "value": "(?=lookahead)"}),
                "spec.mfa.triggers.principalAttribute.value",
            ),
            (mfa(TOTP, **{"global": {"provider": "unknown"}}), "names 'unknown', which is not one of providers"),
        ],
        ids=["no CEL", "an unknown variable", "no RE2", "an unknown provider"],
    )
    def test_refuses_until_it_is_mended(
        self,
        *,
        admin: Administrator,
        space: Workspace,
        sts: StrictSts,
        user: User,
        invalid: dict[str, Any],
        problem: str,
    ) -> None:
        space.keys(user)
        house = admin.policy(mfa=invalid)
        space.request()
        said = until_refused(space, "PolicyInvalid")
        assert said.startswith(f"policy {house} can't be understood: ")
        assert problem in said
        assert issuing_calls(sts, user) == []
        admin.policy()
        until_issued(space)
        assert until_authorized(space, "True", "Allowed") == f"allowed by {house}"

    def test_leaves_what_was_issued(
        self, admin: Administrator, space: Workspace, sts: StrictSts, user: User, pod: Pod
    ) -> None:
        space.keys(user)
        admin.policy()
        space.request()
        held = until_issued(space)["accessKeyId"]
        admin.policy(mfa=mfa(TOTP, script={"expression": "1 +"}))
        until_failing(space, "PolicyInvalid")
        assert (space.held_key(), pod.identity()) == (held, user.arn)
        admin.policy(mfa=mfa(TOTP, script={"expression": "false"}))
        assert until_issued(space)["accessKeyId"] == held
        assert len(issuing_calls(sts, user)) == 1

    def test_concerns_nobody_else(self, admin: Administrator, space: Workspace, user: User) -> None:
        elsewhere = {"namespaceSelector": {"matchLabels": {"tier": "gold"}}}
        space.keys(user)
        admin.policy(selector=elsewhere, mfa=mfa(TOTP, script={"expression": "1 +"}))
        space.request()
        until_issued(space)

    def test_an_expression_that_fails_on_a_request(
        self, admin: Administrator, space: Workspace, sts: StrictSts, user: User
    ) -> None:
        space.keys(user)
        admin.policy(mfa=mfa(TOTP, script={"expression": "principal.attributes.stage[0] == 'production'"}))
        space.request()
        until_refused(space, "PolicyEvaluationFailed")
        assert issuing_calls(sts, user) == []
        admin.attributes(stage="test")
        until_issued(space)
