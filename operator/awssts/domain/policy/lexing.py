"""How costly an expression can get, told from its text: CEL's only loops are macros over lists and maps."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

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
    | (?P<word>[A-Za-z_]\w*)
    | (?P<sign>[\s\S])
    """,
    re.VERBOSE,
)


@dataclass(slots=True)
class Shape:
    """What an expression is made of."""

    depth: int = 0  # brackets within brackets
    nesting: int = 0  # macros within macros
    macros: list[str] = field(default_factory=list)
    bound: set[str] = field(default_factory=set)  # names that macros bind


def shape(source: str) -> Shape:
    """Return the shape of an expression; of a malformed one, something: the compiler refuses it anyway."""
    found = Shape()
    open_brackets: list[bool] = []  # for each: is it a macro's?
    before: tuple[str, str] = ("", "")
    for lexeme in _lexemes(source):
        if lexeme[0] in _OPENING:
            macro = lexeme == "(" and before[0] == "." and before[1] in MACROS
            open_brackets.append(macro)
            if macro:
                found.macros.append(before[1])
            found.depth = max(found.depth, len(open_brackets))
            found.nesting = max(found.nesting, sum(open_brackets))
        elif lexeme in _CLOSING and open_brackets:
            open_brackets.pop()
        elif before[1] == "(" and open_brackets and open_brackets[-1]:
            found.bound.add(lexeme)
        before = (before[1], lexeme)
    return found


def _lexemes(source: str) -> Iterator[str]:
    for match in _LEXEME.finditer(source):
        if match.lastgroup == "text":
            yield "''"
        elif match.lastgroup != "blank":
            yield match.group()
