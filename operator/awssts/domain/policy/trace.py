"""The protocol of an evaluation, for ``awssts explain``: what was looked at, and why it came out so."""

from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """Where in the evaluation."""

    SELECTOR = "Selector"
    PRINCIPAL = "Principal"
    AUTHORIZATION = "Authorization"
    ROLE = "Role"
    LIMITS = "Limits"
    KEYS = "Keys"
    TRIGGER = "Trigger"
    BYPASS = "Bypass"
    FAILURE_MODE = "FailureMode"


class Result(StrEnum):
    """What came out."""

    SELECTED = "Selected"
    NOT_SELECTED = "NotSelected"
    INVALID = "Invalid"
    READ = "Read"
    ALLOWED = "Allowed"
    DENIED = "Denied"
    USED = "Used"
    FIRED = "Fired"
    NOT_FIRED = "NotFired"
    NOT_CONSIDERED = "NotConsidered"
    BYPASSED = "Bypassed"
    NOT_BYPASSED = "NotBypassed"
    AVAILABLE = "Available"
    UNAVAILABLE = "Unavailable"
    NOT_CHECKED = "NotChecked"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was considered. ``name`` is the row's, kind's or mode's name on the wire."""

    policy: str
    stage: Stage
    name: str
    result: Result
    why: str
