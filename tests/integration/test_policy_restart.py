"""A restart under policies: no call to STS, no write, and no read for each object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integration import policies
from tests.integration.patience import eventually, throughout
from tests.integration.policies import TOTP, give_code, issuing_calls, mfa, until_code_wanted, until_issued

if TYPE_CHECKING:
    from testbed.sts import Device, StrictSts, User
    from tests.integration.audit import Audit
    from tests.integration.conftest import Launch
    from tests.integration.policies import Administrator
    from tests.integration.workspace import Workspace

admin, device = policies.admin, policies.device

MANY = 50
ON_PRODUCTION = mfa(TOTP, principalAttribute={"names": ["stage"], "value": "production"})


@pytest.mark.parametrize(
    "spec",
    [
        {
            "principal": {"sources": ["Namespace", "Secret"]},
            "authorization": {"principalAttribute": {"name": "team"}},
            "limits": {"maxDuration": "6h"},
            "mfa": ON_PRODUCTION,
        },
        {
            "principal": {"sources": ["IamUserTags"]},
            "authorization": {"principalAttribute": {"name": "team"}},
            "mfa": ON_PRODUCTION,
        },
    ],
    ids=["Namespace", "IamUserTags"],
)
def test_fifty_live_requests(
    *,
    launch: Launch,
    admin: Administrator,
    space: Workspace,
    sts: StrictSts,
    audit: Audit,
    spec: dict[str, Any],
) -> None:
    user = sts.user(f"{space.name}-tagged", tags={"team": "gold"})
    space.keys(user)
    admin.attributes(team="gold")
    admin.write(**spec)
    names = [f"reports-{number}" for number in range(MANY)]
    for name in names:
        space.request(name)
    operator = launch(environment={"AWS_ENDPOINT_URL_IAM": sts.endpoint})
    operator.start()
    held = {name: until_issued(space, name)["accessKeyId"] for name in names}
    eventually(lambda: audit.asked(space.name)["create events"] == MANY, "the last Event")
    assert operator.stop() == 0

    audit.mark()
    sts.reset_counters()
    operator.start()
    opened = {f"watch {kind}" for kind in ("awsstsrequests", "awsstspolicies", "namespaces", "secrets")}
    eventually(lambda: opened <= set(audit.asked()), "the watches")
    throughout(lambda: sts.counters().total() == 0, "a call to STS", seconds=3)
    assert audit.asked(space.name) == {}
    listed = {what: number for what, number in audit.asked().items() if what.startswith(("list", "watch"))}
    assert sum(listed.values()) < 20, listed  # however many requests there are
    assert {name: space.held_key(name) for name in names} == held

    space.renew(names[0])
    space.until_renewed(held[names[0]], names[0])
    assert len(issuing_calls(sts, user)) == 1


def test_a_policy_that_became_stricter_while_it_was_away(
    launch: Launch, admin: Administrator, space: Workspace, sts: StrictSts, user: User, device: Device
) -> None:
    space.keys(user)
    admin.write()
    space.request(mfa={"serialNumber": device.serial_number, "when": "Triggered"})
    operator = launch()
    operator.start()
    held = until_issued(space)["accessKeyId"]
    operator.stop()
    admin.write(mfa=mfa())
    operator.start()
    until_code_wanted(space)
    assert space.held_key() == held
    operator.stop()  # and the question is asked again, not the credentials replaced
    operator.start()
    give_code(space, device.code())
    space.until_renewed(held)
    assert [call.with_code for call in issuing_calls(sts, user)] == [False, True]


def test_a_policy_that_was_made_anew_while_it_was_away(
    launch: Launch, admin: Administrator, space: Workspace, sts: StrictSts, user: User
) -> None:
    space.keys(user)
    admin.write()
    space.request()
    operator = launch()
    operator.start()
    held = until_issued(space)["accessKeyId"]
    operator.stop()
    admin.remove()
    admin.write(mfa=mfa(TOTP))
    operator.start()
    policies.until_failing(space, "DeviceMissing", timeout=20)
    assert space.held_key() == held
    assert len(issuing_calls(sts, user)) == 1
