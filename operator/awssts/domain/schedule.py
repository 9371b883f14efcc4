"""When things happen next: renewals by expiry, attempts by backoff. Spread by the uid, so nothing is remembered."""

import hashlib
from datetime import datetime, timedelta

RENEWAL_SHARE = 3  # a third of the lifetime is left at renewal
JITTER = 0.1  # of renewBefore
LEAST_PAUSE = timedelta(minutes=5)  # between two renewals, however long renewBefore is
BACKOFF_MAXIMUM = timedelta(minutes=5)
STALLED_RETRY = timedelta(minutes=15)
LOOK_MAXIMUM = timedelta(minutes=1)
REPAIR_PAUSE = timedelta(minutes=1)
LEAST_LIFE = timedelta(seconds=3)  # of credentials before others are asked for because of their end
NEW_KEY_SETTLES = timedelta(minutes=2)


def renewal(
    issued_at: datetime, expiration: datetime, asked: timedelta, renew_before: timedelta | None, uid: str
) -> datetime:
    """Return when to renew: ``renew_before`` ahead of the expiration that STS returned, less the jitter.

    STS may give less than was asked (an hour to the account root): a ``renew_before`` that does not fit into
    the real lifetime gives way to a third of that. It never gives more: where the expiration seems to be further away
    than what was ``asked``, our clock is behind AWS's, and the credentials end by so much earlier.
    """
    lifetime = min(expiration - issued_at, asked)
    expiration = issued_at + lifetime
    ahead = renew_before if renew_before is not None and renew_before < lifetime else lifetime / RENEWAL_SHARE
    early = min(ahead * JITTER, (lifetime - ahead) / 2) * fraction(uid)
    return max(expiration - ahead - early, issued_at + min(lifetime / 10, LEAST_PAUSE))


def backoff(failures: int, uid: str, left: timedelta | None = None) -> timedelta:
    """Return how long to wait after that many failures in a row: full jitter under 1 s doubling to 5 min.

    It is never more than a quarter of the time that is ``left`` to the credentials that still work.
    """
    ceiling = min(BACKOFF_MAXIMUM, timedelta(seconds=2 ** min(failures - 1, 16)))
    delay = max(ceiling * fraction(f"{uid}/{failures}"), timedelta(milliseconds=200))
    if left is not None and left > timedelta():
        delay = min(delay, max(left / 4, timedelta(seconds=1)))
    return delay


def look_again(looks: int) -> timedelta:
    """Return how long to wait before an input is looked at again: 1 s doubling to a minute."""
    return min(LOOK_MAXIMUM, timedelta(seconds=2 ** min(looks, 6)))


def fraction(seed: str) -> float:
    """Return a number in [0, 1), always the same for the same seed and even over different ones."""
    return int.from_bytes(hashlib.sha256(seed.encode()).digest()[:6]) / 2**48
