"""The status that a request should have, and the Event that a change of it is worth."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from awssts.domain import judgement, rollout, schedule
from awssts.domain.errors import AwsstsError, Retry
from awssts.domain.judgement import Judgement
from awssts.domain.plan import renewal
from awssts.domain.policy.registry import ProviderType
from awssts.domain.reasons import Reason
from awssts.domain.request import Request
from awssts.domain.resources import DEFAULT_SESSION_DURATION, Spec
from awssts.domain.status import (
    AUTHORIZED,
    MFA_SATISFIED,
    READY,
    RECONCILING,
    STALLED,
    Attempt,
    Condition,
    MfaStatus,
    RolloutStatus,
    Status,
    timestamp,
)
from awssts.domain.target import Target, inputs_digest
from awssts.domain.view import Unknown

_OF_MFA = {"AwaitingTokenCode", "InvalidTokenCode", "InvalidDevice"}


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why there are no new credentials, from an error now or from the status that an earlier one left."""

    reason: str
    message: str
    stalled: bool
    failures: int | None = None
    next_attempt: datetime | None = None
    attempt: Attempt | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """A Kubernetes Event: ``Normal`` or ``Warning``, a reason and a message."""

    type: str
    reason: str
    message: str


def trouble(error: AwsstsError, request: Request, target: Target | None, attempt: Attempt, now: datetime) -> Trouble:
    """Return the trouble that an error is, with the time of the next attempt by the kind of the error."""
    if error.retry in {Retry.INPUT, Retry.SPEC}:
        return Trouble(error.reason, error.message, stalled=True)
    if error.retry is Retry.PERSON:
        return Trouble(error.reason, error.message, stalled=False)
    if error.retry is Retry.CHANGE:
        failures = (request.status.failures or 0) + 1
        return Trouble(error.reason, error.message, True, failures, now + schedule.STALLED_RETRY, attempt)
    again = request.status.attempt == attempt
    failures = (request.status.failures or 0) + 1 if again else 1
    left = target.expiration - now if target and target.expiration and target.live(now) else None
    delay = schedule.backoff(failures, request.identity.uid, left)
    return Trouble(error.reason, error.message, False, failures, now + delay, attempt)


def standing_trouble(status: Status) -> Trouble | None:
    """Return the trouble that the status tells of."""
    for kind in (STALLED, RECONCILING):
        condition = status.condition(kind)
        if condition is not None and condition.status == "True":
            return Trouble(
                condition.reason,
                condition.message,
                kind == STALLED,
                status.failures,
                status.next_attempt,
                status.attempt,
            )
    return None


def report(
    request: Request,
    target: Target | None,
    problem: Trouble | None,
    now: datetime,
    judged: Judgement | Unknown | None = None,
    restarts: RolloutStatus | None = None,
) -> Status:
    """Return the status that the request should have.

    Ready speaks of the credentials that are there: it stays True while a renewal fails and they still live.
    Stalled and Reconciling are there only while they are true (kstatus).
    """
    mine = target if target is not None and target.belongs_to(request.identity) else None
    conditions = [_ready(request, mine, problem, now)]
    if problem is not None:
        kind = STALLED if problem.stalled else RECONCILING
        conditions.append(_condition(request, kind, "True", problem.reason, problem.message, now))
    if (authorized := _authorized(request, judged, now)) is not None:
        conditions.append(authorized)
    if isinstance(request.spec, Spec) and request.spec.uses_device:
        conditions.append(_mfa(request, mine, problem, now))
    held = mine is not None and mine.expiration is not None
    return Status(
        observed_generation=request.generation,
        conditions=tuple(conditions),
        secret_name=request.target_name if held else None,
        access_key_id=mine.access_key_id or None if mine and held else None,
        role_arn=_role_arn(request) if held else None,
        issued_at=mine.issued_at if mine and held else None,
        expiration=mine.expiration if mine and held else None,
        next_renewal=_whole(renewal(request, mine)) if mine and held and not _suspended(request) else None,
        next_attempt=_whole(problem.next_attempt) if problem else None,
        failures=problem.failures if problem else None,
        mfa=_decided(request, judged),
        attempt=problem.attempt if problem else None,
        rollout=rollout.report(request, restarts or request.status.rollout, mine),
    )


