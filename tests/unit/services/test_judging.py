"""Requests are judged by what is known of them; and not anew, while that stays as it is."""

import dataclasses
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from awssts.domain import judgement, names
from awssts.domain.errors import AccessKeyNotActiveYet, AwsstsError, InvalidAccessKey, SecretNotFound
from awssts.domain.judgement import Judgement
from awssts.domain.keys import KeyPair
from awssts.domain.policy import (
    Answer,
    Answered,
    Authentication,
    Decision,
    Facts,
    InvalidPolicy,
    Plugin,
    Policy,
    Unreachable,
)
from awssts.domain.policy.errors import LimitExceeded
from awssts.domain.request import Request
from awssts.domain.status import timestamp
from awssts.domain.view import UNKNOWN, View
from awssts.services.judging import Judging
from awssts.services.later import Later
from awssts.services.observations import Memory, Name, Observations
from awssts.services.slots import Slots
from tests.unit.builders import (
    HOUR,
    KEY,
    NOW,
    OTHER_KEY,
    ROLE_ARN,
    SERIAL,
    Json,
    encoded,
    key_data,
    request,
    target,
    view,
)
from tests.unit.policy.samples import decide

ALICE = Authentication(username="alice")
SEED = {"serialNumber": SERIAL, "totpSecretRef": {"name": "reports-mfa"}}
NOT_THERE = SecretNotFound("there is no Secret")
LENT = {"secretName": "lender-iam", "namespace": "keys"}
DIRECTORY: Json = {
    "principal": {"sources": ["Rest"], "rest": {"url": "https://directory.example.org"}},
    "authorization": {"principalAttribute": {"name": "team"}},
}


class World:
    """The outside of judging: namespaces to read, policies, callers; it keeps what was asked."""

    def __init__(self, *policies: Json, seen: bool = True) -> None:
        self.observations = Observations()
        for number, spec in enumerate(policies):
            metadata = {"name": f"house-{number}", "generation": 1}
            self.observations.see_policy({"metadata": metadata, "spec": spec})
        self.namespace: Json | None = {"name": "team", "labels": {"tier": "gold"}, "annotations": {"note": "one"}}
        if seen and self.namespace:
            self.observations.see_namespace(self.namespace)
        self.reads: list[str] = []
        self.facts: list[Facts] = []
        self.root: bool | AwsstsError = False
        self.keys: list[KeyPair] = []
        self.woken: list[Name] = []
        self.answer: Answer = Answered(200, '{"attributes": {}}')
        outside: Any = self
        self.judging = Judging(
            cluster=outside,
            observations=self.observations,
            decider=self,
            callers=self,
            slots=Slots(16, lambda: NOW, self.woken.append),
            clock=lambda: NOW,
            applicant=self.applicant,
            plugins={},
        )

    async def applicant(self, request: Request) -> Authentication | str:
        return ALICE if "stamp" in request.annotations else "it has no stamp"

    async def namespace_metadata(self, name: str) -> Json | None:
        self.reads.append(name)
        return self.namespace

    async def decide(
        self,
        policies: Collection[Policy | InvalidPolicy],
        facts: Facts,
        key: KeyPair | None,
        plugins: Mapping[str, Plugin] | None = None,
        *,
        region: str | None = None,
    ) -> Decision:
        assert key is None or region == "eu-west-1"
        self.facts.append(facts)
        return decide(list(policies), facts, lambda _: self.answer)

    async def caller_is_root(self, key: KeyPair, *, region: str | None) -> bool:
        assert region == "eu-west-1"
        self.keys.append(key)
        if isinstance(self.root, AwsstsError):
            raise self.root
        return self.root

    async def judge(self, found: View, key_secret: Json | None, key: KeyPair | AwsstsError) -> Judgement | None:
        return await self.judging.judge(found, key_secret, key)


