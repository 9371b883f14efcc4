"""What the triggers and bypasses of one policy see."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from awssts.domain.policy import expressions
from awssts.domain.policy.calls import Answer, Answers, Purpose, call_to
from awssts.domain.policy.errors import ApplicantUnknown, PolicyEvaluationFailed
from awssts.domain.policy.facts import Authentication, Facts
from awssts.domain.policy.loading import Policy
from awssts.domain.policy.principal import Principal
from awssts.domain.policy.registry import OWNER_SOURCES
from awssts.domain.policy.schema.mfa import MfaPolicy, Provider
from awssts.domain.policy.schema.selectors import Selector
from awssts.domain.policy.schema.types import RestEndpoint
from awssts.domain.policy.trace import Result, Stage, Step

Plugin = Callable[[Mapping[str, Any]], str | bool | None]
MAX_QUESTION = 64 * 1024  # bytes; an endpoint that refuses more would be asked in vain
_OWNER_VARIABLES = frozenset({"request", "history", "authentication"})  # he writes, resets, and chooses it


@dataclass(frozen=True, kw_only=True)
class Context:
    """One policy, and one request with its principal as that policy's sources tell it.

    ``offered``: names of the providers that some matching policy lets a request ask for.
    """

    policy: Policy
    facts: Facts
    principal: Principal
    answers: Answers
    plugins: Mapping[str, Plugin] = field(default_factory=dict)
    offered: frozenset[str] = frozenset()
    steps: list[Step] = field(default_factory=list)

    @property
    def mfa(self) -> MfaPolicy:
        """The policy's own."""
        return self.policy.spec.mfa

    def note(self, stage: Stage, name: str, result: Result, why: str) -> None:
        """Add a step to the protocol."""
        self.steps.append(Step(self.policy.name, stage, name, result, why))

    def provider(self, name: str | None) -> Provider | None:
        """Return the provider of that name; of none, the first."""
        return self.mfa.provider(name) if name is not None else next(iter(self.mfa.providers), None)

    def selects(self, selector: Selector) -> bool:
        """Tell whether the request is selected."""
        return selector.matches(self.facts.namespace.labels, self.facts.request.labels)

    def ask(self, endpoint: RestEndpoint, purpose: Purpose, provider: str | None = None) -> Answer:
        """Return what the endpoint answers on principal and service.

        Raises:
            Wanted: it has to be asked first.
            PolicyEvaluationFailed: there is too much to say.
        """
        body = json.dumps({**self._question, **({"provider": provider} if provider else {})}, sort_keys=True)
        if len(body) > MAX_QUESTION:  # ASCII
            raise PolicyEvaluationFailed(
                f"policy {self.policy.name}: the question for {endpoint.place} would have {len(body)} bytes; at most "
                f"{MAX_QUESTION} are sent: fewer labels on the request, or attributes of its principal"
            )
        return self.answers.to(call_to(endpoint, policy=self.policy.name, purpose=purpose, body=body))

    def evaluate(self, source: str) -> bool | str | None:
        """Return an expression's result.

        Raises:
            ExpressionError: there is none.
            ApplicantUnknown: it looks at who applied the request, and nobody knows; unless it asks for
                ``authentication.present`` itself.
        """
        self._check_applicant(source)
        return expressions.evaluate(source, self.variables)

    def condition(self, source: str) -> bool:
        """Return an expression's result, which must be true or false.

        Raises:
            ExpressionError: it is something else, or there is none.
            ApplicantUnknown: as ``evaluate`` does.
        """
        self._check_applicant(source)
        return expressions.condition(source, self.variables)

    def _check_applicant(self, source: str) -> None:
        if "authentication" in expressions.compiled(source).variables and "authentication.present" not in source:
            self.applicant()

    def applicant(self) -> Authentication:
        """Return who applied the request.

        Raises:
            ApplicantUnknown: nobody knows. To go on as if nothing matched would be to let everybody off.
        """
        if self.facts.authentication is None:
            raise ApplicantUnknown(
                f"policy {self.policy.name} asks who applied the request, and that is unknown: {self.facts.doubt}"
            )
        return self.facts.authentication

    def owner_decides(self, source: str) -> bool:
        """Tell whether the expression looks at what the request's owner can bring about."""
        variables = expressions.compiled(source).variables
        if "principal" in variables and not OWNER_SOURCES.isdisjoint(self.principal.sources):
            return True
        return not variables.isdisjoint(_OWNER_VARIABLES)

    @cached_property
    def variables(self) -> dict[str, Any]:
        """What expressions and plug-ins see."""
        request, namespace, history = self.facts.request, self.facts.namespace, self.facts.history
        return {
            "principal": {
                "id": self.principal.id,
                "attributes": {name: list(found.values) for name, found in self.principal.attributes.items()},
            },
            "request": {
                "name": request.name,
                "namespace": request.namespace,
                "labels": dict(request.labels),
                "annotations": dict(request.properties),
                "duration": request.duration,
                "roleArn": request.role_arn,
                "device": str(request.device) if request.device else None,
            },
            "ns": {
                "name": namespace.name,
                "labels": dict(namespace.labels),
                "annotations": dict(namespace.annotations),
            },
            "authentication": self._authentication,
            "now": self.facts.now,
            "history": {
                "lastIssuance": history.last_issuance,
                "keyChanged": history.key_changed,
                "failures": history.failures,
            },
            "providers": [{"name": provider.name, "type": str(provider.type)} for provider in self.mfa.providers],
        }

    @property
    def _authentication(self) -> dict[str, Any]:
        who = self.facts.authentication
        if who is None:
            return nobody()
        attributes = {name: list(values) for name, values in who.attributes.items()}
        return {
            "present": True,
            "username": who.username,
            "groups": list(who.groups),
            "method": str(who.method),
            "attributes": attributes,
        }

    @property
    def _question(self) -> dict[str, Any]:
        """The body of a POST: without time, so that it stays the same while an evaluation waits for answers."""
        request, who = self.facts.request, self.facts.authentication
        attributes = self.principal.attributes
        return {
            "principal": {
                "id": self.principal.id,
                "attributes": {name: list(found.values) for name, found in attributes.items()},
                "sources": {name: str(found.source) for name, found in attributes.items()},
            },
            "service": request.service,
            "request": {
                "name": request.name,
                "namespace": request.namespace,
                "labels": dict(request.labels),
                "duration": request.duration,
                "roleArn": request.role_arn,
            },
            "authentication": {"username": who.username, "groups": list(who.groups)} if who else None,
        }


def nobody() -> dict[str, Any]:
    """Return what is seen of who applied a request where nobody knows."""
    return {"present": False, "username": "", "groups": [], "method": "", "attributes": {}}