def restart_event(before: RolloutStatus | None, after: RolloutStatus) -> Event | None:
    """Return the Event that a try to restart workloads is worth."""
    if not after.failed:
        return Event("Normal", "RolloutRestarted", "the Secret's content changed: workloads were restarted")
    if before is not None and before.failed == after.failed:
        return None
    told = "; ".join(f"{failed.kind} {failed.name}: {failed.message}" for failed in after.failed)
    return Event("Warning", "RolloutRestartFailed", told[:1024])


def event(before: Status, after: Status) -> Event | None:
    """Return the Event that the change is worth: a new trouble, the end of one, or the first credentials."""
    old, new = standing_trouble(before), standing_trouble(after)
    if new is not None and new.reason == Reason.WAITING:
        return None
    if new is not None:
        if old is not None and old.reason == new.reason and (old.message == new.message or _fluctuates(new)):
            return None
        return Event("Warning", new.reason, new.message)
    asked, was_asked = after.condition(MFA_SATISFIED), before.condition(MFA_SATISFIED)
    if asked and asked.reason == "AwaitingTokenCode" and not (was_asked and was_asked.reason == asked.reason):
        return Event("Warning", asked.reason, asked.message)
    ready, was_ready = after.condition(READY), before.condition(READY)
    if ready is None or (was_ready is not None and was_ready.reason == ready.reason and old is None):
        return None
    return Event("Normal" if ready.status == "True" else "Warning", ready.reason, ready.message)


def _fluctuates(problem: Trouble) -> bool:
    """Whether another wording is no news: a transient error, told anew at each retry."""
    return not problem.stalled and problem.reason != "AwaitingTokenCode"


def _ready(request: Request, target: Target | None, problem: Trouble | None, now: datetime) -> Condition:
    if target is not None and target.live(now):
        return _condition(request, READY, "True", *_live(request, target, problem), now)
    if problem is not None:
        return _condition(request, READY, "False", problem.reason, problem.message, now)
    if _suspended(request):
        return _condition(request, READY, "False", Reason.SUSPENDED, "spec.suspend is true: set it to false", now)
    return _condition(request, READY, "False", Reason.PENDING, "the credentials are about to be issued", now)


def _authorized(request: Request, judged: Judgement | Unknown | None, now: datetime) -> Condition | None:
    """Say whether policies allow it; where they were not asked now, what they said last."""
    if isinstance(judged, Unknown):
        return request.status.condition(AUTHORIZED)
    if judged is None or not judged.guard:
        return None
    if judged.denied is not None:
        return _condition(request, AUTHORIZED, "False", judged.denied.reason, judged.denied.message, now)
    before = request.status.condition(AUTHORIZED)
    if judged.decision is None and before is not None and before.status == "True":
        return before.model_copy(update={"observed_generation": request.generation})
    by = f"by {', '.join(judged.decision.policies)}" if judged.decision else "by policies"
    return _condition(request, AUTHORIZED, "True", Reason.ALLOWED, f"allowed {by}", now)


def _decided(request: Request, judged: Judgement | Unknown | None) -> MfaStatus | None:
    """Return what policies decided about MFA; what they decided last, where they were not asked now."""
    if isinstance(judged, Unknown):
        return request.status.mfa
    if judged is None or not judged.guard:
        return None
    if judged.decision is None:
        return request.status.mfa
    mfa = judged.decision.mfa
    return MfaStatus(
        required=mfa.required,
        outcome=str(mfa.outcome),
        policy=mfa.policy,
        trigger=mfa.trigger,
        provider=mfa.provider.name if mfa.provider else None,
        bypass=mfa.bypass,
    )


