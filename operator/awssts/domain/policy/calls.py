"""What an evaluation has to ask outside, and the answers: the caller asks, the domain does not."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from awssts.domain.policy.schema.types import KeyRef, RestEndpoint


class Purpose(StrEnum):
    """Why an endpoint is asked."""

    DIRECTORY = "Directory"
    TRIGGER = "Trigger"
    MEMBERSHIP = "Membership"
    BYPASS = "Bypass"
    AVAILABILITY = "Availability"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpCall:
    """A call of an endpoint: no redirects, a bounded answer. ``timeout`` is in seconds, ``body`` is JSON."""

    policy: str
    purpose: Purpose
    method: Literal["GET", "POST"]
    url: str
    body: str
    timeout: int
    ca_bundle: KeyRef | None
    bearer_token: KeyRef | None


@dataclass(frozen=True, slots=True)
class ReadUserTags:
    """Read the tags of the IAM user with its own keys."""


Call = HttpCall | ReadUserTags


@dataclass(frozen=True, slots=True)
class Answered:
    """An endpoint's answer; a redirect is one too, with its status."""

    status: int
    body: str = ""


@dataclass(frozen=True, slots=True)
class UserTags:
    """The tags of the IAM user."""

    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Unreachable:
    """There is no answer; ``reason`` is shown to people and must hold nothing secret.

    ``answered``: there is one, but none that can be used.
    """

    reason: str
    answered: bool = False


Answer = Answered | UserTags | Unreachable


def is_away(answer: Answer) -> bool:
    """Tell whether nobody is there: no answer, or a status of 500 and over.

    Whoever refuses a question is there. Its sender may have made it so that it is refused: no failure mode is for that.
    """
    match answer:
        case Unreachable(answered=answered):
            return not answered
        case Answered(status):
            return status >= 500
        case UserTags():
            return False


@dataclass(frozen=True, slots=True)
class Need:
    """The evaluation can't go on without answers to these; then evaluate again, with all answers so far."""

    calls: tuple[Call, ...]


class Wanted(Exception):  # noqa: N818 - not an error: one policy waits for an answer
    """An answer is missing."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self.call = call


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers so far."""

    known: Mapping[Call, Answer]

    def to(self, call: Call) -> Answer:
        """Return the answer.

        Raises:
            Wanted: there is none yet.
        """
        if call not in self.known:
            raise Wanted(call)
        return self.known[call]


def call_to(
    endpoint: RestEndpoint,
    *,
    policy: str,
    purpose: Purpose,
    body: str,
    method: Literal["GET", "POST"] = "POST",
) -> HttpCall:
    """Return the call of an endpoint."""
    return HttpCall(
        policy=policy,
        purpose=purpose,
        method=method,
        url=endpoint.url,
        body=body,
        timeout=endpoint.timeout,
        ca_bundle=endpoint.ca_bundle_secret_ref,
        bearer_token=endpoint.bearer_token_secret_ref,
    )
