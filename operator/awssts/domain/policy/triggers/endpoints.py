"""Rows 4 and 11: a REST endpoint, and groups, by attribute or by a REST endpoint (CAS: Grouper)."""

import json

from awssts.domain.policy.calls import Answer, Answered, Purpose, Unreachable, is_away
from awssts.domain.policy.context import Context
from awssts.domain.policy.errors import PolicyEndpointUnavailable
from awssts.domain.policy.schema.triggers import EndpointFailure, GroupsTrigger, RestTrigger
from awssts.domain.policy.triggers.verdict import Fired, NotFired, Verdict, provider_of, provider_said

_NONE = 204  # a 404 is not one: a URL with a typo gives it too


def rest(context: Context) -> Verdict:
    """Fire where the endpoint names a provider."""
    trigger = context.mfa.triggers.rest
    if trigger is None:
        return NotFired("there is no endpoint")
    answer = context.ask(trigger, Purpose.TRIGGER)
    if not isinstance(answer, Answered) or answer.status not in {200, _NONE}:
        return _without_answer(context, trigger, answer)
    name = answer.body.strip().strip('"')
    if answer.status == _NONE or not name:
        return NotFired(f"{trigger.place} answered {answer.status} and names no provider")
    provider = provider_said(context, name, trigger.place)
    return Fired(provider=provider, why=f"{trigger.place} names {provider.name}")


def groups(context: Context) -> Verdict:
    """Fire on the first listed group that the principal is in."""
    trigger = context.mfa.triggers.groups
    if trigger is None:
        return NotFired("there are no groups")
    if trigger.rest is None:
        attribute = trigger.membership_attribute or ""
        by_owner = context.principal.owner_decides(attribute)
        return _first_group(context, trigger, context.principal.values(attribute), by_owner=by_owner)
    answer = context.ask(trigger.rest, Purpose.MEMBERSHIP)
    members = _memberships(answer)
    if members is None:
        return _without_answer(context, trigger.rest, answer)
    return _first_group(context, trigger, members, by_owner=False)


def _first_group(context: Context, trigger: GroupsTrigger, members: tuple[str, ...], *, by_owner: bool) -> Verdict:
    for group in trigger.groups:
        if group.name in members:
            provider = provider_of(context, group.provider)
            return Fired(provider=provider, why=f"the principal is in group {group.name}", by_owner=by_owner)
    return NotFired("the principal is in none of the groups" if members else "no group of the principal is known")


def _memberships(answer: Answer) -> tuple[str, ...] | None:
    """Return the groups' names; None where the answer is none."""
    if not isinstance(answer, Answered):
        return None
    if answer.status == _NONE:
        return ()
    try:
        names = json.loads(answer.body) if answer.status == 200 else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return None
    return tuple(names)


def _without_answer(context: Context, trigger: RestTrigger, answer: Answer) -> Verdict:
    match answer:
        case Unreachable(reason, answered=True):
            problem = f"{trigger.place} gave an answer that can't be used: {reason}"
        case Unreachable(reason):
            problem = f"{trigger.place} can't be reached: {reason}"
        case Answered(200):
            problem = f"{trigger.place} gave an answer that can't be used"
        case Answered(status):
            problem = f"{trigger.place} answered with status {status}"
        case _:
            problem = f"{trigger.place} gave no answer"
    if trigger.failure_mode is EndpointFailure.OPEN and is_away(answer):
        return NotFired(f"{problem}; its failure mode is Open")
    raise PolicyEndpointUnavailable(f"policy {context.policy.name}: {problem}")
