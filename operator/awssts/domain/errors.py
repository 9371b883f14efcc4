"""Why a request has no new credentials: one class for each condition reason.

Each error says in its message what is wrong and what to do, without anything secret in it, and in its
``retry`` what has to happen before another attempt makes sense.
"""

from enum import Enum
from typing import ClassVar


class Retry(Enum):
    """What has to happen before another attempt makes sense."""

    BACKOFF = "backoff"  # transient: 1 s doubling to 5 min
    SPEC = "spec"  # only a change of the request itself helps
    INPUT = "input"  # nothing was asked of STS: the input is looked at again, at the latest after a minute
    CHANGE = "change"  # permanent: tried again when an input changes, and every 15 min
    PERSON = "person"  # waits for somebody's code


class AwsstsError(Exception):
    """The base of all. The class's name is the condition's reason."""

    retry: ClassVar[Retry] = Retry.CHANGE

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    @property
    def reason(self) -> str:
        """The condition's reason: one word in CamelCase."""
        return type(self).__name__


# What the user wrote.


class InvalidSpec(AwsstsError):
    """The spec can't work; each problem names its field."""

    retry = Retry.SPEC

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class SecretNotFound(AwsstsError):
    """A Secret that the request names is not there."""

    retry = Retry.INPUT


class SecretKeyMissing(AwsstsError):
    """A Secret that the request names has no such key."""

    retry = Retry.INPUT


class SecretInvalid(AwsstsError):
    """A Secret that the request names holds an empty or impossible value."""

    retry = Retry.INPUT


class TargetConflict(AwsstsError):
    """The target Secret belongs to somebody else."""

    retry = Retry.INPUT


class TargetRejected(AwsstsError):
    """The API server refuses the target Secret as it would have to be."""


class TargetChanged(AwsstsError):
    """The target Secret was changed by somebody else while it was to be rewritten."""

    retry = Retry.BACKOFF


# MFA.


class AwaitingTokenCode(AwsstsError):
    """A person has to give a code of the device."""

    retry = Retry.PERSON


# What STS answered; the codes are in the STS API reference under "Common errors" and at each action.


class InvalidAccessKey(AwsstsError):
    """InvalidClientTokenId: no such access key, or it was deleted or deactivated."""


class AccessKeyNotActiveYet(AwsstsError):
    """InvalidClientTokenId just after the key was changed: AWS takes some seconds to know a new key."""

    retry = Retry.BACKOFF


class InvalidSecretKey(AwsstsError):
    """SignatureDoesNotMatch: the secret access key is not that of the access key id."""


class ClockSkew(AwsstsError):
    """SignatureDoesNotMatch, RequestExpired, or credentials that are over at once: the clocks differ by minutes."""

    retry = Retry.BACKOFF


class AccessDenied(AwsstsError):
    """AccessDenied: the user may not do this, or the role does not trust it."""


class InvalidTokenCode(AwsstsError):
    """AccessDenied: the MFA code was wrong, or had been used."""

    retry = Retry.BACKOFF


class InvalidDevice(AwsstsError):
    """AccessDenied: the MFA device is not one of this user."""


class RequestRefused(AwsstsError):
    """ValidationError and its like: STS does not take the parameters."""


class RegionDisabled(AwsstsError):
    """RegionDisabledException: STS is not active in this region for the account."""


class SessionExpired(AwsstsError):
    """ExpiredToken: the session that was to assume the role is over."""

    retry = Retry.BACKOFF


class Throttled(AwsstsError):
    """Throttling: too many calls for the account and region."""

    retry = Retry.BACKOFF


class StsUnavailable(AwsstsError):
    """No answer from STS, or a 5xx, or one that is no answer of STS."""

    retry = Retry.BACKOFF


# What Kubernetes answered.


class ClusterUnavailable(AwsstsError):
    """The API server did not answer, or with 409, 429 or 5xx."""

    retry = Retry.BACKOFF


class ClusterConflict(ClusterUnavailable):
    """The API server answered with 409: the object is another by now."""


class ClusterForbidden(AwsstsError):
    """The operator's own rights do not suffice."""

    retry = Retry.BACKOFF
