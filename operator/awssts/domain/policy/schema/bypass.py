"""When MFA that was triggered is not done after all: one field for each of CAS's kinds of bypass."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from awssts.domain.model import Model
from awssts.domain.policy.registry import AuthenticationMethod
from awssts.domain.policy.schema.selectors import ServiceSelector
from awssts.domain.policy.schema.types import AttributeMatch, Expression, MetadataKey, Regex, RestEndpoint


class RequestProperty(Model):
    """A label or an annotation of the request; its owner can write both."""

    label: MetadataKey | None = None
    """Key of the label."""
    annotation: MetadataKey | None = None
    """Key of the annotation."""
    value: Regex | None = None
    """Regular expression (RE2) that must match the whole value. Default: any value."""

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.label is None) == (self.annotation is None):
            raise ValueError("set label or annotation, not both")
        return self


class ServiceAttributeMatch(AttributeMatch):
    """An attribute of the principal, for some requests."""

    selector: ServiceSelector
    """Which requests are meant."""
    if_missing: bool = False
    """True: also when the principal lacks the attribute (CAS: bypassIfMissingPrincipalAttribute).
    Default: false."""


class Bypass(Model):
    """Who is let off; one that applies is enough. When one can't be told, MFA stays."""

    principal_attributes: Annotated[tuple[AttributeMatch, ...], Field(max_length=16)] = ()
    """Attributes of the principal."""
    authentication_attributes: Annotated[tuple[AttributeMatch, ...], Field(max_length=16)] = ()
    """Attributes of whoever applied the request."""
    authentication_methods: Annotated[tuple[AuthenticationMethod, ...], Field(max_length=3)] = ()
    """How whoever applied the request had signed in: ServiceAccount, Certificate or User."""
    request_properties: Annotated[tuple[RequestProperty, ...], Field(max_length=16)] = ()
    """Labels and annotations of the request."""
    services: Annotated[tuple[ServiceSelector, ...], Field(max_length=16)] = ()
    """Requests, by selector."""
    principal_attributes_per_service: Annotated[tuple[ServiceAttributeMatch, ...], Field(max_length=16)] = ()
    """Attributes of the principal, for some requests."""
    script: Expression | None = None
    """CEL expression; true means no MFA."""
    rest: RestEndpoint | None = None
    """Endpoint that answers 200 with {"bypass": true} for no MFA."""
