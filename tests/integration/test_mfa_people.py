"""A person's MFA code on the real API: asked for, given by an annotation, tried once; the old credentials stay."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from testbed.sts import allow
from tests.integration.patience import eventually, throughout
from tests.integration.test_mfa import LONG, WITH_MFA, Registered, until_authenticated
from tests.integration.workspace import Pod

if TYPE_CHECKING:
    from testbed.cluster import Cluster
    from testbed.sts import StrictSts, User
    from tests.integration.operator_process import OperatorProcess
    from tests.integration.workspace import Workspace

CODE = "awssts.dev/token-code"


@pytest.fixture
def phone(space: Workspace, sts: StrictSts, user: User) -> Registered:
    """A device of which nobody but a person has the seed."""
    space.keys(user)
    return Registered(sts.device(user), "", sts)


def spec(phone: Registered) -> dict[str, str]:
    return {"serialNumber": phone.device.serial_number}


def give(cluster: Cluster, space: Workspace, code: str) -> None:
    """As people without `awssts mfa` do."""
    cluster.kubectl("annotate", "awssts", "reports", f"--namespace={space.name}", "--overwrite", f"{CODE}={code}")


def until_asked(space: Workspace, *, says: str = "a code of") -> None:
    """Returns once a code is wanted, and the last one was taken."""

    def told() -> bool:
        found = space.condition(kind="MFASatisfied")
        waits = (found.get("status"), found.get("reason")) == ("False", "AwaitingTokenCode")
        return waits and says in found["message"] and not annotated(space)

    eventually(told, f"{space.name}/reports asks for a code and says {says!r}")


def until_told(space: Workspace, *reasons: str) -> None:
    """Returns once there are Events of those reasons; others may not be there, then or soon after."""
    eventually(lambda: len(space.events()) >= len(reasons), f"Events: {reasons}")
    throughout(lambda: tuple(reason for _, reason in space.events()) == reasons, f"no Events but {reasons}", seconds=2)


def annotated(space: Workspace) -> bool:
    found = space.api.get(f"/apis/awssts.dev/v1alpha1/namespaces/{space.name}/awsstsrequests/reports") or {}
    return CODE in (found["metadata"].get("annotations") or {})


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06}"


@pytest.mark.usefixtures("operator")
def test_a_code_is_asked_for_and_given(
    cluster: Cluster, space: Workspace, phone: Registered, pod: Pod, user: User
) -> None:
    space.request(mfa=spec(phone))
    until_asked(space)
    until_told(space, "AwaitingTokenCode")
    ready = space.condition()
    assert (ready["status"], ready["reason"]) == ("False", "AwaitingTokenCode")
    assert f"awssts mfa -n {space.name} reports" in ready["message"]
    assert phone.calls == []

    give(cluster, space, phone.device.code())
    until_authenticated(space)
    assert not annotated(space)
    assert pod.identity() == user.arn
    assert phone.used(codes=1)
    until_told(space, "AwaitingTokenCode", "Issued")


@pytest.mark.usefixtures("operator")
def test_a_wrong_code_is_tried_once(cluster: Cluster, space: Workspace, phone: Registered) -> None:
    space.request(mfa=spec(phone))
    until_asked(space)
    give(cluster, space, wrong(phone.device.code()))
    until_asked(space, says="the last code was wrong or had been used before")
    throughout(lambda: len(phone.calls) == 1, "one call for one code", seconds=3)
    give(cluster, space, phone.device.code())
    until_authenticated(space)
    assert [call.result for call in phone.calls] == ["AccessDenied", "Success"]


@pytest.mark.usefixtures("operator")
@pytest.mark.parametrize("typed", ["12345", "code"])
def test_a_code_that_is_none(cluster: Cluster, space: Workspace, phone: Registered, typed: str) -> None:
    """It is taken away, it says why, and another is asked for."""
    space.request(mfa=spec(phone))
    until_asked(space)
    give(cluster, space, typed)
    until_asked(space, says="six digits")
    assert phone.calls == []
    code = phone.device.code()
    give(cluster, space, f"{code[:3]} {code[3:]}")  # as apps show it
    until_authenticated(space)
    assert phone.used(codes=1)


@pytest.mark.usefixtures("operator")
def test_the_old_credentials_stay(cluster: Cluster, space: Workspace, phone: Registered, pod: Pod, user: User) -> None:
    space.request(mfa=spec(phone))
    until_asked(space)
    give(cluster, space, phone.device.code())
    until_authenticated(space)
    old = space.held_key()

    space.renew()
    until_asked(space)
    ready = space.condition()
    assert (ready["status"], ready["reason"]) == ("True", "RenewalFailing")
    give(cluster, space, wrong(phone.device.code()))
    until_asked(space, says="wrong")
    assert space.held_key() == old
    assert pod.identity() == user.arn

    fresh = eventually(lambda: other_code(phone), "the next code", timeout=LONG)
    give(cluster, space, fresh)
    space.until_renewed(old)
    until_authenticated(space)
    assert pod.identity() == user.arn


def other_code(phone: Registered) -> str:
    """The device's code, once it is another than the one that was used."""
    accepted = [call for call in phone.calls if call.result == "Success"]
    code = phone.device.code()
    return code if code != phone.device.code(accepted[-1].time) else ""


