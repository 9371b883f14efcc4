"""The errors of STS: code, HTTP status and message word for word, since programs and people match on them.

Sources: the API reference's "Common Errors" and each operation's "Errors"
(https://docs.aws.amazon.com/STS/latest/APIReference/), and messages quoted in public bug reports.
"""

from __future__ import annotations


class StsError(Exception):
    """An error answer of STS."""

    def __init__(self, code: str, status: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.status = status
        self.message = message

    @property
    def type(self) -> str:
        """Whose fault it is, in the words of the query protocol."""
        return "Receiver" if self.status >= 500 else "Sender"


# --- who calls -----------------------------------------------------------------------------------------


def missing_authentication() -> StsError:
    return StsError("MissingAuthenticationToken", 403, "Request is missing Authentication Token")


def incomplete_signature(why: str) -> StsError:
    return StsError("IncompleteSignature", 400, why)


def invalid_client_token() -> StsError:
    """An unknown, deleted, inactive or too new key; a session token that is missing or none of ours."""
    return StsError("InvalidClientTokenId", 403, "The security token included in the request is invalid.")


def expired_token() -> StsError:
    return StsError("ExpiredToken", 403, "The security token included in the request is expired")


def signature_mismatch() -> StsError:
    return StsError(
        "SignatureDoesNotMatch",
        403,
        "The request signature we calculated does not match the signature you provided. "
        "Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
    )


def wrong_signature(why: str) -> StsError:
    """A signature that can't be right for a reason that can be named: its date, its scope."""
    return StsError("SignatureDoesNotMatch", 403, why)


# --- what they may do ----------------------------------------------------------------------------------


def access_denied(message: str) -> StsError:
    return StsError("AccessDenied", 403, message)


def not_authorized(caller: str, action: str, resource: str) -> StsError:
    """Also for a role that doesn't exist: STS never tells the two apart."""
    return access_denied(f"User: {caller} is not authorized to perform: {action} on resource: {resource}")


def wrong_code() -> StsError:
    """A wrong code, or one that was used before."""
    return access_denied("MultiFactorAuthentication failed with invalid MFA one time pass code. ")


def wrong_serial_number() -> StsError:
    return access_denied(
        "MultiFactorAuthentication failed, unable to validate MFA code.  "
        "Please verify your MFA serial number is valid and associated with this user."
    )


def half_a_code() -> StsError:
    return access_denied(
        "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code."
    )


# --- what they ask for ---------------------------------------------------------------------------------


def validation_error(message: str) -> StsError:
    return StsError("ValidationError", 400, message)


def invalid_parameter(message: str) -> StsError:
    return StsError("InvalidParameterValue", 400, message)


def malformed_policy(message: str) -> StsError:
    return StsError("MalformedPolicyDocument", 400, message)


def unknown_action(action: str, version: str) -> StsError:
    return StsError("InvalidAction", 400, f"Could not find operation {action} for version {version}")


# --- what AWS does to them -----------------------------------------------------------------------------


def throttling() -> StsError:
    return StsError("Throttling", 400, "Rate exceeded")


def internal_failure() -> StsError:
    return StsError("InternalFailure", 500, "An internal error has occurred. Please try your query again.")


def service_unavailable() -> StsError:
    return StsError("ServiceUnavailable", 503, "Service is unable to handle request.")


def region_disabled(account: str) -> StsError:
    return StsError(
        "RegionDisabledException",
        403,
        f"STS is not activated in this region for account:{account}. Your account administrator can activate "
        "STS in this region using the IAM Console.",
    )
