"""One model for each of CAS's thirteen triggers. The order of the fields is CAS's order."""

from enum import StrEnum
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator

from awssts.domain.model import Model
from awssts.domain.policy.schema.selectors import ServiceSelector
from awssts.domain.policy.schema.types import (
    AttributeName,
    Expression,
    MetadataKey,
    ProviderName,
    Regex,
    RestEndpoint,
)

Text = Annotated[str, Field(min_length=1, max_length=512)]
Hour = Annotated[int, Field(ge=0, le=23)]


def _checked_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"there is no time zone {name!r}; write one like Europe/Berlin") from None
    return name


TimeZone = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[\w+/-]+$"), AfterValidator(_checked_zone)]


class Weekday(StrEnum):
    """A day of the week."""

    MONDAY = "Monday"
    TUESDAY = "Tuesday"
    WEDNESDAY = "Wednesday"
    THURSDAY = "Thursday"
    FRIDAY = "Friday"
    SATURDAY = "Saturday"
    SUNDAY = "Sunday"


class EndpointFailure(StrEnum):
    """What to do when an endpoint gives no answer that can be used."""

    CLOSED = "Closed"
    OPEN = "Open"


class Trigger(Model):
    """What all triggers have."""

    provider: ProviderName | None = None
    """Name of the provider. Default: the first of providers."""


class AdaptiveRule(Trigger):
    """Circumstances in which MFA is needed; all that are given must hold."""

    on_days: Annotated[tuple[Weekday, ...], Field(max_length=7)] = ()
    """Days of the week."""
    on_or_after_hour: Hour | None = None
    """Hour of the day from which it holds, 0 to 23. Later than onOrBeforeHour: over midnight."""
    on_or_before_hour: Hour | None = None
    """Last hour of the day in which it holds, 0 to 23."""
    time_zone: TimeZone = "UTC"
    """Time zone of the days and hours. Default: UTC."""
    expression: Expression | None = None
    """CEL over time, namespace, changed keys, failures and so on: true, or the name of a provider."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.on_days or (self.on_or_after_hour, self.on_or_before_hour, self.expression) != (None, None, None):
            return self
        raise ValueError("set onDays, onOrAfterHour, onOrBeforeHour or expression")


class GlobalTrigger(Trigger):
    """Every request needs MFA."""


class OptInTrigger(Model):
    """The request asks for a provider by name. This only ever adds MFA."""

    annotation: MetadataKey = "awssts.dev/mfa"
    """Annotation of the request that holds the name. Default: awssts.dev/mfa."""
    providers: Annotated[tuple[ProviderName, ...], Field(max_length=16)] = ()
    """Providers that may be asked for. Default: all of this policy."""


class RestTrigger(RestEndpoint):
    """An endpoint decides: 200 and a provider's name means MFA; 204 or an empty 200 means none."""

    failure_mode: EndpointFailure = EndpointFailure.CLOSED
    """When it is away (no answer, or a status of 500 and over): Closed refuses the request, Open goes on with the
    triggers. Any other answer that can't be used refuses. Default: Closed."""


class ScriptTrigger(Trigger):
    """A CEL expression decides."""

    expression: Expression
    """CEL: true means MFA, a string the name of the provider, false or null none."""


class ServiceRule(Trigger):
    """How MFA is done for some requests."""

    selector: ServiceSelector
    """Which requests are meant."""
    forced_execution: bool = False
    """True: a new code for every issuance, no session of an earlier code. Default: false."""
    bypass_enabled: bool = True
    """False: no bypass of the provider applies here. Default: true."""


class ServiceAttribute(ServiceRule):
    """These requests need MFA when their principal has an attribute."""

    name: AttributeName
    """Name of the principal's attribute."""
    value: Regex | None = None
    """Regular expression (RE2) that must match a whole value; one of several is enough. Default: any."""


