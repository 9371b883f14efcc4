"""What happens when a provider can't be reached: CAS's failure modes, looked up service first, then provider,
then global."""

from awssts.domain.policy.calls import Answered, Purpose, Unreachable, call_to, is_away
from awssts.domain.policy.context import Context
from awssts.domain.policy.decision import MfaOutcome
from awssts.domain.policy.errors import ProviderUnavailable
from awssts.domain.policy.registry import FailureMode
from awssts.domain.policy.schema.mfa import Provider
from awssts.domain.policy.trace import Result, Stage


def mode(context: Context, provider: Provider) -> FailureMode:
    """Return the mode that holds for this request and provider."""
    for entry in context.mfa.service_failure_modes:
        if context.selects(entry.selector):
            return entry.failure_mode
    return provider.failure_mode or context.mfa.failure_mode


def outcome(context: Context, provider: Provider) -> MfaOutcome:
    """Return what becomes of MFA that this provider is to do.

    Raises:
        Wanted: whether it can be reached has to be found out first.
        ProviderUnavailable: it can't, and the mode is Closed.
    """
    if provider.webhook is None:
        context.note(Stage.FAILURE_MODE, provider.name, Result.AVAILABLE, f"{provider.type} asks nobody outside")
        return MfaOutcome.REQUIRED
    held = mode(context, provider)
    if held is FailureMode.NONE:
        context.note(Stage.FAILURE_MODE, provider.name, Result.NOT_CHECKED, "the failure mode is None")
        return MfaOutcome.REQUIRED
    problem = _problem(context, provider)
    if problem is None:
        context.note(Stage.FAILURE_MODE, provider.name, Result.AVAILABLE, "it answers")
        return MfaOutcome.REQUIRED
    context.note(Stage.FAILURE_MODE, provider.name, Result.UNAVAILABLE, f"{problem}; the failure mode is {held}")
    return _unavailable(context, provider, held, problem)


def _unavailable(context: Context, provider: Provider, held: FailureMode, problem: str) -> MfaOutcome:
    if held is FailureMode.OPEN:
        return MfaOutcome.SKIPPED_OPEN
    if held is FailureMode.PHANTOM:
        return MfaOutcome.PHANTOM
    raise ProviderUnavailable(f"policy {context.policy.name}: provider {provider.name} can't be reached: {problem}")


def _problem(context: Context, provider: Provider) -> str | None:
    """Return why it can't be reached; None where it can."""
    webhook = provider.webhook
    if webhook is None:
        return None
    endpoint = webhook.model_copy(update={"url": webhook.availability_url or webhook.url})
    call = call_to(endpoint, policy=context.policy.name, purpose=Purpose.AVAILABILITY, body="", method="GET")
    answer = context.answers.to(call)
    if not is_away(answer):
        return None
    match answer:
        case Answered(status):
            return f"{endpoint.place} answered with status {status}"
        case Unreachable(reason):
            return reason
        case _:
            return f"{endpoint.place} gave no answer"
