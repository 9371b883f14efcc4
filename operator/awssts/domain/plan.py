"""What to do about a request: a chain of small checks over what is known. Pure; the services carry it out.

Each check is ``(view) -> Plan | None``; the first that has an opinion decides. Reasons to issue are a chain of
their own: each is a cause with ``(view, target) -> bool``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from awssts.domain import rollout, schedule
from awssts.domain.errors import AwsstsError, InvalidSpec, TargetConflict
from awssts.domain.judgement import Judgement
from awssts.domain.request import Request
from awssts.domain.resources import CreationPolicy, Spec
from awssts.domain.status import AUTHORIZED, STALLED, Attempt
from awssts.domain.target import Target, inputs_digest, layout_digest, owned
from awssts.domain.view import UNKNOWN, View, attempted_inputs


class Cause(Enum):
    """Why new credentials are needed."""

    FIRST = "there were none"
    MISSING = "the target Secret was deleted"
    ALTERED = "the target Secret was altered"
    EXPIRED = "the credentials expired"
    INPUTS = "the request asks for something else"
    KEY = "the access key was changed"
    CODE = "somebody gave an MFA code"
    RENEW = "renewal was asked for"
    DUE = "the renewal is due"


REPAIRS = {Cause.MISSING, Cause.ALTERED, Cause.FIRST}
"""What somebody could have us do over and over: who deletes a target twice has the status forget that there was one."""


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing to do until then; ``held`` when something is to be done, but not yet."""

    until: datetime | None
    held: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """Read what is not known, and plan again."""


@dataclass(frozen=True, slots=True)
class Issue:
    """Get new credentials and write them."""

    cause: Cause


@dataclass(frozen=True, slots=True)
class RepairLayout:
    """Write the credentials that are there in another form."""


@dataclass(frozen=True, slots=True)
class Restart:
    """Restart the workloads that use the credentials: these are others now."""


@dataclass(frozen=True, slots=True)
class Fail:
    """It can't work as it is."""

    error: AwsstsError


Plan = Idle | Look | Issue | RepairLayout | Restart | Fail


def plan(view: View) -> Plan:
    """Return what to do about the request now."""
    for check in _CHECKS:
        decided = check(view)
        if decided is not None:
            return decided
    raise AssertionError("the last check always decides")


def renewal(request: Request, target: Target) -> datetime | None:
    """Return when the credentials in the target are to be renewed; None where it says nothing of their life."""
    if target.issued_at is None or target.expiration is None:
        return None
    spec, asked, ahead = request.spec, target.expiration - target.issued_at, None
    if isinstance(spec, Spec):
        asked = timedelta(seconds=spec.lifetime)
        ahead = timedelta(seconds=spec.renew_before) if spec.renew_before else None
    return schedule.renewal(target.issued_at, target.expiration, asked, ahead, request.identity.uid)


# The checks, in order.


def _invalid(view: View) -> Plan | None:
    return Fail(view.request.spec) if isinstance(view.request.spec, InvalidSpec) else None


def _suspended(view: View) -> Plan | None:
    if not view.spec.suspend:
        return None
    live = isinstance(view.target, Target) and view.target.live(view.now)
    return Idle(view.target.expiration if live and isinstance(view.target, Target) else None)


def _rival(view: View) -> Plan | None:
    if view.rival is None:
        return None
    return Fail(_taken(view, view.rival))


def _target_unseen(view: View) -> Plan | None:
    if view.target is not UNKNOWN:
        return None
    return _backing_off(view) or Look()


def _foreign(view: View) -> Plan | None:
    target = view.target
    if not isinstance(target, Target) or target.belongs_to(view.request.identity):
        return None
    name = view.request.target_name
    if target.request:
        return Fail(_taken(view, target.request))
    if view.spec.target.creation_policy is CreationPolicy.ADOPT:
        return None
    return Fail(
        TargetConflict(
            f"Secret {name!r} exists and was not made by awssts: choose another target.name, delete the Secret, "
            "or set target.creationPolicy: Adopt to let awssts take it over"
        )
    )


def _taken(view: View, owner: str) -> TargetConflict:
    return TargetConflict(
        f"target Secret {view.request.target_name!r} is that of AwsStsRequest {owner!r}: give this one another "
        "target.name, or delete the Secret if that request is gone"
    )


def _unjudged(view: View) -> Plan | None:
    if view.judged is not UNKNOWN:
        return None
    held = _backing_off(view)
    authorized = view.request.status.condition(AUTHORIZED)
    if isinstance(held, Look) and authorized is not None and authorized.status == "False":
        return Idle(view.request.status.next_attempt, held=True)  # another key would change nothing
    return held or Look()


def _denied(view: View) -> Plan | None:
    denied = view.judged.denied if isinstance(view.judged, Judgement) else None
    if denied is None:
        return None
    held = _backing_off(view)
    return held if isinstance(held, Idle) else Fail(denied)


def _needed(view: View) -> Plan | None:
    cause = cause_to_issue(view)
    if cause is None:
        return None
    held = _held(view, cause)
    if held is not None:
        return held
    if view.key is UNKNOWN or isinstance(view.key, str):
        return Look()
    if isinstance(view.key, AwsstsError):
        return Fail(view.key)
    return Issue(cause)