def key_secret(
    data: Mapping[str, str] | None = None, *, changed: timedelta = timedelta(hours=1), **metadata: Any
) -> Json:
    """The credentials Secret as it was read; ``changed`` is how long ago."""
    moment = timestamp(NOW - changed)
    written = {"creationTimestamp": moment, "managedFields": [{"time": moment}]}
    return {
        "metadata": {"name": "reports-iam", "namespace": "team", **written, **metadata},
        "data": dict(data if data is not None else key_data()),
    }


def seen(**details: Any) -> View:
    """What a look at a request has found."""
    labels = details.pop("labels", {})
    found = details.pop("found", None)
    asked = dataclasses.replace(request(region="eu-west-1", **details), labels=labels)
    return view(asked, target=found)


def test_a_slot_is_needed_where_a_policy_selects_the_request_or_might() -> None:
    world = World({})
    with ExitStack() as held:
        for _ in range(2):
            held.enter_context(world.judging.slot(replace(seen(), guard="some")))
        with pytest.raises(Later):
            held.enter_context(world.judging.slot(replace(seen(), guard="unknown")))
        held.enter_context(world.judging.slot(replace(seen(), guard="")))
    assert world.woken == [("team", "reports")]


class TestGuard:
    def test_is_empty_without_policies(self) -> None:
        assert World().judging.guard(request()) == ""

    def test_is_empty_where_none_selects(self) -> None:
        tin = {"selector": {"namespaceSelector": {"matchLabels": {"tier": "tin"}}}}
        assert World(tin).judging.guard(request()) == ""

    def test_is_not_empty_for_a_namespace_that_nobody_has_told_of(self) -> None:
        """Its labels might be selected: it has to be looked at."""
        tin = {"selector": {"namespaceSelector": {"matchLabels": {"tier": "tin"}}}}
        assert World(tin, seen=False).judging.guard(request()) != ""

    def test_is_that_of_what_the_watches_told(self) -> None:
        world = World({})
        guard = world.judging.guard(request())
        world.observations.see_namespace({"name": "team", "labels": {"tier": "tin"}})
        assert world.judging.guard(request()) not in {"", guard}


class TestStanding:
    """What is known without a look."""

    OUTCOME = judgement.encoded(judgement.judge(Decision(), request().spec, "guard").outcome)  # type: ignore[arg-type]
    WITH_MFA = OUTCOME.replace('"required":false', '"required":true').replace('"provider":null', '"provider":"Totp"')

    @pytest.mark.parametrize(
        ("guard", "on_target", "remembered"),
        [("guard", "guard", ""), ("guard", "old", "guard"), ("guard", "guard", "old")],
        ids=["as it was issued under", "as it was judged since", "as it was issued under, back again"],
    )
    def test_the_outcome_while_it_is_judged_by_the_same(self, guard: str, on_target: str, remembered: str) -> None:
        kept = target(request(), changes={"policy_guard": on_target, "policy_outcome": self.OUTCOME})
        found = World({}).judging.standing(guard, seen(found=kept), Memory(judged_by=remembered))
        assert found == Judgement(guard, judgement.decoded(self.OUTCOME))

    @pytest.mark.parametrize(
        ("on_target", "remembered"), [(None, ""), (None, "guard"), ("old", ""), ("", "older"), ("old", "older")]
    )
    def test_nothing_where_that_changed(self, on_target: str | None, remembered: str) -> None:
        kept = None if on_target is None else target(request(), changes={"policy_guard": on_target})
        assert World({}).judging.standing("guard", seen(found=kept), Memory(judged_by=remembered)) is UNKNOWN

    def test_nothing_where_the_target_was_not_looked_at(self) -> None:
        unseen = view(request(), target=UNKNOWN)
        assert World({}).judging.standing("guard", unseen, Memory(judged_by="guard")) is UNKNOWN

    @pytest.mark.parametrize(
        ("outcome", "kept"),
        [
            ("", False),
            (OUTCOME, True),
            (WITH_MFA, True),
            (OUTCOME.replace('"roleArn":null', f'"roleArn":"{ROLE_ARN}"'), False),
            (OUTCOME.replace('"maxDuration":null', '"maxDuration":3600'), False),
            (OUTCOME.replace('"awsCredentials":null', '"awsCredentials":"kube-system/root"'), False),
        ],
        ids=["none", "free", "with MFA", "a role from a policy", "shorter", "with lent keys"],
    )
    def test_without_policies_what_was_issued_under_one_is_kept_if_it_serves(self, outcome: str, kept: bool) -> None:
        held = target(request(), changes={"policy_guard": "old", "policy_outcome": outcome})
        found = World().judging.standing("", seen(found=held), Memory())
        assert found == (Judgement("", judgement.decoded(outcome)) if kept else None)

    def test_without_policies_nor_a_target(self) -> None:
        assert World().judging.standing("", seen(), Memory()) is None


