"""Row 1: day, hour and whatever else CEL can tell (CAS: adaptive)."""

from datetime import datetime
from itertools import chain
from zoneinfo import ZoneInfo

from awssts.domain.policy.context import Context
from awssts.domain.policy.schema.triggers import AdaptiveRule, Weekday
from awssts.domain.policy.triggers.verdict import Fired, NotFired, Verdict, Verdicts, on_result, provider_of

_DAYS = tuple(Weekday)


def adaptive(context: Context) -> Verdicts:
    """Fire on each rule whose conditions all hold."""
    for index, rule in enumerate(context.mfa.triggers.adaptive):
        yield _rule(context, rule, f"entry {index}")


def _rule(context: Context, rule: AdaptiveRule, name: str) -> Verdict:
    local = context.facts.now.astimezone(ZoneInfo(rule.time_zone))
    moment = f"{local:%A %H:%M} {rule.time_zone}"
    if rule.on_days and _DAYS[local.weekday()] not in rule.on_days:
        return NotFired(f"{name}: {moment} is on another day")
    if not _within(rule, local):
        return NotFired(f"{name}: {moment} is outside the hours")
    if rule.expression is None:
        return Fired(provider=provider_of(context, rule.provider), why=f"{name}: {moment} is within days and hours")
    result = context.evaluate(rule.expression)
    provider = on_result(context, result, rule.provider, f"{name}: the expression")
    if provider is None:
        return NotFired(f"{name}: the expression says no")
    by_owner = context.owner_decides(rule.expression)
    return Fired(provider=provider, why=f"{name}: the expression says yes", by_owner=by_owner)


def _within(rule: AdaptiveRule, local: datetime) -> bool:
    first = rule.on_or_after_hour if rule.on_or_after_hour is not None else 0
    last = rule.on_or_before_hour if rule.on_or_before_hour is not None else 23
    hours = range(first, last + 1) if first <= last else chain(range(first, 24), range(last + 1))
    return local.hour in hours
