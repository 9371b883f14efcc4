"""How much of something others wrote is looked at: bounds for what would cost too long in one piece.

What a review costs goes by the number of values in it rather than by its bytes, and the number can be told for a
hundredth of what it takes to make objects of them.
"""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

LARGEST: Final = 3 * 1024 * 1024 + 256 * 1024  # bytes: etcd takes objects of 1.5 MiB, a review has two, and who asks
MOST_VALUES: Final = 10_000  # in one review: ordinary ones have some hundred, with managedFields
MOST_TOLD: Final = 20  # lines about one object
SMALL: Final = 64 * 1024  # bytes: as much as a connection has in its buffers anyway
FEW_VALUES: Final = 1_000

Found = TypeVar("Found")


def has_more_values(text: bytes, most: int = MOST_VALUES) -> bool:
    """Tell whether there are more than so many members and elements in a JSON text; it need not be one.

    Each but the first comes after a comma, and that after a bracket. What is in strings does not count.
    """
    plain = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    if plain.count(b'"') > 4 * most:  # two strings at the most to a value
        return True
    structure = b"".join(plain.split(b'"')[::2])
    if len(structure) > 25 * most:  # numbers of a thousand digits cost as much as as many values
        return True
    return sum(map(structure.count, (b",", b"{", b"["))) > most


def is_small(review: bytes) -> bool:
    """Tell whether no step with the review takes long: only what policies hold costs more than their size."""
    return len(review) <= SMALL and not has_more_values(review, FEW_VALUES)


def excess(review: bytes) -> str:
    """Return why a review is not looked at; empty where it is."""
    if not has_more_values(review):
        return ""
    return f"the object is too large: with what it was before, it has more than {MOST_VALUES} fields and elements"


def told(where: str, found: Sequence[Found], tell: Callable[[Found], str]) -> list[str]:
    """Return a line for each of the first; the last one says how many more there are."""
    more = len(found) - MOST_TOLD
    return [*map(tell, found[:MOST_TOLD]), *([f"{where}: and {more} more"] if more > 0 else ())]
