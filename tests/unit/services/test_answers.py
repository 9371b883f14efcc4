"""Answers for an evaluation: asked once, at once, within a time; and never a guess where nobody could be asked."""

import asyncio
import base64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from awssts.domain.errors import AccessDenied, ClusterForbidden, ClusterUnavailable
from awssts.domain.keys import KeyPair
from awssts.domain.policy import (
    Answered,
    Decision,
    HttpCall,
    MfaOutcome,
    Need,
    Policy,
    Purpose,
    Unreachable,
)
from awssts.domain.policy.errors import PolicyEndpointUnavailable, ProviderUnavailable
from awssts.domain.policy.schema.mfa import WebhookProvider
from awssts.domain.request import Identity
from awssts.services import answers
from awssts.services.answers import ROUNDS, TOTAL, Asker
from tests.unit.builders import KEY, SERIAL, Json
from tests.unit.policy.samples import PUSH, facts, policy, with_mfa
from tests.unit.services import virtual_time

BUNDLE, TOKEN = "-----BEGIN CERTIFICATE-----", "bearer-token"
PLACE = {"namespace": "rules", "name": "endpoint"}
REFERENCES = {"caBundleSecretRef": {**PLACE, "key": "ca.crt"}, "bearerTokenSecretRef": {**PLACE, "key": "token"}}
PLAIN = {"url": "https://rules.example.org/mfa"}
GUARDED = {**PLAIN, **REFERENCES}
WHO = Identity(namespace="team", name="reports", uid="uid-of-reports")


class Outside:
    """Secrets, endpoints and IAM users in memory; all are the same object to the asker."""

    def __init__(self) -> None:
        self.secrets: dict[tuple[str, str], Json] = {}
        self.put("ca.crt", BUNDLE)
        self.put("token", TOKEN + "\n")
        self.answer: Callable[[HttpCall], Answered | Unreachable] = lambda _: Answered(204)
        self.fails: Exception | None = None
        self.tags: Mapping[str, str] | Exception = {}
        self.seconds = 0.0  # that each answer takes
        self.meet: asyncio.Barrier | None = None
        self.reads: list[tuple[str, str]] = []
        self.asked: list[HttpCall] = []
        self.given: list[tuple[str | None, str | None]] = []
        self.keys: list[tuple[KeyPair, str | None]] = []
        self.bodies: list[Any] = []

    def put(self, key: str, value: str | bytes) -> None:
        text = value if isinstance(value, bytes) else value.encode()
        data = self.secrets.setdefault(("rules", "endpoint"), {"data": {}})["data"]
        data[key] = base64.b64encode(text).decode()

    async def secret(self, namespace: str, name: str) -> Json | None:
        self.reads.append((namespace, name))
        await asyncio.sleep(0)
        if self.fails:
            raise self.fails
        return self.secrets.get((namespace, name))

    async def ask(self, call: HttpCall, *, ca_bundle: str | None, bearer_token: str | None) -> Answered | Unreachable:
        self.asked.append(call)
        self.given.append((ca_bundle, bearer_token))
        if self.meet:
            await self.meet.wait()
        await asyncio.sleep(self.seconds)
        return self.answer(call)

    async def code(
        self, webhook: WebhookProvider, asked: Mapping[str, Any], *, ca_bundle: str | None, bearer_token: str | None
    ) -> str:
        self.bodies.append((webhook.url, asked))
        self.given.append((ca_bundle, bearer_token))
        if isinstance(self.tags, ProviderUnavailable):
            raise self.tags
        return "012345"

    async def user_tags(self, key: KeyPair, *, region: str | None) -> Mapping[str, str]:
        self.keys.append((key, region))
        if isinstance(self.tags, Exception):
            raise self.tags
        return self.tags

    def decide(self, policies: Policy | Iterable[Policy], key: KeyPair | None = KEY) -> Decision:
        """Decide in virtual time; whatever was begun has ended."""

        async def run() -> Decision:
            try:
                several = [policies] if isinstance(policies, Policy) else policies
                return await Asker(self, self, self).decide(several, facts(), key, region="eu-west-1")
            finally:
                assert asyncio.all_tasks() == {asyncio.current_task()}

        return virtual_time.run(run())


