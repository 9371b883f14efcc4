"""The names of everything CAS has: trigger rows in their order, kinds of bypass, failure modes.

The documentation's tables are checked against these, so nothing can be claimed and missing. ``properties``
are CAS's own names, as in ``cas.authn.mfa.triggers.<property>`` or in a service's ``multifactorPolicy``.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pydantic.alias_generators import to_camel


class FailureMode(StrEnum):
    """What happens when a provider can't be reached."""

    CLOSED = "Closed"
    OPEN = "Open"
    PHANTOM = "Phantom"
    NONE = "None"


class ProviderType(StrEnum):
    """Where the codes come from."""

    TOTP = "Totp"
    MANUAL = "Manual"
    WEBHOOK = "Webhook"


class Source(StrEnum):
    """Where attributes of a principal come from."""

    NAMESPACE = "Namespace"
    IAM_USER_TAGS = "IamUserTags"
    REST = "Rest"
    SECRET = "Secret"  # noqa: S105 - a source's name


OWNER_SOURCES: Final = frozenset({Source.SECRET})  # those that who owns the request can write himself


class AuthenticationMethod(StrEnum):
    """How whoever applied the request had signed in to Kubernetes."""

    SERVICE_ACCOUNT = "ServiceAccount"
    CERTIFICATE = "Certificate"
    USER = "User"


@dataclass(frozen=True, slots=True)
class Row:
    """A trigger: its place in CAS's order, its field under ``spec.mfa.triggers`` and CAS's names for it."""

    order: int
    attribute: str
    cas: str
    properties: tuple[str, ...]

    @property
    def field(self) -> str:
        """The name on the wire."""
        return to_camel(self.attribute.removesuffix("_"))


ROWS: Final = (
    Row(
        1,
        "adaptive",
        "Adaptive",
        ("adaptive.policy.require-multifactor", "adaptive.policy.require-timed-multifactor"),
    ),
    Row(2, "global_", "Global", ("global.global-provider-id",)),
    Row(
        3,
        "opt_in",
        "Opt-in request parameter, header or attribute",
        ("http.request-parameter", "http.request-headers"),
    ),
    Row(4, "rest", "REST endpoint", ("rest.url",)),
    Row(5, "script", "Groovy script", ("groovy.location",)),
    Row(
        6,
        "principal_attribute_per_application",
        "Principal attribute per application",
        ("principalAttributeNameTrigger", "principalAttributeValueToMatch"),
    ),
    Row(
        7,
        "principal_attribute_predicate",
        "Global principal attribute predicate",
        ("principal.global-principal-attribute-predicate",),
    ),
    Row(
        8,
        "principal_attribute",
        "Global principal attribute",
        (
            "principal.global-principal-attribute-name-triggers",
            "principal.global-principal-attribute-value-regex",
            "principal.deny-if-unmatched",
            "principal.reverse-match",
        ),
    ),
    Row(
        9,
        "authentication_attribute",
        "Global authentication attribute",
        (
            "authentication.global-authentication-attribute-name-triggers",
            "authentication.global-authentication-attribute-value-regex",
            "authentication.deny-if-unmatched",
            "authentication.reverse-match",
        ),
    ),
    Row(
        10,
        "applications",
        "Applications",
        ("multifactorAuthenticationProviders", "forceExecution", "bypassEnabled"),
    ),
    Row(11, "groups", "Grouper", ("grouper.grouper-group-field",)),
    Row(12, "entity_id", "Entity id request parameter", ("entityId",)),
    Row(13, "other", "Other", ("MultifactorAuthenticationTrigger",)),
)


@dataclass(frozen=True, slots=True)
class BypassKind:
    """A kind of bypass: its field under a provider's ``bypass`` and CAS's properties for it."""

    attribute: str
    cas: str
    properties: tuple[str, ...]

    @property
    def field(self) -> str:
        """The name on the wire."""
        return to_camel(self.attribute)


BYPASS_KINDS: Final = (
    BypassKind(
        "principal_attributes",
        "Principal attribute",
        ("bypass.principal-attribute-name", "bypass.principal-attribute-value"),
    ),
    BypassKind(
        "authentication_attributes",
        "Authentication attribute",
        ("bypass.authentication-attribute-name", "bypass.authentication-attribute-value"),
    ),
    BypassKind("authentication_methods", "Authentication method", ("bypass.authentication-method-name",)),
    BypassKind(
        "request_properties",
        "HTTP request",
        ("bypass.http-request-headers", "bypass.http-request-remote-address"),
    ),
    BypassKind("services", "Registered service", ("bypassEnabled",)),
    BypassKind(
        "principal_attributes_per_service",
        "Registered service by principal attribute",
        (
            "bypassPrincipalAttributeName",
            "bypassPrincipalAttributeValue",
            "bypassIfMissingPrincipalAttribute",
        ),
    ),
    BypassKind("script", "Groovy", ("bypass.groovy.location",)),
    BypassKind("rest", "REST", ("bypass.rest.url",)),
)
