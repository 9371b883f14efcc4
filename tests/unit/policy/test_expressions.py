"""Expressions: what they see, what they may cost, what they may come to. Patterns: linear, whole values."""

import subprocess
import sys
import time
from typing import Any

import pytest

from awssts.domain.policy import patterns
from awssts.domain.policy.expressions import (
    FUNCTIONS,
    MAX_LENGTH,
    VARIABLES,
    ExpressionError,
    check,
    compiled,
    condition,
    evaluate,
)
from awssts.domain.policy.lexing import shape
from tests.unit.policy.samples import MONDAY_NOON, decide, facts, policy, with_mfa

SEEN: dict[str, Any] = {
    "principal": {"id": "alice", "attributes": {"team": ["web", "pay"]}},
    "request": {"name": "r", "labels": {}, "duration": 3600, "roleArn": None},
    "ns": {"labels": {"tier": "gold"}},
    "now": MONDAY_NOON,
    "history": {"lastIssuance": None, "keyChanged": False, "failures": 0},
}


@pytest.mark.parametrize(
    ("source", "result"),
    [
        ("true", True),
        ("null", None),
        ("'push'", "push"),
        ("principal.id == 'alice' && 'pay' in principal.attributes.team", True),
        ("has(principal.attributes.level)", False),
        ("'level' in principal.attributes", False),
        ("principal.attributes['team'].exists(t, t.startsWith('p'))", True),
        ("principal.attributes.all(name, principal.attributes[name].size() < 3)", True),
        ("request.roleArn == null ? 'totp' : null", "totp"),
        ("request.duration > 1800", True),
        ("now.getDayOfWeek() in [0, 6]", False),
        ("now.getHours() >= 8 && now.getHours() < 18", True),
        ("now < timestamp('2026-03-03T00:00:00Z')", True),
        ("history.lastIssuance == null || now - history.lastIssuance > duration('1h')", True),
        ("principal.id.matches('^a.*e$')", True),
        ("[1, 2, 3].filter(x, x > 1).map(x, x * 2) == [4, 6]", True),
        ("'a(b[c{' == \"a(b[c{\" // comment (((", True),
        ("r'\\(' == '\\\\('", True),
    ],
)
def test_result(source: str, result: Any) -> None:
    assert evaluate(check(source), SEEN) == result


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("principal.attributes.level == ''", "there is no 'level'"),
        ("principal.attributes['level'] == ''", "there is no 'level'"),
        ("1", "must be true, false, a string or null, not int"),
        ("['a']", "not list"),
        ("{'a': 1}", "not dict"),
        ("now", "not datetime"),
        ("1 / 0 == 1", "can't be evaluated"),
        ("'a' + 1 == ''", "can't be evaluated"),
        ("principal.id.matches('(')", "can't be evaluated"),
        ("principal.attributes.team[7] == ''", "."),
        ("request.name > 5", "."),
        ("providers == null", "can't be evaluated"),
    ],
)
def test_no_result(source: str, problem: str) -> None:
    with pytest.raises(ExpressionError, match=problem):
        evaluate(check(source), SEEN)


