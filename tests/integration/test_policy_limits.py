"""The most that a request may ask for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.integration import policies
from tests.integration.policies import (
    asks_sts_no_more,
    give_code,
    issuing_calls,
    until_code_wanted,
    until_failing,
    until_issued,
    until_refused,
)

if TYPE_CHECKING:
    from testbed.sts import Device, StrictSts, User
    from tests.integration.kube import Json
    from tests.integration.policies import Administrator
    from tests.integration.workspace import Pod, Workspace

admin, device = policies.admin, policies.device
pytestmark = pytest.mark.usefixtures("operator")


def seconds(status: Json) -> float:
    """The lifetime of what was issued."""
    issued, ends = (datetime.fromisoformat(status[field]) for field in ("issuedAt", "expiration"))
    return (ends - issued).total_seconds()


class TestMaxDuration:
    def test_what_is_asked_for_is_refused_over_it(
        self, admin: Administrator, space: Workspace, sts: StrictSts, user: User
    ) -> None:
        space.keys(user)
        house = admin.policy(limits={"maxDuration": "1h"})
        space.request(duration="1h1s")
        said = until_refused(space, "LimitExceeded")
        assert said == f"policy {house}: a duration of 1h1s is over limits.maxDuration, 1h"
        assert issuing_calls(sts, user) == []
        space.change(duration="1h")
        assert seconds(until_issued(space)) == pytest.approx(3600, abs=2)

    def test_the_default_is_lowered(self, admin: Administrator, space: Workspace, sts: StrictSts, user: User) -> None:
        space.keys(user)
        admin.policy(limits={"maxDuration": "30m"})
        space.request()
        assert seconds(until_issued(space)) == pytest.approx(1800, abs=2)
        assert [call.duration_seconds for call in issuing_calls(sts, user)] == [1800]

    def test_a_default_below_it_stays(self, admin: Administrator, space: Workspace, sts: StrictSts, user: User) -> None:
        role = sts.role(user.name, user.arn)
        space.keys(user)
        admin.policy(limits={"maxDuration": "2h"})
        space.request(role={"arn": role})
        assert seconds(until_issued(space)) == pytest.approx(3600, abs=2)

    def test_the_strictest_holds(self, admin: Administrator, space: Workspace, sts: StrictSts, user: User) -> None:
        space.keys(user)
        admin.write("wide", priority=100, limits={"maxDuration": "10h"})
        admin.write("none", priority=50)
        admin.policy("narrow", limits={"maxDuration": "20m"})
        space.request()
        until_issued(space)
        assert [call.duration_seconds for call in issuing_calls(sts, user)] == [1200]

    def test_renews_no_more_often_for_a_renew_before_that_does_not_fit(
        self, admin: Administrator, space: Workspace, sts: StrictSts, user: User
    ) -> None:
        """4 h ahead of an expiration in an hour would be always."""
        space.keys(user)
        admin.policy(limits={"maxDuration": "1h"})
        space.request(renewBefore="4h")
        until_issued(space)
        asks_sts_no_more(sts, user, seconds=3)
        assert len(issuing_calls(sts, user)) == 1

    def test_lowered_it_shortens_what_was_issued(
        self, admin: Administrator, space: Workspace, sts: StrictSts, user: User, pod: Pod
    ) -> None:
        space.keys(user)
        admin.policy()
        space.request()
        old = until_issued(space)["accessKeyId"]
        admin.policy(limits={"maxDuration": "1h"})
        space.until_renewed(old)
        assert seconds(until_issued(space)) == pytest.approx(3600, abs=2)
        assert pod.identity() == user.arn
        assert len(issuing_calls(sts, user)) == 2

    def test_lowered_below_what_is_asked_for_it_leaves_what_was_issued(
        self, admin: Administrator, space: Workspace, user: User, pod: Pod
    ) -> None:
        space.keys(user)
        admin.policy()
        space.request(duration="2h")
        held = until_issued(space)["accessKeyId"]
        admin.policy(limits={"maxDuration": "1h"})
        until_failing(space, "LimitExceeded")
        assert (space.held_key(), pod.identity()) == (held, user.arn)
        admin.policy(limits={"maxDuration": "2h"})
        space.change(duration="90m")
        space.until_renewed(held)
        assert seconds(until_issued(space)) == pytest.approx(5400, abs=2)


def test_the_session_behind_a_role_lives_no_longer_than_credentials_may(
    admin: Administrator, space: Workspace, sts: StrictSts, user: User, device: Device
) -> None:
    role = sts.role(user.name, user.arn)
    space.keys(user)
    admin.policy(limits={"maxDuration": "30m"})
    space.request(role={"arn": role}, mfa={"serialNumber": device.serial_number})
    until_code_wanted(space)
    give_code(space, device.code())
    until_issued(space)
    ends = datetime.fromisoformat(space.metadata()["annotations"]["awssts.dev/session-expiration"])
    assert ends - datetime.now(UTC) < timedelta(minutes=30)


class TestAllowedRoles:
    def test_are_compared_for_equality(
        self, admin: Administrator, space: Workspace, sts: StrictSts, user: User, pod: Pod
    ) -> None:
        roles = {name: sts.role(f"{user.name}-{name}", user.arn) for name in ("admin", "admin-ro")}
        space.keys(user)
        house = admin.policy(limits={"allowedRoleArns": [roles["admin"]]})
        space.request(role={"arn": roles["admin-ro"]})
        said = until_refused(space, "RoleNotAllowed")
        assert said == f"policy {house}: role {roles['admin-ro']} is not one of limits.allowedRoleArns"
        assert issuing_calls(sts, user) == []
        space.change(role={"arn": roles["admin"]})
        until_issued(space)
        assert f":assumed-role/{user.name}-admin/" in pod.identity()

    def test_are_no_session_of_the_user(
        self, admin: Administrator, space: Workspace, sts: StrictSts, user: User
    ) -> None:
        role = sts.role(user.name, user.arn)
        space.keys(user)
        house = admin.policy(limits={"allowedRoleArns": [role]})
        space.request()
        said = until_refused(space, "RoleNotChosen")
        assert said == f"policy {house}: limits.allowedRoleArns allows roles only: name one in spec.role.arn"
        assert issuing_calls(sts, user) == []

    def test_an_empty_list_allows_none(
        self, admin: Administrator, space: Workspace, sts: StrictSts, user: User
    ) -> None:
        role = sts.role(user.name, user.arn)
        space.keys(user)
        admin.policy(limits={"allowedRoleArns": []})
        space.request(role={"arn": role})
        until_refused(space, "RoleNotAllowed")
        assert issuing_calls(sts, user) == []

    def test_what_policies_have_in_common(
        self, admin: Administrator, space: Workspace, sts: StrictSts, user: User
    ) -> None:
        roles = [sts.role(f"{user.name}-{number}", user.arn) for number in range(3)]
        space.keys(user)
        admin.write("first", limits={"allowedRoleArns": roles[:2]})
        admin.policy("second", limits={"allowedRoleArns": roles[1:]})
        for number, role in enumerate(roles):
            space.request(f"reports-{number}", role={"arn": role})
        until_refused(space, "RoleNotAllowed", "reports-0")
        assert until_issued(space, "reports-1")["roleArn"] == roles[1]
        until_refused(space, "RoleNotAllowed", "reports-2")


class TestRoot:
    def test_is_refused_by_any_policy_that_does_not_allow_it(
        self, admin: Administrator, space: Workspace, sts: StrictSts, pod: Pod
    ) -> None:
        root = sts.root_key()
        space.keys(root)
        admin.write("lax", limits={"allowRoot": True})
        admin.policy("strict")
        space.request()
        said = until_refused(space, "LimitExceeded")
        assert said == "the keys are those of an account's root user, which a policy forbids (allowRoot)"
        assert issuing_calls(sts, root) == []
        admin.remove("strict")
        until_issued(space)
        assert pod.identity().endswith(":root")

    def test_keys_that_become_roots(
        self, admin: Administrator, space: Workspace, sts: StrictSts, user: User, pod: Pod
    ) -> None:
        space.keys(user)
        admin.policy()
        space.request()
        held = until_issued(space)["accessKeyId"]
        space.keys(sts.root_key())
        until_failing(space, "LimitExceeded")
        assert (space.held_key(), pod.identity()) == (held, user.arn)

    def test_that_were_allowed_before_are_refused_for_the_next(
        self, admin: Administrator, space: Workspace, sts: StrictSts
    ) -> None:
        root = sts.root_key()
        space.keys(root)
        admin.policy(limits={"allowRoot": True})
        space.request()
        held = until_issued(space)["accessKeyId"]
        admin.policy()
        space.renew()
        space.until_reason("LimitExceeded")
        assert space.held_key() == held


class TestCredentialsLabel:
    def test_is_demanded(self, admin: Administrator, space: Workspace, sts: StrictSts, user: User, pod: Pod) -> None:
        space.keys(user, watched=False)
        house = admin.policy(limits={"requireCredentialsLabel": True})
        space.request()
        label = "the label awssts.dev/type: credentials (limits.requireCredentialsLabel)"
        assert until_refused(space, "LimitExceeded") == f"policy {house}: Secret reports-iam needs {label}"
        assert issuing_calls(sts, user) == []
        space.keys(user)
        until_issued(space, timeout=70)  # it is looked at again at the latest after a minute
        assert pod.identity() == user.arn
