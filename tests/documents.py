"""The fenced blocks of the documents, and what becomes of each of them.

A block of commands is run by a test, or says why not; a block of YAML is a manifest, which an API server has to take,
or a part of one. The line before a block says so, in a comment that readers don't see:

    <!-- test: install -->                      run by the test that takes the document's commands()
    <!-- not run: takes Docker -->              why no test can
    <!-- part of: container -->                 completed by tests/integration/test_documents.py
    <!-- given to: promtool -->                 YAML of another program, saved() by a test that gives it to that
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT = Path(__file__).parents[1]
FOLDERS = ("bench", "charts", "crds", "docs", "examples", "image", "operator", "testbed", "tests")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.md"))])
LANGUAGES = {"cel", "ini", "json", "mermaid", "sh", "text", "yaml"}
BY_MODELS = {"docs/mfa.md", "docs/policies.md"}  # parts of specs, read by tests/unit/policy/test_docs_mfa.py

BLOCK = re.compile(
    r"^(?:<!-- (?P<mark>test|not run|part of|given to): (?P<name>.*?) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """What stands between two fences; `name` is what its mark says."""

    document: str
    line: int
    language: str
    text: str
    mark: str
    name: str

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"

    @property
    def objects(self) -> list[Any]:
        """What a block of YAML holds."""
        return [document for document in yaml.safe_load_all(self.text) if document is not None]

    @property
    def complete(self) -> bool:
        """Whether it is a manifest as it stands."""
        return all(isinstance(each, dict) and {"apiVersion", "kind"} <= set(each) for each in self.objects)


Json = dict[str, Any]


def _container(part: Json) -> Json:
    """A pod with that in its container; some parts mount the volume."""
    volumes = [{"name": "aws", "secret": {"secretName": "part"}}]
    containers = [{"name": "program", "image": "registry.example.com/program:1.0", **part}]
    spec = {"containers": containers, "volumes": volumes}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "part"}, "spec": spec}


def _deployment(part: Json) -> Json:
    """A Deployment with that in its pods' metadata."""
    labels = {"app": "part"}
    pods = part["spec"]["template"]
    spec = _container({})["spec"]
    template = {"metadata": {"labels": labels, **pods["metadata"]}, "spec": spec}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "part"},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }


PARTS: dict[str, Callable[[Any], Json]] = {  # what makes a manifest of a part
    "container": _container,
    "env": lambda part: _container({"env": part}),
    "Deployment": _deployment,
}


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def fenced(text: str, language: str) -> list[str]:
    """The blocks of one language in a part of a document."""
    return [found["text"] for found in BLOCK.finditer(text) if found["language"] == language]


def blocks(document: str | Path, language: str | None = None) -> list[Block]:
    """Those of a document, or of one language."""
    path = ROOT / document
    text = path.read_text()
    return [
        Block(
            document=named(path),
            line=text.count("\n", 0, found.start("language")) + 1,
            language=found["language"],
            text=found["text"],
            mark=found["mark"] or "",
            name=found["name"] or "",
        )
        for found in BLOCK.finditer(text)
        if language in {None, found["language"]}
    ]


def everywhere(language: str | None = None) -> list[Block]:
    """Those of all documents."""
    return [block for document in DOCUMENTS for block in blocks(document, language)]


def prose(document: Path) -> str:
    """A document without its blocks."""
    return BLOCK.sub("", document.read_text())


class Commands:
    """The blocks of a document that are marked to be run. At the end each of them has been."""

    def __init__(self, document: str) -> None:
        self._texts = {block.name: block.text for block in blocks(document) if block.mark == "test"}
        self._document = document
        self._ran: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            assert self._ran == set(self._texts), f"not run of {self._document}: {set(self._texts) - self._ran}"

    def run(
        self, *names: str, environment: Mapping[str, str], cwd: Path = ROOT, given: str = "", by: str = "sh"
    ) -> str:
        """What blocks print that are typed one after the other into one shell; it ends at the first error."""
        done = subprocess.run(  # noqa: S603 - this project's own documents
            self.command(*names, by=by),
            cwd=cwd,
            env=dict(environment),
            input=given,
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,  # no terminal: what asks for a password takes it from `given`
        )
        assert done.returncode == 0, f"{self._document}, {', '.join(names)}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def command(self, *names: str, by: str = "sh") -> list[str]:
        """The shell that runs them, for those that don't end by themselves."""
        self._ran.update(names)
        return ["/usr/bin/env", by, "-euc", "\n".join(self._texts[name] for name in names)]


def commands(document: str) -> Commands:
    """Those of a document, by its path: `with commands("docs/install.md") as shown:`."""
    return Commands(document)


def saved(document: str, name: str, folder: Path) -> None:
    """Writes the document's block that begins with the comment `# name` into a file of that name, as a reader would."""
    (found,) = [block for block in blocks(document, "yaml") if block.text.startswith(f"# {name}\n")]
    (folder / name).write_text(found.text)
