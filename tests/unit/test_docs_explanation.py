"""docs/security.md and docs/architecture.md say what the tests and the code say: rights, threats, the plan."""

from __future__ import annotations

import re
from typing import Any

import pytest

from awssts.domain import plan
from testbed.helm import NAMESPACE
from tests.chart.test_rights import DATA, EXPECTED, OPERATOR, documents, granted
from tests.documents import ROOT

SECURITY, ARCHITECTURE = ((ROOT / "docs" / name).read_text() for name in ("security.md", "architecture.md"))
RIGHTS = {
    "operator": "cluster-wide",
    "webhook": "webhook",
    "leader-election": "leader-election",
    "rollout-restart": "rollout-restart",
    "gateway": "gateway",
}
WHO = {OPERATOR: "operator", f"{OPERATOR}-test": "`helm test`"}
WHERE = {NAMESPACE: "its own", "default": "another"}


def rows(text: str, heading: str) -> list[list[str]]:
    """The last table under a heading, without its head."""
    section = re.split(r"^## ", text.partition(f"\n## {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    lines = re.findall(r"(?:^\|.*\|\n)+", section, re.MULTILINE)[-1].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def shown(who: str, where: str, verbs: str, resource: str, may: Any) -> list[str]:
    what = resource.replace("awsstsrequests --subresource=status", "awsstsrequests/status")
    return [WHO.get(who, who), WHERE.get(where, where), verbs, f"`{what}`", "yes" if may else "no"]


def test_the_matrix_of_rights_is_what_the_api_server_is_asked() -> None:
    assert rows(SECURITY, "Who may what") == [shown(*each) for each in EXPECTED]


@pytest.mark.parametrize("account", RIGHTS)
def test_the_table_of_rights_is_what_it_is_tested_with(account: str) -> None:
    told = {row[1].strip("`"): set(row[2].split(", ")) for row in rows(SECURITY, "Rights") if row[0] == account}
    given = granted(documents(DATA / "rbac" / f"{RIGHTS[account]}.yaml"))
    assert told == {resource.rstrip("."): verbs for resource, verbs in given.items()}


def test_threats_are_numbered_and_met_or_admitted() -> None:
    table = rows(SECURITY, "Threats")
    assert [row[0] for row in table] == [f"T{number}" for number in range(1, len(table) + 1)]
    for number, _, against, shown_by in table:
        assert shown_by or "**Not mitigated**" in against or "There is no" in against, number


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`(tests/[\w/]+\.py::\w+)`", SECURITY))))
def test_each_test_that_is_named_exists(named: str) -> None:
    path, _, function = named.partition("::")
    assert re.search(rf"^ *(?:async )?def {function}\(", (ROOT / path).read_text(), re.MULTILINE)


def test_the_checks_of_the_plan_are_in_its_order() -> None:
    checks = [check.__name__.lstrip("_") for check in vars(plan)["_CHECKS"]]
    assert [row[0].strip("`") for row in rows(ARCHITECTURE, "The plan, as checks in order")] == checks
