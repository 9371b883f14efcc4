"""The Condition block of a policy.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Context = Mapping[str, tuple[str, ...]]  # the request's keys in lower case; one it hasn't got is missing


class UnknownElementError(Exception):
    """A policy element that this testbed can't evaluate: better said than guessed."""


def like(pattern: str, value: str) -> bool:
    """`*` is any text, `?` any one character."""
    parts = (".*" if char == "*" else "." if char == "?" else re.escape(char) for char in pattern)
    return re.fullmatch("".join(parts), value, re.DOTALL) is not None


def _numeric(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    return lambda wanted, value: compare(float(value), float(wanted))


# operator → (does the request's value meet the policy's value?)
OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda wanted, value: wanted == value,
    "StringEqualsIgnoreCase": lambda wanted, value: wanted.lower() == value.lower(),
    "StringLike": like,
    "ArnEquals": like,
    "ArnLike": like,
    "Bool": lambda wanted, value: wanted.lower() == value.lower(),
    "NumericEquals": _numeric(lambda value, wanted: value == wanted),
    "NumericLessThan": _numeric(lambda value, wanted: value < wanted),
    "NumericLessThanEquals": _numeric(lambda value, wanted: value <= wanted),
    "NumericGreaterThan": _numeric(lambda value, wanted: value > wanted),
    "NumericGreaterThanEquals": _numeric(lambda value, wanted: value >= wanted),
}
NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NumericNotEquals": "NumericEquals",
}


def met(block: Mapping[str, Mapping[str, Any]], context: Context) -> bool:
    """All operators and all keys must be met, by any one of the values listed for the key."""
    return all(
        _key_met(operator, key, [substitute(value, context) for value in as_list(values)], context)
        for operator, keys in block.items()
        for key, values in keys.items()
    )


def _key_met(operator: str, key: str, wanted: list[str], context: Context) -> bool:
    values = context.get(key.lower())
    if operator == "Null":
        return (values is None) == (wanted[0].lower() == "true")
    quantifier, _, single = operator.rpartition(":")
    name = single.removesuffix("IfExists")
    negated = name in NEGATED
    compare = OPERATORS.get(NEGATED.get(name, name))
    if compare is None or quantifier not in ("", "ForAllValues", "ForAnyValue"):
        raise UnknownElementError(f"condition operator {operator}")
    if not values:
        # "If the key is not present, the values do not match": true for the negated, for IfExists and for
        # ForAllValues, false for the rest.
        return name != single or negated or quantifier == "ForAllValues"

    def meets(value: str) -> bool:
        return any(compare(candidate, value) for candidate in wanted) != negated

    return all(map(meets, values)) if quantifier == "ForAllValues" else any(map(meets, values))


def substitute(text: str, context: Context) -> str:
    """Policy variables, `${aws:username}`: a variable without a value stays and so matches nothing.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
    """
    return re.sub(r"\$\{([\w:/.-]+)\}", lambda found: context.get(found[1].lower(), (found[0],))[0], text)


def as_list(value: Any) -> list[str]:
    """One value or a list of them, as text: policies may say true or "true", 3600 or "3600"."""
    values = value if isinstance(value, list) else [value]
    return [str(item).lower() if isinstance(item, bool) else str(item) for item in values]
