"""Files with what is expected: tests/data, in YAML.

With AWSSTS_GOLDEN=write in the environment they are written anew; look at the difference before you keep it.
"""

import os
from pathlib import Path
from typing import Any

import yaml

DATA = Path(__file__).parents[1] / "data"


class _Dumper(yaml.SafeDumper):
    """Shows texts of more than a line as they are."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def compare(file: Path, found: Any) -> None:
    """Assert that the file holds what was found."""
    if os.environ.get("AWSSTS_GOLDEN") == "write":
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.dump(found, Dumper=_Dumper, width=110, allow_unicode=True))
    assert found == yaml.safe_load(file.read_text())
