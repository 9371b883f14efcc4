"""What a login is refused for before or after AWS is asked."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from awssts.domain import totp
from awssts.domain.callers import Caller
from awssts.domain.errors import AwsstsError, InvalidDevice, InvalidTokenCode
from awssts.domain.gateway import Asked
from awssts.domain.judgement import Judgement
from awssts.domain.policy import Decision, MfaDecision, MfaOutcome
from awssts.domain.policy.schema.mfa import Provider
from awssts.domain.policy.schema.resource import AwsCredentials
from awssts.domain.refusals import CodeNeeded, CodeRefused, DeviceRefused, TooMany
from awssts.domain.request import Identity
from awssts.services.audit import Audit
from awssts.services.devices import Devices
from awssts.services.gateway import Gateway, Terms
from awssts.services.house import House
from awssts.services.issuance import Issuance
from awssts.services.logins import Logins
from awssts.services.observations import Name
from awssts.services.obtaining import Bell, Obtaining
from awssts.services.sessions import Sessions
from awssts.services.slots import Slots
from tests.unit.builders import KEY, NOW, SERIAL, Json, key_data
from tests.unit.gateway.test_house import Registry, Tick
from tests.unit.gateway.test_logins import RIGHT, Passwords
from tests.unit.gateway.test_people import MFA, secret
from tests.unit.policy.samples import PUSH
from tests.unit.services.fakes import Clock, FakeCluster, FakeEvents, FakeSts, Fault

MINUTE = timedelta(minutes=1)


class Cluster(FakeCluster):
    """Has each code taken once."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._codes: dict[str, str] = {}  # by the uid of the login that they came with

    @contextmanager
    def offering(self, login: Identity, code: str) -> Iterator[Any]:
        self._codes[login.uid] = code
        yield lambda: login.uid in self._codes

    async def create_secret(self, body: Json) -> Json:
        return await self.apply_secret(body)

    async def take_token_code(self, identity: Identity, code: str) -> bool:
        return self._codes.pop(identity.uid, None) == code


class Waits(Bell):
    """Time passes where somebody waits."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    async def wait(self, _name: Name, seconds: float) -> None:
        self._clock.advance(timedelta(seconds=seconds))


class Endpoint:
    """Gives the code of its device's step, however often it is asked."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def code(self, *_: Any) -> str:
        return f"{totp.step_at(self._clock()) % 1_000_000:06}"


class Stage:
    """A gateway over made-up AWS and cluster, with one user."""

    def __init__(self, spec: str = "", judged: Judgement | None = None) -> None:
        clock, tick, registry, nobody = Clock(), Tick(), Registry(), None
        self.tick, self.registry = tick, registry
        bell = Waits(clock)
        registry.secrets = [secret(spec=spec)]
        self.judged = judged
        self.cluster, self.sts = Cluster(clock), FakeSts(clock)
        for place in ("people", "anna"), ("lent", "lender"):
            metadata: Json = {"namespace": place[0], "name": place[1], "uid": f"uid-of-{place[1]}", "labels": {}}
            self.cluster.secrets[place] = {"metadata": metadata, "data": key_data()}
        self.sts.secret_keys[KEY.access_key_id] = KEY.secret_access_key
        house, anything = House(registry, ["people"], tick), nobody
        self.sessions = Sessions(
            cluster=self.cluster,
            sts=self.sts,
            devices=Devices(self.cluster, clock, since=NOW),
            codes=Endpoint(clock),
            slots=Slots(16, clock, bell.ring),
            clock=clock,
            wake=bell.ring,
        )
        issuance = Issuance(self.cluster, self.sts, self.sessions, clock)
        self.gateway = Gateway(
            cluster=self.cluster,
            logins=Logins(house, Passwords(), anything, tick),  # type: ignore[arg-type]
            obtaining=Obtaining(issuance, self.cluster, bell, clock, MINUTE),
            judging=lambda *_: self,  # type: ignore[arg-type, return-value]
            audit=Audit(FakeEvents(), tick),
            clock=clock,
            terms=Terms(region="eu-central-1", patience=MINUTE),
        )

    async def slow_verify(self, *_: Any) -> bool:
        self.tick.now += 0.05
        return True

    @property
    def remembers(self) -> bool:
        """Whether sessions know anything of logins that are over."""
        ledgers, refused = self.sessions._ledgers, self.sessions._refused  # noqa: SLF001 - nothing else shows it
        return any((ledgers._busy, ledgers._waiting, ledgers._awaiting, ledgers._unwritten, refused))  # noqa: SLF001

    async def judge(self, *_: Any) -> Judgement | None:
        return self.judged

    async def refuse_root(self, *_: Any) -> None:
        """There are no keys of root here."""

    async def call(self, number: int = 1, **asked: Any) -> type | None:
        """Log in from an address of that number; return the class of the refusal."""
        try:
            await self.gateway.login(
                Asked(username="anna@example.org", password=RIGHT, **asked), Caller(f"192.0.2.{number}")
            )
        except AwsstsError as error:
            return type(error)
        return None


