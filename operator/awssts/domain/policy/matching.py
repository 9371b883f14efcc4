"""``matches`` of expressions, by RE2: the engine's own compiles its pattern anew at each call, and bounds nothing."""

from collections.abc import Iterator
from typing import Any

from awssts.domain.policy import engine, patterns
from awssts.domain.policy.lexing import Place, Shape

NAME = "_matches"
MAX_MATCHED = 16 * 1024  # characters that all calls of one evaluation go through


class Matching:
    """The function, for one evaluation. It never raises: the engine would log that, and go on where it can."""

    def __init__(self) -> None:
        self._characters = 0
        self.problem: str | None = None  # with one, the evaluation has no result

    def __call__(self, text: Any, pattern: str) -> bool:
        """Tell whether the pattern matches anywhere in the text."""
        if not isinstance(text, str):
            self.problem = f"matches is for texts, and not for {type(text).__name__}"
            return False
        self._characters += len(text)
        if self._characters > MAX_MATCHED:
            self.problem = f"matches would have to go through more than {MAX_MATCHED} characters"
            return False
        return patterns.search(pattern, text)


def replaced(source: str, found: Shape) -> str:
    """Return the expression with calls of ``NAME`` instead of ``matches``: methods of texts can't be given anew.

    Raises:
        ValueError: a pattern is not a literal, or RE2 does not take it.
    """
    for call, _, pattern in reversed(list(_triples(found.places))):
        if call.here.text == "matches" and call.after.text == "(":
            _check(call, pattern)
            source = source[: call.here.start] + NAME + source[call.here.start + len("matches") :]
    return source


def _check(call: Place, pattern: Place) -> None:
    if call.before.text != "." or pattern.here.kind != "text" or pattern.after.text != ")":
        raise ValueError("matches takes one literal pattern: text.matches('pattern')")
    literal = engine.compiled(pattern.here.text).execute({})
    if not isinstance(literal, str):
        raise ValueError(f"the pattern of matches has to be a text, and not {pattern.here.text}")  # noqa: TRY004 - pydantic's
    patterns.check_search(literal)


def _triples(places: list[Place]) -> Iterator[tuple[Place, Place, Place]]:
    return zip(places, places[1:], places[2:], strict=False)
