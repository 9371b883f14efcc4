"""What a stamp is put on: one object in one state, told apart from all others."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from awssts.domain.names import GROUP, LAST_APPLIED, RENEW, TOKEN_CODE

STAMP: Final = f"{GROUP}/authentication"

# They ask for something to be done, not for something else: who gives a code or asks for a renewal has not
# applied the request. The last one repeats what is there.
_WITHOUT_WEIGHT = frozenset({STAMP, RENEW, TOKEN_CODE, LAST_APPLIED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A request in one state. ``name`` and ``uid`` are empty, ``created`` is now, while it is being created.

    ``generation`` counts the changes of its spec; with the uid it can't be had a second time.
    """

    namespace: str
    name: str
    uid: str
    generation: int
    created: datetime
    weight: str  # digest of what its user answers for


def weight(spec: Any, labels: Mapping[str, str], annotations: Mapping[str, str]) -> str:
    """Return the digest of the part of a request that its user answers for: who changes it, is stamped."""
    counted = {key: value for key, value in annotations.items() if key not in _WITHOUT_WEIGHT}
    text = json.dumps([spec, dict(labels), counted], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
