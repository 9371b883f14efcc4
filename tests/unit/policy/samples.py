"""Policies and facts to build cases from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from awssts.domain.policy import (
    Answer,
    Answered,
    Call,
    Decision,
    Facts,
    HttpCall,
    InvalidPolicy,
    NamespaceFacts,
    Need,
    Plugin,
    Policy,
    PolicySpec,
    RequestFacts,
    SecretFacts,
    evaluate,
)

MONDAY_NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
REPORTS = "arn:aws:iam::123456789012:role/reports"
AUDIT = "arn:aws:iam::123456789012:role/audit"
TOTP: dict[str, Any] = {"name": "totp", "type": "Totp"}
PUSH: dict[str, Any] = {"name": "push", "type": "Webhook", "webhook": {"url": "https://push.example.org/code"}}
URL = "https://rules.example.org/mfa?key=hidden"
PRINCIPAL = "principal.awssts.dev/"

AnyPolicy = Policy | InvalidPolicy
Asked = Callable[[Call], Answer]


def policy(name: str = "house", /, **spec: Any) -> Policy:
    """A policy whose attributes come from the namespace alone, unless it says otherwise."""
    return Policy(name, PolicySpec.model_validate({"principal": {"sources": ["Namespace"]}, **spec}))


def with_mfa(
    triggers: Mapping[str, Any], providers: list[dict[str, Any]] | None = None, /, **spec: Any
) -> dict[str, Any]:
    """The spec of a policy with those triggers."""
    mfa = {"providers": providers or [TOTP, {"name": "person", "type": "Manual"}], "triggers": triggers}
    return {"mfa": {**mfa, **spec.pop("mfa", {})}, **spec}


def facts(
    *,
    attributes: Mapping[str, str] | None = None,
    own: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    **more: Any,
) -> Facts:
    """A request: ``attributes`` are on the namespace, ``own`` on the credentials Secret."""
    request = more.pop("request", RequestFacts(name="reports", namespace="team"))
    return Facts(
        request=replace(request, labels=labels) if labels else request,
        namespace=more.pop(
            "namespace",
            NamespaceFacts(
                name="team",
                labels={"tier": "gold"},
                annotations={PRINCIPAL + name: value for name, value in (attributes or {}).items()},
            ),
        ),
        now=more.pop("now", MONDAY_NOON),
        secret=more.pop(
            "secret",
            SecretFacts(name="keys", annotations={PRINCIPAL + name: value for name, value in (own or {}).items()}),
        ),
        **more,
    )


def decide(
    policies: AnyPolicy | Sequence[AnyPolicy],
    about: Facts,
    asked: Asked | None = None,
    plugins: Mapping[str, Plugin] | None = None,
) -> Decision:
    """Evaluate to the end; ``asked`` gives the answers of the outside, each once."""
    answers: dict[Call, Answer] = {}
    for _ in range(20):
        result = evaluate([policies] if isinstance(policies, AnyPolicy) else policies, about, answers, plugins)
        if isinstance(result, Decision):
            return result
        assert isinstance(result, Need)
        assert asked is not None, f"nobody to ask: {result}"
        assert not set(result.calls) & set(answers), "asked twice"
        answers.update({call: asked(call) for call in result.calls})
    raise AssertionError("no end")


def answering(status: int = 200, body: str = "") -> Asked:
    """Somebody who answers the same to everything."""
    return lambda _: Answered(status, body)


def http(call: Call) -> HttpCall:
    """The call, which must be one of an endpoint."""
    assert isinstance(call, HttpCall)
    return call


def reason(decision: Decision) -> str | None:
    """The reason of a refusal."""
    return decision.denied.reason if decision.denied else None
