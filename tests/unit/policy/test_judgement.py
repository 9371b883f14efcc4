"""What is kept of policies' word: by what a request was judged, what came of it, and how that changes its spec."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from awssts.domain import judgement, names
from awssts.domain.judgement import Held, Judgement
from awssts.domain.policy import Device, NamespaceFacts
from awssts.domain.policy.errors import LimitExceeded
from awssts.domain.resources import MfaWhen, Spec
from awssts.services.observations import Observations
from tests.unit.builders import ROLE_ARN, SERIAL, request, spec
from tests.unit.policy.samples import AUDIT, PUSH, REPORTS, TOTP, answering, decide, facts, policy, with_mfa

TEAM = NamespaceFacts(name="team", labels={"tier": "gold"}, annotations={"note": "one"})
PERSON = {"name": "person", "type": "Manual"}
DEVICE = {"serialNumber": SERIAL}
SEED = DEVICE | {"totpSecretRef": {"name": "reports-mfa"}}


def held(*bodies: tuple[str, dict[str, Any]], generation: int = 1) -> list[Held]:
    """Policies by name and spec, as they are held after the watch has told of them."""
    seen = Observations()
    for name, raw in bodies:
        seen.see_policy({"metadata": {"name": name, "generation": generation}, "spec": raw})
    return list(seen.policies)


HOUSE = ("house", {"limits": {"maxDuration": "1h"}})
YARD = ("yard", {"priority": 3})
MINE = ("mine", {"selector": {"requestSelector": {"matchLabels": {"a": "b"}}}})


def guard_of(*policies: tuple[str, dict[str, Any]], namespace: NamespaceFacts = TEAM, **details: Any) -> str:
    labels = details.pop("labels", {})
    return judgement.guard(held(*policies), replace(request(**details), labels=labels), namespace)


class TestGuard:
    """It stays as long as nothing has to be judged anew."""

    def test_is_empty_where_no_policy_selects(self) -> None:
        assert guard_of() == ""
        assert guard_of(MINE) == ""

    @pytest.mark.parametrize(
        "same",
        [
            lambda: guard_of(YARD, HOUSE),
            lambda: guard_of(HOUSE, YARD, MINE),
            lambda: guard_of(HOUSE, YARD, annotations={names.RENEW: "2"}),
            lambda: guard_of(HOUSE, YARD, annotations={names.TOKEN_CODE: "123456"}),
            lambda: guard_of(HOUSE, YARD, annotations={"kubectl.kubernetes.io/last-applied-configuration": "{}"}),
            lambda: guard_of(HOUSE, YARD, status={"failures": 3}),
            lambda: guard_of(HOUSE, YARD, uid="another", generation=7),
        ],
        ids=["order", "one that does not select", "renew", "code", "last applied", "status", "made anew"],
    )
    def test_stays(self, same: Any) -> None:
        assert same() == guard_of(HOUSE, YARD) != ""

    @pytest.mark.parametrize(
        "other",
        [
            lambda: guard_of(HOUSE),
            lambda: guard_of(HOUSE, ("yard", {"priority": 4})),
            lambda: guard_of(HOUSE, ("lawn", {"priority": 3})),
            lambda: guard_of(HOUSE, ("yard", {"limits": {"maxDuration": "never"}})),
            lambda: guard_of(HOUSE, YARD, labels={"a": "b"}),
            lambda: guard_of(HOUSE, YARD, annotations={"a": "b"}),
            lambda: guard_of(HOUSE, YARD, annotations={"awssts.dev/mfa": "totp"}),
            lambda: guard_of(HOUSE, YARD, annotations={"awssts.dev/authentication": "{}"}),
            lambda: guard_of(HOUSE, YARD, namespace=replace(TEAM, labels={})),
            lambda: guard_of(HOUSE, YARD, namespace=replace(TEAM, annotations={"note": "two"})),
        ],
        ids=[
            "one policy less",
            "another spec of the same name and generation",
            "another name",
            "an invalid spec",
            "label",
            "annotation",
            "opt-in",
            "who applied it",
            "label of the namespace",
            "annotation of the namespace",
        ],
    )
    def test_changes(self, other: Any) -> None:
        assert other() not in {guard_of(HOUSE, YARD), ""}


def judged(asked: Spec | None = None, about: Any = None, /, **rules: Any) -> Judgement:
    """What a policy with those rules comes to."""
    decision = decide(policy(**rules), about or facts(), answering())
    return judgement.judge(decision, asked or spec(), "guard")


def required(provider: dict[str, Any] = TOTP, **rules: Any) -> dict[str, Any]:
    return with_mfa({"global": {}}, [provider], **rules)


class TestJudge:
    def test_what_is_kept(self) -> None:
        found = judged(spec(mfa=SEED), **required(limits={"maxDuration": "1h"}))
        assert found.denied is None
        assert found.outcome == {
            "allowed": True,
            "roleArn": None,
            "awsCredentials": None,
            "mfa": {"required": True, "provider": "Totp", "webhook": None},
            "maxDuration": 3600,
            "maxSessionDuration": 3600,
            "forced": False,
        }

    def test_a_missing_device_is_a_refusal(self) -> None:
        assert judged(spec(), **required()).denied is not None
        assert judged(spec(mfa=DEVICE), **required()).denied is not None
        assert judged(spec(mfa=SEED), **required()).denied is None
        assert judged(spec(mfa=DEVICE), **required(PERSON)).denied is None

    def test_a_refusal_stays_one(self) -> None:
        about = facts(request=replace(facts().request, duration=7200))
        found = judged(spec(), about, limits={"maxDuration": "1h"})
        assert isinstance(found.denied, LimitExceeded)
        assert not found.outcome["allowed"]


FREE = judged()
BY_SEED = judged(spec(mfa=SEED), **required())
BY_PERSON = judged(spec(mfa=SEED), **required(PERSON))
BY_PUSH = judged(spec(mfa=SEED), **required(PUSH))
LONG_SESSION = judged(limits={"maxSessionDuration": "8h"})
AN_HOUR = judged(limits={"maxDuration": "1h"})
FORCED = judged(
    spec(mfa=SEED),
    **with_mfa(
        {
            "applications": [
                {"forcedExecution": True, "selector": {"namespaceSelector": {"matchLabels": {"tier": "gold"}}}}
            ]
        }
    ),
)
AS_REPORTS = judged(None, facts(attributes={"r": REPORTS}), authorization={"rolesFromAttribute": "r"})
AS_AUDIT = judged(None, facts(attributes={"r": AUDIT}), authorization={"rolesFromAttribute": "r"})


class TestKept:
    """Credentials that are there are judged by what they were issued under, where that is good enough."""

    @pytest.mark.parametrize(
        ("issued", "now"),
        [
            (FREE, FREE),
            (BY_SEED, BY_SEED),
            (BY_SEED, FREE),
            (BY_PERSON, FREE),
            (FORCED, FREE),
            (FORCED, BY_SEED),
            (BY_SEED, FORCED),
            (AS_REPORTS, AS_REPORTS),
            (LONG_SESSION, FREE),
        ],
        ids=[
            "same",
            "same MFA",
            "relaxed",
            "relaxed from a person",
            "relaxed",
            "forced no more",
            "forced now",
            "role",
            "another session",
        ],
    )
    def test_good_enough(self, issued: Judgement, now: Judgement) -> None:
        found = judgement.kept(now, issued.outcome)
        assert found.outcome == issued.outcome
        assert (found.guard, found.decision, found.denied) == (now.guard, now.decision, now.denied)

    @pytest.mark.parametrize(
        ("issued", "now"),
        [
            (FREE, BY_SEED),
            (BY_SEED, BY_PERSON),
            (BY_PERSON, BY_PUSH),
            (FREE, AN_HOUR),
            (AN_HOUR, FREE),
            (AS_REPORTS, AS_AUDIT),
            (FREE, AS_REPORTS),
            (AS_REPORTS, FREE),
        ],
        ids=["stricter", "a person", "a webhook", "shorter", "longer", "another role", "a role", "no role"],
    )
    def test_not_good_enough(self, issued: Judgement, now: Judgement) -> None:
        assert judgement.kept(now, issued.outcome) == now

    def test_nothing_is_nothing(self) -> None:
        assert judgement.kept(BY_SEED, {}) == BY_SEED

    @pytest.mark.parametrize(
        "forged",
        [
            '{"mfa": "none"}',
            '{"mfa": []}',
            '{"mfa": {"required": "yes"}}',
            '{"maxDuration": "for ever"}',
            '{"roleArn": 5}',
            '{"allowed": "no", "mfa": 7}',
        ],
    )
    @pytest.mark.parametrize("now", [FREE, BY_SEED, AN_HOUR], ids=["free", "by seed", "an hour"])
    def test_what_somebody_forged(self, forged: str, now: Judgement) -> None:
        """Whoever owns the target Secret can write anything there."""
        issued = judgement.decoded(forged)
        assert judgement.kept(now, issued) == now
        assert judgement.effective(spec(mfa=SEED), issued) == spec(mfa=SEED)


class TestEffective:
    """The spec as it is carried out."""

    @pytest.mark.parametrize(
        ("asked", "outcome", "expected"),
        [
            (spec(), {}, spec()),
            (spec(), FREE.outcome, spec()),
            (spec(), {"roleArn": ROLE_ARN}, spec(role={"arn": ROLE_ARN})),
            (spec(role={"arn": ROLE_ARN}), {"roleArn": ROLE_ARN}, spec(role={"arn": ROLE_ARN})),
            (spec(), {"maxDuration": 3600}, spec(duration=3600)),
            (spec(), {"maxDuration": 129_600}, spec(duration=43_200)),
            (spec(duration="30m"), {"maxDuration": 3600}, spec(duration="30m")),
            (spec(), {"roleArn": ROLE_ARN, "maxDuration": 7200}, spec(role={"arn": ROLE_ARN}, duration=3600)),
            (spec(), {"roleArn": ROLE_ARN, "maxDuration": 900}, spec(role={"arn": ROLE_ARN}, duration=900)),
        ],
        ids=[
            "nothing said",
            "nothing demanded",
            "the only role",
            "the chosen role",
            "lowered default",
            "not raised",
            "what was asked for",
            "a role's default",
            "a role's lowered default",
        ],
    )
    def test_role_and_duration(self, asked: Spec, outcome: Mapping[str, Any], expected: Spec) -> None:
        assert judgement.effective(asked, outcome) == expected

    def test_what_a_role_was_given_with_stays(self) -> None:
        asked = spec(role={"arn": ROLE_ARN, "externalId": "of-theirs"})
        assert judgement.effective(asked, {"roleArn": ROLE_ARN}) == asked

    @pytest.mark.parametrize(
        ("outcome", "when", "by_seed"),
        [
            (FREE.outcome, MfaWhen.TRIGGERED, True),
            (BY_SEED.outcome, MfaWhen.ALWAYS, True),
            (BY_PERSON.outcome, MfaWhen.ALWAYS, False),
            (BY_PUSH.outcome, MfaWhen.ALWAYS, True),
        ],
        ids=["free", "by seed", "by a person", "by a webhook"],
    )
    def test_device(self, outcome: Mapping[str, Any], when: MfaWhen, *, by_seed: bool) -> None:
        found = judgement.effective(spec(mfa=SEED | {"when": "Triggered"}), outcome).mfa
        assert found is not None
        assert (found.when, found.totp_secret_ref is not None) == (when, by_seed)

    @pytest.mark.parametrize(
        ("asked", "most", "expected"),
        [
            (None, None, None),
            (None, 3600, 3600),
            (None, 129_600, 43_200),
            ("1h", 7200, 3600),
            ("24h", 7200, 7200),
        ],
        ids=["nothing said", "lowered default", "default", "what was asked for", "less than was asked for"],
    )
    @pytest.mark.parametrize("outcome", [FREE.outcome, BY_PERSON.outcome], ids=["free", "by a person"])
    def test_session(self, asked: str | None, most: int | None, expected: int | None, outcome: Any) -> None:
        mfa = SEED | ({"sessionDuration": asked} if asked else {})
        found = judgement.effective(spec(mfa=mfa), {**outcome, "maxSessionDuration": most}).mfa
        assert found is not None
        assert found.session_duration == expected

    def test_without_a_device_there_is_none(self) -> None:
        assert judgement.effective(spec(), BY_SEED.outcome).mfa is None


@pytest.mark.parametrize(
    ("asked", "expected"), [(spec(), None), (spec(mfa=DEVICE), Device.MANUAL), (spec(mfa=SEED), Device.TOTP)]
)
def test_device(asked: Spec, expected: Device | None) -> None:
    assert judgement.device(asked) is expected


class TestAnnotation:
    @pytest.mark.parametrize("found", [FREE, BY_SEED, BY_PUSH, AN_HOUR, AS_REPORTS, FORCED, LONG_SESSION])
    def test_keeps_the_outcome(self, found: Judgement) -> None:
        text = judgement.encoded(found.outcome)
        assert judgement.decoded(text) == found.outcome
        assert judgement.encoded(dict(reversed(found.outcome.items()))) == text

    @pytest.mark.parametrize("text", ["", "{", "null", "[]", "7", '"allowed"', "\x00", "[" * 100_000])
    def test_that_is_none(self, text: str) -> None:
        assert judgement.decoded(text) == {}
