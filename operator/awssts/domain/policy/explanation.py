"""The protocol of an evaluation as lines for a terminal."""

from collections.abc import Iterator, Sequence

from awssts.domain.duration import written
from awssts.domain.policy.decision import Decision, MfaDecision, MfaOutcome
from awssts.domain.policy.trace import Result, Step

_HEADINGS = ("POLICY", "STAGE", "WHAT", "RESULT", "WHY")
_DECIDING = frozenset({Result.FIRED, Result.DENIED, Result.INVALID, Result.BYPASSED, Result.UNAVAILABLE, Result.USED})


def explain(decision: Decision) -> list[str]:
    """Return the steps as a table, those that turned the decision marked with >, and then what it comes to."""
    return [*_table(decision.trace), *([""] if decision.trace else []), *_summary(decision)]


def _table(steps: Sequence[Step]) -> Iterator[str]:
    if not steps:
        return
    rows = [(step.policy, str(step.stage), step.name, str(step.result), _line(step.why)) for step in steps]
    widths = [max(map(len, column)) for column in zip(_HEADINGS, *rows, strict=True)][:-1]
    yield "  " + _aligned(_HEADINGS, widths)
    for step, row in zip(steps, rows, strict=True):
        yield ("> " if step.result in _DECIDING else "  ") + _aligned(row, widths)


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
    return "  ".join([*cells, row[-1]]).rstrip()


def _line(text: str) -> str:
    """Return the text without line breaks and control characters, which somebody might have put into a label."""
    return "".join(char if char.isprintable() else " " for char in text)


def _summary(decision: Decision) -> Iterator[str]:
    if decision.denied is not None:
        yield f"Denied: {decision.denied.reason}: {_line(decision.denied.message)}"
        return
    yield f"Allowed by {', '.join(decision.policies) or 'default: no policy selects the request'}"
    yield f"Call: {f'AssumeRole {decision.role_arn}' if decision.role_arn else 'GetSessionToken'}"
    if decision.aws_credentials:
        keys = decision.aws_credentials
        yield f"Keys: the administrator's, Secret {keys.namespace}/{keys.secret_name}"
    if decision.limits.max_duration is not None:
        yield f"Duration: at most {written(decision.limits.max_duration)}"
    yield f"MFA: {_mfa(decision.mfa)}"


def _mfa(mfa: MfaDecision) -> str:
    if mfa.outcome is MfaOutcome.NOT_REQUIRED or mfa.provider is None:
        return "not required: no trigger fired"
    by = f"policy {mfa.policy}, trigger {mfa.trigger}, provider {mfa.provider.name} ({mfa.provider.type})"
    forced = "; a new code for every issuance" if mfa.forced and mfa.required else ""
    return f"{_WORDS[mfa.outcome].format(bypass=mfa.bypass)}: {by}{forced}"


_WORDS = {
    MfaOutcome.REQUIRED: "required",
    MfaOutcome.BYPASSED: "bypassed by {bypass}",
    MfaOutcome.PHANTOM: "counts as done, for the provider can't be reached (Phantom)",
    MfaOutcome.SKIPPED_OPEN: "skipped, for the provider can't be reached (Open)",
    MfaOutcome.REFUSED: "refused",
}
