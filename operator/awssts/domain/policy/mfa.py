"""Whether MFA is needed: triggers in CAS's order, then the provider's bypass, then its failure mode.

The first trigger that fires decides. One that fires on what the request's owner can bring about is the exception:
the later ones are heard too, and hold where they are as strict. So an owner can add MFA, and can't take the
place of a stricter trigger.

How strict MFA is goes by who has to answer: a code that the operator makes of a seed comes after one that a person
or an administrator's endpoint has to give.
"""

from collections.abc import Iterable
from dataclasses import replace

from awssts.domain.policy import bypass, failure, triggers
from awssts.domain.policy.context import Context
from awssts.domain.policy.decision import MfaDecision, MfaOutcome
from awssts.domain.policy.registry import ProviderType, Row
from awssts.domain.policy.trace import Result, Stage
from awssts.domain.policy.triggers.verdict import Fired


def decide(context: Context) -> MfaDecision:
    """Return what one policy says.

    Raises:
        Wanted: an endpoint has to be asked first.
        AwsstsError: the request is refused.
    """
    found = _first(context)
    optional = context.policy.selector.request_selector is not None  # its owner can step into the whole policy
    return replace(found, by_owner=found.by_owner or optional)


def _first(context: Context) -> MfaDecision:
    """Return what the first trigger that fires comes to, but for those that an owner can bring about."""
    held = MfaDecision()
    for row, fired in triggers.fired(context):
        found = _after(row, fired, context)
        if not fired.by_owner:
            _note_rest(row, context)
            return strictest([held, found])
        held = strictest([held, found])
    return held


def strictest(decisions: Iterable[MfaDecision]) -> MfaDecision:
    """Return the strictest; of equally strict ones the first that does not rest on what an owner can bring about.

    Where any that needs a code needs a new one each time, so does the whole.
    """
    heard = list(decisions)
    chosen = max(heard, key=lambda found: (_strictness(found), not found.by_owner), default=MfaDecision())
    return replace(chosen, forced=any(found.forced and found.required for found in heard))


def _strictness(decision: MfaDecision) -> int:
    """Somebody has to give a code; one of the seed is needed; a trigger fired; none did."""
    if decision.required:
        return 2 if decision.provider_type is ProviderType.TOTP else 3
    return int(decision.outcome is not MfaOutcome.NOT_REQUIRED)


def _after(row: Row, fired: Fired, context: Context) -> MfaDecision:
    """Return the decision once a trigger has fired."""
    provider = fired.provider
    kind = _bypass(fired, context)
    return MfaDecision(
        outcome=MfaOutcome.BYPASSED if kind else failure.outcome(context, provider),
        policy=context.policy.name,
        trigger=row.field,
        provider=provider,
        bypass=kind,
        forced=fired.forced,
        by_owner=fired.by_owner,
    )


def _bypass(fired: Fired, context: Context) -> str | None:
    if fired.bypass_enabled:
        return bypass.applying(context, fired.provider)
    context.note(Stage.BYPASS, fired.provider.name, Result.NOT_CONSIDERED, "bypassEnabled is false here")
    return None


def _note_rest(decided: Row, context: Context) -> None:
    for row in triggers.configured(context):
        if row.order > decided.order:
            context.note(Stage.TRIGGER, row.field, Result.NOT_CONSIDERED, f"{decided.field} decides")
