"""Each example of examples/mfa is what it says: a cluster takes it, and it decides as its comments tell."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from awssts.domain.policy import (
    Answer,
    Answered,
    Authentication,
    Call,
    Decision,
    Facts,
    NamespaceFacts,
    Policy,
    Purpose,
    RequestFacts,
    SecretFacts,
    Unreachable,
    load,
    warnings,
)
from awssts.domain.policy.registry import BYPASS_KINDS, ROWS, FailureMode
from awssts.domain.request import read_spec
from awssts.domain.resources import Spec
from testbed.cluster import Cluster
from tests.integration.patience import eventually
from tests.unit.policy.samples import decide, http

if TYPE_CHECKING:
    from collections.abc import Iterator

    from awssts.domain.policy import Plugin

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples" / "mfa"
FILES = sorted(FOLDER.glob("*.yaml"))
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)  # a Monday
TIER = "example.com/tier"
CI = Authentication(
    username="system:serviceaccount:ci:deployer", groups=("system:serviceaccounts", "system:serviceaccounts:ci")
)
ALICE = Authentication(username="alice", groups=("developers",))
BY_CERTIFICATE = Authentication(
    username="alice", extra={"authentication.kubernetes.io/credential-id": ("X509SHA256=00",)}
)
GROUPS = ("cn=root-operators,ou=groups,dc=example,dc=com", "cn=operators,ou=groups,dc=example,dc=com")


def documents(path: Path, kind: str) -> list[dict[str, Any]]:
    """The objects of a kind in an example."""
    return [found for found in yaml.safe_load_all(path.read_text()) if found["kind"] == kind]


def policy_of(name: str) -> Policy:
    """The policy of the example whose file begins so."""
    (path,) = FOLDER.glob(f"{name}*.yaml")
    (body,) = documents(path, "AwsStsPolicy")
    loaded = load(body)
    assert isinstance(loaded, Policy), loaded
    return loaded


def specs() -> list[Any]:
    return [body["spec"]["mfa"] for path in FILES for body in documents(path, "AwsStsPolicy") if "mfa" in body["spec"]]


# A cluster takes them.


@pytest.fixture(scope="module")
def empty() -> Iterator[Cluster]:
    """A cluster of our own: these policies would decide over other tests' requests."""
    with Cluster() as running:
        running.kubectl("apply", "--server-side", "--filename", ROOT / "crds")
        running.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        for plural in ("awsstsrequests", "awsstspolicies"):  # an Established CRD answers 429 for a moment
            serves = ["get", plural, "--all-namespaces"]
            eventually(lambda serves=serves: running.kubectl(*serves, check=False).returncode == 0, plural)
        yield running


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_is_applied_and_understood(empty: Cluster, path: Path) -> None:
    done = empty.kubectl("apply", "--server-side", "--validate=strict", f"--filename={path}")
    assert not done.stderr
    (written,) = documents(path, "AwsStsPolicy")
    held = yaml.safe_load(empty.kubectl("get", "awsstspolicy", written["metadata"]["name"], "--output=yaml").stdout)
    loaded = load(held)
    assert isinstance(loaded, Policy), loaded
    assert loaded == load(written)
    for request in documents(path, "AwsStsRequest"):
        assert isinstance(read_spec(request["spec"], request["metadata"]["name"]), Spec)


# They are complete.


def test_every_row_has_an_example_of_its_number() -> None:
    by_number = {int(path.stem[:2]): path for path in FILES}
    for row in ROWS:
        (body,) = documents(by_number[row.order], "AwsStsPolicy")
        assert list(body["spec"]["mfa"]["triggers"]) == [row.field]


def test_every_kind_of_bypass_has_an_example() -> None:
    shown = {kind for spec in specs() for provider in spec["providers"] for kind in provider.get("bypass", ())}
    assert shown == {kind.field for kind in BYPASS_KINDS}


def test_every_failure_mode_has_an_example() -> None:
    shown = {
        place["failureMode"]
        for spec in specs()
        for place in (spec, *spec["providers"], *spec.get("serviceFailureModes", ()))
        if "failureMode" in place
    }
    assert shown == set(FailureMode)


def test_every_example_is_listed() -> None:
    listed = re.findall(r"^\| \[([\w-]+\.yaml)\]\(\1\)", (FOLDER / "README.md").read_text(), re.MULTILINE)
    assert listed == [path.name for path in FILES]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_draws_no_warning_but_the_one_it_tells_of(path: Path) -> None:
    found = [line.split()[0] for line in warnings(policy_of(path.stem))]
    told = {
        "10-applications": ["spec.mfa.providers[1].bypass.authenticationMethods"],
        "12-entity-id": ["spec.mfa.triggers.entityId"],
        "14-failure-modes": [
            "spec.mfa.serviceFailureModes[0].failureMode",
            "spec.mfa.serviceFailureModes[1].failureMode",
        ],
        "15-bypass": [
            "spec.mfa.providers[0].bypass.requestProperties[0]",
            "spec.mfa.providers[0].bypass.authenticationMethods",
        ],
    }
    assert found == told.get(path.stem, [])


