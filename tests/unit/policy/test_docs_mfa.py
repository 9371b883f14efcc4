"""What the documents on MFA and policies claim is there: rows, modes, bypasses, bounds, reasons, bodies."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from awssts.domain.errors import AwsstsError, Retry
from awssts.domain.policy import (
    Answered,
    Authentication,
    InvalidPolicy,
    NamespaceFacts,
    Need,
    Policy,
    RequestFacts,
    calls,
    cost,
    errors,
    evaluate,
    expressions,
    load,
    matching,
    principal,
    warnings,
)
from awssts.domain.policy.decision import MfaOutcome
from awssts.domain.policy.lexing import MACROS
from awssts.domain.policy.registry import BYPASS_KINDS, OWNER_SOURCES, ROWS, FailureMode, Row, Source
from awssts.domain.policy.schema.resource import Limits
from awssts.domain.request import read_spec
from awssts.domain.resources import Spec
from tests.documents import BY_MODELS, Block, blocks, fenced
from tests.unit.policy.samples import PUSH, REPORTS, TOTP, decide, facts, http, policy, with_mfa

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
MFA, POLICIES = ((DOCS / name).read_text() for name in ("mfa.md", "policies.md"))
PROVIDERS = [TOTP, {"name": "person", "type": "Manual"}, PUSH]
AGAIN = {Retry.BACKOFF: "backoff", Retry.INPUT: "look", Retry.CHANGE: "change"}


def section(text: str, heading: str) -> str:
    """What stands under a heading, with what is below it."""
    level = heading.split(maxsplit=1)[0]
    found = text.partition(f"\n{heading}\n")[2]
    assert found, heading
    return re.split(rf"^#{{1,{len(level)}}} ", found, maxsplit=1, flags=re.MULTILINE)[0]


def tables(text: str) -> list[list[list[str]]]:
    """The tables of a text: rows of cells, without heads."""
    found = re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    return [
        [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]] for table in found
    ]


def bare(cell: str) -> str:
    return cell.strip("`")


def triggers_table() -> list[list[str]]:
    return tables(section(MFA, "## When policies demand MFA").partition("\n### ")[0])[0]


def spec_of(row: Row, sources: list[str]) -> dict[str, Any]:
    """The policy that a row's paragraph shows."""
    (shown,) = fenced(section(MFA, f"### {row.order}. {row.cas}"), "yaml")
    mfa = yaml.safe_load(shown)["mfa"]
    assert list(mfa["triggers"]) == [row.field]
    return {"principal": {"sources": sources}, "mfa": {"providers": PROVIDERS, **mfa}}


# MFA.


def test_the_table_of_triggers_is_the_registry() -> None:
    claimed = [(int(order), cas, bare(field)) for order, cas, field, *_ in triggers_table()]
    assert claimed == [(row.order, row.cas, row.field) for row in ROWS]


def test_each_trigger_has_its_example() -> None:
    for row, (*_, cell) in zip(ROWS, triggers_table(), strict=True):
        link = re.fullmatch(r"\[(.*)\]\(\.\./examples/mfa/\1\)", cell)
        assert link is not None
        assert link[1].startswith(f"{row.order:02}-")
        assert (ROOT / "examples" / "mfa" / link[1]).is_file()


ALWAYS_DOUBTFUL = {"entityId"}  # an owner applies the request as another, or leaves the annotation out


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.field)
def test_each_trigger_has_a_paragraph_with_a_manifest_that_works(row: Row) -> None:
    assert bool(warnings(policy(**spec_of(row, ["Namespace"])))) == (row.field in ALWAYS_DOUBTFUL)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.field)
def test_what_holds_with_trusted_sources_only_draws_a_warning_without_them(row: Row) -> None:
    claim = triggers_table()[row.order - 1][3]
    drawn = warnings(policy(**spec_of(row, ["Namespace", "Secret"])))
    assert bool(drawn) == (claim.startswith("With trusted sources") or row.field in ALWAYS_DOUBTFUL)


def test_the_table_of_failure_modes_is_the_registry() -> None:
    claimed = {bare(mode): bare(outcome) for mode, _, outcome in tables(section(MFA, "## Failure modes"))[0]}
    assert list(claimed) == list(FailureMode)
    for mode, outcome in claimed.items():
        spec = with_mfa({"global": {}}, [{**PUSH, "failureMode": mode}])
        assert decide(policy(**spec), facts(), lambda _: calls.Unreachable("gone")).mfa.outcome == outcome


def test_the_table_of_bypasses_is_the_registry() -> None:
    claimed = [(cas, bare(field)) for cas, field, *_ in tables(section(MFA, "## Bypass"))[0]]
    assert claimed == [(kind.cas, kind.field) for kind in BYPASS_KINDS]


def test_every_outcome_is_explained() -> None:
    text = section(MFA, "## What the status says")
    assert all(f"`{outcome}`" in text for outcome in MfaOutcome)


@pytest.mark.parametrize("heading", ["## What holds against the owner of a namespace", "## Principal"])
def test_the_tables_of_sources_are_the_registry(heading: str) -> None:
    rows = tables(section(MFA if "owner" in heading else POLICIES, heading))[0]
    assert [bare(row[0]) for row in rows] == list(Source)
    if "owner" in heading:
        assert {bare(row[0]) for row in rows if row[2] == "No"} == OWNER_SOURCES


