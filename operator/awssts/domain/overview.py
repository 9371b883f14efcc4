"""A request for people: how it is, what happens next and when. Read from its JSON as it is.

The models of ``awssts.domain.status`` take a quarter of a second to import: too long for ``awssts status``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

_AGAIN = "tries again"
LATE = timedelta(minutes=2)  # what is overdue for longer is nobody's work


class Health(StrEnum):
    """How a request is, in a word."""

    GOOD = "good"
    DOUBTFUL = "doubtful"  # there are live credentials, and something is wrong
    WAITING = "waiting"  # no live credentials yet, and it goes on by itself
    BAD = "bad"  # no live credentials, and somebody has to act


@dataclass(frozen=True, slots=True)
class Next:
    """What happens next: in words, and when, where that is known."""

    what: str
    at: datetime | None = None

    def told(self, now: datetime) -> str:
        """Return it with the time from now: ``renews in 3h12m``."""
        return f"{self.what} in {span(self.at - now)}" if self.at is not None and self.at > now else self.what


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What a request says of itself; moments are None where it says none."""

    namespace: str
    name: str
    current: bool  # the status speaks of the request as it is now
    suspended: bool
    conditions: Mapping[str, Mapping[str, str]]
    secret: str
    access_key_id: str
    role_arn: str
    mfa: str
    expiration: datetime | None
    next_renewal: datetime | None
    next_attempt: datetime | None

    def live(self, now: datetime) -> bool:
        """Whether there are credentials that work now."""
        return self._is("Ready") and self.expiration is not None and self.expiration > now

    @property
    def awaits_code(self) -> bool:
        """Whether somebody has to give an MFA code."""
        return self.conditions.get("MFASatisfied", {}).get("reason") == "AwaitingTokenCode"

    @property
    def stalled(self) -> bool:
        """Whether only a change helps."""
        return self._is("Stalled")

    @property
    def reconciling(self) -> bool:
        """Whether it is at work, or waits to try again."""
        return self._is("Reconciling")

    @property
    def ready(self) -> str:
        """True, False or Unknown."""
        return self.conditions.get("Ready", {}).get("status") or "Unknown"

    @property
    def reason(self) -> str:
        """Why, as one word: of what is wrong, where something is."""
        return self._telling().get("reason") or "NotSeen"

    @property
    def message(self) -> str:
        """Why, for people."""
        return self._telling().get("message") or "no operator has looked at it yet"

    def health(self, now: datetime) -> Health:
        """Return how it is."""
        trouble = self.stalled or self.reconciling or self.awaits_code
        if self.live(now):
            return Health.DOUBTFUL if trouble or self.suspended or self._overdue(now) else Health.GOOD
        acts = self.stalled or self.awaits_code or self.suspended or self.expiration is not None
        return Health.BAD if acts else Health.WAITING

    def next(self, now: datetime) -> Next:
        """Return what happens next."""
        again = f"; {_AGAIN}" if self.next_attempt else ""
        cases = (
            (not self.conditions, Next("is looked at, if an operator runs")),
            (self.suspended, Next("nothing: it is suspended")),
            (not self.current, Next("the change is looked at, if an operator runs")),
            (self.awaits_code, Next("needs a code")),
            (self.stalled, Next(f"needs a change{again}", self.next_attempt)),
            (self._overdue(now) or self._ended(now), Next("is overdue: is the operator running?")),
            (self.reconciling, Next(_AGAIN, self.next_attempt)),
            (self.next_renewal is not None, Next("renews", self.next_renewal)),
        )
        return next((following for holds, following in cases if holds), Next("waits"))

    def _ended(self, now: datetime) -> bool:
        return self._is("Ready") and not self.live(now)

    def _overdue(self, now: datetime) -> bool:
        due = self.next_attempt or self.next_renewal
        return due is not None and now - due > LATE

    def _telling(self) -> Mapping[str, str]:
        """Return the condition that says the most: what is wrong, else Ready."""
        wrong = next((self.conditions[kind] for kind in ("Stalled", "Reconciling") if self._is(kind)), None)
        if wrong is None and self.awaits_code:
            wrong = self.conditions["MFASatisfied"]
        return wrong or self.conditions.get("Ready") or {}

    def _is(self, kind: str) -> bool:
        return self.conditions.get(kind, {}).get("status") == "True"


def read(body: Mapping[str, Any]) -> Overview:
    """Return the overview of a request's JSON. It never fails: what can't be understood is not there."""
    metadata, spec, status = (_mapping(body.get(part)) for part in ("metadata", "spec", "status"))
    listed = status.get("conditions")
    conditions = [found for found in listed if isinstance(found, Mapping)] if isinstance(listed, list) else []
    mfa = _mapping(status.get("mfa"))
    return Overview(
        namespace=str(metadata.get("namespace", "")),
        name=str(metadata.get("name", "")),
        current=status.get("observedGeneration") in (None, metadata.get("generation")),
        suspended=spec.get("suspend") is True,
        conditions={str(found.get("type")): {key: str(value) for key, value in found.items()} for found in conditions},
        secret=str(status.get("secretName") or ""),
        access_key_id=str(status.get("accessKeyId") or ""),
        role_arn=str(status.get("roleArn") or ""),
        mfa=str(mfa.get("outcome") or ("Always" if spec.get("mfa") else "")),
        expiration=moment(status.get("expiration")),
        next_renewal=moment(status.get("nextRenewal")),
        next_attempt=moment(status.get("nextAttempt")),
    )


def span(length: timedelta) -> str:
    """Return a length of time in its two largest units: ``2d3h``, ``3h12m``, ``5m10s``, ``40s``."""
    left = max(round(length.total_seconds()), 0)
    parts = []
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)):
        number, left = divmod(left, size)
        parts.append((number, unit))
    first = next((index for index, (number, _) in enumerate(parts) if number), len(parts) - 1)
    shown = parts[first : first + 2]
    return "".join(f"{number}{unit}" for number, unit in shown if number or len(shown) == 1) or "0s"


def moment(text: Any) -> datetime | None:
    """Return the moment that the API writes so; None for anything else."""
    try:
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC) if found.tzinfo else None
    except (TypeError, ValueError, OverflowError):
        return None


def _mapping(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {}
