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

import importlib.util
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, Any

from awssts.domain.policy.lexing import shape

if TYPE_CHECKING:
    import cel

MAX_LENGTH = 1024  # characters
MAX_DEPTH = 16  # brackets within brackets
MAX_MACROS = 4  # all, exists, exists_one, map, filter
MAX_NESTING = 2  # of macros; with at most 256 entries in each list or map: 65,536 steps, some 50 ms
MAX_MAPS = 2  # each can make its result as much longer as its text is long
VARIABLES = frozenset(
    {"principal", "request", "ns", "authentication", "now", "history", "providers"},
)
FUNCTIONS = frozenset(
    {"bytes", "contains", "double", "duration", "dyn", "endsWith", "int", "matches", "size", "startsWith"}
    | {"string", "timestamp", "type", "uint", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear"}
    | {"getFullYear", "getHours", "getMilliseconds", "getMinutes", "getMonth", "getSeconds"},
)
_TYPE_NAMES = frozenset({"bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint"})
_RESERVED = ("reserved identifier: namespace", "namespace is a reserved word of CEL; the variable is ns")
_NAMED = re.compile(r"[A-Za-z]\w*")


class ExpressionError(Exception):
    """An expression has no result, or none of a type that can be used here."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """An expression that can be evaluated, and the variables it looks at."""

    program: "cel.Program"
    variables: frozenset[str]


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
    _refuse_over(len(source), MAX_LENGTH, "characters")
    _refuse_over(found.depth, MAX_DEPTH, "brackets within brackets")
    _refuse_over(len(found.macros), MAX_MACROS, "macros (all, exists, exists_one, map, filter)")
    _refuse_over(found.nesting, MAX_NESTING, "macros within macros")
    _refuse_over(found.macros.count("map"), MAX_MAPS, "map macros")
    shadowed = found.bound & VARIABLES
    if shadowed:
        raise ValueError(f"a macro may not call its own variable {min(shadowed)!r}: there is one of that name")
    program = _program(source)
    variables = frozenset(program.variables()) - found.bound - _TYPE_NAMES
    _refuse_unknown(variables - VARIABLES, "variable", VARIABLES)
    functions = {name for name in program.functions() if _NAMED.fullmatch(name)}
    _refuse_unknown(functions - FUNCTIONS, "function", FUNCTIONS)
    return Compiled(program, variables)


def evaluate(source: str, variables: Mapping[str, Any]) -> bool | str | None:
    """Return the result, which must be true or false, a string or null.

    Raises:
        ExpressionError: there is none; the text says why.
    """
    try:
        result = compiled(source).program.execute(dict(variables))
    except KeyError as error:
        raise ExpressionError(f"there is no {error.args[0]!r}: ask with has(…) or in before") from None
    except Exception as error:  # noqa: BLE001 - whatever the engine raises, the policy has no result
        raise ExpressionError(f"it can't be evaluated: {str(error)[:200]}") from None
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


def _program(source: str) -> "cel.Program":
    try:
        program: cel.Program = _engine().compile(source)
    except ValueError as error:
        _, _, reason = str(error).partition("ERROR: <input>:")
        line = (reason or "malformed").splitlines()[0].replace(*_RESERVED)
        raise ValueError(f"not a CEL expression (line:column: problem): {line[:200]}") from None
    return program


def _refuse_over(number: int, limit: int, what: str) -> None:
    if number > limit:
        raise ValueError(f"the expression has {number} {what}; at most {limit} are allowed")


def _refuse_unknown(unknown: set[str] | frozenset[str], what: str, known: frozenset[str]) -> None:
    if unknown:
        raise ValueError(f"there is no {what} {min(unknown)!r}; there are {', '.join(sorted(known))}")


@cache
def _engine() -> Any:
    """Load the package's extension alone: its ``__init__`` brings a command line with 25 MB of libraries."""
    name = "cel.cel"
    if name not in sys.modules:
        package = importlib.util.find_spec("cel")
        spec = PathFinder.find_spec(name, package.submodule_search_locations if package else None)
        if spec is None or spec.loader is None:
            raise ImportError("common-expression-language is not installed")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # an extension is loaded once: whoever imports the package shall find it
        spec.loader.exec_module(module)
    return sys.modules[name]