class TestFacts:
    """What policies are told."""

    async def test_of_request_and_namespace(self) -> None:
        world = World({})
        asked = seen(
            name="nightly", labels={"a": "b"}, annotations={"c": "d"}, duration="1h", role={"arn": ROLE_ARN}, mfa=SEED
        )
        await world.judge(asked, key_secret(), KEY)
        told = world.facts[0].request
        assert (told.name, told.namespace, told.labels, told.annotations) == ("nightly", "team", {"a": "b"}, {"c": "d"})
        assert (told.duration, told.role_arn, told.device) == (3600, ROLE_ARN, "Totp")
        assert world.facts[0].namespace == world.observations.namespace("team")
        assert world.facts[0].now == NOW

    async def test_of_a_request_that_says_little(self) -> None:
        world = World({})
        await world.judge(seen(), key_secret(), KEY)
        told = world.facts[0]
        assert (told.request.duration, told.request.role_arn, told.request.device) == (None, None, None)
        assert (told.authentication, told.history.last_issuance, told.history.key_changed) == (None, None, False)
        assert told.doubt == "it has no stamp"

    @pytest.mark.parametrize(
        ("secret", "key", "expected"),
        [
            (None, NOT_THERE, None),
            (key_secret(), KEY, {"keys": True, "labelled": False, "attributes": None}),
            (key_secret({}), NOT_THERE, {"keys": False, "labelled": False, "attributes": None}),
            (key_secret(labels={names.TYPE_LABEL: names.CREDENTIALS}), KEY, {"labelled": True}),
            (key_secret(labels={names.TYPE_LABEL: "device"}), KEY, {"labelled": False}),
            (key_secret(labels=None, annotations=None), KEY, {"annotations": {}}),
            (key_secret(annotations={"a": "b"}), KEY, {"annotations": {"a": "b"}}),
            (key_secret(encoded({"attributes": "a: [b]"})), KEY, {"attributes": "a: [b]"}),
        ],
        ids=["none", "keys", "no keys", "labelled", "another label", "bare", "annotations", "attributes"],
    )
    async def test_of_the_credentials_secret(
        self, secret: Json | None, key: KeyPair | AwsstsError, expected: Json | None
    ) -> None:
        world = World({})
        await world.judge(seen(), secret, key)
        told = world.facts[0].secret
        assert (told is None) == (expected is None)
        for name, value in (expected or {}).items():
            assert getattr(told, name) == value

    async def test_of_what_came_before(self) -> None:
        world = World({})
        before = target(request(), key=OTHER_KEY)
        await world.judge(seen(found=before, status={"failures": 3}), key_secret(), KEY)
        told = world.facts[0].history
        assert (told.last_issuance, told.key_changed, told.failures) == (before.issued_at, True, 3)

    async def test_of_who_applied_it(self) -> None:
        world = World({})
        await world.judge(seen(annotations={"stamp": "…"}), key_secret(), KEY)
        assert world.facts[0].authentication == ALICE


