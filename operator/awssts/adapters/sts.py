"""AWS STS: sessions and role credentials for the keys that a call is given, and whose keys they are."""

from collections.abc import Mapping
from datetime import UTC
from typing import Any

from awssts.adapters.aws import Called, Refusal, Service
from awssts.domain import errors
from awssts.domain.keys import Credentials, KeyPair
from awssts.domain.resources import Role

_REMEMBERED = 10_000  # keys


class Sts:
    """Calls STS from a few threads, at a bounded rate.

    Args:
        threads: how many calls are under way at the most.
        rate: calls a second at the most; the account's quota is 600 for each region.
        called: is told of each call; see ``awssts.adapters.aws``.
    """

    def __init__(self, *, threads: int = 8, rate: float = 200, called: Called | None = None) -> None:
        self._service = Service("sts", explain, threads=threads, rate=rate, called=called)
        self._roots: dict[str, bool] = {}

    async def session_token(
        self, key: KeyPair, *, region: str | None, lifetime: int, serial: str | None = None, code: str | None = None
    ) -> Credentials:
        """Return a session of the IAM user (GetSessionToken), for ``lifetime`` seconds.

        Raises:
            AwsstsError: of the class that STS's answer stands for.
        """
        parameters = {"DurationSeconds": lifetime, **_mfa(serial, code)}
        return await self._service.call("get_session_token", key, region, parameters, _credentials)

    async def role_credentials(
        self,
        key: KeyPair | Credentials,
        role: Role,
        *,
        session_name: str,
        region: str | None,
        lifetime: int,
        serial: str | None = None,
        code: str | None = None,
    ) -> Credentials:
        """Return credentials of the role (AssumeRole), for ``lifetime`` seconds.

        Raises:
            AwsstsError: of the class that STS's answer stands for.
        """
        parameters: dict[str, Any] = {
            "RoleArn": role.arn,
            "RoleSessionName": role.session_name or session_name,
            "DurationSeconds": lifetime,
            "ExternalId": role.external_id,
            "Policy": role.policy,
            "PolicyArns": [{"arn": arn} for arn in role.policy_arns],
            "Tags": [{"Key": name, "Value": value} for name, value in role.tags.items()],
            "TransitiveTagKeys": list(role.transitive_tag_keys),
            "SourceIdentity": role.source_identity,
            **_mfa(serial, code),
        }
        given = {name: value for name, value in parameters.items() if value}
        return await self._service.call("assume_role", key, region, given, _credentials)

    async def caller_is_root(self, key: KeyPair, *, region: str | None) -> bool:
        """Tell whether the key is that of an account's root user.

        GetCallerIdentity needs no permission. Asked once for each key: it can't come to belong to another user.

        Raises:
            AwsstsError: of the class that the answer stands for.
        """
        found = self._roots.get(key.digest)
        if found is None:
            found = await self._service.call("get_caller_identity", key, region, {}, _is_root)
            while len(self._roots) >= _REMEMBERED:
                self._roots.pop(next(iter(self._roots)))
            self._roots[key.digest] = found
        return found

    async def close(self) -> None:
        """Wait for the calls under way: what STS has given must still be written."""
        await self._service.close()


def _mfa(serial: str | None, code: str | None) -> dict[str, str]:
    return {"SerialNumber": serial, "TokenCode": code} if serial and code else {}


def _credentials(answer: Mapping[str, Any]) -> Credentials:
    given = answer["Credentials"]
    found = Credentials(
        given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], given["Expiration"].astimezone(UTC)
    )
    if not (found.access_key_id and found.secret_access_key and found.session_token):
        raise ValueError("an empty value")
    return found


def _is_root(answer: Mapping[str, Any]) -> bool:
    arn: str = answer["Arn"]
    return arn.endswith(":root")  # arn:aws:iam::123456789012:root; a user's name can't hold a colon


def explain(refused: Refusal) -> errors.AwsstsError | None:
    """Return the error that only STS means so; None for what all services have in common.

    The codes are those of GetSessionToken and AssumeRole in the STS API reference.
    """
    match refused.code:
        case "AccessDenied" | "AccessDeniedException":
            return _denied(refused.message)
        case "RegionDisabledException":
            return errors.RegionDisabled(
                "STS is not active in this region for the account: activate it, or set another spec.region"
            )
        case "ValidationError":
            return errors.RequestRefused(f"STS refuses the parameters: {refused.message}")
        case "MalformedPolicyDocument":
            return errors.RequestRefused(f"STS refuses spec.role.policy: {refused.message}")
        case "PackedPolicyTooLarge":
            return errors.RequestRefused(
                f"the session policies and tags of spec.role are too large together: {refused.message}"
            )
    return None


def _denied(message: str) -> errors.AwsstsError | None:
    if "invalid MFA one time pass code" in message:
        return errors.InvalidTokenCode("the MFA code was wrong or had been used before")
    if "verify your MFA serial number" in message:
        return errors.InvalidDevice(
            "the MFA device is not one of this IAM user: check spec.mfa.serialNumber, and that it is enabled"
        )
    if "sts:AssumeRole" in message:
        return errors.AccessDenied(
            f"{message}: let the role's trust policy name this user, and the user's policy allow sts:AssumeRole"
        )
    return None
