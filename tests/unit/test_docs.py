"""The documents say what is there: reasons, links, examples, targets of make, steps of the demo."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import click
import pytest

from awssts.domain import errors
from awssts.domain.errors import AwsstsError
from awssts.entry.cli import main
from awssts.entry.reference import reference
from testbed import fields, told
from testbed.demo.__main__ import STEPS
from tests.documents import DOCUMENTS, FOLDERS, ROOT, everywhere, named, prose

if TYPE_CHECKING:
    from pathlib import Path

DECISIONS = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`[^`\n]*`")


def reasons(kind: type[AwsstsError]) -> dict[str, str]:
    """Each class of the module below that one, with when it is tried again."""
    found = {}
    for below in kind.__subclasses__():
        if below.__module__ == errors.__name__:
            found[below.__name__] = told.AGAIN[below.retry][0]
        found |= reasons(below)
    return found


def test_every_reason_is_explained() -> None:
    text = (ROOT / "docs" / "errors.md").read_text().partition("## Reasons why")[2]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if "| `" in line]
    assert {row[0].strip("`"): row[-1] for row in rows} == reasons(AwsstsError)


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_links_lead_somewhere(document: Path) -> None:
    for link in LINK.findall(CODE.sub("", prose(document))):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        there = document.parent / name if name else document
        assert there.exists(), link
        assert not anchor or anchor in anchors(there), link


def anchors(document: Path) -> set[str]:
    """The headings of a document, as GitHub names them."""
    headings = re.findall(r"^#+ (.*)$", prose(document), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_folder_says_what_it_is(folder: str) -> None:
    assert (ROOT / folder / "README.md").read_text().startswith("# ")


@pytest.mark.parametrize("record", DECISIONS, ids=named)
def test_decisions_have_three_parts_and_are_listed(record: Path) -> None:
    text = record.read_text()
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]
    title = text.splitlines()[0].removeprefix(f"# {record.name[:4]}: ")
    assert f"| [{record.name[:4]}]({record.name}) | {title} |" in (record.parent / "README.md").read_text()


def test_every_example_is_listed() -> None:
    listed = re.findall(r"^\| \[([\w-]+\.yaml)\]", (ROOT / "examples" / "README.md").read_text(), re.MULTILINE)
    assert listed == sorted(path.name for path in (ROOT / "examples").glob("*.yaml"))


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_targets_of_make_exist(document: Path) -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z0-9-]+)", document.read_text(), re.MULTILINE)) <= targets


def test_the_readme_shows_the_demo_as_it_is() -> None:
    table = re.search(r"^step .*?time$(.*?)all together", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert table is not None
    shown = [re.split(r"  +", line)[0] for line in table[1].strip().splitlines()]
    assert shown == [step.title for step in STEPS]


USED = re.compile(r"^(?:kubectl |credential_process = )?(awssts [^\n|&>)]*)", re.MULTILINE)
COMMANDS_SHOWN = sorted({line for block in everywhere() for line in USED.findall(block.text)})


@pytest.mark.parametrize("line", COMMANDS_SHOWN)
def test_commands_in_the_documents_can_be_typed(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    _, name, *words = shlex.split(line)
    main.commands[name].make_context(name, words, parent=click.Context(main, **main.context_settings))


def test_the_reference_of_commands_is_what_they_say() -> None:
    assert (ROOT / "docs" / "cli.md").read_text() == reference(), "run make reference"


@pytest.mark.parametrize(("name", "text"), (fields.documents() | told.documents()).items())
def test_references_are_what_the_code_says(name: str, text: str) -> None:
    assert (ROOT / "docs" / name).read_text() == text, "run make reference"


@pytest.mark.parametrize(
    ("description", "told"),
    [
        ("Name of the Secret. Default: the request's name.", ("Name of the Secret.", "the request's name")),
        ("Where. Default: /var/run/secrets/awssts.dev.", ("Where.", "/var/run/secrets/awssts.dev")),
        ("Type. Default: Opaque. It can't change.", ("Type. It can't change.", "Opaque")),
        ("Name of the Secret.", ("Name of the Secret.", "")),
    ],
)
def test_defaults_have_a_column_of_their_own(description: str, told: tuple[str, str]) -> None:
    assert fields.split(description) == told


def test_every_document_is_in_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    listed = {link.partition("#")[0] for link in LINK.findall(index.read_text())}
    assert {path.name for path in index.parent.glob("*.md")} - {index.name} <= listed
