"""Codes at the gateway: who has to give them, each good once, and what a login's code is good for beside it."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from testbed.sts.totp import STEP
from tests.integration import gateways, kube, policies
from tests.integration.gateways import PASSWORD, People
from tests.integration.patience import eventually
from tests.integration.policies import issuing_calls, until_issued
from tests.integration.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.cluster import Cluster
    from testbed.sts import Device, StrictSts, User
    from tests.integration.conftest import Launch
    from tests.integration.gateways import Place
    from tests.integration.policies import Administrator

place, gateway, people, device = gateways.place, gateways.gateway, gateways.people, policies.device
NEXT = 401, "Authentication failed: the MFA code was wrong or has been used; give the next one"


@pytest.fixture
def admin(cluster: Cluster, people: People) -> Iterator[Administrator]:
    made = policies.Administrator(cluster, people.space.name)
    yield made
    made.remove()
    people.settle()


def needed(device: Device) -> tuple[int, str]:
    return 401, f"Authentication failed: a code of {device.serial_number} is needed; give it as token"


def codes_used(sts: StrictSts, device: Device) -> int:
    return sts.counters().codes.get(device.serial_number, 0)


def reused(sts: StrictSts, user: User) -> int:
    return sum(call.reused_code for call in issuing_calls(sts, user))


def fresh_step() -> int:
    """The step, once there is time in it for some calls."""
    eventually(lambda: STEP - time.time() % STEP > 12, "a step with time in it", timeout=40)
    return int(time.time() // STEP)


def test_a_person(people: People, sts: StrictSts, user: User, device: Device) -> None:
    """A missing code is told, also to programs; each login needs its own, and each is good once."""
    anna = people.add(keys=user, mfa={"serialNumber": device.serial_number})
    people.settle()
    assert people.call(anna).said == needed(device)
    assert json.loads(people.call(anna, accept="application/json").text) == {
        "reason": "CodeNeeded",
        "message": needed(device)[1],
        "needed": ["token"],
        "serialNumber": device.serial_number,
    }
    assert issuing_calls(sts, user) == []
    fresh_step()
    code = device.code()
    answer = people.call(anna, token=f"{code[:3]} {code[3:]}")
    assert people.identity(answer) == user.arn
    assert people.call(anna).said == needed(device)  # the session is kept, and not for those with the password alone
    assert people.call(anna, token=code).said == NEXT
    assert reused(sts, user) == 0
    assert people.call(anna, token="000000").said == NEXT


def test_one_code_for_two_at_once(people: People, sts: StrictSts, user: User, device: Device) -> None:
    anna = people.add(keys=user, mfa={"serialNumber": device.serial_number})
    people.settle()
    fresh_step()
    code = device.code()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: people.call(anna, token=code), range(4)))
    assert sorted(answer.status for answer in answers) == [200, 401, 401, 401]
    assert reused(sts, user) == 0
    assert codes_used(sts, device) == 1


def test_the_device_of_the_call(people: People, sts: StrictSts, user: User, device: Device) -> None:
    """CAS's way: the call names it. Where the user's Secret does, no other will do."""
    anna, berta = people.add(keys=user), people.add(keys=user, mfa={"serialNumber": device.serial_number})
    people.settle()
    fresh_step()
    query = {"serialNumber": device.serial_number, "token": device.code()}
    assert people.identity(people.call(anna, query=query)) == user.arn
    other = people.call(berta, serialNumber=device.serial_number + "2", token="123456")
    assert other.said == (401, "Authentication failed: serialNumber is not that of your device")
    assert [call.with_code for call in issuing_calls(sts, user)] == [True]


def test_a_role_with_a_code(people: People, sts: StrictSts, user: User, device: Device) -> None:
    role = sts.role(f"{user.name}-mfa", user.arn)
    anna = people.add(keys=user, mfa={"serialNumber": device.serial_number})
    people.settle()
    fresh_step()
    answer = people.call(anna, roleArn=role, token=device.code())
    assert f":assumed-role/{user.name}-mfa/" in people.identity(answer)
    assert people.call(anna, roleArn=role).said == needed(device)


def test_a_seed(people: People, sts: StrictSts, user: User, device: Device) -> None:
    """The gateway makes the code; logins share its session, as requests do."""
    people.space.secret_of("anna-seed", {"seed": device.seed})
    mfa = {"serialNumber": device.serial_number, "totpSecretRef": {"name": "anna-seed"}}
    anna = people.add(keys=user, mfa=mfa)
    people.settle()
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: people.call(anna), range(5)))
    assert {answer.key for answer in answers} == {answers[0].key}
    assert people.identity(answers[0]) == user.arn
    assert codes_used(sts, device) == 1


def test_a_policy_demands_a_person(
    people: People, admin: Administrator, sts: StrictSts, user: User, device: Device
) -> None:
    """A seed does not do, nor does a user without a device; who asks for more than there is gets nothing."""
    people.space.secret_of("berta-seed", {"seed": device.seed})
    mfa = {"serialNumber": device.serial_number, "totpSecretRef": {"name": "berta-seed"}, "when": "Triggered"}
    berta, clara = people.add(keys=user, mfa=mfa), people.add(keys=user)
    admin.write(mfa=policies.mfa())
    people.settle()
    assert people.call(berta).said == needed(device)
    assert people.call(clara).status == 403
    fresh_step()
    assert people.identity(people.call(berta, token=device.code())) == user.arn
    assert people.call(berta).said == needed(device)


def test_asks_for_mfa_himself(people: People, admin: Administrator, user: User, device: Device) -> None:
    """CAS: authn_method."""
    mfa = {"serialNumber": device.serial_number, "when": "Triggered"}
    anna = people.add(keys=user, mfa=mfa)
    admin.write(mfa=policies.mfa(policies.PERSON, optIn={}))
    people.settle()
    assert people.call(anna).status == 200
    assert people.call(anna, query={"authn_method": "person"}).said == needed(device)
    assert people.call(anna, authn_method="nonsense").status == 403


def test_codes_are_shared_with_the_operator(
    people: People, launch: Launch, sts: StrictSts, user: User, device: Device
) -> None:
    """One device: its seed is with a request, its owner logs in. A login's code serves the request, and none is used
    by both."""
    people.space.secret_of("team-seed", {"seed": device.seed})
    anna = people.add(keys=user, mfa={"serialNumber": device.serial_number})
    people.settle()
    fresh_step()
    key = people.call(anna, token=device.code()).key
    mfa = {"serialNumber": device.serial_number, "totpSecretRef": {"name": "team-seed"}}
    space = Workspace(people.space.api, people.space.name)
    with launch():
        space.request("team", keys=f"{anna}-iam", mfa=mfa)
        status = until_issued(space, "team", timeout=120)
        assert status["accessKeyId"] == key
        space.renew("team")
        space.until_renewed(key, "team", timeout=120)
        answer = people.call(anna, token=device.code())
        assert answer.said == NEXT or answer.status == 200, "the operator's own code, or that of a step that just began"
        assert reused(sts, user) == 0, "the record tells the gateway of the operator's code"
        spent = int(time.time() // STEP)
        eventually(lambda: fresh_step() > spent, "another code", timeout=2 * STEP)
        assert people.call(anna, token=device.code()).status == 200
    space.delete_request("team")
    space.api.delete(kube.path(kube.SECRETS, space.name, "team"))


def test_a_code_that_is_remembered(place: Place, user: User, device: Device, sts: StrictSts) -> None:
    """Asked for by --mfa-remember: for the same user from the same address."""
    with place.gateway("--mfa-remember=1h") as running:
        people = People(place.space, place.sts, running)
        anna = people.add(keys=user, mfa={"serialNumber": device.serial_number})
        people.settle()
        assert people.call(anna).said == needed(device)
        fresh_step()
        key = people.call(anna, token=device.code()).key
        assert people.call(anna).key == key
        assert people.call(anna, address="10.200.0.1").said == needed(device)
        assert people.call(anna, "wrong").said == (401, "Authentication failed")
    assert codes_used(sts, device) == 1
    assert PASSWORD not in running.said()
