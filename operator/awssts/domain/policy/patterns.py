"""Regular expressions of policies, by RE2: time linear in the input, so none can hang the operator.

A pattern has to match the whole value: ``role/admin`` does not match ``role/admin-ro``.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import re2  # type: ignore[import-untyped] # google-re2 has no type information

MAX_LENGTH = 256  # characters of a pattern
_MEMORY = 1 << 20  # bytes a compiled pattern may take


def check(pattern: str) -> str:
    """Return the pattern.

    Raises:
        ValueError: RE2 does not take it, or only with more than 1 MiB.
    """
    try:
        _compiled(pattern)
    except re2.error as error:
        text = error.args[0] if error.args else "unknown"
        reason = text.decode(errors="replace") if isinstance(text, bytes) else str(text)
        raise ValueError(f"not a regular expression of RE2 (no lookaround, no backreferences): {reason}") from None
    return pattern


def matches(pattern: str | None, value: str) -> bool:
    """Tell whether the pattern matches the whole value; no pattern matches every value."""
    return pattern is None or _compiled(pattern).fullmatch(value) is not None


def first_match(pattern: str | None, values: Iterable[str]) -> str | None:
    """Return the first value that the pattern matches."""
    return next((value for value in values if matches(pattern, value)), None)


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.max_mem = _MEMORY
    options.log_errors = False
    options.dot_nl = True  # a newline in a value must not hide it from `.*`
    return re2.compile(pattern, options=options)
