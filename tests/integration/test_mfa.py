"""Unattended MFA on a strict TOTP check, in real time: a new code each 30 s, each used once, shared where it can be."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from testbed.sts import allow
from tests.integration import kube
from tests.integration.patience import eventually

if TYPE_CHECKING:
    from testbed.sts import Device, StrictSts, User
    from testbed.sts.journal import Call
    from tests.integration.audit import Audit
    from tests.integration.kube import Json
    from tests.integration.operator_process import OperatorProcess
    from tests.integration.workspace import Pod, Workspace

STEP = 30  # seconds
NO_SECOND_TRY = pytest.mark.flaky(reruns=0)  # what is promised of codes holds each time; it goes before --reruns
LONG = 150  # seconds: some steps, on a machine that is busy with other tests
WITH_MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}


@dataclass(frozen=True)
class Registered:
    """A device, and the Secret with its seed."""

    device: Device
    secret: str
    sts: StrictSts

    @property
    def spec(self) -> Json:
        """``spec.mfa``"""
        return {"serialNumber": self.device.serial_number, "totpSecretRef": {"name": self.secret}}

    @property
    def calls(self) -> list[Call]:
        """The calls with it, in order."""
        return [call for call in self.sts.calls() if call.serial_number == self.device.serial_number]

    def used(self, codes: int) -> bool:
        """Whether exactly so many codes were used, each once, and all accepted."""
        results = [(call.with_code, call.reused_code, call.result) for call in self.calls]
        assert results == [(True, False, "Success")] * codes, results
        return True


def register(
    space: Workspace, sts: StrictSts, user: User, name: str = "reports", *, algorithm: str = "SHA1"
) -> Registered:
    """A new device of the user, with its seed in a Secret as an otpauth:// URI."""
    device = sts.device(user, algorithm, name=f"{user.name}-{name}")
    uri = f"otpauth://totp/Amazon:{name}@example?secret={device.seed}&issuer=Amazon&algorithm={algorithm}"
    space.secret_of(f"{name}-mfa", {"seed": uri})
    return Registered(device, f"{name}-mfa", sts)


def authenticated(status: Json) -> bool:
    """Whether credentials are there by a code, and nothing is wanted or wrong."""
    told = {held["type"]: (held["status"], held["reason"]) for held in status.get("conditions", ())}
    return told == {"Ready": ("True", "Issued"), "MFASatisfied": ("True", "Authenticated")}


def until_authenticated(space: Workspace, *names: str, timeout: float = LONG) -> None:
    """Returns once that holds for all requests of those names."""

    def missing() -> list[Any]:
        listed = space.api.get(kube.path(kube.REQUESTS, space.name)) or {}
        found = {item["metadata"]["name"]: item.get("status") or {} for item in listed["items"]}
        asked = {name: found[name] for name in names or ["reports"]}
        return [(name, status.get("conditions")) for name, status in asked.items() if not authenticated(status)]

    try:
        eventually(lambda: not missing(), f"{space.name}: all are authenticated", timeout=timeout)
    except AssertionError as late:
        late.add_note(f"not yet: {missing()[:3]}")
        raise


@pytest.fixture
def registered(space: Workspace, sts: StrictSts, user: User) -> Registered:
    """The test's device; its user's keys are in the namespace."""
    space.keys(user)
    return register(space, sts, user)


@pytest.mark.usefixtures("operator")
@pytest.mark.parametrize(
    "times", [3, pytest.param(10, marks=[pytest.mark.slow, pytest.mark.timeout(900)])], ids=["3 times", "10 times"]
)
@pytest.mark.timeout(400)
@NO_SECOND_TRY
def test_renewed_in_a_row(space: Workspace, registered: Registered, pod: Pod, user: User, times: int) -> None:
    space.request(mfa=registered.spec)
    until_authenticated(space)
    for _ in range(times - 1):
        old = space.held_key()
        assert pod.identity() == user.arn
        space.renew()
        space.until_renewed(old, timeout=LONG)
        until_authenticated(space)
    assert pod.identity() == user.arn
    assert registered.used(codes=times)


@pytest.mark.usefixtures("operator")
@NO_SECOND_TRY
def test_fifty_requests_on_one_device(space: Workspace, registered: Registered, audit: Audit) -> None:
    names = [f"reports-{number}" for number in range(50)]
    begin = time.monotonic()
    for name in names:
        space.request(name, mfa=registered.spec)
    until_authenticated(space, *names)
    took = time.monotonic() - begin
    assert took < 35, f"{took:.1f} s"
    assert registered.used(codes=1)
    assert len({space.held_key(name) for name in names}) == 1

    asked = audit.asked(space.name)
    assert asked["patch secrets"] <= len(names) + 2, asked  # the step and the session
    assert asked["patch awsstsrequests/status"] <= 2 * len(names), asked  # that it waits, and that it has them
    assert asked["get secrets"] <= 8 * len(names), asked


@pytest.mark.usefixtures("operator")
def test_twenty_devices_do_not_wait_for_each_other(space: Workspace, sts: StrictSts, user: User) -> None:
    space.keys(user)
    names = [f"reports-{number}" for number in range(20)]
    devices = [register(space, sts, user, name) for name in names]
    begin = time.monotonic()
    for name, device in zip(names, devices, strict=True):
        space.request(name, mfa=device.spec)
    until_authenticated(space, *names)
    took = time.monotonic() - begin
    assert took < STEP + 10, f"{took:.1f} s"
    assert all(device.used(codes=1) for device in devices)


