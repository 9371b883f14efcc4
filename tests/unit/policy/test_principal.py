"""Who the principal is: values as written, sources by trust."""

import json
import time
from dataclasses import replace
from typing import Any

import pytest

from awssts.domain.policy import (
    Answered,
    Call,
    NamespaceFacts,
    ReadUserTags,
    SecretFacts,
    Unreachable,
    UserTags,
    yamltext,
)
from awssts.domain.policy import principal as principal_
from awssts.domain.policy.calls import Answers
from awssts.domain.policy.errors import PrincipalInvalid
from awssts.domain.policy.identity import read
from awssts.domain.policy.principal import MAX_TEXT, from_metadata, from_tags, from_yaml, merge
from awssts.domain.policy.registry import Source
from tests.unit.policy.samples import PRINCIPAL, URL, decide, facts, http, policy, reason, with_mfa

DIRECTORY = {"sources": ["Rest"], "rest": {"url": "https://directory.example.org/people?key=hidden"}}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("reports", ("reports",)),
        ("  reports ", ("reports",)),
        ("", ("",)),
        ("cn=ops,ou=groups,dc=example", ("cn=ops,ou=groups,dc=example",)),
        ("[reports, audit]", ("reports", "audit")),
        ("['cn=ops,dc=x', \"b\"]", ("cn=ops,dc=x", "b")),
        ("[no, 0123, 1e3, null]", ("no", "0123", "1e3", "null")),
        ("[]", ()),
        ("- a\n- b", ("- a\n- b",)),
    ],
)
def test_value_of_an_annotation(text: str, values: tuple[str, ...]) -> None:
    assert from_metadata("x", {PRINCIPAL + "a": text, "other/b": "c"}) == {"a": values}


@pytest.mark.parametrize("text", ["[", "[a", "[a]]", "[[a]]", "[{a: b}]", "[" * 5000, "[&x a, *x]", "[a]\n---\n[b]"])
def test_a_value_that_looks_like_a_list_and_is_none(text: str) -> None:
    with pytest.raises(PrincipalInvalid, match=r"a"):
        from_metadata("namespace team:", {PRINCIPAL + "a": text})


@pytest.mark.parametrize(
    ("text", "attributes"),
    [
        ("", {}),
        ("{}", {}),
        ("awsRole: reports", {"awsRole": ("reports",)}),
        ("awsRole: [a, b]\nteam:\n- web", {"awsRole": ("a", "b"), "team": ("web",)}),
        ("on: [yes, 1]", {"on": ("yes", "1")}),
        ("awsRole:", {"awsRole": ("",)}),
    ],
)
def test_the_attributes_key(text: str, attributes: dict[str, tuple[str, ...]]) -> None:
    assert from_yaml(text, "Secret keys: attributes") == attributes


@pytest.mark.parametrize(
    "text",
    [
        "just text",
        "[a, b]",
        "a: {b: c}",
        "a: [[b]]",
        "a: [",
        "a: b: c",
        "!!python/object/apply:os.system ['id']",
        "\x00",
        "{" * 5000,
        "a: " + "x" * 70_000,
        "a: [" + "b, " * 257 + "]",
        "a: " + "b" * 2049,
        "\n".join(f"a{number}: b" for number in range(65)),
        "a: 1\na: 2",
        "[a]: b",
        "a: 1\n---\nb: 2",
        "a: &x [b]\nc: *x",
        "a: &x b",
        "\ud800",
        r'a: "\ud800"',
    ],
)
def test_garbage_in_the_attributes_key_is_a_clear_error(text: str) -> None:
    with pytest.raises(PrincipalInvalid, match="Secret keys: attributes") as raised:
        from_yaml(text, "Secret keys: attributes")
    assert text not in raised.value.message


@pytest.mark.parametrize(
    "text",
    [
        "[" * MAX_TEXT,
        "{" * MAX_TEXT,
        ("a: &a [b]\nc: &c [*a, *a, *a, *a]\nd: &d [*c, *c, *c, *c]\n" * 200)[:MAX_TEXT],
        ("- " * MAX_TEXT)[:MAX_TEXT],
        ("? " * MAX_TEXT)[:MAX_TEXT],
        ("a: [" + "b," * MAX_TEXT)[:MAX_TEXT],
        "".join(" " * depth + "a:\n" for depth in range(120))[:MAX_TEXT],
    ],
    ids=["lists", "mappings", "references", "items", "keys", "values", "indented"],
)
def test_a_bomb_in_the_attributes_key_costs_next_to_nothing(text: str) -> None:
    begin = time.process_time()
    with pytest.raises(PrincipalInvalid):
        from_yaml(text, "Secret keys: attributes")
    assert time.process_time() - begin < 0.1  # measured: 6 ms at the most; PyYAML's own parser takes up to 11 s


