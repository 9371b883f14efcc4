"""README.md of the chart, from the comments in its values.yaml: `python -m testbed.values > charts/awssts/README.md`.

A comment that begins with `# --` tells of the value below it, as helm-docs has it, and may go on in further lines.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import yaml

from testbed.helm import CHART

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = re.compile(r"^( *)([A-Za-z]\w*):")
TOLD = re.compile(r"^ *# -- (.*)")
MORE = re.compile(r"^ *# (.*)")
INTRODUCTION = """# awssts

{description}. What it is and does: [the project's README](../../README.md).

<!-- test: install -->
```sh
helm install awssts charts/awssts --namespace awssts-system --create-namespace \\
  --set image.repository=registry.example.com/awssts
```

No image is published yet: [build one](../../docs/install.md#quick-start). Installing, upgrading and uninstalling are
described in [docs/install.md](../../docs/install.md). Helm refuses values that are not in this list.

## Values

| value | default | |
| --- | --- | --- |
"""


def rows(text: str) -> Iterator[tuple[str, str]]:
    """Each value that is told of, by its path, and what is said."""
    path: list[str] = []
    said: list[str] = []
    for line in text.splitlines():
        if told := TOLD.match(line):
            said = [told[1]]
        elif said and (more := MORE.match(line)):
            said.append(more[1])
        elif key := KEY.match(line):
            path = [*path[: len(key[1]) // 2], key[2]]
            if said:
                yield ".".join(path), " ".join(said)
            said = []


def default(values: dict[str, Any], path: str) -> str:
    found: Any = values
    for name in path.split("."):
        found = found[name]
    return json.dumps(found)


def readme() -> str:
    text = (CHART / "values.yaml").read_text()
    values = yaml.safe_load(text)
    description = yaml.safe_load((CHART / "Chart.yaml").read_text())["description"]
    table = [f"| `{path}` | `{default(values, path)}` | {said} |\n" for path, said in rows(text)]
    return INTRODUCTION.format(description=description) + "".join(table)


if __name__ == "__main__":
    print(readme(), end="")
