"""Rows 6, 8, 9 and 10: attributes of the principal or of the authentication, and requests by selector."""

from collections.abc import Iterator
from dataclasses import dataclass

from awssts.domain.policy import patterns
from awssts.domain.policy.context import Context
from awssts.domain.policy.errors import NotAuthorized
from awssts.domain.policy.principal import Attributes
from awssts.domain.policy.schema.mfa import Provider
from awssts.domain.policy.schema.triggers import AttributeTrigger, ServiceAttribute, ServiceRule
from awssts.domain.policy.triggers.verdict import Fired, NotFired, Verdicts, provider_of


def principal_attribute_per_application(context: Context) -> Verdicts:
    """Fire on each entry that selects the request and whose attribute the principal has."""
    for index, rule in enumerate(context.mfa.triggers.principal_attribute_per_application):
        why = _attribute_of_service(context, rule)
        if why is not None:
            yield NotFired(f"entry {index}: {why}")
            continue
        by_owner = context.principal.owner_decides(rule.name)
        yield _for_service(context, rule, f"entry {index}: attribute {rule.name} matches", by_owner=by_owner)


def applications(context: Context) -> Verdicts:
    """Fire on each entry that selects the request."""
    for index, rule in enumerate(context.mfa.triggers.applications):
        if context.selects(rule.selector):
            yield _for_service(context, rule, f"entry {index} selects the request")
        else:
            yield NotFired(f"entry {index} does not select the request")


def principal_attribute(context: Context) -> Verdicts:
    """Fire on attributes of the principal."""
    trigger = context.mfa.triggers.principal_attribute
    if trigger is None:
        return
    principal = context.principal
    names = frozenset(name for name in trigger.names if principal.owner_decides(name))
    attributes = {name: principal.values(name) for name in trigger.names}
    yield from _by_attributes(context, trigger, _Subject("principal", attributes, names))


def authentication_attribute(context: Context) -> Verdicts:
    """Fire on attributes of whoever applied the request.

    An owner can apply the request as a service account of his own, but never as the one that reverseMatch lets off.

    Raises:
        ApplicantUnknown: nobody knows who did. With reverseMatch it fires instead.
    """
    trigger = context.mfa.triggers.authentication_attribute
    if trigger is None:
        return
    who = context.facts.authentication if trigger.reverse_match else context.applicant()
    chosen = frozenset() if trigger.reverse_match else frozenset(trigger.names)
    subject = _Subject("authentication", who.attributes if who else {}, chosen)
    yield from _by_attributes(context, trigger, subject)


@dataclass(frozen=True, slots=True)
class _Subject:
    """Whose attributes; ``by_owner`` are those that the request's owner can bring about."""

    name: str
    attributes: Attributes
    by_owner: frozenset[str]


def _attribute_of_service(context: Context, rule: ServiceAttribute) -> str | None:
    """Return why the entry does not fire; None where it does."""
    if not context.selects(rule.selector):
        return "does not select the request"
    values = context.principal.values(rule.name)
    if not values:
        return f"the principal has no attribute {rule.name}"
    matched = patterns.first_match(rule.value, values)
    return f"no value of attribute {rule.name} matches" if matched is None else None


def _for_service(context: Context, rule: ServiceRule, why: str, *, by_owner: bool = False) -> Fired:
    return Fired(
        provider=provider_of(context, rule.provider),
        why=why,
        by_owner=by_owner or rule.selector.request_selector is not None,
        forced=rule.forced_execution,
        bypass_enabled=rule.bypass_enabled,
    )


def _by_attributes(context: Context, trigger: AttributeTrigger, subject: _Subject) -> Verdicts:
    found = list(_firing(context, trigger, subject))
    yield from found
    if found:
        return
    why = _missed(trigger, subject)
    if trigger.deny_if_unmatched:
        raise NotAuthorized(f"policy {context.policy.name}: {why}, and denyIfUnmatched is set")
    yield NotFired(why)


def _firing(context: Context, trigger: AttributeTrigger, subject: _Subject) -> Iterator[Fired]:
    """Yield a verdict for each attribute that fires; with reverseMatch one for all."""
    if trigger.reverse_match:
        if not any(_matches(trigger, subject, name) for name in trigger.names):
            provider = provider_of(context, trigger.provider)
            why = f"no value of the {subject.name}'s attribute {', '.join(trigger.names)} matches (reverseMatch)"
            yield Fired(provider=provider, why=why, by_owner=bool(subject.by_owner))
        return
    for name in trigger.names:
        provider_found = _provider(context, trigger, subject, name)
        if provider_found:
            says = "matches" if trigger.value is not None else f"names {provider_found.name}"
            why = f"the {subject.name}'s attribute {name} {says}"
            yield Fired(provider=provider_found, why=why, by_owner=name in subject.by_owner)


def _provider(context: Context, trigger: AttributeTrigger, subject: _Subject, name: str) -> Provider | None:
    """Return the provider, where the attribute fires: without a regular expression, the one that it names."""
    if trigger.value is not None:
        return provider_of(context, trigger.provider) if _matches(trigger, subject, name) else None
    values = subject.attributes.get(name, ())
    return next((provider for provider in context.mfa.providers if provider.name in values), None)


def _matches(trigger: AttributeTrigger, subject: _Subject, name: str) -> bool:
    return patterns.first_match(trigger.value, subject.attributes.get(name, ())) is not None


def _missed(trigger: AttributeTrigger, subject: _Subject) -> str:
    names = ", ".join(trigger.names)
    if trigger.reverse_match:
        return f"a value of the {subject.name}'s attribute {names} matches (reverseMatch)"
    if not any(subject.attributes.get(name) for name in trigger.names):
        return f"the {subject.name} has no attribute {names}"
    wanted = "matches" if trigger.value is not None else "names a provider"
    return f"no value of the {subject.name}'s attribute {names} {wanted}"
