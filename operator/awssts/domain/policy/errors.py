"""Why a policy lets a request have no credentials: each class is a condition's reason.

No message holds a credential. Attribute values and role ARNs of the principal itself may appear in it.
"""

from awssts.domain.errors import AwsstsError, Retry


class PolicyInvalid(AwsstsError):
    """A matching policy can't be understood: its requests are refused until an administrator mends it."""


class PolicyEvaluationFailed(AwsstsError):
    """An expression or a plug-in of a matching policy failed on this request."""


class ApplicantUnknown(AwsstsError):
    """A policy asks who applied the request, and no admission webhook has said."""


class PolicyEndpointUnavailable(AwsstsError):
    """A REST endpoint that a policy has to ask gave no answer, or none that can be used."""

    retry = Retry.BACKOFF


class PrincipalInvalid(AwsstsError):
    """The attributes of the principal can't be read as they are written."""

    retry = Retry.INPUT  # it may rest on the credentials Secret


class NotAuthorized(AwsstsError):
    """The principal lacks the attribute that a policy demands, or has another value."""

    retry = Retry.INPUT  # it may rest on the credentials Secret


class RoleNotAllowed(AwsstsError):
    """The role is not one that the principal holds, or that a policy allows."""

    retry = Retry.INPUT  # it may rest on the credentials Secret


class RoleNotChosen(AwsstsError):
    """The request names no role, and there are several, or it needs one."""

    retry = Retry.INPUT  # it may rest on the credentials Secret


class LimitExceeded(AwsstsError):
    """The request asks for more than a policy's limits."""

    retry = Retry.INPUT  # it may rest on the credentials Secret


class ProviderUnknown(AwsstsError):
    """An MFA provider is asked for by a name that no policy gives."""


class ProviderUnavailable(AwsstsError):
    """The MFA provider can't be reached, and its failure mode is Closed."""

    retry = Retry.BACKOFF


class DeviceMissing(AwsstsError):
    """A policy demands MFA, and the request names no device that its provider can use."""
