"""Where a policy protects nobody: what rests on something that the owner of a request can write himself."""

import re
from collections.abc import Iterator

from awssts.domain.policy import expressions
from awssts.domain.policy.loading import Policy
from awssts.domain.policy.registry import OWNER_SOURCES, FailureMode
from awssts.domain.policy.schema.mfa import MfaPolicy, Provider
from awssts.domain.policy.schema.resource import PolicySpec
from awssts.domain.policy.schema.selectors import Selector
from awssts.domain.policy.schema.triggers import EndpointFailure, EntitySource, Triggers
from awssts.domain.policy.schema.types import RestEndpoint

_SOURCES = "leave Secret out of spec.principal.sources"
_NAMESPACE = "select by namespaceSelector"
_REVERSE = "name who is let off instead, by authenticationAttribute with reverseMatch"
_NAMES = "use bypass.authenticationAttributes with username, groups or uid and the names of who is let off"
_CHOOSES = "the owner of a namespace can apply it as any service account there"
_UNNAMED = f"does not name who is let off, and {_CHOOSES}: give username, groups or uid a value without wildcards"
_WHO = frozenset({"username", "groups", "uid"})
_EVERYBODY = frozenset({"system:serviceaccounts", "system:authenticated"})  # groups that an owner's accounts are in
_PATTERN = re.compile(r"[*+?\[\](){}^$\\]")  # a value with none of these is a name, or some with | between
_LENIENT = frozenset({FailureMode.OPEN, FailureMode.PHANTOM})


def warnings(policy: Policy) -> list[str]:
    """Return a line for each thing that rests on what the owner can write: field, reason, remedy."""
    spec = policy.spec
    return [
        *_selector("spec.selector", spec.selector, "leave this policy"),
        *_attributes(spec),
        *_expressions(spec),
        *_triggers(spec.mfa.triggers),
        *_providers(spec.mfa),
        *_lenient(spec.mfa),
        *_plain_http(spec),
    ]


def _selector(path: str, selector: Selector, effect: str) -> Iterator[str]:
    if selector.request_selector is not None:
        yield (
            f"{path}.requestSelector rests on labels that the request's owner can write, and so {effect}: {_NAMESPACE}"
        )


def _attributes(spec: PolicySpec) -> Iterator[str]:
    if OWNER_SOURCES.isdisjoint(spec.principal.sources):
        return
    for path, name in _attribute_uses(spec):
        yield (
            f"{path} rests on attribute {name}, which the owner of the credentials Secret can write "
            f"where no more trusted source gives it: {_SOURCES}"
        )


def _attribute_uses(spec: PolicySpec) -> Iterator[tuple[str, str]]:
    """Yield field path and name of each attribute of the principal that something rests on."""
    if spec.authorization.principal_attribute:
        yield "spec.authorization.principalAttribute", spec.authorization.principal_attribute.name
    if spec.authorization.roles_from_attribute:
        yield "spec.authorization.rolesFromAttribute", spec.authorization.roles_from_attribute
    path, triggers = "spec.mfa.triggers", spec.mfa.triggers
    for index, rule in enumerate(triggers.principal_attribute_per_application):
        yield f"{path}.principalAttributePerApplication[{index}]", rule.name
    for name in triggers.principal_attribute.names if triggers.principal_attribute else ():
        yield f"{path}.principalAttribute", name
    if triggers.groups and triggers.groups.membership_attribute:
        yield f"{path}.groups.membershipAttribute", triggers.groups.membership_attribute
    for provider_path, provider in _by_path(spec.mfa):
        for index, match in enumerate(provider.bypass.principal_attributes):
            yield f"{provider_path}.bypass.principalAttributes[{index}]", match.name
        for index, match in enumerate(provider.bypass.principal_attributes_per_service):
            yield f"{provider_path}.bypass.principalAttributesPerService[{index}]", match.name


def _expressions(spec: PolicySpec) -> Iterator[str]:
    owners = not OWNER_SOURCES.isdisjoint(spec.principal.sources)
    for path, source in _all_expressions(spec.mfa):
        variables = expressions.compiled(source).variables
        if "request" in variables:
            yield f"{path} looks at the request, which its owner writes: look at ns or principal"
        if "history" in variables:
            yield f"{path} looks at history, which the owner resets by making the request anew"
        if "authentication" in variables:
            remedy = _NAMES if path.endswith("bypass.script") else _REVERSE
            yield f"{path} looks at who applied the request, and {_CHOOSES}: {remedy}"
        if "principal" in variables and owners:
            yield f"{path} looks at attributes that the owner of the credentials Secret can write: {_SOURCES}"


def _all_expressions(mfa: MfaPolicy) -> Iterator[tuple[str, str]]:
    path, triggers = "spec.mfa.triggers", mfa.triggers
    for index, rule in enumerate(triggers.adaptive):
        if rule.expression:
            yield f"{path}.adaptive[{index}].expression", rule.expression
    if triggers.script:
        yield f"{path}.script.expression", triggers.script.expression
    if triggers.principal_attribute_predicate:
        yield f"{path}.principalAttributePredicate.expression", triggers.principal_attribute_predicate.expression
    for provider_path, provider in _by_path(mfa):
        if provider.bypass.script:
            yield f"{provider_path}.bypass.script", provider.bypass.script


