"""Digests that tell whether something changed, without telling what it is."""

import hashlib
import json
from typing import Any

LENGTH = 32  # hexadecimal digits: 128 bits


def of(value: Any) -> str:
    """Return the digest of a JSON-able value; the order of keys does not matter."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]
