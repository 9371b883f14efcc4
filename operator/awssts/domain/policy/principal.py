"""Whom the credentials belong to: an id and attributes, from sources by trust.

An attribute's value is one value as it is written, also with commas in it (a DN has some); several are
written as a YAML list: ``[reports, audit]``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from awssts.domain.policy import yamltext
from awssts.domain.policy.errors import PrincipalInvalid
from awssts.domain.policy.registry import OWNER_SOURCES, Source
from awssts.domain.policy.yamltext import Value

PREFIX = "principal.awssts.dev/"
ID = "id"  # the attribute that gives the principal's id
MAX_ATTRIBUTES = 64
MAX_VALUES = 256  # of an attribute
MAX_VALUE = 2048  # characters
MAX_TEXT = 8_192  # characters of YAML, of all lists in annotations together or in the key: some 10 ms

Attributes = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Attribute:
    """The values, and the source they come from."""

    values: tuple[str, ...]
    source: Source


@dataclass(frozen=True, slots=True)
class Principal:
    """An id and attributes. ``sources`` are those that were asked, the most trusted first."""

    id: str
    attributes: Mapping[str, Attribute]
    sources: tuple[Source, ...]

    def values(self, name: str) -> tuple[str, ...]:
        """Return the attribute's values; none without it."""
        attribute = self.attributes.get(name)
        return attribute.values if attribute else ()

    def owner_decides(self, name: str) -> bool:
        """Tell whether the owner of the request wrote the attribute, or could."""
        attribute = self.attributes.get(name)
        if attribute is None:
            return not OWNER_SOURCES.isdisjoint(self.sources)
        return attribute.source in OWNER_SOURCES

    def trusted(self) -> "Principal":
        """Return the principal without what the owner of the request could write."""
        return Principal(
            self.id,
            {name: found for name, found in self.attributes.items() if found.source not in OWNER_SOURCES},
            tuple(source for source in self.sources if source not in OWNER_SOURCES),
        )


def merge(namespace: str, found: Iterable[tuple[Source, Attributes]]) -> Principal:
    """Return the principal of attributes by source, the most trusted first: those hide the later ones.

    The id is the first value of the attribute ``id``, which only a trusted source can give, else the namespace's
    name: with what an owner could choose he would take another's place at a directory.
    """
    found = list(found)
    attributes: dict[str, Attribute] = {}
    for source, given in found:
        for name, values in given.items():
            attributes.setdefault(name, Attribute(values, source))
    trusted = attributes.get(ID)
    if trusted is None or trusted.source in OWNER_SOURCES or not trusted.values:
        return Principal(namespace, attributes, tuple(source for source, _ in found))
    return Principal(trusted.values[0], attributes, tuple(source for source, _ in found))


def from_metadata(where: str, *maps: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return the attributes among annotations and labels, those in the first map before those in the next.

    Raises:
        PrincipalInvalid: a value looks like a YAML list and is none.
    """
    texts: dict[str, str] = {}
    for metadata in maps:
        for key, value in metadata.items():
            if key.startswith(PREFIX):
                texts.setdefault(key.removeprefix(PREFIX), value.strip())
    _refuse_many(texts, where)
    lists = {name: text for name, text in texts.items() if text.startswith("[")}
    if sum(map(len, lists.values())) > MAX_TEXT:
        raise PrincipalInvalid(f"{where} the lists in {PREFIX}… are longer than {MAX_TEXT} characters together")
    found = {name: (text,) for name, text in texts.items() if name not in lists}
    return _bounded(found | {name: _listed(text, f"{where} {PREFIX}{name}") for name, text in lists.items()}, where)


def from_tags(tags: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return the tags of an IAM user as attributes of one value each."""
    return _bounded({key: (value,) for key, value in tags.items()}, "the IAM user's tags")


def from_yaml(text: str, where: str) -> dict[str, tuple[str, ...]]:
    """Return the attributes of a YAML mapping of names to values or lists of values.

    Raises:
        PrincipalInvalid: it is no such mapping.
    """
    if len(text) > MAX_TEXT:
        raise PrincipalInvalid(f"{where} is longer than {MAX_TEXT} characters")
    loaded = _loaded(text, where)
    if loaded in (None, ""):
        return {}
    if not isinstance(loaded, dict):
        raise PrincipalInvalid(f"{where} must be a YAML mapping of attribute names to lists of values")
    return from_mapping(loaded, where)


def from_mapping(given: Mapping[Any, Any], where: str) -> dict[str, tuple[str, ...]]:
    """Return the attributes of a mapping of names to strings or lists of strings.

    Raises:
        PrincipalInvalid: a name or a value is something else.
    """
    found: dict[str, tuple[str, ...]] = {}
    for name, value in given.items():
        values = value if isinstance(value, list) else [value]
        if not isinstance(name, str) or not all(isinstance(item, str) for item in values):
            raise PrincipalInvalid(f"{where}: each attribute must have a name and be a string or a list of strings")
        found[name] = tuple(values)
    return _bounded(found, where)


def _listed(text: str, where: str) -> tuple[str, ...]:
    loaded = _loaded(text, where)
    if not isinstance(loaded, list):
        raise PrincipalInvalid(f"{where} must be one value, or a YAML list of values: [reports, audit]")
    return tuple(loaded)


def _loaded(text: str, where: str) -> Value | None:
    try:
        return yamltext.read(text)
    except ValueError as error:
        raise PrincipalInvalid(f"{where} {error}") from None


def _refuse_many(attributes: Mapping[str, Any], where: str) -> None:
    if len(attributes) > MAX_ATTRIBUTES:
        raise PrincipalInvalid(f"{where} gives more than {MAX_ATTRIBUTES} attributes")


def _bounded(found: dict[str, tuple[str, ...]], where: str) -> dict[str, tuple[str, ...]]:
    _refuse_many(found, where)
    for values in found.values():
        if len(values) > MAX_VALUES or any(len(value) > MAX_VALUE for value in values):
            raise PrincipalInvalid(
                f"{where} has an attribute of over {MAX_VALUES} values, or a value of over {MAX_VALUE} characters"
            )
    if not all(_is_text(text) for name, values in found.items() for text in (name, *values)):
        raise PrincipalInvalid(f"{where} has an attribute with half a character (a surrogate without the other)")
    return found


def _is_text(text: str) -> bool:
    """Tell whether it can be encoded: JSON and YAML can name what can't."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
