"""What policies say of a request, as far as the plan needs it: by what it was judged, and what came of it.

The outcome is kept on the target Secret. So a restart, or a changed label or policy that leads to the same
outcome, re-issues nothing.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from awssts.domain import digest, names, schedule
from awssts.domain.errors import AwsstsError
from awssts.domain.policy import (
    Decision,
    Device,
    InvalidPolicy,
    NamespaceFacts,
    Policy,
    check_device,
)
from awssts.domain.policy.registry import ProviderType
from awssts.domain.request import Request
from awssts.domain.resources import DEFAULT_SESSION_DURATION, Mfa, MfaWhen, Role, RoleArn, Spec

_NOT_JUDGED_BY = {names.RENEW, names.TOKEN_CODE, names.LAST_APPLIED}
_BESIDES = {"maxDuration", "maxSessionDuration", "forced"}  # what an outcome has besides the decision's own


@dataclass(frozen=True, slots=True)
class Held:
    """A policy as it is held: with the digest of its spec, so that one made anew with the same is the same."""

    policy: Policy | InvalidPolicy
    digest: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What policies came to. ``decision`` is there while it is fresh; ``outcome`` is what is kept of it."""

    guard: str
    outcome: Mapping[str, Any]
    decision: Decision | None = None
    denied: AwsstsError | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal that only a change of what was looked at, or another answer of an endpoint, can end."""

    judgement: Judgement
    looked_at: str  # digest of all that it rests on but for answers and the time
    at: datetime

    def stands(self, looked_at: str, now: datetime) -> bool:
        """Tell whether it does not have to be asked for again yet."""
        return self.looked_at == looked_at and timedelta() <= now - self.at < schedule.STALLED_RETRY


def selected(policies: Iterable[Held], request: Request, namespace: NamespaceFacts) -> list[Held]:
    """Return the policies that decide over the request."""
    return [held for held in policies if held.policy.selector.matches(namespace.labels, request.labels)]


def guard(policies: Iterable[Held], request: Request, namespace: NamespaceFacts) -> str:
    """Return the digest of what the request is judged by; empty where no policy selects it.

    While it stays, nothing has to be judged anew but at an issuance.
    """
    deciding = sorted((held.policy.name, held.digest) for held in selected(policies, request, namespace))
    if not deciding:
        return ""
    annotations = {key: value for key, value in request.annotations.items() if key not in _NOT_JUDGED_BY}
    return digest.of([deciding, dict(namespace.labels), dict(namespace.annotations), dict(request.labels), annotations])


def judge(decision: Decision, spec: Spec, judged_by: str) -> Judgement:
    """Return the judgement of a fresh decision; a device that is missing for it is a refusal too."""
    denied = decision.denied
    if denied is None:
        try:
            check_device(device(spec), decision)
        except AwsstsError as error:
            denied = error
    outcome = decision.outcome() | {
        "maxDuration": decision.limits.max_duration,
        "maxSessionDuration": decision.limits.max_session_duration,
        "forced": decision.mfa.forced,
    }
    return Judgement(judged_by, outcome, decision, denied)


def kept(judgement: Judgement, issued: Mapping[str, Any]) -> Judgement:
    """Return the judgement with the outcome that the credentials were issued under, where that still satisfies."""
    decision = judgement.decision
    same = {key: value for key, value in issued.items() if key not in _BESIDES}
    shorter = issued.get("maxDuration") != judgement.outcome.get("maxDuration")
    if decision is None or shorter or not decision.satisfied_by(same):
        return judgement
    return Judgement(judgement.guard, issued, decision, judgement.denied)


def effective(spec: Spec, outcome: Mapping[str, Any]) -> Spec:
    """Return the spec as it is to be carried out under that outcome: with its role, its duration and its MFA."""
    changes: dict[str, Any] = {}
    role_arn, most = outcome.get("roleArn"), outcome.get("maxDuration")
    if role_arn and spec.role is None:
        changes["role"] = Role(arn=role_arn)
    spec = spec.model_copy(update=changes)
    if most is not None and spec.duration is None:
        changes["duration"] = min(spec.lifetime, most)
    if spec.mfa is not None:
        changes["mfa"] = spec.mfa.model_copy(update=_mfa(spec.mfa, outcome))
    return spec.model_copy(update=changes)


def _mfa(asked: Mfa, outcome: Mapping[str, Any]) -> dict[str, Any]:
    """Return what policies change of the device's use."""
    changes: dict[str, Any] = {}
    most, mfa = outcome.get("maxSessionDuration"), outcome.get("mfa") or {}
    if most is not None:
        changes["session_duration"] = min(asked.session_duration or DEFAULT_SESSION_DURATION, most)
    if mfa.get("required"):
        changes["when"] = MfaWhen.ALWAYS
        if mfa.get("provider") == ProviderType.MANUAL:
            changes["totp_secret_ref"] = None
    return changes


def device(spec: Spec) -> Device | None:
    """Return what kind of device the request offers."""
    if spec.mfa is None:
        return None
    return Device.TOTP if spec.mfa.totp_secret_ref else Device.MANUAL


class _MfaOutcome(BaseModel):
    """Whether a code was needed, and where it had to come from."""

    model_config = ConfigDict(strict=True)

    required: bool
    provider: str | None
    webhook: str | None


class _Outcome(BaseModel):
    """An outcome as it is kept."""

    model_config = ConfigDict(strict=True, alias_generator=to_camel)

    allowed: bool
    role_arn: RoleArn | None
    aws_credentials: str | None
    mfa: _MfaOutcome
    max_duration: Annotated[int, Field(gt=0)] | None
    max_session_duration: Annotated[int, Field(gt=0)] | None = None
    forced: bool


def encoded(outcome: Mapping[str, Any]) -> str:
    """Return the outcome as it is kept in an annotation."""
    return json.dumps(outcome, sort_keys=True, separators=(",", ":"))


def decoded(text: str) -> dict[str, Any]:
    """Return the outcome that an annotation keeps; empty where it keeps none."""
    try:
        return _Outcome.model_validate_json(text).model_dump(by_alias=True) if text else {}
    except ValueError:  # somebody wrote over it: the next issuance mends it
        return {}
