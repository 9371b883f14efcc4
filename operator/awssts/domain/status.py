"""The status of an ``AwsStsRequest``: what the operator tells, and what it needs to go on after a restart."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field, PlainSerializer

from awssts.domain.model import Model

READY = "Ready"
AUTHORIZED = "Authorized"
MFA_SATISFIED = "MFASatisfied"
RECONCILING = "Reconciling"
STALLED = "Stalled"


def timestamp(moment: datetime) -> str:
    """Return the moment as Kubernetes writes it: UTC, whole seconds, ``2026-11-23T16:00:00Z``."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")[:19] + "Z"


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("it is in no year of UTC") from None


Timestamp = Annotated[AwareDatetime, AfterValidator(_in_utc), PlainSerializer(timestamp, return_type=str)]


class Reported(Model):
    """A part of the status. Fields this version doesn't know are passed over: a newer one may have written them."""

    model_config = ConfigDict(extra="ignore")


class Condition(Reported):
    """One aspect of the request's state, as kstatus and ``kubectl wait`` read it."""

    type: Annotated[str, Field(max_length=316)]
    """Ready, Authorized, MFASatisfied, Reconciling or Stalled."""
    status: Literal["True", "False", "Unknown"]
    """True, False or Unknown."""
    reason: Annotated[str, Field(max_length=1024)]
    """Why, as one word for programs."""
    message: Annotated[str, Field(max_length=32768)]
    """Why, and what to do, for people."""
    last_transition_time: Timestamp
    """When status last changed."""
    observed_generation: int | None = None
    """Generation of the request that this speaks of."""


class Attempt(Reported):
    """What the last failed attempt was made with: a change of it is tried at once."""

    inputs_digest: Annotated[str, Field(max_length=64)]
    """Digest of what the request asked for, with its renew annotation."""
    key_digest: Annotated[str, Field(max_length=64)]
    """Digest of the long-term key; empty where there was none."""


class MfaStatus(Reported):
    """What policies decided about MFA at the last issuance or refusal."""

    required: bool
    """Whether a code was needed."""
    outcome: Annotated[str, Field(max_length=64)]
    """NotRequired, Required, Bypassed, Phantom, SkippedOpen or Refused."""
    policy: Annotated[str, Field(max_length=253)] | None = None
    """AwsStsPolicy that decided."""
    trigger: Annotated[str, Field(max_length=64)] | None = None
    """Trigger that fired."""
    provider: Annotated[str, Field(max_length=64)] | None = None
    """Provider that answers."""
    bypass: Annotated[str, Field(max_length=64)] | None = None
    """Rule that let the principal off."""


class FailedRestart(Reported):
    """A workload whose pods could not be restarted."""

    kind: Annotated[str, Field(max_length=64)]
    """Its kind."""
    name: Annotated[str, Field(max_length=253)]
    """Its name."""
    message: Annotated[str, Field(max_length=1024)]
    """Why, and what to do."""


class RolloutStatus(Reported):
    """Which content of the Secret the workloads of rolloutRestart run with."""

    content: Annotated[str, Field(max_length=64)]
    """Digest of the content that all of them were restarted for last."""
    failed: Annotated[tuple[FailedRestart, ...], Field(max_length=16)] = ()
    """Those whose restart failed; it is tried again."""
    failures: Annotated[int, Field(ge=0)] | None = None
    """Tries that failed in a row."""
    next_attempt: Timestamp | None = None
    """When the next try is made."""


class Status(Reported):
    """What the operator tells of a request."""

    observed_generation: int | None = None
    """Generation of the request that was last acted upon."""
    conditions: Annotated[
        tuple[Condition, ...],
        Field(
            max_length=16,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        ),
    ] = ()
    """Ready: the Secret holds credentials that live. Stalled: only a change helps. Reconciling: at work, or
    waiting to try again."""
    secret_name: Annotated[str, Field(max_length=253)] | None = None
    """Secret that holds the credentials."""
    access_key_id: Annotated[str, Field(max_length=128)] | None = None
    """Access key id of the credentials in it."""
    role_arn: Annotated[str, Field(max_length=2048)] | None = None
    """Role that was assumed."""
    issued_at: Timestamp | None = None
    """When STS issued them."""
    expiration: Timestamp | None = None
    """When they expire, as STS said."""
    next_renewal: Timestamp | None = None
    """When they will be renewed."""
    next_attempt: Timestamp | None = None
    """After a failure: when the next attempt is made."""
    failures: Annotated[int, Field(ge=0)] | None = None
    """Attempts that failed in a row."""
    mfa: MfaStatus | None = None
    """What policies decided about MFA."""
    attempt: Attempt | None = None
    """What the last failed attempt was made with."""
    rollout: RolloutStatus | None = None
    """Restarts of the workloads in rolloutRestart."""

    def condition(self, kind: str) -> Condition | None:
        """Return the condition of that type, if there is one."""
        return next((condition for condition in self.conditions if condition.type == kind), None)