class TestNamespace:
    async def test_that_no_watch_told_of_is_read_once(self) -> None:
        gold = {"selector": {"namespaceSelector": {"matchLabels": {"tier": "gold"}}}, "limits": {"maxDuration": "1h"}}
        world = World(gold, seen=False)
        found = await world.judge(seen(), key_secret(), KEY)
        assert found is not None
        assert found.outcome["maxDuration"] == 3600
        await world.judge(seen(), key_secret(), KEY)
        assert world.reads == ["team"]

    async def test_that_is_gone_has_no_labels(self) -> None:
        world = World({"selector": {"namespaceSelector": {"matchLabels": {"tier": "gold"}}}}, seen=False)
        world.namespace = None
        assert await world.judge(seen(), key_secret(), KEY) is None


async def test_none_where_no_policy_selects() -> None:
    world = World({"selector": {"requestSelector": {"matchLabels": {"a": "b"}}}})
    assert await world.judge(seen(), key_secret(), KEY) is None
    assert world.facts == world.keys == []
    assert await world.judge(seen(labels={"a": "b"}), key_secret(), KEY) is not None


async def test_its_guard_is_what_it_was_judged_by() -> None:
    world = World({})
    found = await world.judge(seen(), key_secret(), KEY)
    assert found is not None
    assert found.guard == world.judging.guard(seen().request) != ""


class TestRoot:
    """Whose key it is, is asked where a policy forbids root's, and only then."""

    async def test_is_refused(self) -> None:
        world = World({})
        world.root = True
        with pytest.raises(LimitExceeded):
            await world.judge(seen(), key_secret(), KEY)

    async def test_is_allowed_where_all_policies_do(self) -> None:
        world = World({"limits": {"allowRoot": True}}, {"limits": {"allowRoot": True}})
        world.root = True
        found = await world.judge(seen(), key_secret(), KEY)
        assert found is not None
        assert found.denied is None
        assert world.keys == []

    @pytest.mark.parametrize(
        ("policy", "secret", "key"),
        [
            ({"authorization": {"principalAttribute": {"name": "a"}}}, key_secret(), KEY),
            ({}, None, NOT_THERE),
            ({}, key_secret({}), NOT_THERE),
        ],
        ids=["denied anyway", "no Secret", "no key"],
    )
    async def test_is_not_asked_for(self, policy: Json, secret: Json | None, key: KeyPair | AwsstsError) -> None:
        world = World(policy)
        await world.judge(seen(), secret, key)
        assert world.keys == []

    @pytest.mark.parametrize(
        ("changes", "key", "asked"),
        [({}, KEY, False), ({}, OTHER_KEY, True), ({"expiration": NOW - HOUR}, KEY, True)],
        ids=["lives", "of another key", "is over"],
    )
    async def test_is_not_asked_for_what_lives(self, changes: Json, key: KeyPair, asked: bool) -> None:
        """But for new credentials, whatever the target says: whoever owns it could have written that."""
        world = World({})
        found = seen(found=target(request(), changes=changes))
        judged = await world.judge(found, key_secret(data=key_data(key)), key)
        assert judged is not None
        assert world.keys == ([key] if asked else [])
        world.root = True
        with pytest.raises(LimitExceeded):
            await world.judging.refuse_root(judged, dataclasses.replace(found, key=key), key_secret(), issuing=True)

    async def test_nor_are_lent_ones_roots(self) -> None:
        world = World({"awsCredentials": LENT, "authorization": {"rolesFromAttribute": "r"}})
        namespace = {"name": "team", "annotations": {"principal.awssts.dev/r": ROLE_ARN}}
        world.observations.see_namespace(namespace)
        judged = await world.judge(seen(), None, NOT_THERE)
        assert judged is not None
        assert judged.denied is None
        assert world.keys == []
        world.root = True
        with pytest.raises(LimitExceeded):
            await world.judging.refuse_root(judged, dataclasses.replace(seen(), key=OTHER_KEY), key_secret())
        assert world.keys == [OTHER_KEY]

    @pytest.mark.parametrize(
        ("changed", "kind"),
        [(timedelta(seconds=10), AccessKeyNotActiveYet), (timedelta(minutes=10), InvalidAccessKey)],
        ids=["a new key", "an old key"],
    )
    async def test_a_key_that_aws_does_not_know(self, changed: timedelta, kind: type[AwsstsError]) -> None:
        world = World({})
        world.root = InvalidAccessKey("AWS knows no such key")
        with pytest.raises(kind):
            await world.judge(seen(), key_secret(changed=changed), KEY)