# They decide as they say.


@dataclass(frozen=True, kw_only=True)
class Case:
    """A request at one moment, and what the endpoints answer to it."""

    tier: str | None = "production"
    labels: dict[str, str] = field(default_factory=dict)  # of the namespace
    attributes: dict[str, str] = field(default_factory=dict)  # on the namespace
    annotations: dict[str, str] = field(default_factory=dict)  # of the namespace
    request: dict[str, str] = field(default_factory=dict)  # annotations of the request
    request_labels: dict[str, str] = field(default_factory=dict)
    own: dict[str, str] = field(default_factory=dict)  # attributes on the credentials Secret: its owner's
    now: datetime = NOON
    who: Authentication | None = ALICE
    answer: Answer = field(default_factory=lambda: Answered(204))
    plugin: bool | str = False
    keys: bool = True
    role: str | None = None

    def decided(self, policy: Policy) -> Decision:
        plugins: dict[str, Plugin] = {"on-call": lambda _: self.plugin}
        return decide(policy, self.facts, lambda _: self.answer, plugins)

    @property
    def facts(self) -> Facts:
        return Facts(
            request=RequestFacts(
                name="reports",
                namespace="team",
                labels=self.request_labels,
                annotations=self.request,
                role_arn=self.role,
            ),
            namespace=NamespaceFacts(
                name="team",
                labels=self.labels | ({TIER: self.tier} if self.tier else {}),
                annotations=self.annotations | _prefixed(self.attributes),
            ),
            now=self.now,
            secret=SecretFacts(name="reports-iam", annotations=_prefixed(self.own)) if self.keys else None,
            authentication=self.who,
        )


def _prefixed(attributes: dict[str, str]) -> dict[str, str]:
    return {f"principal.awssts.dev/{name}": value for name, value in attributes.items()}


def says(*groups: str) -> Answered:
    """What the directory answers of a principal in those groups."""
    return Answered(200, json.dumps({"attributes": {"memberOf": groups}}))


ON_SUNDAY = NOON.replace(day=1)
FIRES = [
    ("01", Case(now=ON_SUNDAY), "totp"),
    ("01", Case(now=NOON.replace(hour=17)), "totp"),  # 18:00 in Berlin
    ("01", Case(now=NOON.replace(hour=5)), "totp"),  # 06:00
    ("01", Case(annotations={"example.com/incident": "4711"}), "totp"),
    ("02", Case(), "totp"),
    ("03", Case(request={"awssts.dev/mfa": "person"}), "person"),
    ("04", Case(answer=Answered(200, "person")), "person"),
    ("05", Case(), "person"),
    ("05", Case(tier="staging"), "totp"),
    ("06", Case(attributes={"ledger": "[read, write]"}), "totp"),
    ("07", Case(attributes={"devices": "[totp]"}), "totp"),
    ("07", Case(attributes={"devices": "[totp, person]"}), "person"),
    ("08", Case(), "totp"),
    ("08", Case(attributes={"risk": "lower"}), "totp"),
    ("08", Case(own={"risk": "low"}), "totp"),
    ("09", Case(), "totp"),
    ("09", Case(who=None), "totp"),
    ("10", Case(), "totp"),
    ("10", Case(labels={"example.com/purpose": "break-glass"}, who=BY_CERTIFICATE), "person"),
    ("11", Case(answer=says(*GROUPS)), "person"),
    ("11", Case(answer=says("others", GROUPS[1])), "totp"),
    ("12", Case(who=CI), "totp"),
    ("13", Case(plugin=True), "totp"),
]
DOES_NOT_FIRE = [
    ("01", Case()),
    ("01", Case(now=NOON.replace(hour=16, minute=59))),
    ("01", Case(now=ON_SUNDAY, tier="development")),
    ("02", Case(tier=None)),
    ("03", Case()),
    ("04", Case(answer=Answered(204))),
    ("05", Case(tier=None)),
    ("06", Case(attributes={"ledger": "read"})),
    ("06", Case(attributes={"ledger": "writer"})),
    ("06", Case(attributes={"ledger": "write"}, tier="staging")),
    ("06", Case()),
    ("07", Case()),
    ("07", Case(attributes={"devices": "[other]"})),
    ("08", Case(attributes={"risk": "low"})),
    ("09", Case(who=CI)),
    ("10", Case(tier=None)),
    ("11", Case(answer=says("others"))),
    ("11", Case(answer=Answered(204))),
    ("12", Case()),
    ("13", Case()),
]
LET_OFF = [
    ("principalAttributes", Case(attributes={"risk": "low"})),
    ("authenticationAttributes", Case(who=CI)),
    ("authenticationMethods", Case(who=BY_CERTIFICATE)),
    ("requestProperties", Case(request_labels={"example.com/throwaway": "true"})),
    ("services", Case(tier="development")),
    ("principalAttributesPerService", Case(tier="staging")),
    ("principalAttributesPerService", Case(tier="staging", attributes={"level": "trusted"})),
    ("script", Case(attributes={"id": "monitoring"})),
    ("rest", Case(answer=Answered(200, '{"bypass": true}'))),
]