class AttributeTrigger(Trigger):
    """An attribute decides, by a regular expression, or by a value that is the name of a provider."""

    names: Annotated[tuple[AttributeName, ...], Field(min_length=1, max_length=16)]
    """Names of attributes; one that matches is enough."""
    value: Regex | None = None
    """Regular expression (RE2) that must match a whole value; one of several is enough.
    Without it a value must be the name of a provider, which is then the one."""
    reverse_match: bool = False
    """True: MFA unless some value matches; so also without the attribute. Default: false."""
    deny_if_unmatched: bool = False
    """True: a request for which this does not trigger MFA is refused. Default: false."""

    @model_validator(mode="after")
    def _reverse_needs_value(self) -> Self:
        if self.reverse_match and self.value is None:
            raise ValueError("reverseMatch needs value")
        if self.provider is not None and self.value is None:
            raise ValueError("provider needs value: without it the attribute's value names the provider")
        return self


class Group(Trigger):
    """A group whose members need MFA."""

    name: Text
    """Name of the group, compared for equality."""


class GroupsTrigger(Model):
    """Membership in a group decides."""

    membership_attribute: AttributeName | None = None
    """Attribute of the principal that holds the names of its groups."""
    rest: RestTrigger | None = None
    """Endpoint that answers 200 with a JSON list of the names of the principal's groups."""
    groups: Annotated[tuple[Group, ...], Field(min_length=1, max_length=64)]
    """Groups whose members need MFA; the first decides."""

    @model_validator(mode="after")
    def _one_membership(self) -> Self:
        if (self.membership_attribute is None) == (self.rest is None):
            raise ValueError("set membershipAttribute or rest, not both")
        return self


class EntitySource(StrEnum):
    """Where the id of the calling party is."""

    ANNOTATION = "Annotation"
    SERVICE_ACCOUNT = "ServiceAccount"


class Entity(Trigger):
    """A calling party that needs MFA."""

    id: Text
    """Its id, compared for equality; of a service account: namespace/name."""


class EntityIdTrigger(Model):
    """The id of the calling party decides."""

    source: EntitySource
    """Annotation: the request says it, ServiceAccount: the one that applied the request."""
    annotation: MetadataKey = "awssts.dev/entity-id"
    """Annotation of the request that holds the id. Default: awssts.dev/entity-id."""
    entities: Annotated[tuple[Entity, ...], Field(min_length=1, max_length=64)]
    """Calling parties that need MFA."""


class PluginTrigger(Trigger):
    """A Python plug-in decides: an entry point of group awssts.mfa_triggers."""

    name: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9]([\w.-]*\w)?$")]
    """Name of the entry point. It returns true, the name of a provider, false or None."""


class Triggers(Model):
    """When MFA is needed. They are looked at in this order; the first that fires decides."""

    adaptive: Annotated[tuple[AdaptiveRule, ...], Field(max_length=16)] = ()
    """1. Circumstances: days, hours, and CEL."""
    global_: GlobalTrigger | None = Field(default=None, alias="global")
    """2. Always."""
    opt_in: OptInTrigger | None = None
    """3. The request asks for a provider by an annotation."""
    rest: RestTrigger | None = None
    """4. A REST endpoint decides."""
    script: ScriptTrigger | None = None
    """5. A CEL expression decides."""
    principal_attribute_per_application: Annotated[tuple[ServiceAttribute, ...], Field(max_length=32)] = ()
    """6. Some requests, when their principal has an attribute."""
    principal_attribute_predicate: ScriptTrigger | None = None
    """7. A CEL expression over providers and the principal's attributes decides."""
    principal_attribute: AttributeTrigger | None = None
    """8. An attribute of the principal decides."""
    authentication_attribute: AttributeTrigger | None = None
    """9. An attribute of whoever applied the request decides: username, groups, uid, method or of the user's
    extra."""
    applications: Annotated[tuple[ServiceRule, ...], Field(max_length=32)] = ()
    """10. Some requests, always."""
    groups: GroupsTrigger | None = None
    """11. Membership in a group decides."""
    entity_id: EntityIdTrigger | None = None
    """12. The id of the calling party decides."""
    other: Annotated[tuple[PluginTrigger, ...], Field(max_length=8)] = ()
    """13. A Python plug-in decides."""