@pytest.fixture
def outside() -> Outside:
    return Outside()


def asking(name: str = "house", endpoint: Mapping[str, Any] = PLAIN, **more: Any) -> Policy:
    """A policy whose REST trigger has to be asked."""
    return policy(name, **with_mfa({"rest": dict(endpoint)}, **more))


def test_without_questions_nothing_is_asked(outside: Outside) -> None:
    assert outside.decide([]).allowed
    assert (outside.asked, outside.reads, outside.keys) == ([], [], [])


def test_round_after_round_to_a_decision(outside: Outside) -> None:
    said = {Purpose.DIRECTORY: Answered(200, '{"attributes": {}}'), Purpose.TRIGGER: Answered(200, "push")}
    outside.answer = lambda call: said.get(call.purpose, Answered(503))
    spec = with_mfa({"rest": PLAIN}, [{**PUSH, "failureMode": "Phantom"}])
    directory = {"principal": {"sources": ["Rest"], "rest": {"url": "https://directory.example.org/"}}}
    assert outside.decide(policy(**spec, **directory)).mfa.outcome is MfaOutcome.PHANTOM
    assert [call.purpose for call in outside.asked] == [Purpose.DIRECTORY, Purpose.TRIGGER, Purpose.AVAILABILITY]


def test_policies_are_heard_at_once(outside: Outside) -> None:
    outside.meet = asyncio.Barrier(3)  # an answer comes only when all three have been asked
    urls = [f"https://rules-{number}.example.org/" for number in range(3)]
    assert outside.decide(asking(f"policy-{url[14]}", {"url": url}) for url in urls).allowed
    assert [call.url for call in outside.asked] == urls


def test_the_same_question_of_two_policies_is_asked_once(outside: Outside) -> None:
    outside.answer = lambda _: Answered(200, "totp")
    decision = outside.decide([asking("one"), asking("two")])
    assert decision.mfa.outcome is MfaOutcome.REQUIRED
    assert len(outside.asked) == 1


def test_with_other_secrets_it_is_another_question(outside: Outside) -> None:
    outside.decide([asking("one"), asking("two", GUARDED)])
    assert sorted(outside.given, key=str) == [(BUNDLE, TOKEN), (None, None)]


def test_nothing_is_kept_for_the_next_evaluation(outside: Outside) -> None:
    for _ in range(2):
        outside.decide(asking(endpoint=GUARDED))
    assert (len(outside.asked), len(outside.reads)) == (2, 2)


class TestSecrets:
    def test_values_come_from_the_namespace_that_the_policy_names(self, outside: Outside) -> None:
        outside.decide(asking(endpoint=GUARDED))
        assert outside.given == [(BUNDLE, TOKEN)]

    def test_each_is_read_once(self, outside: Outside) -> None:
        others = {**GUARDED, "url": "https://others.example.org/"}
        outside.decide([asking("one", GUARDED), asking("two", others)])
        assert len(outside.given) == 2
        assert outside.reads == [("rules", "endpoint")]

    @pytest.mark.parametrize(
        ("make", "problem"),
        [
            (lambda outside: outside.secrets.clear(), "is not there"),
            (lambda outside: outside.secrets.update({("rules", "endpoint"): {}}), "has no value under ca.crt"),
            (lambda outside: outside.put("ca.crt", " \n"), "has no value under ca.crt"),
            (lambda outside: outside.put("ca.crt", b"\xff"), "has no value under ca.crt"),
        ],
    )
    def test_without_the_value_no_failure_mode_lets_anybody_pass(
        self, outside: Outside, make: Callable[[Outside], None], problem: str
    ) -> None:
        make(outside)
        with pytest.raises(PolicyEndpointUnavailable) as raised:
            outside.decide(asking(endpoint={**GUARDED, "failureMode": "Open"}))
        wanted = f"policy house: Secret rules/endpoint, which caBundleSecretRef names, {problem}"
        assert raised.value.message == wanted
        assert raised.value.__context__ is None
        assert outside.asked == []

    @pytest.mark.parametrize("error", [ClusterUnavailable("away"), ClusterForbidden("no")])
    def test_nor_where_it_cannot_be_read(self, outside: Outside, error: Exception) -> None:
        outside.fails = error
        with pytest.raises(type(error)):
            outside.decide([asking("one", {**GUARDED, "failureMode": "Open"}), asking("two", {**PLAIN, "timeout": 9})])