def test_the_length_of_the_attributes_key_is_bounded() -> None:
    assert from_yaml("a: b #".ljust(MAX_TEXT, "x"), "x") == {"a": ("b",)}
    with pytest.raises(PrincipalInvalid, match=f"x is longer than {MAX_TEXT} characters"):
        from_yaml("a: b #".ljust(MAX_TEXT + 1, "x"), "x")


def test_the_length_of_all_lists_in_annotations_is_bounded_together() -> None:
    half = f"[{'a, ' * (MAX_TEXT // 6 // 8)}'{'b' * 2000}']"
    several = {PRINCIPAL + f"a{number}": half for number in range(4)}
    with pytest.raises(PrincipalInvalid, match=f"longer than {MAX_TEXT} characters together"):
        from_metadata("Secret keys:", several)
    assert len(from_metadata("x", dict(list(several.items())[:3]))) == 3
    plain = {PRINCIPAL + f"a{number}": "b" * 2000 for number in range(64)}
    assert len(from_metadata("x", plain)) == 64  # what is no list need not be parsed


def test_what_the_owner_wrote_is_parsed_once_in_an_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []
    parse = yamltext.read
    monkeypatch.setattr(yamltext, "read", lambda text: (parsed.append(text), parse(text))[1])
    about = facts(own={"c": "[d]"}, attributes={"e": "[f]"})
    about = replace(about, secret=replace(about.secret, attributes="a: b") if about.secret else None)
    sources = {"principal": {"sources": ["Namespace", "Secret"]}}
    rest = with_mfa({"rest": {"url": URL}})
    policies = [policy(f"p{number}", **rest, **sources) for number in range(5)]
    assert decide(policies, about, lambda _: Answered(204)).allowed
    assert sorted(parsed) == ["[d]", "[f]", "a: b"]


def test_garbage_refuses_the_request_only_where_the_policy_reads_it() -> None:
    about = facts(secret=SecretFacts(name="keys", attributes="just text"))
    assert reason(decide(policy(principal={"sources": ["Namespace", "Secret"]}), about)) == "PrincipalInvalid"
    assert decide(policy(), about).allowed


def test_tags_are_single_values_under_their_own_names() -> None:
    assert from_tags({"team": "[a, b]", "cost:center": "1"}) == {"team": ("[a, b]",), "cost:center": ("1",)}


def test_the_more_trusted_source_hides_the_same_attribute() -> None:
    found = merge("x", [(Source.NAMESPACE, {"a": ("1",)}), (Source.SECRET, {"a": ("2",), "b": ("3",)})])
    assert {name: (*attribute.values, attribute.source) for name, attribute in found.attributes.items()} == {
        "a": ("1", Source.NAMESPACE),
        "b": ("3", Source.SECRET),
    }
    assert not found.owner_decides("a")
    assert found.owner_decides("b")
    assert found.owner_decides("missing")
    assert set(found.trusted().attributes) == {"a"}
    assert not found.trusted().owner_decides("missing")


def test_an_empty_list_from_a_trusted_source_hides_too() -> None:
    found = merge("x", [(Source.NAMESPACE, {"a": ()}), (Source.SECRET, {"a": ("2",)})])
    assert found.values("a") == ()


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ([(Source.NAMESPACE, {"id": ("alice",)})], "alice"),
        ([(Source.SECRET, {"id": ("alice",)})], "team"),
        ([(Source.SECRET, {"id": ("bob",)}), (Source.NAMESPACE, {"id": ("alice",)})], "team"),
        ([(Source.NAMESPACE, {"id": ()})], "team"),
        ([], "team"),
    ],
)
def test_only_a_trusted_source_gives_the_id(sources: list[Any], expected: str) -> None:
    assert merge("team", sources).id == expected


def of(spec: dict[str, Any], about: Any, answers: dict[Call, Any] | None = None) -> principal_.Principal:
    return read(policy(principal=spec), about, Answers(answers or {}))


