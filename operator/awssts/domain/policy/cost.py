"""What an expression can cost over what it sees, in steps of some 25 ns: an upper bound, told before it is evaluated.

The engine counts nothing, and copies whatever a name, a key or an index selects, with all that is in it, at each step
of a macro. So what is bounded is the expression together with its values, and not one of them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from math import prod
from typing import Any, NamedTuple

from awssts.domain.policy.lexing import MACROS, Place, Shape

MAX_COST = 3_000_000  # steps: some 75 ms at the worst
_COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})
_ARITHMETIC = frozenset({"+", "-", "*", "/", "%"})
_WHOLE = frozenset({"in", "["})  # as arithmetic does, they copy both sides into the error where types don't fit
_COPYING = frozenset({"filter", "map"})  # they copy their result for each element that is added to it


class Weight(NamedTuple):
    """Steps of a part of an expression."""

    plain: int = 1  # whatever it works on
    text: int = 0  # for 256 characters of a text
    whole: int = 0  # times all that a variable holds

    def add(self, other: "Weight") -> "Weight":
        """Return the sum."""
        return Weight(*(mine + its for mine, its in zip(self, other, strict=True)))


_CALLS = {  # measured; `matches` calls back into Python, and counts by itself what it goes through
    "contains": Weight(text=16),
    "duration": Weight(text=128),
    "has": Weight(),
    "matches": Weight(plain=200, text=16, whole=3),
}
_CALL = Weight(text=8)


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is to see, at the most in one variable."""

    widest: int = 0  # elements of one list or map
    entries: int = 0  # all elements, of inner ones too
    characters: int = 0
    longest: int = 0  # characters of one text
    total: int = 0  # steps to hand all of them to the engine


ORDINARY = Size(
    widest=16, entries=64, characters=4096, longest=256
)  # what every expression has to be able to go through


@dataclass(frozen=True, slots=True)
class Price:
    """What the cost of an expression depends on, besides the size of its values."""

    levels: tuple[Weight, ...]  # outside of macros, within one, within two
    written: int  # characters of its own
    listed: int  # commas in lists and maps that it builds
    joined: int  # a text can get as many times longer by `+`
    appended: int  # and a list, where a `+` is not of texts for sure
    maps: int

    def over(self, seen: Size) -> int:
        """Return how many steps it can take over values of that size."""
        elements = max(seen.widest, self.listed + 1) * self.appended
        copies = (self.joined + self.listed) * elements**self.maps
        text = 1 + (seen.longest + self.written) * self.joined // 256
        whole = 1 + copies * (6 * (seen.entries + self.listed) + (seen.characters + self.written) // 64)
        steps: int = sum(
            elements**level * (weight.plain + weight.text * text + weight.whole * whole)
            for level, weight in enumerate(self.levels)
        )
        return seen.total + steps


def price(found: Shape, length: int) -> Price:
    """Return the price of an expression of that shape and length."""
    levels = [Weight(0)] * (found.nesting + 1)
    for place in found.places:
        levels[place.level] = levels[place.level].add(_weight(place))
    listed = sum(place.here.text == "," for place in found.places) - len(found.macros)
    levels[0] = levels[0].add(Weight(plain=0, whole=listed))  # within macros they hold constants
    maps = found.macros.count("map")
    joins = [place for place in found.places if _joins(place)]
    return Price(
        levels=tuple(levels),
        written=length,
        listed=listed,
        joined=_longer([place.level for place in joins], maps),
        appended=_longer([place.level for place in joins if not _of_texts(place)], maps),
        maps=maps,
    )


def _longer(levels: list[int], maps: int) -> int:
    """Return how many times longer something can get by joining at these levels.

    Each makes it longer by what there is at the most; what was joined outside of a macro can be an element of a list,
    and be joined again within. What ``map`` has joined can be joined again by another: it can double each time.
    """
    if not maps:
        return prod(1 + levels.count(level) for level in set(levels))
    within = len(levels) - levels.count(0)
    return (1 + levels.count(0)) * (1 << within)


def size(values: Iterable[Any]) -> Size:
    """Return the size of the largest."""
    found = [_size(value) for value in values]
    return Size(
        widest=max((each.widest for each in found), default=0),
        entries=max((each.entries for each in found), default=0),
        characters=max((each.characters for each in found), default=0),
        longest=max((each.longest for each in found), default=0),
        total=sum(80 * each.entries + each.characters // 8 for each in found),
    )


def _size(value: Any) -> Size:
    if isinstance(value, str):
        return Size(characters=len(value), longest=len(value))
    if not isinstance(value, Mapping | list):
        return Size()
    parts = chain(value, value.values()) if isinstance(value, Mapping) else iter(value)
    texts, others = [0], []
    for part in parts:
        if isinstance(part, str):
            texts.append(len(part))  # most are: no object for each
        else:
            others.append(_size(part))
    return Size(
        widest=max((len(value), *(each.widest for each in others))),
        entries=len(value) + sum(each.entries for each in others),
        characters=sum(texts) + sum(each.characters for each in others),
        longest=max((*texts, *(each.longest for each in others))),
    )


def _weight(place: Place) -> Weight:
    before, here, after, _ = place
    if here.kind == "word" and after.text == "(":
        return Weight(whole=2) if here.text in MACROS else _CALLS.get(here.text, _CALL)
    if here.text == "(" and before.text in MACROS:  # to begin with an element
        return Weight(plain=8, whole=int(before.text in _COPYING))
    if here.text in _COMPARISONS and (before.constant or after.constant):
        return Weight(text=1)
    if here.text in _COMPARISONS or here.text == "{" or before.text == ".":
        return Weight(whole=1)
    if here.text in _WHOLE or (here.text in _ARITHMETIC and not _numeric(place)):
        return Weight(whole=3)
    return Weight()


def _joins(place: Place) -> bool:
    """Tell whether it is a ``+`` that may be of texts or of lists."""
    return place.here.text == "+" and not _numeric(place)


def _of_texts(place: Place) -> bool:
    """Tell whether a ``+`` joins texts: one beside it is written there, and CEL joins it with nothing else."""
    return "text" in {place.before.kind, place.after.kind}


def _numeric(place: Place) -> bool:
    return "number" in {place.before.kind, place.after.kind}
