"""Which requests are meant, by labels: Kubernetes' own selectors."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator

from awssts.domain.model import Model
from awssts.domain.policy.schema.types import MetadataKey

LabelValue = Annotated[str, Field(max_length=63)]


class Operator(StrEnum):
    """How a key relates to values."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


class LabelRequirement(Model):
    """A key, an operator, and values where it takes some."""

    key: MetadataKey
    """Label key."""
    operator: Operator
    """In, NotIn, Exists or DoesNotExist."""
    values: Annotated[tuple[LabelValue, ...], Field(max_length=64)] = ()
    """Values for In and NotIn."""

    @model_validator(mode="after")
    def _values_fit(self) -> Self:
        takes_values = self.operator in {Operator.IN, Operator.NOT_IN}
        if takes_values and not self.values:
            raise ValueError(f"values must not be empty with operator {self.operator}")
        if not takes_values and self.values:
            raise ValueError(f"values must be empty with operator {self.operator}")
        return self

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether the labels are as required; NotIn and DoesNotExist also hold without the key."""
        match self.operator:
            case Operator.IN:
                return labels.get(self.key) in self.values if self.key in labels else False
            case Operator.NOT_IN:
                return self.key not in labels or labels[self.key] not in self.values
            case Operator.EXISTS:
                return self.key in labels
            case Operator.DOES_NOT_EXIST:
                return self.key not in labels


class LabelSelector(Model):
    """Labels that must be there: all of matchLabels and all of matchExpressions. An empty one selects all."""

    match_labels: Annotated[dict[MetadataKey, LabelValue], Field(max_length=64)] = Field(default_factory=dict)
    """Labels with exactly these values."""
    match_expressions: Annotated[tuple[LabelRequirement, ...], Field(max_length=32)] = ()
    """Requirements on labels."""

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether the labels are selected."""
        return all(labels.get(key) == value for key, value in self.match_labels.items()) and all(
            requirement.matches(labels) for requirement in self.match_expressions
        )


class Selector(Model):
    """Requests, by the labels of their namespace and their own. An empty one selects all."""

    namespace_selector: LabelSelector | None = None
    """Labels of the namespace: the administrator's to write."""
    request_selector: LabelSelector | None = None
    """Labels of the request: its owner's to write, so he can step in and out."""

    def matches(self, namespace_labels: Mapping[str, str], request_labels: Mapping[str, str]) -> bool:
        """Tell whether a request is selected."""
        return (self.namespace_selector is None or self.namespace_selector.matches(namespace_labels)) and (
            self.request_selector is None or self.request_selector.matches(request_labels)
        )


class ServiceSelector(Selector):
    """Requests, by the labels of their namespace and their own; at least one of the two has to be said."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    @model_validator(mode="after")
    def _selects(self) -> Self:
        if self.namespace_selector is None and self.request_selector is None:
            raise ValueError("set namespaceSelector, requestSelector or both")
        return self
