"""Does a role's trust policy let a caller assume it?

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html: an explicit Deny
wins, then one Allow is enough.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from testbed.sts.conditions import UnknownElementError, as_list, like, met
from testbed.sts.identities import RoleSession

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from testbed.sts.identities import Caller

ASSUME_ROLE = "sts:AssumeRole"
TAG_SESSION = "sts:TagSession"
SET_SOURCE_IDENTITY = "sts:SetSourceIdentity"


@dataclass(frozen=True)
class Ask:
    """What the conditions of a trust policy can see of an AssumeRole request."""

    caller: Caller
    now: datetime
    mfa_at: datetime | None  # of the caller's session, or now if the call itself carries a valid code
    session_name: str = ""
    external_id: str | None = None
    source_identity: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    transitive_tag_keys: tuple[str, ...] = ()
    region: str = "us-east-1"

    def context(self) -> dict[str, tuple[str, ...]]:
        """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html."""
        caller = self.caller
        role_session = caller.identity if isinstance(caller.identity, RoleSession) else None
        context: dict[str, tuple[str, ...]] = {
            "aws:principalarn": (role_session.role.arn if role_session else caller.arn,),
            "aws:principalaccount": (caller.identity.account,),
            "aws:principaltype": ("AssumedRole" if role_session else "User",),
            "aws:userid": (caller.identity.user_id,),
            "aws:requestedregion": (self.region,),
            "sts:rolesessionname": (self.session_name,),
        }
        if caller.user is not None and not caller.user.is_root:
            context["aws:username"] = (caller.user.name,)
        # Long-term keys without a code have no such key: Bool fails on them, BoolIfExists doesn't.
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-multifactorauthpresent
        if caller.temporary or self.mfa_at is not None:
            context["aws:multifactorauthpresent"] = (str(self.mfa_at is not None).lower(),)
        if self.mfa_at is not None:
            context["aws:multifactorauthage"] = (str(int((self.now - self.mfa_at).total_seconds())),)
        if self.external_id is not None:
            context["sts:externalid"] = (self.external_id,)
        if self.source_identity is not None:
            context["sts:sourceidentity"] = (self.source_identity,)
        context |= {f"aws:principaltag/{key}".lower(): (value,) for key, value in caller.principal_tags.items()}
        context |= {f"aws:requesttag/{key}".lower(): (value,) for key, value in self.tags.items()}
        if self.tags:
            context["aws:tagkeys"] = tuple(self.tags)
        if self.transitive_tag_keys:
            context["sts:transitivetagkeys"] = self.transitive_tag_keys
        return context


def allows(trust_policy: str, action: str, ask: Ask) -> bool:
    """Whether the trust policy (JSON) allows it; UnknownElementError for what can't be evaluated here."""
    statements = json.loads(trust_policy)["Statement"]
    if isinstance(statements, dict):
        statements = [statements]
    context = ask.context()
    effects = [statement["Effect"] for statement in statements if _applies(statement, action, ask, context)]
    return "Deny" not in effects and "Allow" in effects


def _applies(statement: Mapping[str, Any], action: str, ask: Ask, context: Mapping[str, tuple[str, ...]]) -> bool:
    for element in ("NotPrincipal", "NotAction"):
        if element in statement:
            raise UnknownElementError(element)
    return (
        any(like(pattern.lower(), action.lower()) for pattern in as_list(statement["Action"]))
        and _is_principal(statement["Principal"], ask.caller)
        and met(statement.get("Condition", {}), context)
    )


def _is_principal(principal: Any, caller: Caller) -> bool:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html."""
    named = as_list(principal if principal == "*" else principal.get("AWS", []))
    identity = caller.identity
    partition = identity.arn.split(":")[1]
    names = {"*", identity.account, f"arn:{partition}:iam::{identity.account}:root", identity.arn}
    if isinstance(identity, RoleSession):
        names.add(identity.role.arn)
    return not names.isdisjoint(named)