def test_a_role_for_half_a_day_from_one_code(
    cluster: Cluster, operator: OperatorProcess, sts: StrictSts, space: Workspace, user: User, phone: Registered
) -> None:
    """Each hour anew from the session of 12 h; also by the operator that comes after."""
    role = sts.role(f"{user.name}-reports", {"Statement": [allow(user.arn, condition=WITH_MFA)]})
    pod = Pod(space, sts)
    space.request(mfa=spec(phone), role={"arn": role})
    until_asked(space)
    give(cluster, space, phone.device.code())
    until_authenticated(space)

    def renew_thrice() -> None:
        for _ in range(3):
            old = space.held_key()
            space.renew()
            space.until_renewed(old)
            until_authenticated(space)
            assert ":assumed-role/" in pod.identity()

    renew_thrice()
    assert operator.stop() == 0
    operator.start()
    renew_thrice()
    assert phone.used(codes=1)
    assert phone.calls[0].duration_seconds == 43_200
    assert len(pod.seen) == 6
    assert phone.device.code(phone.calls[0].time) not in operator.said().replace('"', " ").split()


@pytest.mark.usefixtures("operator")
def test_the_next_code_is_asked_for_before_the_session_ends(
    cluster: Cluster, sts: StrictSts, space: Workspace, user: User, phone: Registered
) -> None:
    """The role's credentials are whole, and stay so; the session behind them comes into its last third."""
    role = sts.role(f"{user.name}-reports", trust=user.arn)
    until_the_last_third = 20  # seconds; long enough to see that nothing is asked for before
    lives = 900 / 3 + until_the_last_third
    sts.fault("expiry", seconds=lives, operation="GetSessionToken", access_key_id=user.access_key_id, count=1)
    space.request(mfa=spec(phone) | {"sessionDuration": "15m"}, role={"arn": role})
    until_asked(space)
    give(cluster, space, phone.device.code())
    until_authenticated(space)

    until_asked(space, says="before the MFA session ends at")
    ready = space.condition()
    assert (ready["status"], ready["reason"]) == ("True", "Issued")
    until_told(space, "AwaitingTokenCode", "Issued", "AwaitingTokenCode")


@pytest.mark.usefixtures("operator")
def test_one_code_for_all_that_wait(cluster: Cluster, space: Workspace, phone: Registered) -> None:
    names = ["reports", *(f"reports-{number}" for number in range(10))]
    for name in names:
        space.request(name, mfa=spec(phone))
    until_asked(space)
    give(cluster, space, phone.device.code())
    until_authenticated(space, *names)
    assert phone.used(codes=1)


@pytest.mark.usefixtures("operator")
def test_the_code_is_in_no_event_and_no_status(cluster: Cluster, space: Workspace, phone: Registered) -> None:
    space.request(mfa=spec(phone))
    until_asked(space)
    code = wrong(phone.device.code())
    give(cluster, space, code)
    until_asked(space, says="wrong")
    events = space.api.get(f"/api/v1/namespaces/{space.name}/events")
    assert code not in json.dumps([space.status(), [event["message"] for event in (events or {})["items"]]])
