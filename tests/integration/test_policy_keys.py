"""The administrator's own keys, lent to principals who have none: what the owner of the namespace writes counts
for nothing then, and what is kept of those keys is not in his reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integration import kube, policies
from tests.integration.policies import (
    ATTRIBUTE,
    asks_sts_no_more,
    give_code,
    issuing_calls,
    mfa,
    until_authorized,
    until_code_wanted,
    until_issued,
    until_refused,
)
from tests.integration.workspace import Pod, Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.sts import Device, StrictSts, User
    from tests.integration.kube import Api
    from tests.integration.policies import Administrator

admin, device = policies.admin, policies.device
pytestmark = pytest.mark.usefixtures("operator")

SOURCES = {"sources": ["Namespace", "Secret"]}


class Lender:
    """The namespace with the administrator's keys, the roles they can assume, and the policies that lend them."""

    def __init__(self, admin: Administrator, api: Api, sts: StrictSts, user: User) -> None:
        self.space = Workspace(api, f"{admin.namespace}-lender")
        admin.create_namespace(self.space.name)
        self.space.keys(user, "lender-iam")
        self.roles = {name: sts.role(f"{user.name}-{name}", user.arn) for name in ("reader", "admin")}
        self._admin = admin

    def lends(self, name: str = "house", **spec: Any) -> str:
        """Write the policy."""
        keys = {"namespace": self.space.name, "secretName": "lender-iam", "allow": spec.pop("allow", [])}
        authorization = {"rolesFromAttribute": "awsRoles", **spec.pop("authorization", {})}
        return self._admin.policy(name, awsCredentials=keys, principal=SOURCES, authorization=authorization, **spec)

    def sessions(self) -> list[str]:
        return sessions_in(self.space)


def sessions_in(space: Workspace) -> list[str]:
    """The names of the session Secrets in a namespace."""
    listed = space.api.get(kube.path(kube.SECRETS, space.name)) or {}
    labels = {found["metadata"]["name"]: found["metadata"].get("labels") or {} for found in listed["items"]}
    return [name for name, held in labels.items() if held.get("awssts.dev/type") == "session"]


@pytest.fixture
def lender(admin: Administrator, api: Api, sts: StrictSts, user: User) -> Iterator[Lender]:
    made = Lender(admin, api, sts, user)
    yield made
    made.space.clear()


def test_the_role_is_the_principals(
    admin: Administrator, lender: Lender, space: Workspace, user: User, pod: Pod
) -> None:
    admin.attributes(awsRoles=lender.roles["reader"])
    house = lender.lends(limits={"maxDuration": "30m"})
    space.request(keys="none")
    assert until_issued(space)["roleArn"] == lender.roles["reader"]
    assert f":assumed-role/{user.name}-reader/" in pod.identity()
    assert until_authorized(space, "True", "Allowed") == f"allowed by {house}"


def test_never_a_session_of_the_administrators_user(
    lender: Lender, space: Workspace, sts: StrictSts, user: User
) -> None:
    lender.lends()
    space.request(keys="none")
    until_refused(space, "RoleNotAllowed")
    assert issuing_calls(sts, user) == []


class TestOwnersWord:
    """What the owner writes of himself is not believed."""

    @pytest.fixture
    def claims(self, lender: Lender, space: Workspace) -> None:
        """A Secret without keys, in which he says that he is an administrator."""
        space.secret_of("claims", {"attributes": f"awsRoles: ['{lender.roles['admin']}']\nteam: [staff]"})
        said = {ATTRIBUTE + "awsRoles": lender.roles["admin"], ATTRIBUTE + "team": "staff"}
        space.change_secret("claims", metadata={"annotations": said})

    @pytest.mark.usefixtures("claims")
    def test_gives_no_role(self, lender: Lender, space: Workspace, sts: StrictSts, user: User) -> None:
        house = lender.lends()
        space.request(keys="claims")
        why = "it has no trusted attribute awsRoles, which gives its roles"
        assert until_refused(space, "RoleNotAllowed") == f"policy {house}: principal {space.name}: {why}"
        assert issuing_calls(sts, user) == []

    @pytest.mark.usefixtures("claims")
    def test_gives_no_other_role(
        self, admin: Administrator, lender: Lender, space: Workspace, sts: StrictSts, user: User
    ) -> None:
        admin.attributes(awsRoles=lender.roles["reader"])
        lender.lends()
        space.request(keys="claims", role={"arn": lender.roles["admin"]})
        said = until_refused(space, "RoleNotAllowed")
        assert said.endswith(f"does not hold role {lender.roles['admin']}")
        assert issuing_calls(sts, user) == []

    @pytest.mark.usefixtures("claims")
    def test_does_not_authorize(self, admin: Administrator, lender: Lender, space: Workspace) -> None:
        admin.attributes(awsRoles=lender.roles["reader"])
        lender.lends(authorization={"principalAttribute": {"name": "team", "value": "staff"}})
        space.request(keys="claims")
        assert until_refused(space, "NotAuthorized").endswith("has no trusted attribute team")
        admin.attributes(team="staff")
        assert until_issued(space)["roleArn"] == lender.roles["reader"]