def _mfa(request: Request, target: Target | None, problem: Trouble | None, now: datetime) -> Condition:
    """Say whether the device answered for the credentials that are there, and no code is wanted.

    The request is as policies have it carried out.
    """
    if problem is not None and problem.reason in _OF_MFA:
        return _condition(request, MFA_SATISFIED, "False", problem.reason, problem.message, now)
    if target is not None and (ends := code_wanted_before(request, target, now)) is not None:
        message = f"a code is needed before the MFA session ends at {timestamp(ends)}: {_how_to_give_a_code(request)}"
        return _condition(request, MFA_SATISFIED, "False", "AwaitingTokenCode", message, now)
    if target is not None and target.live(now) and isinstance(request.spec, Spec):
        if target.inputs_digest == inputs_digest(request.spec):  # the device is one of them
            return _condition(
                request, MFA_SATISFIED, "True", Reason.AUTHENTICATED, "a code of the device was accepted", now
            )
        message = "the credentials that are there were issued for another spec: no code was used yet for this one"
        return _condition(request, MFA_SATISFIED, "False", Reason.PENDING, message, now)
    return _condition(request, MFA_SATISFIED, "False", Reason.PENDING, "no code was used yet", now)


def code_wanted_before(request: Request, target: Target, now: datetime) -> datetime | None:
    """Return the end of the MFA session when a person's code is wanted for the next: in its last third."""
    ask_at = ask_for_code_at(request, target)
    return target.session_expiration if ask_at is not None and ask_at <= now else None


def ask_for_code_at(request: Request, target: Target) -> datetime | None:
    """Return when to ask for a person's next code; None where no person or no session is involved."""
    spec = request.spec
    if not isinstance(spec, Spec) or spec.mfa is None or spec.mfa.totp_secret_ref or not target.session_expiration:
        return None
    asked = judgement.decoded(target.policy_outcome).get("mfa")
    if isinstance(asked, dict) and asked.get("provider") == ProviderType.WEBHOOK:
        return None
    lifetime = timedelta(seconds=spec.mfa.session_duration or DEFAULT_SESSION_DURATION)
    return target.session_expiration - lifetime / schedule.RENEWAL_SHARE


def _how_to_give_a_code(request: Request) -> str:
    return f"awssts mfa -n {request.identity.namespace} {request.identity.name}"


def _live(request: Request, target: Target, problem: Trouble | None) -> tuple[str, str]:
    until = timestamp(target.expiration) if target.expiration else "?"
    if problem is not None:
        return Reason.RENEWAL_FAILING, f"{target.access_key_id} is valid until {until}, but: {problem.message}"
    if _suspended(request):
        return (
            Reason.SUSPENDED,
            f"{target.access_key_id} is valid until {until} and is not renewed: spec.suspend is true",
        )
    at = _whole(renewal(request, target))
    renewed = f", renewed at {timestamp(at)}" if at else ""
    return Reason.ISSUED, f"{target.access_key_id} is valid until {until}{renewed}"


def _condition(request: Request, kind: str, status: str, reason: str, message: str, now: datetime) -> Condition:
    before = request.status.condition(kind)
    since = before.last_transition_time if before is not None and before.status == status else now
    return Condition(
        type=kind,
        status=status,
        reason=reason,
        message=message,
        last_transition_time=since.replace(microsecond=0),
        observed_generation=request.generation,
    )


def _role_arn(request: Request) -> str | None:
    return request.spec.role.arn if isinstance(request.spec, Spec) and request.spec.role else None


def _suspended(request: Request) -> bool:
    return isinstance(request.spec, Spec) and request.spec.suspend


def _whole(moment: datetime | None) -> datetime | None:
    """Round up to a whole second, as the status has it: nothing is then done a moment before its time."""
    if moment is None or not moment.microsecond:
        return moment
    return moment.replace(microsecond=0) + timedelta(seconds=1)
