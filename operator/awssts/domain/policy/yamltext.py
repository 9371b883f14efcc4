"""YAML that an owner wrote, read with care: of the language only what attributes need.

Strings, lists of strings, and a mapping of both; everything is a string, so that ``no`` and ``0123`` stay what was
written. Read as events, by libyaml, so that what is nested or refers to itself ends the reading where it begins.
"""

from collections.abc import Iterator

import yaml
from yaml.events import (
    AliasEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

Value = str | list[str] | dict[str, str | list[str]]

_DEEP = "is nested too deep: only a mapping of names to values or lists of values can be used"


def read(text: str) -> Value | None:
    """Return what the text says; None where it says nothing.

    Raises:
        ValueError: it is more than that, or no YAML; the message completes "<field> …", and repeats nothing of it.
    """
    try:
        return _document(_events(text))
    except (yaml.YAMLError, UnicodeEncodeError):
        raise ValueError("is not YAML that can be read") from None


def _events(text: str) -> Iterator[Event]:
    """Yield what stands in the document, and refuse what no attribute needs."""
    for event in yaml.parse(text, Loader=yaml.CBaseLoader):
        if isinstance(event, AliasEvent) or (isinstance(event, NodeEvent) and event.anchor is not None):
            raise ValueError("has an anchor (&) or an alias (*), which can't be used: write it out, or in quotes")
        if isinstance(event, NodeEvent | MappingEndEvent | SequenceEndEvent | StreamEndEvent):
            yield event


def _document(events: Iterator[Event]) -> Value | None:
    found: Value | None = None
    match next(events):
        case ScalarEvent(value=value):
            found = value
        case SequenceStartEvent():
            found = _list(events)
        case MappingStartEvent():
            found = _mapping(events)
    if found is not None and not isinstance(next(events), StreamEndEvent):
        raise ValueError("has more than one document")
    return found


def _mapping(events: Iterator[Event]) -> dict[str, str | list[str]]:
    found: dict[str, str | list[str]] = {}
    while isinstance(key := next(events), NodeEvent):
        value = next(events)
        if not isinstance(key, ScalarEvent):
            raise ValueError(_DEEP)  # noqa: TRY004 - a fault of the text
        if key.value in found:
            raise ValueError("has one name twice")
        match value:
            case ScalarEvent():
                found[key.value] = value.value
            case SequenceStartEvent():
                found[key.value] = _list(events)
            case _:
                raise ValueError(_DEEP)
    return found


def _list(events: Iterator[Event]) -> list[str]:
    found: list[str] = []
    while isinstance(item := next(events), NodeEvent):
        if not isinstance(item, ScalarEvent):
            raise ValueError(_DEEP)  # noqa: TRY004 - a fault of the text
        found.append(item.value)
    return found