def _triggers(triggers: Triggers) -> Iterator[str]:
    path = "spec.mfa.triggers"
    for index, entry in enumerate(triggers.principal_attribute_per_application):
        where = f"{path}.principalAttributePerApplication[{index}].selector"
        yield from _selector(where, entry.selector, "avoid MFA")
    for index, rule in enumerate(triggers.applications):
        yield from _selector(f"{path}.applications[{index}].selector", rule.selector, "avoid MFA")
    if triggers.entity_id and triggers.entity_id.source is EntitySource.ANNOTATION:
        yield f"{path}.entityId rests on an annotation that the request's owner can leave out: {_REVERSE}"
    if triggers.entity_id and triggers.entity_id.source is EntitySource.SERVICE_ACCOUNT:
        yield (
            f"{path}.entityId fires for the service accounts it names, and the owner of a namespace can apply the "
            f"request as another: {_REVERSE}"
        )
    who = triggers.authentication_attribute
    if who and not who.reverse_match:
        yield (
            f"{path}.authenticationAttribute fires for those who have it, and the owner of a namespace can apply the "
            f"request as a service account of his, which has not: {_REVERSE}"
        )
    elif who and not all(_names_others(name, who.value) for name in who.names):
        yield f"{path}.authenticationAttribute {_UNNAMED}"


def _providers(mfa: MfaPolicy) -> Iterator[str]:
    for path, provider in _by_path(mfa):
        bypass = provider.bypass
        for index, _ in enumerate(bypass.request_properties):
            yield (
                f"{path}.bypass.requestProperties[{index}] lets off whoever writes it on his own request: "
                "use bypass.services with namespaceSelector"
            )
        if bypass.authentication_methods:
            yield (
                f"{path}.bypass.authenticationMethods lets off whoever signs in that way, and the owner of a namespace "
                f"can make service accounts: {_NAMES}"
            )
        for index, match in enumerate(bypass.authentication_attributes):
            if not _names_others(match.name, match.value):
                yield f"{path}.bypass.authenticationAttributes[{index}] {_UNNAMED}"
        for index, selector in enumerate(bypass.services):
            yield from _selector(f"{path}.bypass.services[{index}]", selector, "let himself off")
        for index, entry in enumerate(bypass.principal_attributes_per_service):
            where = f"{path}.bypass.principalAttributesPerService[{index}].selector"
            yield from _selector(where, entry.selector, "let himself off")
    for index, mode in enumerate(mfa.service_failure_modes):
        if mode.failure_mode in _LENIENT:
            where = f"spec.mfa.serviceFailureModes[{index}].selector"
            yield from _selector(where, mode.selector, "choose to go without MFA when the provider is away")


def _lenient(mfa: MfaPolicy) -> Iterator[str]:
    """Yield what lets requests through while an endpoint is away."""
    webhooks = [(path, provider.failure_mode) for path, provider in _by_path(mfa) if provider.webhook]
    modes: list[tuple[str, FailureMode | EndpointFailure]] = [
        (f"{path}.failureMode", mode or mfa.failure_mode) for path, mode in webhooks
    ]
    if webhooks:
        entries = enumerate(mfa.service_failure_modes)
        modes += [
            (f"spec.mfa.serviceFailureModes[{index}].failureMode", entry.failure_mode) for index, entry in entries
        ]
    groups = mfa.triggers.groups.rest if mfa.triggers.groups else None
    for name, trigger in (("rest", mfa.triggers.rest), ("groups.rest", groups)):
        modes += [(f"spec.mfa.triggers.{name}.failureMode", trigger.failure_mode)] if trigger else []
    for path, mode in modes:
        if mode in _LENIENT or mode is EndpointFailure.OPEN:
            yield (
                f"{path} {mode} lets requests through without MFA in every outage of the endpoint, and who overloads "
                "it can bring one about: use Closed"
            )


def _names_others(attribute: str, value: str | None) -> bool:
    """Tell whether only those are meant whose names it gives: an owner can't be one of them but by his name."""
    if attribute not in _WHO or value is None or _PATTERN.search(value):
        return False
    return _EVERYBODY.isdisjoint(value.split("|"))


def _plain_http(spec: PolicySpec) -> Iterator[str]:
    for path, endpoint in _endpoints(spec):
        if endpoint is not None and endpoint.url.startswith("http://"):
            yield f"{path}.url is plain http, so its answers can be forged on the way: use https"


def _endpoints(spec: PolicySpec) -> Iterator[tuple[str, RestEndpoint | None]]:
    triggers = spec.mfa.triggers
    yield "spec.principal.rest", spec.principal.rest
    yield "spec.mfa.triggers.rest", triggers.rest
    yield "spec.mfa.triggers.groups.rest", triggers.groups.rest if triggers.groups else None
    for path, provider in _by_path(spec.mfa):
        yield f"{path}.webhook", provider.webhook
        yield f"{path}.bypass.rest", provider.bypass.rest


def _by_path(mfa: MfaPolicy) -> Iterator[tuple[str, Provider]]:
    for index, provider in enumerate(mfa.providers):
        yield f"spec.mfa.providers[{index}]", provider
