"""Durations as people write them: ``12h``, ``1h30m``, ``PT12H`` (CAS, ISO-8601) or a number of seconds."""

import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

_CLOCK = "(?:[0-9]{1,6}h)?(?:[0-9]{1,6}m)?(?:[0-9]{1,6}s)?"
PATTERN = f"^(?:[0-9]{{1,9}}|{_CLOCK}|PT{_CLOCK.upper()})$"
_FORM = re.compile(PATTERN)
_PARTS = re.compile(r"(?:pt)?(?:(?P<h>\d+)h)?(?:(?P<m>\d+)m)?(?:(?P<s>\d+)s)?")
_HELP = "write a duration like 12h, 1h30m, PT12H or a number of seconds"


def parse(value: str | int) -> int:
    """Return the seconds of a written duration.

    Raises:
        ValueError: it is in none of the forms; the message says which there are.
    """
    text = str(value)
    if isinstance(value, bool) or text in {"", "PT"} or not _FORM.fullmatch(text):
        raise ValueError(f"{text!r} is not a duration: {_HELP}")
    if text.isdigit():
        return int(text)
    match = _PARTS.fullmatch(text.lower())
    assert match is not None  # noqa: S101 - it has the form
    hours, minutes, seconds = (int(part or 0) for part in match.group("h", "m", "s"))
    return hours * 3600 + minutes * 60 + seconds


def written(seconds: int) -> str:
    """Return the shortest way to write that many seconds: ``12h``, ``1h30m``, ``45s``."""
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    parts = ((hours, "h"), (minutes, "m"), (rest, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"


def in_cel(path: str) -> str:
    """Return the CEL expression for the seconds of a duration field, as the API server computes them."""
    number = f"type({path}) == int ? int({path})"
    digits = f"string({path}).matches('^[0-9]+$') ? int(string({path}))"
    text = f"duration(string({path}).lowerAscii().replace('pt', '')).getSeconds()"
    return f"({number} : {digits} : {text})"


def form_in_cel(path: str) -> str:
    """Return the CEL expression for whether a duration field is in one of the forms."""
    return f"(type({path}) == int || (!(string({path}) in ['', 'PT']) && string({path}).matches('{PATTERN}')))"


def schema(minimum: int, maximum: int | None = None) -> dict[str, Any]:
    """Return the CRD schema of a duration with those bounds in seconds (both inclusive)."""
    form = form_in_cel("self")
    within = f"{in_cel('self')} >= {minimum}" + (f" && {in_cel('self')} <= {maximum}" if maximum else "")
    return {
        "x-kubernetes-int-or-string": True,
        "anyOf": [{"type": "integer"}, {"type": "string"}],
        "maxLength": 24,
        "x-kubernetes-validations": [
            {"rule": form, "message": _HELP},
            {"rule": f"!{form} || ({within})", "message": f"must be {_bounds(minimum, maximum)}"},
        ],
    }


def within(minimum: int, maximum: int | None = None) -> Callable[[str | int], int]:
    """Return a validator that takes a duration in any form and refuses one outside those bounds (seconds)."""

    def check(value: str | int) -> int:
        seconds = parse(value)
        if seconds < minimum or (maximum is not None and seconds > maximum):
            raise ValueError(f"{value} is out of range: must be {_bounds(minimum, maximum)}")
        return seconds

    return check


def _bounds(minimum: int, maximum: int | None) -> str:
    upper = f" and at most {written(maximum)}" if maximum else ""
    return f"at least {written(minimum)}{upper}"


Duration = Annotated[int, BeforeValidator(within(1)), WithJsonSchema(schema(1))]
"""A model's field: ``int`` seconds, at least one, however it was written."""