@pytest.mark.usefixtures("operator")
def test_every_kind_of_seed(space: Workspace, sts: StrictSts, user: User) -> None:
    """As IAM gives it, as people copy it, and with the algorithms that other makers' devices have."""
    space.keys(user)
    devices = {
        "sha1": register(space, sts, user, "sha1"),
        "sha256": register(space, sts, user, "sha256", algorithm="SHA256"),
        "sha512": register(space, sts, user, "sha512", algorithm="SHA512"),
        "plain": register(space, sts, user, "plain"),
        "typed": register(space, sts, user, "typed"),
    }
    plain, typed = devices["plain"].device.seed, devices["typed"].device.seed.lower()
    space.secret_of("plain-mfa", {"seed": f"{plain}\n"})
    space.secret_of("typed-mfa", {"seed": " ".join(typed[start : start + 4] for start in range(0, len(typed), 4))})
    for name, device in devices.items():
        space.request(name, mfa=device.spec)
    until_authenticated(space, *devices)
    assert all(device.used(codes=1) for device in devices.values())


@pytest.mark.usefixtures("operator")
def test_a_role_of_an_hour_from_a_session(
    space: Workspace, sts: StrictSts, user: User, registered: Registered, pod: Pod
) -> None:
    """Renewals of the role need no other code while the session lasts."""
    role = sts.role(f"{user.name}-reports", {"Statement": [allow(user.arn, condition=WITH_MFA)]})
    space.request(mfa=registered.spec, role={"arn": role})
    until_authenticated(space)
    for _ in range(3):
        old = space.held_key()
        space.renew()
        space.until_renewed(old)
    assert ":assumed-role/" in pod.identity()
    assert registered.used(codes=1)
    assert registered.calls[0].operation == "GetSessionToken"


@pytest.mark.usefixtures("operator")
def test_a_role_of_two_hours_takes_a_code_itself(
    space: Workspace, sts: StrictSts, user: User, registered: Registered, pod: Pod
) -> None:
    """A session can't give a role for more than an hour."""
    trust = {"Statement": [allow(user.arn, condition=WITH_MFA)]}
    role = sts.role(f"{user.name}-reports", trust, max_session_duration=7_200)
    space.request(mfa=registered.spec, role={"arn": role}, duration="2h")
    until_authenticated(space)
    assert ":assumed-role/" in pod.identity()
    assert registered.used(codes=1)
    (call,) = registered.calls
    assert (call.operation, call.duration_seconds) == ("AssumeRole", 7_200)


@pytest.mark.usefixtures("operator")
def test_another_key_takes_another_session(
    space: Workspace, sts: StrictSts, user: User, registered: Registered, pod: Pod
) -> None:
    """The session of the old key goes; a key that is taken away shall not live on in it."""
    space.request(mfa=registered.spec)
    until_authenticated(space)
    old = space.held_key()
    made = sts.iam.create_access_key(UserName=user.name)["AccessKey"]
    pair = {"aws_access_key_id": made["AccessKeyId"], "aws_secret_access_key": made["SecretAccessKey"]}
    space.secret_of("reports-iam", pair, labels={"awssts.dev/type": "credentials"})
    new = space.until_renewed(old, timeout=LONG)
    until_authenticated(space)
    assert [call.access_key_id for call in registered.calls] == [user.access_key_id, made["AccessKeyId"]]
    assert registered.used(codes=2)
    held = "".join(session_secret(space).values())
    assert new in held
    assert str(old) not in held


@pytest.mark.usefixtures("operator")
def test_a_session_secret_that_is_deleted_costs_a_code(
    space: Workspace, sts: StrictSts, user: User, registered: Registered
) -> None:
    role = sts.role(f"{user.name}-reports", trust=user.arn)
    space.request(mfa=registered.spec, role={"arn": role})
    until_authenticated(space)
    old = space.held_key()
    space.delete_secret(session_metadata(space)["name"])
    assert space.held_key() == old
    space.renew()
    space.until_renewed(old, timeout=LONG)
    until_authenticated(space)
    assert registered.used(codes=2)


@pytest.mark.usefixtures("operator")
def test_a_target_that_is_deleted_comes_back_from_the_session(space: Workspace, registered: Registered) -> None:
    space.request(mfa=registered.spec)
    until_authenticated(space)
    old = space.held_key()
    space.delete_secret()
    eventually(lambda: space.held_key() == old, "the same credentials again")
    assert registered.used(codes=1)


def test_no_code_is_in_the_log(space: Workspace, registered: Registered, operator: OperatorProcess) -> None:
    """Seeds, keys and tokens are looked for at the end of all tests; codes are too short for that."""
    begin = int(time.time())
    space.request(mfa=registered.spec)
    until_authenticated(space)
    codes = {registered.device.code(moment) for moment in range(begin - STEP, int(time.time()) + STEP, STEP // 2)}
    words = set(operator.said().replace('"', " ").replace("=", " ").replace("'", " ").split())
    assert not codes & words


def session_metadata(space: Workspace) -> Json:
    """Of the namespace's one session Secret."""
    listed = space.api.get(kube.path(kube.SECRETS, space.name) + "?labelSelector=awssts.dev/type=session") or {}
    (found,) = listed["items"]
    metadata: Json = found["metadata"]
    return metadata


def session_secret(space: Workspace) -> dict[str, str]:
    """Its data."""
    return space.secret(session_metadata(space)["name"]) or {}
