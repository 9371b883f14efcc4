"""The path by which the API server calls the webhook that stamps. Who does not know it gets no stamp.

A review says who asks, and whoever reaches the port can write one. The API server proves nothing of itself; what it has
that others have not is its registration, which nobody reads but administrators. It shows the path to a user whose call
fails because nobody answers, so no path is good for long.
"""

import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Final

from awssts.domain.stamp import Keys
from awssts.domain.subject import STAMP

ROOT: Final = "/mutate"
LIFE: Final = timedelta(hours=1)  # then comes the next; the one before counts for as long again

_PURPOSE: Final = f"{STAMP} path v1"


def path(keys: Keys, now: datetime) -> str:
    """Return the path to call now, the same for all who have the key."""
    return _path(keys.all[0], _turn(now))


def known(path: str, keys: Keys, now: datetime) -> bool:
    """Tell whether it is the path of now, or of the hour before or after."""
    turns = (_turn(now) + late for late in (0, -1, 1))
    paths = [_path(key, turn) for turn in turns for key in keys.all]
    return any(hmac.compare_digest(each.encode(), path.encode(errors="replace")) for each in paths)


def leads(address: str) -> bool:
    """Tell whether a path of a Service leads to the webhook that stamps; none does, too."""
    return address in {"", "/", ROOT} or address.startswith(f"{ROOT}/")


def _turn(now: datetime) -> int:
    return int(now.timestamp() // LIFE.total_seconds())


def _path(key: bytes, turn: int) -> str:
    return f"{ROOT}/{hmac.new(key, f'{_PURPOSE} {turn}'.encode(), hashlib.sha256).hexdigest()[:32]}"
