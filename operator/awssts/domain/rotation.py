"""When a self-made serving certificate is replaced: a pure decision over dates.

Each certificate has a certificate authority of its own, whose key is thrown away. So a new certificate is first
announced (its authority joins the bundle that the API server trusts) and served only an hour later, when every
replica and API server has heard of it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

LIFETIME = timedelta(days=365)
EARLIER = timedelta(hours=1)  # valid from then on, against clocks that differ
SETTLE = timedelta(hours=1)  # between announcing and serving
KEPT = 4  # authorities in the bundle at the most


@dataclass(frozen=True, slots=True)
class Certificate:
    """What counts of a certificate."""

    names: frozenset[str]  # host names and addresses
    not_before: datetime
    not_after: datetime


class Step(Enum):
    """What to do now."""

    KEEP = "keep"
    ISSUE = "issue"  # a new one, to be served at once: nothing is there that could be served
    ANNOUNCE = "announce"  # a new one, to be served later
    PROMOTE = "promote"  # serve the announced one


def step(current: Certificate | None, announced: Certificate | None, wanted: frozenset[str], now: datetime) -> Step:
    """Return what to do; None stands for a certificate that is missing or can't be used."""
    following = announced if announced and _serves(announced, wanted, now) else None
    if current is None or not _serves(current, wanted, now):
        return Step.PROMOTE if following else Step.ISSUE
    if following:
        return Step.PROMOTE if now >= following.not_before + EARLIER + SETTLE else Step.KEEP
    return Step.ANNOUNCE if now >= renewal(current) else Step.KEEP


def renewal(certificate: Certificate) -> datetime:
    """Return when its successor is made: after two thirds of its life."""
    return certificate.not_before + (certificate.not_after - certificate.not_before) * 2 / 3


def _serves(certificate: Certificate, wanted: frozenset[str], now: datetime) -> bool:
    return wanted <= certificate.names and now < certificate.not_after
