"""The constraints on an operation's parameters, checked and reported as STS does: all at once, by name.

Limits from https://docs.aws.amazon.com/STS/latest/APIReference/: API_AssumeRole, API_GetSessionToken.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.sts import errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


@dataclass(frozen=True)
class Text:
    """A parameter that is text: its length in characters, and a regular expression of the whole."""

    name: str
    shortest: int
    longest: int
    pattern: str | None = None
    required: bool = False
    printable: str = ""  # the pattern as AWS prints it, where it isn't Python's

    def violations(self, value: str | None) -> Iterable[str]:
        if value is None:
            if self.required:
                yield f"Value null at '{self.name}' failed to satisfy constraint: Member must not be null"
            return
        failed = f"Value '{value}' at '{self.name}' failed to satisfy constraint: Member must"
        if self.pattern is not None and not re.fullmatch(self.pattern, value, re.ASCII):
            yield f"{failed} satisfy regular expression pattern: {self.printable or self.pattern}"
        if len(value) > self.longest:
            yield f"{failed} have length less than or equal to {self.longest}"
        if len(value) < self.shortest:
            yield f"{failed} have length greater than or equal to {self.shortest}"


@dataclass(frozen=True)
class Number:
    """A parameter that is a number."""

    name: str
    least: int
    most: int

    def violations(self, value: int | None) -> Iterable[str]:
        failed = f"Value '{value}' at '{self.name}' failed to satisfy constraint: Member must"
        if value is not None and value < self.least:
            yield f"{failed} have value greater than or equal to {self.least}"
        if value is not None and value > self.most:
            yield f"{failed} have value less than or equal to {self.most}"


SESSION_DURATION = Number("durationSeconds", 900, 129600)
ROLE_DURATION = Number("durationSeconds", 900, 43200)
SERIAL_NUMBER = Text("serialNumber", 9, 256, r"[\w+=/:,.@-]*")
TOKEN_CODE = Text("tokenCode", 6, 6, r"[\d]*")
ROLE_ARN = Text(
    "roleArn",
    20,
    2048,
    "[\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+",
    required=True,
    printable=r"[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uD7FF\uE000-\uFFFD\u10000-\u10FFFF]+",
)
SESSION_NAME = Text("roleSessionName", 2, 64, r"[\w+=,.@-]*", required=True)
EXTERNAL_ID = Text("externalId", 2, 1224, r"[\w+=,.@:\/-]*")
SOURCE_IDENTITY = Text("sourceIdentity", 2, 64, r"[\w+=,.@-]*")
POLICY = Text("policy", 1, 2048)

MOST_TAGS = 50
MOST_POLICY_ARNS = 10
TAG_KEY = (1, 128)
TAG_VALUE = (0, 256)
TAG_PATTERN = r"[\p{L}\p{Z}\p{N}_.:/=+\-@]"


def integer(name: str, value: str | None) -> int | None:
    """A number of the query protocol."""
    if value is None:
        return None
    if not re.fullmatch(r"-?\d{1,10}", value, re.ASCII):
        raise errors.StsError("MalformedInput", 400, f"Invalid value '{value}' at '{name}': must be an integer")
    return int(value)


def refuse(violations: Iterable[str]) -> None:
    """ValidationError if there are any, all of them in one message."""
    found = list(violations)
    if found:
        plural = "" if len(found) == 1 else "s"
        raise errors.validation_error(f"{len(found)} validation error{plural} detected: {'; '.join(found)}")


def session_token_violations(duration: int | None, serial_number: str | None, token_code: str | None) -> Iterable[str]:
    """Of GetSessionToken."""
    yield from SESSION_DURATION.violations(duration)
    yield from SERIAL_NUMBER.violations(serial_number)
    yield from TOKEN_CODE.violations(token_code)


def tag_violations(tags: Sequence[tuple[str, str]]) -> Iterable[str]:
    """Of the session tags of AssumeRole."""
    yield from at_most("tags", tags, MOST_TAGS)
    for position, (key, value) in enumerate(tags, 1):
        yield from _tag_text(f"tags.{position}.member.key", key, *TAG_KEY, "+")
        yield from _tag_text(f"tags.{position}.member.value", value, *TAG_VALUE, "*")


def at_most(name: str, values: Sequence[object], most: int) -> Iterable[str]:
    """Of a list."""
    if len(values) > most:
        failed = f"Value at '{name}' failed to satisfy constraint: Member must"
        yield f"{failed} have length less than or equal to {most}"


def _tag_text(name: str, value: str, shortest: int, longest: int, repeat: str) -> Iterable[str]:
    failed = f"Value '{value}' at '{name}' failed to satisfy constraint: Member must"
    if not all(unicodedata.category(char)[0] in "LZN" or char in "_.:/=+-@" for char in value):
        yield f"{failed} satisfy regular expression pattern: {TAG_PATTERN}{repeat}"
    if len(value) > longest:
        yield f"{failed} have length less than or equal to {longest}"
    if len(value) < shortest:
        yield f"{failed} have length greater than or equal to {shortest}"


def check_tags(tags: Sequence[tuple[str, str]], transitive: Sequence[str], inherited: Mapping[str, str]) -> None:
    """What STS says of session tags once their form is right.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html
    """
    keys = [key.lower() for key, _ in tags]
    if len(set(keys)) < len(keys):
        raise errors.invalid_parameter("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    if any(key.startswith("aws:") for key in keys):
        raise errors.invalid_parameter("Tag keys can't start with the reserved prefix aws:.")
    if not {key.lower() for key in transitive} <= set(keys):
        raise errors.invalid_parameter("The specified transitive tag key must be included in the requested tags.")
    if not set(keys).isdisjoint(key.lower() for key in inherited):
        raise errors.invalid_parameter(
            "One of the specified transitive tag keys can't be set because it conflicts with a transitive "
            "tag key from the calling session."
        )
