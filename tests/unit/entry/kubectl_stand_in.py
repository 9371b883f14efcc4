"""A program in kubectl's place that says what a test wants, and writes down what it was asked."""

import json
import stat
import sys
from pathlib import Path
from typing import Any

SCRIPT = """#!{python}
import json, pathlib, sys
folder = pathlib.Path({folder!r})
arguments = [word for word in sys.argv[1:] if not word.startswith("--request-timeout")]
given = sys.stdin.read() if arguments[0] == "patch" else ""
with (folder / "asked").open("a") as asked:
    asked.write(json.dumps([arguments, given]) + "\\n")
answers = json.loads((folder / "answers").read_text())
key = next((key for key in answers if key in " ".join(arguments)), None)
output, said, code = answers[key] if key else ["", "Error from server (NotFound): nothing there", 1]
sys.stderr.write(said)
sys.stdout.write(output)
sys.exit(code)
"""


class StandIn:
    """Answers by the first key that occurs in the arguments; without one, with NotFound."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.program = folder / "kubectl"
        self.program.write_text(SCRIPT.format(python=sys.executable, folder=str(folder)))
        self.program.chmod(self.program.stat().st_mode | stat.S_IXUSR)
        self._answers: dict[str, tuple[str, str, int]] = {"config view": ("team", "", 0)}
        self._write()

    def says(self, key: str, answer: Any = "", *, said: str = "", code: int = 0) -> None:
        """Give that answer (text, or an object as JSON) from now on."""
        text = answer if isinstance(answer, str) else json.dumps(answer)
        self._answers = {key: (text, said, code)} | {old: self._answers[old] for old in self._answers if old != key}
        self._write()

    def holds(self, *bodies: Any) -> None:
        """Have the namespace ``team`` hold these requests."""
        page = {"items": bodies, "metadata": {"resourceVersion": "7", "continue": ""}}
        for body in bodies:
            self.says(f"/awsstsrequests/{body['metadata']['name']}", body)
        self._answers |= {"awsstsrequests?": (json.dumps(page), "", 0)}
        self._write()

    @property
    def asked(self) -> list[tuple[list[str], str]]:
        """Arguments and standard input of each call."""
        path = self._folder / "asked"
        return [tuple(json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []

    def _write(self) -> None:
        (self._folder / "answers").write_text(json.dumps(self._answers))
