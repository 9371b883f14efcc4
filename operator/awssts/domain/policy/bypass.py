"""Whether MFA that was triggered is let off: CAS's kinds of bypass, one that applies is enough.

Each check returns why its kind applies, or None. What can't be told lets nobody off.
"""

import json
from collections.abc import Callable
from types import MappingProxyType
from typing import Final

from awssts.domain.policy import patterns
from awssts.domain.policy.calls import Answered, Purpose
from awssts.domain.policy.context import Context
from awssts.domain.policy.errors import ApplicantUnknown
from awssts.domain.policy.expressions import ExpressionError
from awssts.domain.policy.principal import Attributes
from awssts.domain.policy.registry import BYPASS_KINDS
from awssts.domain.policy.schema.bypass import RequestProperty, ServiceAttributeMatch
from awssts.domain.policy.schema.mfa import Provider
from awssts.domain.policy.schema.types import AttributeMatch
from awssts.domain.policy.trace import Result, Stage


def applying(context: Context, provider: Provider) -> str | None:
    """Return the kind of bypass, by its name on the wire, that lets this request off; None for none.

    Raises:
        Wanted: an endpoint has to be asked first.
    """
    for kind in BYPASS_KINDS:
        if not getattr(provider.bypass, kind.attribute):
            continue
        try:
            why = CHECKS[kind.attribute](context, provider)
        except (ExpressionError, ApplicantUnknown) as error:
            context.note(Stage.BYPASS, kind.field, Result.NOT_BYPASSED, f"provider {provider.name}: {error}")
            continue
        result, text = (Result.BYPASSED, why) if why else (Result.NOT_BYPASSED, "does not apply")
        context.note(Stage.BYPASS, kind.field, result, f"provider {provider.name}: {text}")
        if why:
            return kind.field
    return None


def _principal_attributes(context: Context, provider: Provider) -> str | None:
    values = {name: found.values for name, found in context.principal.attributes.items()}
    return _any_attribute(provider.bypass.principal_attributes, values, "principal")


def _authentication_attributes(context: Context, provider: Provider) -> str | None:
    who = context.facts.authentication
    values = who.attributes if who else {}
    return _any_attribute(provider.bypass.authentication_attributes, values, "authentication")


def _authentication_methods(context: Context, provider: Provider) -> str | None:
    who = context.facts.authentication
    if who is None or who.method not in provider.bypass.authentication_methods:
        return None
    return f"the request was applied with method {who.method}"


def _request_properties(context: Context, provider: Provider) -> str | None:
    for wanted in provider.bypass.request_properties:
        value = _property(context, wanted)
        if value is not None and patterns.matches(wanted.value, value):
            return f"the request's {wanted.label or wanted.annotation} matches"
    return None


def _property(context: Context, wanted: RequestProperty) -> str | None:
    request = context.facts.request
    if wanted.label is not None:
        return request.labels.get(wanted.label)
    return request.properties.get(wanted.annotation or "")


def _services(context: Context, provider: Provider) -> str | None:
    for index, selector in enumerate(provider.bypass.services):
        if context.selects(selector):
            return f"entry {index} selects the request"
    return None


def _principal_attributes_per_service(context: Context, provider: Provider) -> str | None:
    for wanted in provider.bypass.principal_attributes_per_service:
        why = _attribute_of_service(context, wanted) if context.selects(wanted.selector) else None
        if why:
            return f"{why}, for these requests"
    return None


def _attribute_of_service(context: Context, wanted: ServiceAttributeMatch) -> str | None:
    values = context.principal.values(wanted.name)
    if not values:
        return f"the principal has no attribute {wanted.name} (ifMissing)" if wanted.if_missing else None
    return _any_attribute((wanted,), {wanted.name: values}, "principal")


def _script(context: Context, provider: Provider) -> str | None:
    source = provider.bypass.script
    return "the expression says so" if source and context.condition(source) else None


def _rest(context: Context, provider: Provider) -> str | None:
    endpoint = provider.bypass.rest
    if endpoint is None:
        return None
    answer = context.ask(endpoint, Purpose.BYPASS, provider.name)
    if isinstance(answer, Answered) and answer.status == 200 and _says_bypass(answer.body):
        return f"{endpoint.place} says so"
    return None


def _says_bypass(body: str) -> bool:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(said, dict) and said.get("bypass") is True


def _any_attribute(wanted: tuple[AttributeMatch, ...], attributes: Attributes, whose: str) -> str | None:
    for match in wanted:
        if patterns.first_match(match.value, attributes.get(match.name, ())) is not None:
            return f"the {whose}'s attribute {match.name} matches"
    return None


CHECKS: Final = MappingProxyType[str, Callable[[Context, Provider], str | None]](
    {
        "principal_attributes": _principal_attributes,
        "authentication_attributes": _authentication_attributes,
        "authentication_methods": _authentication_methods,
        "request_properties": _request_properties,
        "services": _services,
        "principal_attributes_per_service": _principal_attributes_per_service,
        "script": _script,
        "rest": _rest,
    }
)
