"""What an evaluation comes to."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from awssts.domain import digest
from awssts.domain.errors import AwsstsError
from awssts.domain.policy.errors import DeviceMissing, LimitExceeded
from awssts.domain.policy.facts import Device
from awssts.domain.policy.registry import ProviderType
from awssts.domain.policy.schema.mfa import Provider, WebhookProvider
from awssts.domain.policy.schema.resource import AwsCredentials
from awssts.domain.policy.trace import Step


class MfaOutcome(StrEnum):
    """What becomes of MFA."""

    NOT_REQUIRED = "NotRequired"  # no trigger fired
    REQUIRED = "Required"
    BYPASSED = "Bypassed"
    PHANTOM = "Phantom"  # the provider can't be reached: as if it had been done
    SKIPPED_OPEN = "SkippedOpen"  # the provider can't be reached: without it
    REFUSED = "Refused"  # the decision's ``denied`` says why


@dataclass(frozen=True, slots=True, kw_only=True)
class MfaDecision:
    """Whether MFA is needed, and who said so. ``trigger`` and ``bypass`` are names on the wire."""

    outcome: MfaOutcome = MfaOutcome.NOT_REQUIRED
    policy: str | None = None
    trigger: str | None = None
    provider: Provider | None = None
    bypass: str | None = None
    forced: bool = False
    by_owner: bool = False  # it fired on what the request's owner can bring about

    @property
    def required(self) -> bool:
        """Tell whether a code is needed."""
        return self.outcome is MfaOutcome.REQUIRED

    @property
    def provider_type(self) -> ProviderType | None:
        """Where the code has to come from; None where nobody says."""
        return self.provider.type if self.provider else None

    @property
    def webhook(self) -> WebhookProvider | None:
        """The endpoint that gives the code."""
        return self.provider.webhook if self.provider else None


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectiveLimits:
    """The strictest of all matching policies' limits. Durations are in seconds."""

    max_duration: int | None = None
    max_session_duration: int | None = None  # of the MFA session behind a role
    allow_root: bool = True
    allowed_role_arns: frozenset[str] | None = None
    require_credentials_label: bool = False

    def check_root(self, *, root: bool) -> None:
        """Refuse keys of an account's root user, where policies do not allow them.

        Raises:
            LimitExceeded: they are, and it is not allowed.
        """
        if root and not self.allow_root:
            raise LimitExceeded("the keys are those of an account's root user, which a policy forbids (allowRoot)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What all matching policies come to: allowed with conditions, or ``denied``."""

    denied: AwsstsError | None = None
    policies: tuple[str, ...] = ()
    limits: EffectiveLimits = EffectiveLimits()
    aws_credentials: AwsCredentials | None = None  # the administrator's keys, to be used for this request
    role_arn: str | None = None  # the role to assume: the request's, or the only one of its principal
    mfa: MfaDecision = MfaDecision()
    trace: tuple[Step, ...] = ()

    @property
    def allowed(self) -> bool:
        """Tell whether the request may have credentials."""
        return self.denied is None

    def outcome(self) -> dict[str, Any]:
        """Return what of the decision affects an issuance, as stable JSON.

        The effective duration is not in it: it is an input of its own.
        """
        keys, needed = self.aws_credentials, self.mfa.required
        return {
            "allowed": self.allowed,
            "roleArn": self.role_arn,
            "awsCredentials": f"{keys.namespace}/{keys.secret_name}" if keys else None,
            "mfa": {
                "required": needed,
                "provider": str(self.mfa.provider_type) if needed else None,
                "webhook": digest.of(self.mfa.webhook.url)
                if needed and self.mfa.webhook
                else None,  # it may hold a key
            },
        }

    def satisfied_by(self, issued: Mapping[str, Any]) -> bool:
        """Tell whether credentials that were issued under that outcome are good enough for this decision.

        Those that were made with MFA also serve where it is no longer needed: a policy of office hours must
        not re-issue everything at night.
        """
        now = self.outcome()
        relaxed = not self.mfa.required and issued.get("mfa", {}).get("required") is True
        return dict(issued) == now or (relaxed and {**issued, "mfa": None} == {**now, "mfa": None})


def check_device(device: Device | None, decision: Decision) -> None:
    """Refuse a request that has no device for the MFA which a policy demands.

    Raises:
        DeviceMissing: it names none, or none with the seed that the provider needs.
    """
    mfa = decision.mfa
    if not mfa.required or mfa.provider is None:
        return
    who = f"policy {mfa.policy} demands MFA (trigger {mfa.trigger}, provider {mfa.provider.name})"
    if device is None:
        raise DeviceMissing(f"{who}: give the IAM user's device in spec.mfa")
    if mfa.provider.type is ProviderType.TOTP and device is not Device.TOTP:
        raise DeviceMissing(f"{who}: give the device's seed in spec.mfa.totpSecretRef")