def test_annotations_hide_labels_and_the_attributes_key() -> None:
    namespace = NamespaceFacts(
        name="team", labels={PRINCIPAL + "a": "label", PRINCIPAL + "b": "label"}, annotations={PRINCIPAL + "a": "x"}
    )
    secret = SecretFacts(name="keys", annotations={PRINCIPAL + "c": "x"}, attributes="c: [key]\nd: [key]")
    found = of({"sources": ["Namespace", "Secret"]}, facts(namespace=namespace, secret=secret))
    assert {name: attribute.values for name, attribute in found.attributes.items()} == {
        "a": ("x",),
        "b": ("label",),
        "c": ("x",),
        "d": ("key",),
    }


def test_the_default_is_namespace_then_secret() -> None:
    found = of({}, facts(attributes={"a": "namespace"}, own={"a": "secret", "b": "secret"}))
    assert found.sources == (Source.NAMESPACE, Source.SECRET)
    assert (found.values("a"), found.values("b")) == (("namespace",), ("secret",))


def test_tags_of_the_iam_user() -> None:
    demanding = policy(
        principal={"sources": ["IamUserTags"]}, authorization={"principalAttribute": {"name": "a", "value": "b"}}
    )
    assert decide(demanding, facts(), lambda _: UserTags({"a": "b"})).allowed
    assert reason(decide(demanding, facts(), lambda _: UserTags({}))) == "NotAuthorized"
    assert reason(decide(demanding, facts(), lambda _: Unreachable("denied"))) == "PolicyEndpointUnavailable"
    assert reason(decide(demanding, facts(secret=None))) == "NotAuthorized"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answered(200, '{"attributes": {"a": ["b", "c"], "d": "e"}}'), {"a": ("b", "c"), "d": ("e",)}),
        (Answered(200, '{"attributes": {}, "more": 1}'), {}),
        (Answered(204), {}),
        (Answered(404, "who?"), "PolicyEndpointUnavailable"),
        (Answered(200, '{"attributes": {"a": [1]}}'), "PrincipalInvalid"),
        (Answered(200, r'{"attributes": {"a": ["\ud800"]}}'), "PrincipalInvalid"),
        (Answered(200, r'{"attributes": {"\ud800": "b"}}'), "PrincipalInvalid"),
        (Answered(200, r'{"attributes": {"a": "\ud83d\ude00"}}'), {"a": ("😀",)}),
        (Answered(200, '{"attributes": []}'), "PolicyEndpointUnavailable"),
        (Answered(200, '["attributes"]'), "PolicyEndpointUnavailable"),
        (Answered(200, "<html>"), "PolicyEndpointUnavailable"),
        (Answered(200, "[" * 100_000), "PolicyEndpointUnavailable"),
        (Answered(302), "PolicyEndpointUnavailable"),
        (Answered(500), "PolicyEndpointUnavailable"),
        (Unreachable("timeout"), "PolicyEndpointUnavailable"),
    ],
)
def test_the_directory(answer: Answered | Unreachable, expected: Any) -> None:
    asked: list[Call] = []

    def ask(call: Call) -> Answered | Unreachable:
        asked.append(call)
        return answer

    decision = decide(policy(principal=DIRECTORY), facts(), ask)
    if isinstance(expected, str):
        assert reason(decision) == expected
        assert decision.denied is not None
        assert "hidden" not in decision.denied.message
    else:
        assert decision.allowed
        found = of(DIRECTORY, facts(), {asked[0]: answer})
        assert {name: attribute.values for name, attribute in found.attributes.items()} == expected
    assert json.loads(http(asked[0]).body) == {"principal": {"id": "team"}, "namespace": "team"}


def test_an_owner_cannot_ask_the_directory_for_somebody_else() -> None:
    asked: list[Call] = []

    def ask(call: Call) -> Answered:
        asked.append(call)
        return Answered(204)

    about = facts(own={"id": "boss"})
    decide(policy(principal={**DIRECTORY, "sources": ["Secret", "Rest"]}), about, ask)
    assert json.loads(http(asked[0]).body)["principal"] == {"id": "team"}


def test_sources_of_all_policies_are_asked_for_at_once() -> None:
    asked: list[Call] = []

    def ask(call: Call) -> Answered | UserTags:
        asked.append(call)
        return UserTags({}) if isinstance(call, ReadUserTags) else Answered(204)

    policies = [
        policy("a", principal=DIRECTORY),
        policy("b", principal={"sources": ["IamUserTags"]}),
        policy("c", principal={"sources": ["IamUserTags"]}),
    ]
    assert decide(policies, facts(), ask).allowed
    assert len(asked) == 2