@pytest.mark.parametrize(("source", "problem"), [("'yes'", "not a string"), ("null", "not null")])
def test_a_condition_is_true_or_false(source: str, problem: str) -> None:
    assert condition("true", SEEN) is True
    with pytest.raises(ExpressionError, match=problem):
        condition(source, SEEN)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("", "not a CEL expression"),
        ("1 +", "not a CEL expression .* 1:4"),
        ("a = 1", "not a CEL expression"),
        ("namespace.name == ''", "the variable is ns"),
        ("env.HOME == ''", "there is no variable 'env'; there are authentication, history, now"),
        ("exec('id') == ''", "there is no function 'exec'"),
        ("principal.id.lowerAscii() == ''", "there is no function 'lowerAscii'"),
        ("[1].all(request, true)", "may not call its own variable 'request'"),
        ("true || " * 200 + "true", "1604 characters; at most 1024"),
        ("(" * 17 + "true" + ")" * 17, "17 brackets within brackets; at most 16"),
        ("[[1]].all(a, a.all(b, [1].all(c, c == b)))", "3 macros within macros; at most 2"),
        (" && ".join(["[1].all(a, a == 1)"] * 5), "5 macros .* at most 4"),
        ("[1].map(a, a).map(b, b).map(c, c) == []", "3 map macros; at most 2"),
        ("[[1]] . /* */ all(a, true)", "not a CEL expression"),
    ],
)
def test_refused_at_admission(source: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        check(source)


def test_the_limits_themselves_are_allowed() -> None:
    check("(" * 16 + "true" + ")" * 16)
    check("[[1]].all(a, a.all(b, b == 1)) && [1].exists(c, true) && [1].exists_one(d, true)")
    check("'" + "a" * (MAX_LENGTH - 8) + "' == ''")


def test_macros_are_seen_through_blanks_comments_and_strings() -> None:
    found = shape("x . // [1].map(\n all (y, 'z.exists(q, \\' true)' == y.map(k, k))")
    assert (found.macros, found.nesting, found.bound) == (["all", "map"], 2, {"y", "k"})


def test_variables_are_those_of_the_policy_and_not_of_macros() -> None:
    assert compiled("principal.attributes.all(k, k != ns.name)").variables == {"principal", "ns"}


def test_every_variable_is_there_and_every_function_is_known_to_the_engine() -> None:
    for name in VARIABLES - {"now"}:
        present = " && authentication.present == false" if name == "authentication" else ""
        spec = with_mfa({"script": {"expression": f"size({name}) > 0{present}"}})
        assert decide(policy(**spec), facts()).mfa.required, name
    assert decide(policy(**with_mfa({"script": {"expression": "type(now) == type(now)"}})), facts()).mfa.required


CALLS = {
    "bytes": "bytes('a') == b'a'",
    "contains": "'abc'.contains('b')",
    "double": "double(1) == 1.0",
    "duration": "duration('1h') > duration('1m')",
    "dyn": "dyn(1) == 1",
    "endsWith": "'abc'.endsWith('c')",
    "int": "int('1') == 1",
    "matches": "'abc'.matches('b')",
    "size": "size('abc') == 3",
    "startsWith": "'abc'.startsWith('a')",
    "string": "string(1) == '1'",
    "timestamp": "timestamp('2026-03-02T12:00:00Z') == now",
    "type": "type(1) == int",
    "uint": "uint(1) == 1u",
    "getDate": "now.getDate() == 2",
    "getDayOfMonth": "now.getDayOfMonth() == 1",
    "getDayOfWeek": "now.getDayOfWeek() == 1",
    "getDayOfYear": "now.getDayOfYear() == 60",
    "getFullYear": "now.getFullYear() == 2026",
    "getHours": "now.getHours() == 12",
    "getMilliseconds": "now.getMilliseconds() == 0",
    "getMinutes": "now.getMinutes() == 0",
    "getMonth": "now.getMonth() == 2",
    "getSeconds": "now.getSeconds() == 0",
}


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_function(name: str) -> None:
    assert evaluate(check(CALLS[name]), SEEN) is True


def test_the_worst_allowed_expression_over_the_largest_facts_takes_little_time() -> None:
    labels = {f"k{number}": "v" * 63 for number in range(256)}
    seen = {**SEEN, "request": {"labels": labels}, "ns": {"labels": labels}}
    source = "request.labels.all(a, ns.labels.all(b, a != '' || b == ''))"
    started = time.perf_counter()
    assert evaluate(check(f"{source} && {source}"), seen) is True
    assert time.perf_counter() - started < 5  # seconds; some 0.1 on a quiet machine


def test_the_engine_does_not_bring_its_command_line() -> None:
    code = (
        "import sys; from awssts.domain.policy.expressions import check; check('true');"
        "print([m for m in ('typer', 'rich', 'prompt_toolkit') if m in sys.modules])"
    )
    shown = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert shown.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("pattern", "value", "matched"),
    [
        ("role/admin", "role/admin", True),
        ("role/admin", "role/admin-ro", False),
        ("role/admin", "x/role/admin", False),
        ("a|ab", "ab", True),
        ("a.*", "a\nb", True),
        ("(?i)É", "é", True),
        ("", "", True),
        (None, "anything", True),
    ],
)
def test_a_pattern_matches_whole_values(pattern: str | None, value: str, matched: bool) -> None:
    assert patterns.matches(pattern, value) is matched


def test_a_pattern_cannot_hang() -> None:
    started = time.perf_counter()
    assert not patterns.matches("(a+)+b", "a" * 2048)
    assert not patterns.matches("(.*)*x(.*)*y", "a" * 2048)
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize("pattern", ["(", "[", "*", "(?=a)", r"(a)\1", "((a{100}){100}){100}"])
def test_a_bad_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="not a regular expression of RE2"):
        patterns.check(pattern)