def test_every_reason_that_is_named_is_one() -> None:
    known = {kind.__name__ for kind in _below(AwsstsError)} | {"Authenticated", "Pending", "Waiting", "Allowed"}
    rows = tables(section(MFA, "## What the status says"))[0]
    named = {reason for row in rows for reason in re.findall(r"`(\w+)`", row[1])}
    assert named <= known


# Policies.


def test_every_reason_of_policies_is_explained() -> None:
    rows = tables(section(POLICIES, "## Reasons"))[0]
    kinds = [kind for kind in _below(AwsstsError) if kind.__module__ == errors.__name__]
    assert {bare(row[0]): row[-1] for row in rows} == {kind.__name__: AGAIN[kind.retry] for kind in kinds}


def test_the_table_of_limits_is_the_model() -> None:
    fields = [field.alias for field in Limits.model_fields.values()]
    assert [bare(row[0]) for row in tables(section(POLICIES, "## Limits"))[0]] == fields


def test_the_bounds_of_attributes_are_those_of_the_code() -> None:
    text = " ".join(section(POLICIES, "## Principal").split())
    numbers = (principal.MAX_ATTRIBUTES, principal.MAX_VALUES, principal.MAX_VALUE, principal.MAX_TEXT)
    told = "Bounds: {} attributes from a source, {} values each, {} characters a value, {} characters of YAML."
    assert told.format(*numbers) in text


def test_what_expressions_see_and_may_cost_is_what_the_code_says() -> None:
    text = section(POLICIES, "## Expressions")
    variables, bounds = tables(text)
    assert {bare(row[0]) for row in variables} == expressions.VARIABLES
    assert [int(row[1]) for row in bounds] == [
        expressions.MAX_LENGTH,
        expressions.MAX_DEPTH,
        expressions.MAX_MACROS,
        expressions.MAX_NESTING,
        expressions.MAX_MAPS,
        matching.MAX_MATCHED,
        cost.MAX_COST,
    ]
    functions, macros = re.search(r"^Functions: (.*?); the macros (.*?)\. ", text, re.MULTILINE | re.DOTALL).groups()
    assert set(re.findall(r"`(\w+)`", functions)) == expressions.FUNCTIONS
    assert set(re.findall(r"`(\w+)`", macros)) == MACROS - {"existsOne"} | {"has"}


@pytest.mark.parametrize("source", fenced(POLICIES, "cel"))
def test_each_expression_works(source: str) -> None:
    spec = with_mfa({"script": {"expression": source}})
    assert decide(policy(**spec), facts(attributes={"team": "[web, fin-ops]"})).allowed


def test_the_question_is_what_is_asked() -> None:
    (shown,) = fenced(section(POLICIES, "### The question"), "json")
    about = facts(
        request=RequestFacts(
            name="reports", namespace="payments", labels={"app": "reports"}, duration=3600, role_arn=REPORTS
        ),
        namespace=NamespaceFacts(
            name="payments",
            annotations={
                "principal.awssts.dev/id": "reports@example.com",
                "principal.awssts.dev/team": "[reports, audit]",
            },
        ),
        authentication=Authentication(username="alice", groups=("developers",)),
    )
    asked = evaluate([policy(**with_mfa({"rest": {"url": "https://risk.example.com"}}))], about)
    assert isinstance(asked, Need)
    assert json.loads(http(asked.calls[0]).body) == json.loads(shown)


def test_the_directory_is_asked_and_answers_as_it_says() -> None:
    question, answer = re.findall(r"`(\{.*?\}+)`", " ".join(section(POLICIES, "### The directory").split()))
    about = facts(
        namespace=NamespaceFacts(name="payments", annotations={"principal.awssts.dev/id": "reports@example.com"})
    )
    spec = with_mfa(
        {"groups": {"membershipAttribute": "memberOf", "groups": [{"name": "operators"}]}},
        principal={"sources": ["Namespace", "Rest"], "rest": {"url": "https://directory.example.com"}},
    )
    asked: list[calls.Call] = []

    def answering(call: calls.Call) -> Answered:
        asked.append(call)
        return Answered(200, answer)

    assert decide(policy(**spec), about, answering).mfa.required
    assert json.loads(http(asked[0]).body) == json.loads(question)


# Both.


@pytest.mark.parametrize("block", [block for name in sorted(BY_MODELS) for block in blocks(name, "yaml")], ids=str)
def test_each_manifest_is_understood(block: Block) -> None:
    (shown,) = block.objects
    if "mfa" in shown and "kind" not in shown:
        shown = {"mfa": {"providers": PROVIDERS, **shown["mfa"]}}
    if list(shown) == ["spec"]:
        assert isinstance(read_spec(shown["spec"], "reports"), Spec)
        return
    loaded = load(shown if "kind" in shown else {"metadata": {"name": "shown"}, "spec": shown})
    assert isinstance(loaded, Policy), loaded.problem if isinstance(loaded, InvalidPolicy) else loaded


def _below(kind: type[AwsstsError]) -> list[type[AwsstsError]]:
    return [found for below in kind.__subclasses__() for found in (below, *_below(below))]
