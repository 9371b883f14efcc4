"""What a trigger says."""

from collections.abc import Iterator
from dataclasses import dataclass

from awssts.domain.policy.context import Context
from awssts.domain.policy.errors import PolicyInvalid, ProviderUnknown
from awssts.domain.policy.schema.mfa import Provider


@dataclass(frozen=True, slots=True, kw_only=True)
class Fired:
    """MFA is needed. ``by_owner``: for something that the request's owner can bring about."""

    provider: Provider
    why: str
    by_owner: bool = False
    forced: bool = False  # a new code, no session of an earlier one
    bypass_enabled: bool = True


@dataclass(frozen=True, slots=True)
class NotFired:
    """This trigger does not ask for MFA."""

    why: str


Verdict = Fired | NotFired
Verdicts = Iterator[Verdict]


def provider_of(context: Context, name: str | None) -> Provider:
    """Return the provider that the policy gives a trigger; without a name its first."""
    provider = context.provider(name)
    if provider is None:  # the model refuses it
        raise PolicyInvalid(f"policy {context.policy.name}: a trigger has no provider")
    return provider


def provider_said(context: Context, name: str, who: str) -> Provider:
    """Return the provider that somebody outside the policy names.

    Raises:
        ProviderUnknown: the policy has none of that name; the name is not repeated, it might be anything.
    """
    provider = context.mfa.provider(name)
    if provider is None:
        raise ProviderUnknown(f"policy {context.policy.name}: {who} names a provider that the policy does not have")
    return provider


def on_result(context: Context, result: bool | str | None, default: str | None, who: str) -> Provider | None:
    """Return the provider for a result: true means the default one, a string its name, anything else none."""
    if result is None or result is False or result == "":
        return None
    return provider_of(context, default) if result is True else provider_said(context, str(result), who)