def _layout(view: View) -> Plan | None:
    target = view.target
    if not isinstance(target, Target):
        return None
    asked = layout_digest(view.spec, view.target_region)
    mine = not owned(view.spec) or view.request.identity.uid in target.owner_uids  # else it goes with one before
    if target.layout_digest == asked and mine and target.labelled:
        return None
    if view.rewritten is not None and view.rewritten.layout == asked:
        free_at = view.rewritten.at + schedule.REPAIR_PAUSE
        if view.rewritten.at <= view.now < free_at:  # else the clock was set back since
            return Idle(free_at, held=True)  # somebody else changed it at once: no quarrel
    return _backing_off(view) or RepairLayout()


def _restarts(view: View) -> Plan | None:
    target = view.target
    return (
        Restart() if isinstance(target, Target) and rollout.due(view.request, view.rollout, target, view.now) else None
    )


def _idle(view: View) -> Plan | None:
    if not isinstance(view.target, Target):
        return Idle(None)
    moments = renewal(view.request, view.target), rollout.next_attempt(view.request, view.rollout, view.now)
    return Idle(min((moment for moment in moments if moment is not None), default=None))


_CHECKS: tuple[Callable[[View], Plan | None], ...] = (
    _invalid,
    _suspended,
    _rival,
    _target_unseen,
    _foreign,
    _unjudged,
    _denied,
    _needed,
    _layout,
    _restarts,
    _idle,
)


# Reasons to issue, in order.


def cause_to_issue(view: View) -> Cause | None:
    """Return why new credentials are needed; None where those in the target will do."""
    target = view.target
    if not isinstance(target, Target):
        return Cause.MISSING if view.request.status.issued_at else Cause.FIRST
    if not target.belongs_to(view.request.identity):
        return Cause.FIRST  # to be adopted
    return next((cause for cause, holds in _REASONS if holds(view, target)), None)


def _altered(_view: View, target: Target) -> bool:
    return not target.intact or target.expiration is None or target.issued_at is None


def _expired(view: View, target: Target) -> bool:
    return not target.live(view.now)


def _inputs_changed(view: View, target: Target) -> bool:
    return target.inputs_digest != inputs_digest(view.spec)


def _key_changed(view: View, target: Target) -> bool:
    if view.key == "" and view.outcome.get("awsCredentials"):
        return False  # the request's own Secret has none, and the administrator's is not watched
    return view.key_digest not in {None, target.key_digest}


def _code_given(view: View, _target: Target) -> bool:
    return view.spec.uses_device and bool(view.request.token_code)


def _renew_asked(view: View, target: Target) -> bool:
    return view.request.renew not in {"", target.renewed}


def _due(view: View, target: Target) -> bool:
    at = renewal(view.request, target)
    return at is not None and at <= view.now


_REASONS: tuple[tuple[Cause, Callable[[View, Target], bool]], ...] = (
    (Cause.ALTERED, _altered),
    (Cause.EXPIRED, _expired),
    (Cause.INPUTS, _inputs_changed),
    (Cause.KEY, _key_changed),
    (Cause.CODE, _code_given),
    (Cause.RENEW, _renew_asked),
    (Cause.DUE, _due),
)


# What holds back an attempt that is needed.


def _held(view: View, cause: Cause) -> Plan | None:
    if cause in REPAIRS and view.repaired_at is not None:
        free_at = view.repaired_at + schedule.REPAIR_PAUSE
        if view.repaired_at <= view.now < free_at:  # else the clock was set back since
            return Idle(free_at, held=True)
    issued_at = view.target.issued_at if isinstance(view.target, Target) else None
    if cause in {Cause.EXPIRED, Cause.DUE} and issued_at is not None:
        free_at = issued_at + schedule.LEAST_LIFE
        if issued_at <= view.now < free_at:
            return Idle(free_at, held=True)  # our clock is ahead of AWS's by nearly the whole duration
    return _backing_off(view)


def _backing_off(view: View) -> Plan | None:
    """Hold an attempt that just failed with the same inputs; where only a change helps, look for one now and then."""
    status = view.request.status
    if status.next_attempt is None or status.next_attempt <= view.now or _changed_since(view, status.attempt):
        return None
    if status.next_attempt > view.now + schedule.STALLED_RETRY + schedule.LOOK_MAXIMUM:
        return None  # the clock was set back since
    stalled = status.condition(STALLED)
    if stalled is None or stalled.status != "True":
        return Idle(status.next_attempt, held=True)
    if view.key is UNKNOWN:
        look_at = view.looked_at + schedule.LOOK_MAXIMUM if view.looked_at else view.now
        return Look() if look_at <= view.now else Idle(min(look_at, status.next_attempt), held=True)
    return Idle(min(view.now + schedule.LOOK_MAXIMUM, status.next_attempt), held=True)


def _changed_since(view: View, attempt: Attempt | None) -> bool:
    if attempt is None or attempt.inputs_digest != attempted_inputs(view, code=bool(view.request.token_code)):
        return True
    known = attempt.key_digest != ""  # a layout is tried without a look at the key
    return known and view.key_digest not in {None, attempt.key_digest}
