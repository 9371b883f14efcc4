"""Text with ``${placeholders}`` for the credentials; ``$$`` is a dollar sign, and a bare ``$name`` stays."""

import re
from collections.abc import Mapping

PLACEHOLDERS = ("accessKeyId", "secretAccessKey", "sessionToken", "expiration", "region")
_MARK = re.compile(r"\$(?:\$|\{([^{}]*)\})")


def fill(template: str, values: Mapping[str, str]) -> str:
    """Return the template with its placeholders replaced; ``values`` has one for each of PLACEHOLDERS."""
    return _MARK.sub(lambda mark: "$" if mark[1] is None else values[mark[1]], template)


def check(template: str) -> str:
    """Return the template; raise ValueError when it names a placeholder that there is none of."""
    for mark in _MARK.finditer(template):
        if mark[1] is not None and mark[1] not in PLACEHOLDERS:
            known = ", ".join(f"${{{placeholder}}}" for placeholder in PLACEHOLDERS)
            raise ValueError(f"no placeholder ${{{mark[1]}}}: there are {known} (write $$ for a dollar sign)")
    if "${" in _MARK.sub("", template):
        raise ValueError("a ${ has no } (write $$ for a dollar sign)")
    return template


def in_cel(path: str) -> str:
    """Return the CEL rule that says the same of a string."""
    known = "|".join(PLACEHOLDERS)
    return f"{path}.matches('^([^$]|[$][$]|[$][^${{]|[$][{{]({known})[}}])*[$]?$')"
