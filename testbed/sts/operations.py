"""The three operations: what they check, in order, and what they grant.

A code is burnt once it was checked and found right, even if the call is refused afterwards for another
reason: the check is part of authentication.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from testbed.sts import answers, constraints, errors, trust
from testbed.sts.identities import RoleSession
from testbed.sts.parameters import AssumeRole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from testbed.sts.answers import Elements
    from testbed.sts.directory import Directory
    from testbed.sts.identities import Caller, Role, User
    from testbed.sts.sessions import Sessions
    from testbed.sts.totp import BurntCodes

ROOT_LIMIT = CHAINING_LIMIT = 3600  # seconds


@dataclass(frozen=True)
class Context:
    """A call that has been authenticated."""

    caller: Caller
    parameters: Mapping[str, str]
    region: str
    now: datetime
    directory: Directory
    burnt_codes: BurntCodes


@dataclass(frozen=True)
class Grant:
    """What a call gets once all is checked; nothing has been issued yet."""

    identity: User | RoleSession
    duration: int = 0  # seconds of life of new credentials; 0 for none
    mfa_at: datetime | None = None
    packed_policy_size: int | None = None

    def issue(self, sessions: Sessions, now: datetime, lifetime: float | None) -> tuple[Elements, str]:
        """The answer and the id of the new key; `lifetime` seconds instead of the duration, if given."""
        if not self.duration:
            identity = self.identity
            return {"Arn": identity.arn, "UserId": identity.user_id, "Account": identity.account}, ""
        expiration = now + timedelta(seconds=self.duration if lifetime is None else lifetime)
        session = sessions.issue(self.identity, expiration, self.mfa_at)
        elements: dict[str, str | int | Elements] = {"Credentials": answers.credentials(session)}
        if isinstance(self.identity, RoleSession):
            elements["AssumedRoleUser"] = {"AssumedRoleId": self.identity.user_id, "Arn": self.identity.arn}
            if self.identity.source_identity:
                elements["SourceIdentity"] = self.identity.source_identity
        if self.packed_policy_size is not None:
            elements["PackedPolicySize"] = self.packed_policy_size
        return elements, session.access_key_id


def get_caller_identity(call: Context) -> Grant:
    """Needs no permission: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html."""
    return Grant(call.caller.identity)


def get_session_token(call: Context) -> Grant:
    """https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html."""
    serial_number, token_code = call.parameters.get("SerialNumber"), call.parameters.get("TokenCode")
    duration = constraints.integer("durationSeconds", call.parameters.get("DurationSeconds"))
    constraints.refuse(constraints.session_token_violations(duration, serial_number, token_code))
    user = call.caller.user
    if user is None or call.caller.temporary:
        raise errors.access_denied("Cannot call GetSessionToken with session credentials")
    mfa_at = _check_code(call, serial_number, token_code)
    if duration is None:
        duration = 43200
    if user.is_root:
        duration = min(duration, ROOT_LIMIT)
    return Grant(user, duration, mfa_at)


def assume_role(call: Context) -> Grant:
    """https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html."""
    asked = AssumeRole(call.parameters)
    asked.check()
    session = call.caller.identity if isinstance(call.caller.identity, RoleSession) else None
    inherited = session.transitive_tags if session else {}
    constraints.check_tags(asked.tags, asked.transitive_tag_keys, inherited)
    if call.caller.user is not None and call.caller.user.is_root:
        raise errors.access_denied("Roles may not be assumed by root accounts.")
    if call.caller.temporary and asked.duration > CHAINING_LIMIT:
        raise errors.validation_error(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
        )
    mfa_at = _check_code(call, asked.serial_number, asked.token_code) or call.caller.mfa_at
    role = call.directory.role(asked.role_arn)
    if role is None:
        raise errors.not_authorized(call.caller.arn, trust.ASSUME_ROLE, asked.role_arn)
    source_identity = asked.source_identity or (session.source_identity if session else "")
    _check_trust(role, _ask(call, asked, source_identity, mfa_at), session)
    if asked.duration > role.max_session_duration:
        raise errors.validation_error("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    granted = RoleSession(
        role=role,
        name=asked.session_name,
        tags={**inherited, **dict(asked.tags)},
        transitive_tag_keys=frozenset(inherited) | frozenset(asked.transitive_tag_keys),
        source_identity=source_identity,
    )
    return Grant(granted, asked.duration, packed_policy_size=asked.packed_policy_size)


def _ask(call: Context, asked: AssumeRole, source_identity: str, mfa_at: datetime | None) -> trust.Ask:
    return trust.Ask(
        caller=call.caller,
        now=call.now,
        mfa_at=mfa_at,
        session_name=asked.session_name,
        external_id=asked.external_id,
        source_identity=source_identity or None,
        tags=dict(asked.tags),
        transitive_tag_keys=asked.transitive_tag_keys,
        region=call.region,
    )


def _check_code(call: Context, serial_number: str | None, token_code: str | None) -> datetime | None:
    """When MFA was checked: now, or None without a code. Burns the code."""
    if serial_number is None and token_code is None:
        return None
    if serial_number is None or token_code is None:
        raise errors.half_a_code()
    user = call.caller.user
    if user is None or not call.directory.has_device(user, serial_number):
        raise errors.wrong_serial_number()
    seed = call.directory.seed(user, serial_number)
    if seed is None or not call.burnt_codes.spend(serial_number, seed, token_code, call.now.timestamp()):
        raise errors.wrong_code()
    return call.now


def _check_trust(role: Role, ask: trust.Ask, session: RoleSession | None) -> None:
    """Tags and a source identity need permissions of their own; a chain can't change its source identity."""
    actions = [trust.ASSUME_ROLE]
    if ask.tags:
        actions.append(trust.TAG_SESSION)
    if ask.source_identity is not None:
        actions.append(trust.SET_SOURCE_IDENTITY)
    for action in actions:
        if not trust.allows(role.trust_policy, action, ask):
            raise errors.not_authorized(ask.caller.arn, action, role.arn)
    if session is not None and session.source_identity not in ("", ask.source_identity):
        raise errors.not_authorized(ask.caller.arn, trust.SET_SOURCE_IDENTITY, role.arn)


OPERATIONS: dict[str, Callable[[Context], Grant]] = {
    "AssumeRole": assume_role,
    "GetCallerIdentity": get_caller_identity,
    "GetSessionToken": get_session_token,
}
