"""What an expression is made of, told from its text: CEL's only loops are macros over lists and maps."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

MACROS = frozenset({"all", "exists", "exists_one", "existsOne", "map", "filter"})
_OPENING, _CLOSING = "([{", ")]}"
_LEXEME = re.compile(
    r"""
      (?P<text>
          (?:[bB]?[rR]|[rR][bB])(?:'''[\s\S]*?'''|\"\"\"[\s\S]*?\"\"\"|'[^'\n]*'|"[^"\n]*")
        | [bB]?(?:'''(?:\\[\s\S]|[^\\])*?'''|\"\"\"(?:\\[\s\S]|[^\\])*?\"\"\")
        | [bB]?(?:'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*")
      )
    | (?P<blank>\s+|//[^\n]*)
    | (?P<number>\d\w*(?:\.\d\w*)?)
    | (?P<word>[A-Za-z_]\w*)
    | (?P<sign>[=!<>]=|&&|\|\||[\s\S])
    """,
    re.VERBOSE,
)


class Lexeme(NamedTuple):
    """A piece of the text."""

    kind: str  # text, number, word or sign
    text: str
    start: int = 0  # where in the expression

    @property
    def constant(self) -> bool:
        """Tell whether it is a value by itself."""
        return self.kind in {"text", "number"} or self.text in {"true", "false", "null"}


_NOTHING = Lexeme("sign", "")


class Place(NamedTuple):
    """A lexeme where it stands: its neighbours, and how many macros it is within."""

    before: Lexeme
    here: Lexeme
    after: Lexeme
    level: int


@dataclass(slots=True)
class Shape:
    """What an expression is made of."""

    depth: int = 0  # brackets within brackets
    nesting: int = 0  # macros within macros
    macros: list[str] = field(default_factory=list)
    bound: set[str] = field(default_factory=set)  # names that macros bind
    built: set[str] = field(default_factory=set)  # names in lists and maps that are built within macros
    places: list[Place] = field(default_factory=list)


def shape(source: str) -> Shape:
    """Return the shape of an expression; of a malformed one, something: the compiler refuses it anyway."""
    found = Shape()
    open_brackets: list[str] = []  # for each: "(", "macro", "index" or "literal"
    lexemes = [_NOTHING, _NOTHING, *_lexemes(source), _NOTHING]
    for index in range(2, len(lexemes) - 1):
        earlier, before, here, after = lexemes[index - 2 : index + 2]
        if here.kind == "sign" and here.text in _OPENING:
            open_brackets.append(_opened(earlier, before, here))
            if open_brackets[-1] == "macro":
                found.macros.append(before.text)
            found.depth = max(found.depth, len(open_brackets))
        elif here.text in _CLOSING and open_brackets:
            open_brackets.pop()
        elif before.text == "(" and open_brackets and open_brackets[-1] == "macro":
            found.bound.add(here.text)
        elif here.kind == "word" and not here.constant and before.text != "." and _built(open_brackets):
            found.built.add(here.text)
        level = open_brackets.count("macro")
        found.nesting = max(found.nesting, level)
        found.places.append(Place(before, here, after, level))
    return found


def _opened(earlier: Lexeme, before: Lexeme, here: Lexeme) -> str:
    if here.text == "(":
        return "macro" if earlier.text == "." and before.text in MACROS else "("
    operand = (before.kind == "word" and before.text != "in") or before.kind == "text" or before.text in {")", "]", "}"}
    return "index" if here.text == "[" and operand else "literal"


def _built(open_brackets: list[str]) -> bool:
    return "macro" in open_brackets and "literal" in open_brackets[open_brackets.index("macro") :]


def _lexemes(source: str) -> Iterator[Lexeme]:
    for match in _LEXEME.finditer(source):
        if match.lastgroup and match.lastgroup != "blank":
            yield Lexeme(match.lastgroup, match.group(), match.start())
