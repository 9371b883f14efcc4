"""Rows 2, 3 and 12: always; because the request asks for it; for who calls."""

from awssts.domain.policy.context import Context
from awssts.domain.policy.errors import ProviderUnknown
from awssts.domain.policy.schema.triggers import EntityIdTrigger, EntitySource
from awssts.domain.policy.triggers.verdict import Fired, NotFired, Verdict, provider_of


def global_(context: Context) -> Verdict:
    """Fire, always."""
    trigger = context.mfa.triggers.global_
    name = trigger.provider if trigger else None
    return Fired(provider=provider_of(context, name), why="every request needs MFA")


def opt_in(context: Context) -> Verdict:
    """Fire where the request's annotation names a provider that this policy offers.

    Raises:
        ProviderUnknown: no matching policy offers it; else a misspelt wish for MFA would pass unseen.
    """
    trigger = context.mfa.triggers.opt_in
    annotation = trigger.annotation if trigger else ""
    name = context.facts.request.properties.get(annotation, "").strip()
    if not name:
        return NotFired(f"the request has no annotation {annotation}")
    if name not in context.offered:
        offered = ", ".join(sorted(context.offered))
        raise ProviderUnknown(f"annotation {annotation} asks for a provider that is not offered; there are: {offered}")
    provider = context.mfa.provider(name)
    if provider is None or (trigger and trigger.providers and name not in trigger.providers):
        return NotFired(f"the request asks for {name}, which another policy offers")
    return Fired(provider=provider, why=f"the request asks for it by annotation {annotation}", by_owner=True)


def entity_id(context: Context) -> Verdict:
    """Fire where the id of the calling party is listed: the owner says it, or chooses the account that he applies as.

    Raises:
        ApplicantUnknown: it is to be a service account, and nobody knows who applied the request.
    """
    trigger = context.mfa.triggers.entity_id
    given = _entity(context, trigger) if trigger else None
    if trigger is None or given is None:
        return NotFired("the calling party has no id there")
    for entity in trigger.entities:
        if entity.id == given:
            provider = provider_of(context, entity.provider)
            return Fired(provider=provider, why=f"the calling party is {given}", by_owner=True)
    return NotFired("the calling party is not listed")


def _entity(context: Context, trigger: EntityIdTrigger) -> str | None:
    if trigger.source is EntitySource.ANNOTATION:
        return context.facts.request.properties.get(trigger.annotation)
    return context.applicant().service_account
