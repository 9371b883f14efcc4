"""What a policy says of MFA: providers, triggers, failure modes."""

from collections.abc import Iterator
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from awssts.domain.model import Model
from awssts.domain.policy.registry import FailureMode, ProviderType
from awssts.domain.policy.schema.bypass import Bypass
from awssts.domain.policy.schema.selectors import ServiceSelector
from awssts.domain.policy.schema.triggers import Trigger, Triggers
from awssts.domain.policy.schema.types import ProviderName, RestEndpoint, Url
from awssts.domain.resources import rules


class WebhookProvider(RestEndpoint):
    """An endpoint that gives the code of a device: POST, answered with 200 and {"tokenCode": "123456"}."""

    availability_url: Url | None = None
    """URL to GET for whether it can be reached; any answer below 500 says so. Default: url."""


class Provider(Model):
    """A way to answer MFA."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "(self.type == 'Webhook') == has(self.webhook)",
                "webhook must be set with type Webhook, and only then",
            )
        )
    )

    name: ProviderName
    """Name, as triggers, requests and attribute values give it (CAS: provider id)."""
    type: ProviderType
    """Totp: from the seed that the request names. Manual: from a person, even where there is a seed.
    Webhook: from an endpoint."""
    failure_mode: FailureMode | None = None
    """When it can't be reached: Closed refuses, Open goes on without MFA, Phantom does too and records it as
    if MFA had been done, None does not look. Only a Webhook can be out of reach. Default: that of mfa."""
    webhook: WebhookProvider | None = None
    """The endpoint of a Webhook provider."""
    bypass: Bypass = Bypass()
    """Who is let off this provider's MFA."""

    @model_validator(mode="after")
    def _webhook_fits(self) -> Self:
        if (self.type is ProviderType.WEBHOOK) != (self.webhook is not None):
            raise ValueError("webhook must be set with type Webhook, and only then")
        return self


class ServiceFailureMode(Model):
    """The failure mode for some requests, whatever the provider says."""

    selector: ServiceSelector
    """Which requests are meant."""
    failure_mode: FailureMode
    """Closed, Open, Phantom or None."""


class MfaPolicy(Model):
    """When MFA is needed and how it is done."""

    providers: Annotated[
        tuple[Provider, ...],
        Field(
            max_length=16,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ] = ()
    """Ways to answer MFA; the first is the one where a trigger names none."""
    triggers: Triggers = Triggers()
    """When MFA is needed. They are looked at in CAS's order; the first that fires decides."""
    failure_mode: FailureMode = FailureMode.CLOSED
    """Failure mode of providers that say none. Default: Closed."""
    service_failure_modes: Annotated[tuple[ServiceFailureMode, ...], Field(max_length=32)] = ()
    """Failure modes for some requests, looked up before the provider's; the first that selects holds."""

    def provider(self, name: str) -> Provider | None:
        """Return the provider of that name."""
        return next((provider for provider in self.providers if provider.name == name), None)

    @model_validator(mode="after")
    def _names_are_single(self) -> Self:
        names = [provider.name for provider in self.providers]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"providers has two of the name {twice[0]!r}")
        return self

    @model_validator(mode="after")
    def _providers_exist(self) -> Self:
        if self.triggers.model_fields_set and not self.providers:
            raise ValueError("triggers need at least one of providers")
        for path, name in named_providers(self.triggers):
            if self.provider(name) is None:
                raise ValueError(f"{path} names {name!r}, which is not one of providers")
        return self


def named_providers(triggers: Triggers) -> Iterator[tuple[str, str]]:
    """Yield field path and name wherever a trigger names a provider."""
    yield from _named("triggers", triggers)
    for name in triggers.opt_in.providers if triggers.opt_in else ():
        yield "triggers.optIn.providers", name


def _named(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _named(f"{path}[{index}]", item)
    elif isinstance(value, BaseModel):
        if isinstance(value, Trigger) and value.provider is not None:
            yield f"{path}.provider", value.provider
        for name, field in type(value).model_fields.items():
            yield from _named(f"{path}.{field.alias or name}", getattr(value, name))
