"""The most a request may ask for: of all matching policies the strictest limits hold."""

from collections.abc import Sequence

from awssts.domain.duration import written
from awssts.domain.errors import AwsstsError
from awssts.domain.policy.context import Context
from awssts.domain.policy.decision import EffectiveLimits
from awssts.domain.policy.errors import LimitExceeded, RoleNotAllowed, RoleNotChosen
from awssts.domain.policy.schema.resource import Limits
from awssts.domain.policy.trace import Result, Stage


def combine(all_limits: Sequence[Limits]) -> EffectiveLimits:
    """Return the strictest of the limits; without any policy there is none."""
    durations = [limits.max_duration for limits in all_limits if limits.max_duration is not None]
    sessions = [most for limits in all_limits if (most := limits.max_session_duration or limits.max_duration)]
    role_sets = [frozenset(limits.allowed_role_arns) for limits in all_limits if limits.allowed_role_arns is not None]
    return EffectiveLimits(
        max_duration=min(durations, default=None),
        max_session_duration=min(sessions, default=None),
        allow_root=all(limits.allow_root for limits in all_limits),
        allowed_role_arns=frozenset.intersection(*role_sets) if role_sets else None,
        require_credentials_label=any(limits.require_credentials_label for limits in all_limits),
    )


def check(contexts: Sequence[Context], role_arn: str | None) -> EffectiveLimits:
    """Return the limits that hold.

    Raises:
        LimitExceeded, RoleNotAllowed, RoleNotChosen: the request is over one.
    """
    for context in contexts:
        error = _over(context, role_arn)
        result, why = (Result.DENIED, error.message) if error else (Result.ALLOWED, "within all limits")
        context.note(Stage.LIMITS, "limits", result, why)
        if error:
            raise error
    return combine([context.policy.spec.limits for context in contexts])


def _over(context: Context, role_arn: str | None) -> AwsstsError | None:
    """Return the first limit of one policy that the request is over."""
    limits, name = context.policy.spec.limits, context.policy.name
    for problem in (_duration(limits, context), _label(limits, context)):
        if problem:
            return LimitExceeded(f"policy {name}: {problem}")
    if limits.allowed_role_arns is None:
        return None
    if role_arn is None:
        return RoleNotChosen(f"policy {name}: limits.allowedRoleArns allows roles only: name one in spec.role.arn")
    if role_arn not in limits.allowed_role_arns:
        return RoleNotAllowed(f"policy {name}: role {role_arn} is not one of limits.allowedRoleArns")
    return None


def _duration(limits: Limits, context: Context) -> str | None:
    wanted, most = context.facts.request.duration, limits.max_duration
    if wanted is None or most is None or wanted <= most:
        return None
    return f"a duration of {written(wanted)} is over limits.maxDuration, {written(most)}"


def _label(limits: Limits, context: Context) -> str | None:
    secret = context.facts.secret
    if not limits.require_credentials_label or secret is None or not secret.keys or secret.labelled:
        return None
    return f"Secret {secret.name} needs the label awssts.dev/type: credentials (limits.requireCredentialsLabel)"