@pytest.mark.parametrize(("name", "case", "provider"), FIRES)
def test_fires(name: str, case: Case, provider: str) -> None:
    mfa = case.decided(policy_of(name)).mfa
    assert (mfa.required, mfa.provider and mfa.provider.name) == (True, provider)
    assert mfa.trigger == ROWS[int(name) - 1].field
    assert mfa.forced == ("example.com/purpose" in case.labels)


@pytest.mark.parametrize(("name", "case"), DOES_NOT_FIRE)
def test_does_not_fire(name: str, case: Case) -> None:
    decision = case.decided(policy_of(name))
    assert (decision.allowed, decision.mfa.outcome) == (True, "NotRequired")


def test_every_row_is_shown_to_fire_and_not_to() -> None:
    rows = {f"{row.order:02}" for row in ROWS}
    assert {name for name, *_ in FIRES} == {name for name, _ in DOES_NOT_FIRE} == rows
    assert {kind for kind, _ in LET_OFF} == {kind.field for kind in BYPASS_KINDS}


def test_an_opt_in_that_is_not_offered_is_refused() -> None:
    decision = Case(request={"awssts.dev/mfa": "totp"}).decided(policy_of("03"))
    assert decision.denied is not None
    assert decision.denied.reason == "ProviderUnknown"


def test_without_an_answer_of_the_endpoint_the_request_is_refused() -> None:
    decision = Case(answer=Unreachable("timed out after 3 s")).decided(policy_of("04"))
    assert decision.denied is not None
    assert decision.denied.reason == "PolicyEndpointUnavailable"


@pytest.mark.parametrize(("kind", "case"), LET_OFF)
def test_is_let_off(kind: str, case: Case) -> None:
    mfa = case.decided(policy_of("15")).mfa
    assert (mfa.outcome, mfa.bypass) == ("Bypassed", kind)


@pytest.mark.parametrize(
    "case",
    [Case(), Case(tier="staging", attributes={"level": "new"}), Case(answer=Unreachable("refused")), Case(who=None)],
)
def test_is_not_let_off(case: Case) -> None:
    assert case.decided(policy_of("15")).mfa.required


@pytest.mark.parametrize(
    ("tier", "outcome", "refusal"),
    [
        ("production", "Refused", "ProviderUnavailable"),
        ("development", "SkippedOpen", None),
        ("staging", "Phantom", None),
        ("batch", "Required", None),
    ],
    ids=list(FailureMode),
)
def test_failure_modes(tier: str, outcome: str, refusal: str | None) -> None:
    decision = Case(tier=tier, answer=Unreachable("connection refused")).decided(policy_of("14"))
    assert decision.mfa.outcome == outcome
    assert (decision.denied.reason if decision.denied else None) == refusal


def test_failure_modes_are_for_what_is_away() -> None:
    asked: list[Call] = []

    def answer(call: Call) -> Answer:
        asked.append(call)
        return Answered(401)  # it is there

    assert decide(policy_of("14"), Case(tier="development").facts, answer).mfa.required
    assert [(http(call).method, http(call).purpose) for call in asked] == [("GET", Purpose.AVAILABILITY)]


ROLE = "arn:aws:iam::123456789012:role/"


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [("reports", None), ("audit", None), ("reports-admin", "RoleNotAllowed"), (None, "RoleNotChosen")],
)
def test_roles_from_an_attribute(wanted: str | None, reason: str | None) -> None:
    case = Case(
        labels={"example.com/roles": "by-namespace"},
        attributes=_attributes_of("18"),
        role=ROLE + wanted if wanted else None,
    )
    decision = case.decided(policy_of("18"))
    assert (decision.denied.reason if decision.denied else None) == reason


def test_keys_are_lent_to_who_has_none() -> None:
    borrower = Case(labels={"example.com/keys": "lent"}, attributes=_attributes_of("19"), keys=False)
    decision = borrower.decided(policy_of("19"))
    assert decision.role_arn == ROLE + "reader"
    assert decision.aws_credentials is not None
    assert (decision.aws_credentials.namespace, decision.aws_credentials.secret_name) == ("mfa-lender", "lender-iam")
    assert decision.limits.max_duration == 3600


def _attributes_of(name: str) -> dict[str, str]:
    """The attributes on the last namespace of an example."""
    (path,) = FOLDER.glob(f"{name}*.yaml")
    annotations = documents(path, "Namespace")[-1]["metadata"]["annotations"]
    return {key.removeprefix("principal.awssts.dev/"): value for key, value in annotations.items()}
