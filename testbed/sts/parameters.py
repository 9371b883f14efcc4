"""What an AssumeRole call asks for, and whether its form is right."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from testbed.sts import constraints, errors

if TYPE_CHECKING:
    from collections.abc import Mapping

ROLE_ARN = re.compile(r"arn:[a-z-]+:iam::\d{12}:role/.+")


class AssumeRole:
    """The parameters of AssumeRole."""

    def __init__(self, parameters: Mapping[str, str]) -> None:
        self.role_arn = parameters.get("RoleArn", "")
        self.session_name = parameters.get("RoleSessionName", "")
        self.external_id = parameters.get("ExternalId")
        self.source_identity = parameters.get("SourceIdentity")
        self.serial_number = parameters.get("SerialNumber")
        self.token_code = parameters.get("TokenCode")
        self.policy = parameters.get("Policy")
        duration = constraints.integer("durationSeconds", parameters.get("DurationSeconds"))
        self.duration = 3600 if duration is None else duration
        self.policy_arns = [value for _, value in members(parameters, "PolicyArns", "arn")]
        keys = members(parameters, "Tags", "Key")
        values = dict(members(parameters, "Tags", "Value"))
        self.tags = tuple((key, values.get(number, "")) for number, key in keys)
        self.transitive_tag_keys = tuple(key for _, key in members(parameters, "TransitiveTagKeys"))
        self._parameters = parameters

    def check(self) -> None:
        """Each parameter by itself: ValidationError, MalformedPolicyDocument."""
        constraints.refuse(
            [
                *constraints.ROLE_ARN.violations(self._parameters.get("RoleArn")),
                *constraints.SESSION_NAME.violations(self._parameters.get("RoleSessionName")),
                *constraints.ROLE_DURATION.violations(self.duration),
                *constraints.EXTERNAL_ID.violations(self.external_id),
                *constraints.SOURCE_IDENTITY.violations(self.source_identity),
                *constraints.SERIAL_NUMBER.violations(self.serial_number),
                *constraints.TOKEN_CODE.violations(self.token_code),
                *constraints.POLICY.violations(self.policy),
                *constraints.tag_violations(self.tags),
                *constraints.at_most("policyArns", self.policy_arns, constraints.MOST_POLICY_ARNS),
            ]
        )
        if not self.role_arn.startswith("arn:"):
            raise errors.validation_error(f"{self.role_arn} is invalid")
        if not ROLE_ARN.fullmatch(self.role_arn):
            raise errors.validation_error("Request ARN is invalid")
        if self.policy is not None:
            _check_policy(self.policy)

    @property
    def packed_policy_size(self) -> int | None:
        """In percent of what AWS allows. AWS's packing is its own secret: this is the share of characters."""
        size = len(self.policy or "") + sum(len(arn) for arn in self.policy_arns)
        size += sum(len(key) + len(value) for key, value in self.tags)
        return max(1, size * 100 // 4096) if size else None


def members(parameters: Mapping[str, str], name: str, field: str | None = None) -> list[tuple[int, str]]:
    """A list of the query protocol, `Tags.member.1.Key=…`, in order."""
    pattern = re.compile(rf"{name}\.member\.(\d+)" + (rf"\.{field}" if field else ""))
    found = [(match, value) for key, value in parameters.items() if (match := pattern.fullmatch(key))]
    return sorted((int(match[1]), value) for match, value in found)


def _check_policy(policy: str) -> None:
    try:
        document = json.loads(policy)
    except ValueError as invalid:
        raise errors.malformed_policy("This policy contains invalid Json") from invalid
    if not isinstance(document, dict) or "Statement" not in document:
        raise errors.malformed_policy("Syntax errors in policy.")
