"""What holds for all policies and requests."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from awssts.domain.policy import (
    Answer,
    Answered,
    Authentication,
    Call,
    Decision,
    Facts,
    HttpCall,
    Plugin,
    Policy,
    Purpose,
    RequestFacts,
    SecretFacts,
    Unreachable,
    UserTags,
)
from awssts.domain.policy.principal import merge
from awssts.domain.policy.registry import OWNER_SOURCES, Source
from tests.unit.policy.samples import AUDIT, PRINCIPAL, REPORTS, TOTP, URL, decide, facts, policy, reason

NAMES = st.sampled_from(["team", "level", "mfa", "awsRoles"])
VALUES = st.sampled_from(["web", "high", "totp", "push", REPORTS, AUDIT, f"[{REPORTS}, {AUDIT}]", "[]", "x,y"])
ATTRIBUTES = st.dictionaries(NAMES, VALUES, max_size=3)
KEYS = st.sampled_from(["app", "tier"])
LABELS = st.dictionaries(KEYS, st.sampled_from(["gold", "tin"]), max_size=2)
LABEL_SELECTORS = LABELS.map(lambda labels: {"matchLabels": labels})
TRUSTED_SELECTORS = LABEL_SELECTORS.map(lambda selector: {"namespaceSelector": selector})
SELECTORS = st.one_of(TRUSTED_SELECTORS, LABEL_SELECTORS.map(lambda selector: {"requestSelector": selector}))
PROVIDERS = st.sampled_from(["totp", "push"])
PATTERNS = st.sampled_from(["web", "h.*", ".*", "none"])
SOURCES = st.permutations(["Namespace", "IamUserTags", "Secret"]).flatmap(
    lambda sources: st.integers(1, 3).map(lambda number: sources[:number])
)
EXPRESSIONS = st.sampled_from(
    [
        "true",
        "false",
        "'push'",
        "has(request.labels.app)",
        "'level' in principal.attributes",
        "ns.labels.tier == 'gold'",
    ]
)
LET_OFF = st.just({"names": ["username"], "value": "alice|.*:ci:deployer", "reverseMatch": True, "provider": "push"})


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


def entries(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(st.fixed_dictionaries(fields), max_size=2)


def triggers(
    selectors: st.SearchStrategy[Any], expressions: st.SearchStrategy[str]
) -> st.SearchStrategy[dict[str, Any]]:
    return optional(
        adaptive=entries(onOrAfterHour=st.sampled_from([0, 13]), provider=PROVIDERS),
        optIn=st.just({}),
        rest=st.just({"url": URL}),
        script=st.fixed_dictionaries({"expression": expressions}),
        principalAttributePerApplication=entries(selector=selectors, name=NAMES, provider=PROVIDERS),
        principalAttribute=st.fixed_dictionaries({"names": st.lists(NAMES, min_size=1, max_size=2), "value": PATTERNS}),
        authenticationAttribute=LET_OFF,
        applications=entries(selector=selectors, provider=PROVIDERS),
        other=st.just([{"name": "plugin"}]),
    )


def bypasses(selectors: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return optional(services=st.lists(selectors, max_size=1), principalAttributes=entries(name=NAMES, value=PATTERNS))


def specs(
    sources: st.SearchStrategy[Any], selectors: st.SearchStrategy[Any], expressions: st.SearchStrategy[str]
) -> st.SearchStrategy[dict[str, Any]]:
    totp = st.fixed_dictionaries({"name": st.just("totp"), "type": st.just("Totp"), "bypass": bypasses(selectors)})
    push = st.fixed_dictionaries(
        {
            "name": st.just("push"),
            "type": st.just("Webhook"),
            "webhook": st.just({"url": "https://push.example.org"}),
            "failureMode": st.sampled_from(["Closed", "Open", "Phantom", "None"]),
            "bypass": bypasses(selectors),
        }
    )
    return optional(
        priority=st.integers(-2, 2),
        selector=st.one_of(st.just({}), selectors),
        limits=optional(maxDuration=st.integers(900, 904), allowedRoleArns=st.just([REPORTS]), allowRoot=st.booleans()),
        principal=st.fixed_dictionaries({"sources": sources}),
        authorization=optional(
            principalAttribute=st.fixed_dictionaries({"name": NAMES, "value": PATTERNS}),
            rolesFromAttribute=st.just("awsRoles"),
        ),
        mfa=st.fixed_dictionaries(
            {"providers": st.tuples(totp, push).map(list), "triggers": triggers(selectors, expressions)}
        ),
    )


# Policies in which much fires, and little refuses.
LENIENT = {"name": "lenient", "type": "Totp", "bypass": {"services": [{"namespaceSelector": {}}]}}
PERSON = {"name": "person", "type": "Manual"}
ANY = st.sampled_from(["totp", "lenient", "person"])
BUSY = st.fixed_dictionaries(
    {
        "priority": st.integers(-2, 2),
        "mfa": st.fixed_dictionaries(
            {
                "providers": st.just([TOTP, LENIENT, PERSON]),
                "triggers": optional(
                    adaptive=st.fixed_dictionaries({"onOrAfterHour": st.just(0), "provider": ANY}).map(
                        lambda rule: [rule]
                    ),
                    optIn=st.just({}),
                    authenticationAttribute=st.fixed_dictionaries(
                        {"names": st.just(["username"]), "value": st.just(".*:mine"), "provider": ANY}
                    ),
                    applications=st.fixed_dictionaries(
                        {
                            "selector": st.just({"namespaceSelector": {}}),
                            "provider": ANY,
                            "forcedExecution": st.booleans(),
                        }
                    ).map(lambda rule: [rule]),
                    entityId=ANY.map(
                        lambda name: {"source": "ServiceAccount", "entities": [{"id": "team/mine", "provider": name}]}
                    ),
                    other=ANY.map(lambda name: [{"name": "always", "provider": name}]),
                ),
            }
        ),
    }
)
SPECS = specs(SOURCES, SELECTORS, EXPRESSIONS)
POLICIES = st.lists(SPECS, max_size=4).map(
    lambda found: [policy(f"p{number}", **spec) for number, spec in enumerate(found)]
)
REQUESTS = st.builds(
    RequestFacts,
    name=st.just("r"),
    namespace=st.just("team"),
    labels=LABELS,
    annotations=optional(**{"awssts.dev/mfa": st.sampled_from(["totp", "push", "duo"])}),
    duration=st.sampled_from([None, 2, 4]),
    role_arn=st.sampled_from([None, REPORTS, AUDIT]),
)
FACTS = st.builds(
    lambda request, given, own, who: facts(
        attributes=given,
        request=request,
        authentication=who,
        secret=SecretFacts(name="keys", annotations={PRINCIPAL + name: value for name, value in own.items()}),
    ),
    REQUESTS,
    ATTRIBUTES,
    ATTRIBUTES,
    st.sampled_from([None, Authentication(username="alice", groups=("ops",))]),
)
OWNERS = st.sampled_from(["system:serviceaccount:team:mine", "system:serviceaccount:team:other"]).map(
    lambda name: Authentication(username=name)
)
WORDS = st.tuples(LABELS, st.sampled_from([None, "totp", "push", "person", "lenient"]), ATTRIBUTES, OWNERS)
OUTSIDES = st.fixed_dictionaries(
    {
        Purpose.TRIGGER: st.sampled_from([Answered(204), Answered(200, "push"), Answered(500), Unreachable("away")]),
        Purpose.AVAILABILITY: st.sampled_from([Answered(200), Unreachable("away")]),
    }
)


HIM = Authentication(username="bob")


def effort(decision: Decision) -> int:
    """What has to be done: nothing, a code of the seed, a code that somebody gives."""
    return 0 if not decision.mfa.required else 1 if decision.mfa.provider_type == "Totp" else 2


def forced(decision: Decision) -> bool:
    return decision.mfa.required and decision.mfa.forced


PLUGINS: dict[str, Plugin] = {"plugin": lambda seen: seen["principal"]["id"] == "nobody", "always": lambda _: True}


def outcome(policies: list[Policy], about: Facts, outside: dict[Purpose, Answer]) -> Decision:
    def ask(call: Call) -> Answer:
        return outside[call.purpose] if isinstance(call, HttpCall) else UserTags({"level": "high"})

    return decide(policies, about, ask, PLUGINS)


@settings(deadline=None)
@given(POLICIES, FACTS, OUTSIDES, st.randoms(use_true_random=False))
def test_the_order_in_which_policies_are_given_does_not_matter(
    policies: list[Policy], about: Facts, outside: dict[Purpose, Answer], random: Any
) -> None:
    shuffled = random.sample(policies, len(policies))
    one, other = outcome(policies, about, outside), outcome(shuffled, about, outside)
    assert one.outcome() == other.outcome()
    assert (one.trace, one.mfa, one.limits) == (other.trace, other.mfa, other.limits)
    assert str(one.denied) == str(other.denied)


@settings(deadline=None)
@given(POLICIES, SPECS, FACTS, OUTSIDES)
def test_one_more_policy_never_loosens_anything(
    policies: list[Policy], spec: dict[str, Any], about: Facts, outside: dict[Purpose, Answer]
) -> None:
    before = outcome(policies, about, outside)
    after = outcome([*policies, policy("more", **spec)], about, outside)
    if not before.allowed:
        unknown = reason(before) in {"ProviderUnknown", "RoleNotChosen"}
        assert not after.allowed or unknown  # the new policy may offer the provider, or leave one role only
        return
    if after.allowed:
        assert effort(after) >= effort(before)
        assert forced(after) >= forced(before)
        assert after.limits.allow_root <= before.limits.allow_root
        assert (after.limits.max_duration or 10**6) <= (before.limits.max_duration or 10**6)
        assert (after.limits.max_session_duration or 10**6) <= (before.limits.max_session_duration or 10**6)
        if before.limits.allowed_role_arns is not None:
            assert after.limits.allowed_role_arns is not None
            assert after.limits.allowed_role_arns <= before.limits.allowed_role_arns


TRUSTED = specs(
    st.permutations(["Namespace", "IamUserTags"]),
    TRUSTED_SELECTORS,
    st.sampled_from(["true", "false", "'push'", "ns.labels.tier == 'gold'"]),
)


@settings(deadline=None)
@given(st.lists(TRUSTED, max_size=3), FACTS, OUTSIDES, WORDS)
def test_an_owner_cannot_avoid_the_mfa_of_policies_that_rest_on_trusted_sources(
    found: list[dict[str, Any]],
    about: Facts,
    outside: dict[Purpose, Answer],
    words: tuple[dict[str, str], str | None, dict[str, str], Authentication],
) -> None:
    policies = [policy(f"p{number}", **spec) for number, spec in enumerate(found)]
    plain = outcome(policies, written(about, {}, None, {}, HIM), outside)
    dodging = outcome(policies, written(about, *words), outside)
    if dodging.allowed:
        assert effort(dodging) >= effort(plain)
        assert forced(dodging) >= forced(plain)
    if not plain.allowed:
        assert not dodging.allowed


@settings(deadline=None, max_examples=300)
@given(st.lists(BUSY, min_size=1, max_size=2), WORDS)
def test_an_owner_cannot_choose_among_much_that_fires(
    found: list[dict[str, Any]], words: tuple[dict[str, str], str | None, dict[str, str], Authentication]
) -> None:
    policies = [policy(f"p{number}", **spec) for number, spec in enumerate(found)]
    plain = outcome(policies, written(facts(), {}, None, {}, HIM), {})
    dodging = outcome(policies, written(facts(), *words), {})
    if dodging.allowed:
        assert effort(dodging) >= effort(plain)
        assert forced(dodging) >= forced(plain)


@settings(deadline=None, max_examples=300)
@given(st.lists(BUSY, min_size=1, max_size=2), BUSY, OWNERS)
def test_one_more_policy_never_asks_less_of_anybody(
    found: list[dict[str, Any]], spec: dict[str, Any], who: Authentication
) -> None:
    policies, about = [policy(f"p{number}", **spec) for number, spec in enumerate(found)], facts(authentication=who)
    before, after = outcome(policies, about, {}), outcome([*policies, policy("more", **spec)], about, {})
    assert effort(after) >= effort(before)
    assert forced(after) >= forced(before)


def written(about: Facts, labels: dict[str, str], wish: str | None, own: dict[str, str], who: Authentication) -> Facts:
    """What an owner can make of it."""
    request = RequestFacts(
        name="r",
        namespace="team",
        labels=labels,
        annotations={"awssts.dev/mfa": wish} if wish else {},
        role_arn=about.request.role_arn,
    )
    annotations = {PRINCIPAL + name: value for name, value in own.items()}
    return Facts(
        request=request,
        namespace=about.namespace,
        now=about.now,
        secret=SecretFacts(name="keys", annotations=annotations),
        authentication=who,
    )


@given(st.lists(st.tuples(st.sampled_from(Source), st.dictionaries(NAMES, st.tuples(VALUES), max_size=3)), max_size=4))
def test_an_attribute_is_that_of_the_first_source_that_gives_it(found: list[tuple[Source, dict[str, Any]]]) -> None:
    principal = merge("x", found)
    for name, attribute in principal.attributes.items():
        source, values = next((source, given[name]) for source, given in found if name in given)
        assert (attribute.source, attribute.values) == (source, values)


@given(ATTRIBUTES, ATTRIBUTES)
def test_an_owners_attribute_never_beats_a_trusted_one(trusted: dict[str, str], own: dict[str, str]) -> None:
    given_values = {name: (value,) for name, value in trusted.items()}
    principal = merge(
        "x", [(Source.NAMESPACE, given_values), (Source.SECRET, {name: (value,) for name, value in own.items()})]
    )
    assert {name: principal.values(name) for name in trusted} == given_values
    assert all(found.source not in OWNER_SOURCES for found in principal.trusted().attributes.values())


@settings(deadline=None)
@given(POLICIES, FACTS, OUTSIDES)
def test_evaluating_again_gives_the_same(policies: list[Policy], about: Facts, outside: dict[Purpose, Answer]) -> None:
    one, other = outcome(policies, about, outside), outcome(policies, about, outside)
    assert one.outcome() == other.outcome()
    assert one.trace == other.trace
    assert one.satisfied_by(other.outcome())
