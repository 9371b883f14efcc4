"""Who may have credentials, for which role, with whose keys: all matching policies must allow."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import TypeAdapter, ValidationError

from awssts.domain.policy import patterns
from awssts.domain.policy.context import Context
from awssts.domain.policy.errors import LimitExceeded, NotAuthorized, RoleNotAllowed, RoleNotChosen
from awssts.domain.policy.principal import Principal
from awssts.domain.policy.schema.resource import AwsCredentials
from awssts.domain.policy.trace import Result, Stage
from awssts.domain.resources import RoleArn

_ROLE_ARN: Final = TypeAdapter[str](RoleArn)


@dataclass(frozen=True, slots=True)
class Grant:
    """What the request may have."""

    aws_credentials: AwsCredentials | None
    role_arn: str | None


def authorize(contexts: Sequence[Context], role_arn: str | None) -> Grant:
    """Return what the request may have; ``role_arn`` is what it asks for.

    Raises:
        NotAuthorized, RoleNotAllowed, RoleNotChosen, LimitExceeded: it may have none.
    """
    keys = _keys(contexts)
    for context in contexts:
        _check_attribute(context, lent=keys is not None)
    return Grant(keys, _role(contexts, role_arn, lent=keys is not None))


def _keys(contexts: Sequence[Context]) -> AwsCredentials | None:
    """Return the administrator's keys where the principal has none: of the first policy that gives some."""
    for context in contexts:
        keys = context.policy.spec.aws_credentials
        if keys and not context.facts.has_keys:
            why = f"the principal has no keys: those of Secret {keys.namespace}/{keys.secret_name}"
            context.note(Stage.KEYS, "awsCredentials", Result.USED, why)
            _check_fields(context, keys)
            return keys
    return None


def _check_fields(context: Context, keys: AwsCredentials) -> None:
    """Refuse what would speak to AWS in the administrator's name: trust policies and CloudTrail go by it."""
    fields = ", ".join(f"spec.role.{name}" for name in context.facts.request.role_fields if name not in keys.allow)
    if not fields:
        return
    why = f"with the administrator's keys {fields} must be left out, unless awsCredentials.allow names it"
    context.note(Stage.KEYS, "awsCredentials", Result.DENIED, why)
    raise LimitExceeded(f"policy {context.policy.name}: {why}")


def _believed(context: Context, *, lent: bool) -> Principal:
    """Return the principal; with the administrator's keys, without anything that the owner could write."""
    return context.principal.trusted() if lent else context.principal


def _check_attribute(context: Context, *, lent: bool) -> None:
    wanted = context.policy.spec.authorization.principal_attribute
    if wanted is None:
        return
    values = _believed(context, lent=lent).values(wanted.name)
    if patterns.first_match(wanted.value, values) is not None:
        context.note(Stage.AUTHORIZATION, "principalAttribute", Result.ALLOWED, f"attribute {wanted.name} matches")
        return
    missing = f"has no{' trusted' if lent else ''} attribute {wanted.name}"
    why = f"no value of its attribute {wanted.name} matches" if values else missing
    context.note(Stage.AUTHORIZATION, "principalAttribute", Result.DENIED, why)
    raise NotAuthorized(f"policy {context.policy.name}: principal {context.principal.id}: {why}")


def _role(contexts: Sequence[Context], wanted: str | None, *, lent: bool) -> str | None:
    """Return the role: the one asked for, where the principal holds it in every policy; else the only one."""
    deciding = [context for context in contexts if context.policy.spec.authorization.roles_from_attribute]
    if not deciding:
        return wanted
    held = [_held(context, lent=lent) for context in deciding]
    common = [role for role in dict.fromkeys(held[0]) if all(role in roles for roles in held)]
    chosen = _choose(wanted, common, deciding[0])
    for context in deciding:
        context.note(Stage.ROLE, "rolesFromAttribute", Result.ALLOWED, f"the principal holds {chosen}")
    return chosen


def _held(context: Context, *, lent: bool) -> tuple[str, ...]:
    name = context.policy.spec.authorization.roles_from_attribute or ""
    roles = _believed(context, lent=lent).values(name)
    if roles:
        return roles
    which = "trusted attribute" if lent else "attribute"
    why = f"it has no {which} {name}, which gives its roles"
    context.note(Stage.ROLE, "rolesFromAttribute", Result.DENIED, why)
    raise RoleNotAllowed(f"policy {context.policy.name}: principal {context.principal.id}: {why}")


def _choose(wanted: str | None, held: Sequence[str], context: Context) -> str:
    who = f"policy {context.policy.name}: principal {context.principal.id}"
    if wanted is not None and wanted in held:
        return wanted
    if wanted is not None or not held:
        why = f"does not hold role {wanted}" if wanted else "holds no role that all policies give it"
        context.note(Stage.ROLE, "rolesFromAttribute", Result.DENIED, why)
        raise RoleNotAllowed(f"{who} {why}")
    if len(held) > 1:
        why = f"holds {len(held)} roles; choose one in spec.role.arn: {', '.join(sorted(held)[:10])}"
        context.note(Stage.ROLE, "rolesFromAttribute", Result.DENIED, why)
        raise RoleNotChosen(f"{who} {why}")
    if not _is_role(held[0]):
        why = "the only value of the attribute that gives its roles is not the ARN of a role"
        context.note(Stage.ROLE, "rolesFromAttribute", Result.DENIED, why)
        raise RoleNotAllowed(f"{who}: {why}")
    return held[0]


def _is_role(arn: str) -> bool:
    try:
        _ROLE_ARN.validate_python(arn)
    except ValidationError:
        return False
    return True
