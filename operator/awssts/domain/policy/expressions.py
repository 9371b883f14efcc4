"""The expressions of policies: CEL, bounded in length and cost, compiled when a policy is admitted.

What they see:

- ``principal``: id, attributes (name → list of strings)
- ``request``: name, namespace, labels, annotations, duration (seconds or null), roleArn (or null), device (Totp,
  Manual or null)
- ``ns``, the namespace (that word is reserved in CEL): name, labels, annotations
- ``authentication``: present, username, groups, method, attributes (name → list of strings)
- ``now``: a timestamp, UTC
- ``history``: lastIssuance (timestamp or null), keyChanged, failures
- ``providers``: list of name and type

A key that may be missing is asked for with ``has(…)`` or ``in`` first.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from awssts.domain.policy import engine, matching
from awssts.domain.policy.cost import MAX_COST, ORDINARY, Price, price, size
from awssts.domain.policy.lexing import Shape, shape

if TYPE_CHECKING:
    import cel

MAX_LENGTH = 1024  # characters
MAX_DEPTH = 16  # brackets within brackets
MAX_MACROS = 4  # all, exists, exists_one, map, filter
MAX_NESTING = 2  # of macros
MAX_MAPS = 2
VARIABLES = frozenset(
    {"principal", "request", "ns", "authentication", "now", "history", "providers"},
)
FUNCTIONS = frozenset(
    {"bytes", "contains", "double", "duration", "dyn", "endsWith", "int", "matches", "size", "startsWith"}
    | {"string", "timestamp", "type", "uint", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear"}
    | {"getFullYear", "getHours", "getMilliseconds", "getMinutes", "getMonth", "getSeconds"},
)
_TYPE_NAMES = frozenset({"bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint"})
_NAMED = re.compile(r"[A-Za-z_]\w*")  # and not `_+_`, `@in`


class ExpressionError(Exception):
    """An expression has no result, or none of a type that can be used here."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """An expression that can be evaluated, the variables it looks at, and what that can cost."""

    program: "cel.Program"
    variables: frozenset[str]
    price: Price


def check(source: str) -> str:
    """Return the expression.

    Raises:
        ValueError: it does not compile, is too costly, or names what there is not.
    """
    compiled(source)
    return source


@lru_cache(maxsize=1024)
def compiled(source: str) -> Compiled:
    """Return the compiled expression.

    Raises:
        ValueError: see ``check``.
    """
    found = shape(source)
    _check_shape(source, found)
    program = engine.compiled(source)
    variables = frozenset(program.variables()) - found.bound - _TYPE_NAMES
    _refuse_unknown(variables - VARIABLES, "variable", VARIABLES)
    functions = {name for name in program.functions() if _NAMED.fullmatch(name)}
    _refuse_unknown(functions - FUNCTIONS, "function", FUNCTIONS)
    costs = price(found, len(source))
    _refuse_over(costs.over(ORDINARY), MAX_COST, "steps to take over a request of ordinary size")
    return Compiled(engine.compiled(matching.replaced(source, found)), variables, costs)


def evaluate(source: str, variables: Mapping[str, Any]) -> bool | str | None:
    """Return the result, which must be true or false, a string or null.

    Raises:
        ExpressionError: there is none; the text says why.
    """
    expression = compiled(source)
    seen = {name: value for name, value in variables.items() if name in expression.variables}
    _check_cost(expression.price.over(size(seen.values())))
    matches = matching.Matching()
    try:
        result = expression.program.execute({**seen, matching.NAME: matches})
    except KeyError as error:
        raise ExpressionError(f"there is no {error.args[0]!r}: ask with has(…) or in before") from None
    except Exception as error:  # noqa: BLE001 - whatever the engine raises, the policy has no result
        raise ExpressionError(f"it can't be evaluated: {str(error)[:200]}") from None
    if matches.problem:
        raise ExpressionError(f"it can't be evaluated: {matches.problem}")
    if result is None or isinstance(result, bool | str):
        return result
    raise ExpressionError(f"its result must be true, false, a string or null, not {type(result).__name__}")


def condition(source: str, variables: Mapping[str, Any]) -> bool:
    """Return the result, which must be true or false.

    Raises:
        ExpressionError: it is something else, or there is none.
    """
    result = evaluate(source, variables)
    if isinstance(result, bool):
        return result
    raise ExpressionError(f"its result must be true or false, not {'null' if result is None else 'a string'}")


def _check_shape(source: str, found: Shape) -> None:
    _refuse_over(len(source), MAX_LENGTH, "characters")
    _refuse_over(found.depth, MAX_DEPTH, "brackets within brackets")
    _refuse_over(len(found.macros), MAX_MACROS, "macros (all, exists, exists_one, map, filter)")
    _refuse_over(found.nesting, MAX_NESTING, "macros within macros")
    _refuse_over(found.macros.count("map"), MAX_MAPS, "map macros")
    shadowed = found.bound & VARIABLES
    if shadowed:
        raise ValueError(f"a macro may not call its own variable {min(shadowed)!r}: there is one of that name")
    if found.built:
        raise ValueError(
            f"a list or map in a macro holds constants only, and not {min(found.built)!r}: it could grow at each step"
        )


def _check_cost(steps: int) -> None:
    if steps > MAX_COST:
        raise ExpressionError(
            f"it could take {steps} steps over this request, and at most {MAX_COST} are allowed: use fewer or shorter "
            "labels, annotations and attributes, or a simpler expression"
        )


def _refuse_over(number: int, limit: int, what: str) -> None:
    if number > limit:
        raise ValueError(f"the expression has {number} {what}; at most {limit} are allowed")


def _refuse_unknown(unknown: set[str] | frozenset[str], what: str, known: frozenset[str]) -> None:
    if unknown:
        raise ValueError(f"there is no {what} {min(unknown)!r}; there are {', '.join(sorted(known))}")