class TestUserTags:
    TAGGED = policy(
        principal={"sources": ["IamUserTags"]}, authorization={"principalAttribute": {"name": "team", "value": "gold"}}
    )

    def test_are_read_with_the_principals_own_key(self, outside: Outside) -> None:
        outside.tags = {"team": "gold"}
        assert outside.decide([self.TAGGED, replace(self.TAGGED, name="twice")]).allowed
        assert outside.keys == [(KEY, "eu-west-1")]

    def test_that_cannot_be_read_refuse(self, outside: Outside) -> None:
        outside.tags = AccessDenied("not authorized: let the user's policy allow iam:GetUser on itself")
        denied = outside.decide(self.TAGGED).denied
        assert isinstance(denied, PolicyEndpointUnavailable)
        assert denied.message.endswith(
            "can't be read: not authorized: let the user's policy allow iam:GetUser on itself"
        )

    def test_without_a_key_nobody_is_asked(self, outside: Outside) -> None:
        denied = outside.decide(self.TAGGED, key=None).denied
        assert isinstance(denied, PolicyEndpointUnavailable)
        assert outside.keys == []


class TestBounds:
    def test_an_endpoint_out_of_reach_is_for_the_failure_mode(self, outside: Outside) -> None:
        outside.answer = lambda _: Unreachable("timed out after 5 s")
        assert outside.decide(asking(endpoint={**PLAIN, "failureMode": "Open"})).allowed
        denied = outside.decide(asking()).denied
        assert denied is not None
        assert denied.message.endswith("can't be reached: timed out after 5 s")

    def test_time(self, outside: Outside) -> None:
        outside.seconds = TOTAL + 1
        with pytest.raises(PolicyEndpointUnavailable, match="60 s of waiting"):
            outside.decide(asking(endpoint={**PLAIN, "failureMode": "Open"}))

    def test_rounds(self, outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
        def insatiable(*_: Any) -> Need:
            return Need((replace(call, body=str(len(outside.asked))),))

        endpoint = WebhookProvider(url="https://rules.example.org/")
        call = HttpCall(
            policy="house",
            purpose=Purpose.TRIGGER,
            method="POST",
            url=endpoint.url,
            body="",
            timeout=1,
            ca_bundle=None,
            bearer_token=None,
        )
        monkeypatch.setattr(answers, "evaluate", insatiable)
        with pytest.raises(PolicyEndpointUnavailable, match="no decision after 40 rounds"):
            outside.decide([])
        assert len(outside.asked) == ROUNDS

    def test_whoever_gives_up_leaves_nothing_behind(self, outside: Outside) -> None:
        outside.seconds = 1000

        async def run() -> None:
            deciding = Asker(outside, outside, outside).decide([asking("one"), asking("two", GUARDED)], facts(), KEY)
            task = asyncio.create_task(deciding)
            await asyncio.sleep(1)  # virtual: both wait by now
            assert len(outside.asked) == 2
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert asyncio.all_tasks() == {asyncio.current_task()}

        virtual_time.run(run())


class TestCode:
    def test_for_a_device_of_a_request(self, outside: Outside) -> None:
        webhook = WebhookProvider.model_validate(GUARDED)
        given = virtual_time.run(Asker(outside, outside, outside).code("house", webhook, SERIAL, WHO))
        assert given == "012345"
        asked = {"serialNumber": SERIAL, "request": {"namespace": "team", "name": "reports"}}
        assert outside.bodies == [(PLAIN["url"], asked)]
        assert outside.given == [(BUNDLE, TOKEN)]

    def test_none(self, outside: Outside) -> None:
        outside.tags = ProviderUnavailable("away")
        webhook = WebhookProvider.model_validate(PLAIN)
        with pytest.raises(ProviderUnavailable):
            virtual_time.run(Asker(outside, outside, outside).code("house", webhook, SERIAL, WHO))
