"""A policy as the cluster holds it. One that can't be understood is kept: it refuses what it selects."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from awssts.domain.policy.schema.resource import PolicySpec
from awssts.domain.policy.schema.selectors import Selector
from awssts.domain.request import explain


@dataclass(frozen=True, slots=True)
class Policy:
    """An ``AwsStsPolicy``."""

    name: str
    spec: PolicySpec

    @property
    def selector(self) -> Selector:
        """Requests it decides over."""
        return self.spec.selector

    @property
    def rank(self) -> tuple[int, str]:
        """Sorts the higher priority first, then by name."""
        return (-self.spec.priority, self.name)


@dataclass(frozen=True, slots=True)
class InvalidPolicy:
    """An ``AwsStsPolicy`` that can't be understood. Where even its selector can't, it selects all.

    Each problem names its field.
    """

    name: str
    problems: tuple[str, ...]
    selector: Selector

    @property
    def problem(self) -> str:
        """All problems, in a line."""
        return "; ".join(self.problems)

    @property
    def rank(self) -> tuple[int, str]:
        """Comes before all that can be understood."""
        return (-(10**10), self.name)


def load(body: Mapping[str, Any]) -> Policy | InvalidPolicy:
    """Return the policy of a custom resource's JSON. It never fails."""
    name = body["metadata"]["name"]
    raw = body.get("spec") or {}
    try:
        return Policy(name, PolicySpec.model_validate(raw))
    except ValidationError as error:
        return InvalidPolicy(name, tuple(explain(error, "spec")), _selector(raw))


def _selector(raw: Any) -> Selector:
    try:
        return Selector.model_validate(raw.get("selector") or {})
    except (AttributeError, ValidationError):
        return Selector()