WEBHOOK = MfaDecision(outcome=MfaOutcome.REQUIRED, policy="house", provider=Provider.model_validate(PUSH))
ASKED = Judgement("", Decision(mfa=WEBHOOK).outcome(), Decision(mfa=WEBHOOK))
LENT = Judgement("", {}, Decision(aws_credentials=AwsCredentials(secretName="lender", namespace="lent")))


@pytest.mark.parametrize(
    ("spec", "judged", "asked", "refusal"),
    [
        ("", None, {"serial_number": SERIAL, "token": "123456"}, None),
        ("", LENT, {"serial_number": SERIAL, "token": "123456"}, DeviceRefused),
        ("", LENT, {"serial_number": SERIAL}, DeviceRefused),
        (MFA, LENT, {"serial_number": SERIAL, "token": "123456"}, None),
        ("", LENT, {}, None),
    ],
)
async def test_lent_keys_go_with_no_device_of_the_callers_choice(
    spec: str, judged: Judgement | None, asked: Json, refusal: type | None
) -> None:
    stage = Stage(spec, judged)
    assert await stage.call(**asked) is refusal
    assert len(stage.sts.calls) == (refusal is None)


async def test_a_login_costs_one_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage()
    monkeypatch.setattr(Passwords, "verify", stage.slow_verify)
    assert await stage.call() is None
    assert stage.registry.readings == 1


async def test_devices_that_are_not_the_users_are_guesses() -> None:
    stage = Stage()
    seen = []
    for number in range(10):
        stage.sts.faults.append(Fault("", InvalidDevice("the MFA device is not one of this user")))
        seen.append(await stage.call(number, serial_number=f"{SERIAL}-{number}", token="123456"))
    assert seen == [DeviceRefused] * 8 + [TooMany] * 2


async def test_a_device_of_the_users_secret_is_the_administrators_to_mend() -> None:
    stage = Stage(MFA)
    stage.sts.faults.append(Fault("", InvalidDevice("the MFA device is not one of this user")))
    assert await stage.call(serial_number=SERIAL, token="123456") is InvalidDevice


async def test_a_code_that_nobody_looks_at_is_no_guess() -> None:
    """The endpoint repeats its code within a step: the next is waited for, whatever token the caller sends along."""
    stage = Stage(MFA, ASKED)
    assert [await stage.call(token="000000") for _ in range(10)] == [None] * 10
    codes = [call["code"] for call in stage.sts.calls]
    assert len(set(codes)) == 10
    assert "000000" not in codes


@pytest.mark.parametrize("token", ["", "000000"])
async def test_an_endpoints_wrong_code_is_not_the_callers(token: str) -> None:
    stage = Stage(MFA, ASKED)
    stage.sts.fail(InvalidTokenCode("AWS refused the code"), times=10)
    assert [await stage.call(token=token) for _ in range(10)] == [InvalidTokenCode] * 10
    assert await stage.call(token=token) is None


async def test_nothing_is_remembered_of_devices_that_are_only_named() -> None:
    stage = Stage()
    for number in range(10):
        assert await stage.call(number, serial_number=f"{SERIAL}-{number}") is CodeNeeded
    assert not stage.remembers


async def test_nothing_is_remembered_of_wrong_codes_but_their_number() -> None:
    stage = Stage(MFA)
    stage.sts.fail(InvalidTokenCode("AWS refused the code"), times=5)
    assert [await stage.call(token=f"12345{number}") for number in range(5)] == [CodeRefused] * 5
    assert not stage.remembers
