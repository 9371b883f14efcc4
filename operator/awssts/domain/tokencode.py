"""A person's MFA code, as he may write it."""

import re

_SIX = re.compile("[0-9]{6}")


def digits(text: str) -> str | None:
    """Return its six digits, without the blanks and dashes by which apps part them; None where it has others."""
    found = "".join(text.split()).replace("-", "")
    return found if _SIX.fullmatch(found) else None
