"""What AWS says of the IAM user whose long-term key a request brings, asked with that key.

The tags come from GetUser: it "returns all of the information for a user", tags too (note at ListUsers, IAM API
reference), at most 50 of them, so in one piece; without a name it means the user whose key signed the call. It is
also what the usual policies that deny all without MFA leave open, while ListUserTags is not, and the tags are read
before MFA. Root has no tags.
"""

from collections.abc import Mapping
from typing import Any

from awssts.adapters.aws import Called, Refusal, Service
from awssts.domain import errors
from awssts.domain.keys import KeyPair

THREADS = 4
RATE = 20  # calls a second; IAM publishes no quota and throttles the whole account, its consoles too


class Iam:
    """Asks IAM.

    Args:
        called: is told of each call; see ``awssts.adapters.aws``.
    """

    def __init__(self, called: Called | None = None) -> None:
        self._service = Service("iam", _explain, threads=THREADS, rate=RATE, called=called)

    async def user_tags(self, key: KeyPair, *, region: str | None) -> Mapping[str, str]:
        """Return the user's tags; none for an account's root user. The region tells the partition only.

        Raises:
            AwsstsError: of the class that the answer stands for.
        """
        return await self._service.call("get_user", key, region, {}, _tags)

    async def close(self) -> None:
        """Wait for the calls under way."""
        await self._service.close()


def _tags(answer: Mapping[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in answer["User"].get("Tags") or ()}


def _explain(refusal: Refusal) -> errors.AwsstsError | None:
    if refusal.code in {"AccessDenied", "AccessDeniedException"}:
        return errors.AccessDenied(f"{refusal.message}: let the user's policy allow iam:GetUser on itself")
    return None