def test_who_is_at_work_is_not_the_owners_to_say(
    admin: Administrator, lender: Lender, space: Workspace, sts: StrictSts, user: User, pod: Pod
) -> None:
    admin.attributes(awsRoles=lender.roles["reader"])
    house = lender.lends()
    space.request(keys="none", role={"arn": lender.roles["reader"], "sessionName": "somebody-else"})
    why = "spec.role.sessionName must be left out, unless awsCredentials.allow names it"
    assert until_refused(space, "LimitExceeded") == f"policy {house}: with the administrator's keys {why}"
    assert issuing_calls(sts, user) == []
    lender.lends(allow=["sessionName"])
    until_issued(space)
    assert pod.identity().endswith("-reader/somebody-else")


def test_roots_are_not_lent(admin: Administrator, lender: Lender, space: Workspace, sts: StrictSts) -> None:
    root = sts.root_key()
    lender.space.keys(root, "lender-iam")
    admin.attributes(awsRoles=lender.roles["reader"])
    lender.lends()
    space.request(keys="none")
    assert until_refused(space, "LimitExceeded").startswith("the keys are those of an account's root user")
    assert issuing_calls(sts, root) == []


def test_own_keys_come_first(
    admin: Administrator, lender: Lender, space: Workspace, sts: StrictSts, user: User, pod: Pod
) -> None:
    """From lent keys to his own and back, with what each may."""
    own = sts.user(f"{user.name}-own")
    mine = sts.role(own.name, own.arn)
    admin.attributes(awsRoles=f"[{mine}, {lender.roles['reader']}]")
    lender.lends()
    space.keys(own)
    space.request(role={"arn": mine})
    until_issued(space)
    assert f":assumed-role/{own.name}/" in pod.identity()
    assert issuing_calls(sts, user) == []
    space.change(role={"arn": lender.roles["reader"]})
    space.until_reason("AccessDenied")  # his own user may not assume it
    space.change(credentialsSecretRef={"name": "none"})
    until_issued(space, timeout=30)
    assert f":assumed-role/{user.name}-reader/" in pod.identity()


class TestTrouble:
    """A problem with the administrator's Secret is his: its name and content are not the user's to know."""

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (None, "the Secret that the policy's awsCredentials name is not there: ask the administrator"),
            ({"aws_access_key_id": ""}, "the Secret that the policy's awsCredentials name holds no key: ask the "),
        ],
        ids=["no Secret", "no key in it"],
    )
    def test_with_the_keys(
        self, admin: Administrator, lender: Lender, space: Workspace, data: dict[str, str] | None, message: str
    ) -> None:
        lender.space.delete_secret("lender-iam")
        if data is not None:
            lender.space.secret_of("lender-iam", data)
        admin.attributes(awsRoles=lender.roles["reader"])
        lender.lends()
        space.request(keys="none")
        said = space.until_reason("SecretNotFound")["message"]
        assert said.startswith(message)
        assert "lender" not in said

    def test_is_over_once_they_are_there(
        self, admin: Administrator, lender: Lender, space: Workspace, user: User, pod: Pod
    ) -> None:
        lender.space.delete_secret("lender-iam")
        admin.attributes(awsRoles=lender.roles["reader"])
        lender.lends()
        space.request(keys="none")
        space.until_reason("SecretNotFound")
        lender.space.keys(user, "lender-iam")
        until_issued(space, timeout=90)  # it is looked at again at the latest after a minute
        assert f":assumed-role/{user.name}-reader/" in pod.identity()


class TestMfa:
    """With MFA, by a device of the administrator's user."""

    def test_sessions_are_kept_beside_the_keys(
        self,
        *,
        admin: Administrator,
        lender: Lender,
        space: Workspace,
        sts: StrictSts,
        user: User,
        device: Device,
        pod: Pod,
    ) -> None:
        admin.attributes(awsRoles=lender.roles["reader"])
        lender.lends(mfa=mfa())
        space.request(keys="none", mfa={"serialNumber": device.serial_number})
        until_code_wanted(space)
        give_code(space, device.code())
        until_issued(space)
        assert f":assumed-role/{user.name}-reader/" in pod.identity()
        assert [call.with_code for call in issuing_calls(sts, user)] == [True]
        assert (len(lender.sessions()), sessions_in(space)) == (1, [])

    def test_a_code_is_good_for_one_namespace(
        self,
        *,
        admin: Administrator,
        lender: Lender,
        space: Workspace,
        api: Api,
        sts: StrictSts,
        user: User,
        device: Device,
    ) -> None:
        """Who borrows the same keys elsewhere has not shown the device by that."""
        other = Workspace(api, f"{space.name}-other")
        admin.create_namespace(other.name)
        both = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": [space.name, other.name]}
        for name in (space.name, other.name):
            admin.attributes(name, awsRoles=lender.roles["reader"])
        lender.lends(mfa=mfa(), selector={"namespaceSelector": {"matchExpressions": [both]}})
        space.request(keys="none", mfa={"serialNumber": device.serial_number})
        until_code_wanted(space)
        give_code(space, device.code())
        until_issued(space)
        other.request(keys="none", mfa={"serialNumber": device.serial_number})
        try:
            until_code_wanted(other, timeout=20)
            asks_sts_no_more(sts, user)
            assert other.secret() is None
        finally:
            other.clear()
