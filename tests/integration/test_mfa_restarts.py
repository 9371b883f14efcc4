"""The operator ends in the midst of MFA, or loses an answer: no code is used twice, none that isn't needed."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from tests.integration.patience import eventually, throughout
from tests.integration.test_mfa import LONG, Registered, register, until_authenticated

if TYPE_CHECKING:
    from testbed.sts import StrictSts, User
    from tests.integration.conftest import Launch
    from tests.integration.kube import Json
    from tests.integration.workspace import Pod, Workspace

NUMBERS = itertools.count(1)
pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def registered(space: Workspace, sts: StrictSts, user: User) -> Registered:
    """The test's device; its user's keys are in the namespace."""
    space.keys(user)
    return register(space, sts, user)


def with_a_fault(space: Workspace, sts: StrictSts, name: str, kind: str, phase: str) -> Registered:
    """A request with a user and a device of its own, for whose first call the fault is meant."""
    user = sts.user(f"unlucky-{next(NUMBERS)}")
    space.keys(user, f"{name}-iam")
    device = register(space, sts, user, name)
    sts.fault(kind, phase=phase, access_key_id=user.access_key_id, count=1)
    space.request(name, keys=f"{name}-iam", mfa=device.spec)
    return device


def recorded_steps(space: Workspace) -> dict[str, int]:
    """The last step of each device that is on record."""
    listed: Json = space.api.get(f"/api/v1/namespaces/{space.name}/secrets?labelSelector=awssts.dev/type=record") or {}
    notes = [item["metadata"]["annotations"] for item in listed["items"]]
    return {note["awssts.dev/mfa-device"]: int(note["awssts.dev/totp-step"]) for note in notes}


def test_a_restart_needs_no_code(
    launch: Launch, sts: StrictSts, space: Workspace, user: User, registered: Registered
) -> None:
    """Nor does a target that was deleted meanwhile, nor another request of the same device."""
    space.request(mfa=registered.spec)
    space.request("again", mfa=registered.spec)
    operator = launch()
    operator.start()
    until_authenticated(space, "reports", "again")
    held = space.held_key()
    assert operator.stop() == 0

    space.delete_secret("again")
    space.request("another", mfa=registered.spec)
    sts.reset_counters()
    operator.start()
    until_authenticated(space, "reports", "another")
    eventually(lambda: space.held_key("again") == held, "the deleted Secret is there again")  # its status never told
    assert {space.held_key(name) for name in ("reports", "another")} == {held}
    throughout(lambda: sts.counters().total() == 0, "a call to STS", seconds=3)


def test_killed_with_codes_under_way(launch: Launch, sts: StrictSts, space: Workspace, user: User) -> None:
    """The operator that follows can't know what became of them: it takes later ones."""
    phases = {"looked-at": "arrival", "burnt": "code", "issued": "answer"}
    devices = {name: with_a_fault(space, sts, name, "hang", phase) for name, phase in phases.items()}
    sts.reset_counters()
    operator = launch()
    operator.start()
    eventually(lambda: sts.counters().with_code == len(devices), "a call with a code for each", timeout=LONG)
    before = recorded_steps(space)
    operator.kill()
    sts.clear_faults()
    operator.start()
    until_authenticated(space, *devices)
    after = recorded_steps(space)
    for device in devices.values():
        assert not any(call.reused_code for call in device.calls)
        assert [call.result for call in device.calls] == ["Gone", "Success"]
        assert after[device.device.serial_number] > before[device.device.serial_number]


def test_answers_that_do_not_come(launch: Launch, sts: StrictSts, space: Workspace, user: User) -> None:
    """The code is burnt: no retry of the SDK's sends it again; ours takes the next step."""
    faults = {
        "lost-early": ("drop", "code"),
        "lost-late": ("drop", "answer"),
        "garbled": ("garbage", "answer"),
        "failed": ("internal-failure", "code"),
        "throttled": ("throttle", "code"),
        "never": ("hang", "code"),  # until the operator's patience ends
    }
    devices = {name: with_a_fault(space, sts, name, *fault) for name, fault in faults.items()}
    with launch():
        until_authenticated(space, *devices)
    for device in devices.values():
        assert not any(call.reused_code for call in device.calls)
        assert [call.result == "Success" for call in device.calls] == [False, True]


def test_ended_with_a_code_under_way(
    launch: Launch, sts: StrictSts, space: Workspace, user: User, registered: Registered, pod: Pod
) -> None:
    """SIGTERM: what STS gives is still written, and the next operator needs no code."""
    operator = launch()
    operator.start()
    sts.fault("slow", seconds=4, access_key_id=user.access_key_id, count=1)
    sts.reset_counters()
    space.request(mfa=registered.spec)
    eventually(lambda: sts.counters().concurrent_max > 0, "a call to STS", timeout=LONG)
    assert operator.stop() == 0
    assert pod.identity() == user.arn
    operator.start()
    until_authenticated(space)
    assert registered.used(codes=1)
