"""Who may have credentials, and for which role: the test cases of CAS's endpoint, as users of a cluster see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from testbed.sts import Key
from tests.integration import policies
from tests.integration.patience import eventually
from tests.integration.policies import (
    asks_sts_no_more,
    give_code,
    issuing_calls,
    until_authorized,
    until_failing,
    until_issued,
    until_refused,
)

if TYPE_CHECKING:
    from testbed.sts import StrictSts, User
    from tests.integration.policies import Administrator
    from tests.integration.workspace import Pod, Workspace

admin = policies.admin
pytestmark = pytest.mark.usefixtures("operator")

STAFF = {"principalAttribute": {"name": "awsRole", "value": "staff|admin"}}
ROLES = {"rolesFromAttribute": "awsRoles"}


class TestPrincipalAttribute:
    """CAS: principal-attribute-name and principal-attribute-value."""

    @pytest.mark.parametrize(
        ("attributes", "message"),
        [
            ({"awsRole": "guest"}, "no value of its attribute awsRole matches"),
            ({"awsRole": "[guest, visitor]"}, "no value of its attribute awsRole matches"),
            ({"awsRole": "staff-ro"}, "no value of its attribute awsRole matches"),
            ({}, "has no attribute awsRole"),
        ],
        ids=["another value", "other values", "only a part matches", "missing"],
    )
    def test_refuses(
        self,
        admin: Administrator,
        space: Workspace,
        sts: StrictSts,
        user: User,
        attributes: dict[str, str],
        message: str,
    ) -> None:
        space.keys(user)
        admin.attributes(**attributes)
        house = admin.policy(authorization=STAFF)
        space.request()
        said = until_refused(space, "NotAuthorized")
        assert said == f"policy {house}: principal {space.name}: {message}"
        assert space.condition(kind="Stalled")["reason"] == "NotAuthorized"
        assert space.events() == [("Warning", "NotAuthorized")]
        assert issuing_calls(sts, user) == []

    @pytest.mark.parametrize(
        ("authorization", "attributes"),
        [({}, {}), (STAFF, {"awsRole": "staff"}), (STAFF, {"awsRole": "[guest, admin]"})],
        ids=["no attribute configured", "one value", "one of several values"],
    )
    def test_allows(
        self,
        admin: Administrator,
        space: Workspace,
        user: User,
        pod: Pod,
        authorization: dict[str, Any],
        attributes: dict[str, str],
    ) -> None:
        space.keys(user)
        admin.attributes(**attributes)
        house = admin.policy(authorization=authorization)
        space.request()
        until_issued(space)
        assert pod.identity() == user.arn
        assert until_authorized(space, "True", "Allowed") == f"allowed by {house}"

    def test_an_attribute_that_goes_leaves_what_was_issued(
        self, admin: Administrator, space: Workspace, user: User, pod: Pod
    ) -> None:
        space.keys(user)
        admin.attributes(awsRole="staff")
        admin.policy(authorization=STAFF)
        space.request()
        held = until_issued(space)["accessKeyId"]
        admin.attributes(awsRole=None)
        until_failing(space, "NotAuthorized")
        assert (space.held_key(), pod.identity()) == (held, user.arn)
        admin.attributes(awsRole="admin")
        assert until_issued(space)["accessKeyId"] == held


class TestRoles:
    """CAS: rbac-enabled."""

    @pytest.fixture
    def roles(self, sts: StrictSts, user: User) -> dict[str, str]:
        """Two roles of the user, one's ARN the beginning of the other's."""
        return {name: sts.role(f"{user.name}-{name}", user.arn) for name in ("admin", "admin-ro")}

    @pytest.mark.parametrize("named", [False, True])
    def test_one(
        self, admin: Administrator, space: Workspace, user: User, pod: Pod, roles: dict[str, str], *, named: bool
    ) -> None:
        space.keys(user)
        admin.attributes(awsRoles=roles["admin"])
        admin.policy(authorization=ROLES)
        space.request(**({"role": {"arn": roles["admin"]}} if named else {}))
        assert until_issued(space)["roleArn"] == roles["admin"]
        assert f":assumed-role/{user.name}-admin/" in pod.identity()

    def test_several_and_none_chosen(
        self, admin: Administrator, space: Workspace, sts: StrictSts, user: User, roles: dict[str, str], pod: Pod
    ) -> None:
        space.keys(user)
        admin.attributes(awsRoles=f"[{roles['admin']}, {roles['admin-ro']}]")
        house = admin.policy(authorization=ROLES)
        space.request()
        choice = f"choose one in spec.role.arn: {roles['admin']}, {roles['admin-ro']}"
        said = until_refused(space, "RoleNotChosen")
        assert said == f"policy {house}: principal {space.name} holds 2 roles; {choice}"
        assert issuing_calls(sts, user) == []
        space.change(role={"arn": roles["admin"]})
        until_issued(space)
        assert f":assumed-role/{user.name}-admin/" in pod.identity()

    @pytest.mark.parametrize(
        ("held", "wanted"),
        [("admin", "admin-ro"), ("admin-ro", "admin"), ("admin", "unknown")],
        ids=["admin, not admin-ro", "admin-ro, not admin", "unknown"],
    )
    def test_another_than_the_one_that_is_held(
        self,
        admin: Administrator,
        space: Workspace,
        sts: StrictSts,
        user: User,
        roles: dict[str, str],
        *,
        held: str,
        wanted: str,
    ) -> None:
        arn = roles.get(wanted, "arn:aws:iam::123456789012:role/unknown")
        space.keys(user)
        admin.attributes(awsRoles=roles[held])
        house = admin.policy(authorization=ROLES)
        space.request(role={"arn": arn})
        said = until_refused(space, "RoleNotAllowed")
        assert said == f"policy {house}: principal {space.name} does not hold role {arn}"
        assert issuing_calls(sts, user) == []

    def test_not_among_several(
        self, admin: Administrator, space: Workspace, sts: StrictSts, user: User, roles: dict[str, str]
    ) -> None:
        """CAS takes the wish for a regular expression over all roles."""
        space.keys(user)
        admin.attributes(awsRoles=f"[{roles['admin']}, {roles['admin-ro']}]")
        admin.policy(authorization=ROLES)
        for number, arn in enumerate([roles["admin"][:-1], f"{roles['admin']}-r"]):
            space.request(f"reports-{number}", role={"arn": arn})
            assert until_refused(space, "RoleNotAllowed", f"reports-{number}").endswith(f"does not hold role {arn}")
        assert issuing_calls(sts, user) == []

    def test_no_role_held(self, admin: Administrator, space: Workspace, sts: StrictSts, user: User) -> None:
        """Nor does he get a session of his own user instead."""
        space.keys(user)
        house = admin.policy(authorization=ROLES)
        space.request()
        why = "it has no attribute awsRoles, which gives its roles"
        assert until_refused(space, "RoleNotAllowed") == f"policy {house}: principal {space.name}: {why}"
        assert issuing_calls(sts, user) == []

    def test_two_policies_must_both_allow(
        self, admin: Administrator, space: Workspace, user: User, roles: dict[str, str], pod: Pod
    ) -> None:
        space.keys(user)
        admin.attributes(awsRoles=f"[{roles['admin']}, {roles['admin-ro']}]", night=roles["admin-ro"])
        admin.write("day", authorization=ROLES)
        admin.policy("night", authorization={"rolesFromAttribute": "night"})
        space.request("writer", role={"arn": roles["admin"]})
        until_refused(space, "RoleNotAllowed", "writer")
        space.request()
        assert until_issued(space)["roleArn"] == roles["admin-ro"]
        assert f":assumed-role/{user.name}-admin-ro/" in pod.identity()


class TestPrimaryAuthentication:
    """CAS: unknown user, no credentials, bad password; a code alone is nothing."""

    def test_no_keys_but_a_code(self, admin: Administrator, space: Workspace, sts: StrictSts, user: User) -> None:
        device = sts.device(user)
        admin.policy()
        space.request(mfa={"serialNumber": device.serial_number})
        give_code(space, device.code())
        space.until_reason("SecretNotFound")
        assert space.secret() is None
        assert calls_of_device(sts, device.serial_number) == 0

    @pytest.mark.parametrize(
        ("key", "reason"),
        [
            (lambda user: Key("AKIAIOSFODNN7EXAMPLE", user.secret_access_key), "InvalidAccessKey"),
            (lambda user: Key(user.access_key_id, "n0t-the-secret-of-this-user-0000"), "InvalidSecretKey"),
        ],
        ids=["unknown user", "bad password"],
    )
    def test_wrong_keys(
        self, admin: Administrator, space: Workspace, sts: StrictSts, user: User, key: Any, reason: str
    ) -> None:
        space.keys(key(user))
        admin.policy()
        space.request()
        expected = {reason, "AccessKeyNotActiveYet"}  # AWS may not know a new key yet
        eventually(lambda: space.condition().get("reason") in expected, f"one of {expected}")
        assert space.secret() is None
        asks_sts_no_more(sts, user, seconds=0.5)


def calls_of_device(sts: StrictSts, serial_number: str) -> int:
    """How often its codes were used."""
    return sts.counters().codes.get(serial_number, 0)
