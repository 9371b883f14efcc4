"""Regular expressions of policies, by RE2: time linear in the input, so none can hang the operator.

A pattern has to match the whole value: ``role/admin`` does not match ``role/admin-ro``. Only those of ``matches`` in
expressions are searched for anywhere, as CEL has it.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

import re2  # type: ignore[import-untyped] # google-re2 has no type information

MAX_LENGTH = 256  # characters of a pattern


def check(pattern: str) -> str:
    """Return the pattern.

    Raises:
        ValueError: RE2 does not take it, or only with more than 1 MiB.
    """
    return _checked(pattern, _VALUES)


def check_search(pattern: str) -> str:
    """Return the pattern of a search.

    Raises:
        ValueError: RE2 does not take it, or it is a program of more than some 1000 instructions, each of which can
            be looked at for each character.
    """
    return _checked(pattern, _SMALL)


def matches(pattern: str | None, value: str) -> bool:
    """Tell whether the pattern matches the whole value; no pattern matches every value."""
    return pattern is None or _compiled(pattern, _VALUES).fullmatch(value) is not None


def first_match(pattern: str | None, values: Iterable[str]) -> str | None:
    """Return the first value that the pattern matches."""
    return next((value for value in values if matches(pattern, value)), None)


def search(pattern: str, value: str) -> bool:
    """Tell whether the pattern matches anywhere in the value."""
    return _compiled(pattern, _SEARCHES).search(value) is not None


def _checked(pattern: str, kind: "_Kind") -> str:
    try:
        _compiled(pattern, kind)
    except re2.error as error:
        text = error.args[0] if error.args else "unknown"
        reason = text.decode(errors="replace") if isinstance(text, bytes) else str(text)
        if "too large" in reason:
            raise ValueError("the pattern is too large: use + or * instead of {1,253}, and fewer classes") from None
        raise ValueError(f"not a regular expression of RE2 (no lookaround, no backreferences): {reason}") from None
    return pattern


class _Kind(NamedTuple):
    memory: int  # bytes that a compiled pattern may take
    dot_nl: bool


_VALUES = _Kind(1 << 20, dot_nl=True)  # a newline in a value must not hide it from `.*`
_SMALL = _Kind(1 << 14, dot_nl=False)
_SEARCHES = _Kind(1 << 23, dot_nl=False)  # the more memory, the seldomer its slow way


@lru_cache(maxsize=1024)
def _compiled(pattern: str, kind: _Kind) -> Any:
    options = re2.Options()
    options.max_mem = kind.memory
    options.log_errors = False
    options.dot_nl = kind.dot_nl
    options.never_capture = True  # whether, not where: groups would cost its slow ways
    return re2.compile(pattern, options=options)