class TestRefusal:
    """Who was refused by what an endpoint said is not asked about each minute."""

    async def judged(self, world: World, found: View | None = None, secret: Json | None = None) -> str | None:
        judged = await world.judge(found or seen(), secret or key_secret(), KEY)
        return judged.denied.reason if judged and judged.denied else None

    async def test_stands_while_nothing_changes(self) -> None:
        world = World(DIRECTORY)
        for _ in range(3):
            assert await self.judged(world) == "NotAuthorized"
        assert len(world.facts) == 1

    @pytest.mark.parametrize(
        "change",
        [
            {"found": seen(annotations={names.RENEW: "1"})},
            {"found": seen(labels={"a": "b"})},
            {"found": seen(role={"arn": ROLE_ARN})},
            {"secret": key_secret(annotations={"principal.awssts.dev/team": "web"})},
            {"secret": key_secret(encoded({"attributes": "team: web"}))},
        ],
        ids=["renew", "label", "role", "annotation of the Secret", "attributes"],
    )
    async def test_ends_with_a_change_of_what_it_rests_on(self, change: dict[str, Any]) -> None:
        world = World(DIRECTORY)
        await self.judged(world)
        await self.judged(world, **change)
        assert len(world.facts) == 2

    async def test_ends_with_another_key_policy_or_namespace(self) -> None:
        world = World(DIRECTORY)
        await self.judged(world)
        await world.judge(seen(), key_secret(), OTHER_KEY)
        world.observations.see_policy({"metadata": {"name": "more"}, "spec": {}})
        await self.judged(world)
        world.observations.see_namespace({"name": "team", "labels": {"tier": "tin"}})
        await self.judged(world)
        assert len(world.facts) == 4

    @pytest.mark.parametrize(("minutes", "asked"), [(14, 1), (15, 2), (-1, 2)])
    async def test_ends_after_a_while(self, minutes: int, asked: int) -> None:
        world = World(DIRECTORY)
        await self.judged(world)
        world.answer = Answered(200, '{"attributes": {"team": "web"}}')
        later = dataclasses.replace(seen(), now=seen().now + timedelta(minutes=minutes))
        assert await self.judged(world, later) == ("NotAuthorized" if asked == 1 else None)
        assert len(world.facts) == asked

    async def test_ends_when_it_is_forgotten(self) -> None:
        world = World(DIRECTORY)
        await self.judged(world)
        world.judging.forget(("team", "reports"))
        await self.judged(world)
        assert len(world.facts) == 2

    async def test_is_that_of_one_request(self) -> None:
        world = World(DIRECTORY)
        await self.judged(world)
        await self.judged(world, seen(name="nightly"))
        assert len(world.facts) == 2

    async def test_that_cost_nothing_is_made_anew(self) -> None:
        """The time may have changed it."""
        world = World({"authorization": {"principalAttribute": {"name": "team"}}})
        for _ in range(2):
            assert await self.judged(world) == "NotAuthorized"
        assert len(world.facts) == 2

    async def test_of_an_endpoint_without_an_answer_does_not_stand(self) -> None:
        world = World(DIRECTORY)
        world.answer = Unreachable("timeout")
        for _ in range(2):
            assert await self.judged(world) == "PolicyEndpointUnavailable"
        assert len(world.facts) == 2
