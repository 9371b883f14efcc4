"""Every command and manifest in the documents is run by a test, or says why it can't be."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.documents import BY_MODELS, DOCUMENTS, LANGUAGES, PARTS, ROOT, Block, blocks, everywhere, named

if TYPE_CHECKING:
    from pathlib import Path

TESTS = ROOT / "tests"
TAKEN = re.compile(r'\bcommands\("([^"]+)"\)')
SAVED = re.compile(r'\bsaved\("([^"]+)", "([^"]+)"')


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_block_is_found_and_has_a_language(document: Path) -> None:
    found = blocks(document)
    fences = re.findall(r"^ *(?:```|~~~)", document.read_text(), re.MULTILINE)
    assert len(fences) == 2 * len(found), "fences begin their lines"
    assert {block.language for block in found} <= LANGUAGES


@pytest.mark.parametrize("block", everywhere("sh"), ids=str)
def test_commands_are_run_or_say_why_not(block: Block) -> None:
    assert block.mark in {"test", "not run"}, f"what is in {block} is run by no test: see tests/documents.py"
    assert block.mark == "test" or len(block.name.split()) > 3


@pytest.mark.parametrize("block", everywhere("yaml"), ids=str)
def test_manifests_are_whole_or_can_be_completed(block: Block) -> None:
    assert block.objects
    if block.mark == "given to":
        assert block.text.startswith("# ")
    elif not block.complete and block.document not in BY_MODELS:
        assert block.mark == "part of", f"what is in {block} is no whole manifest: see tests/documents.py"
        assert block.name in PARTS


def test_each_document_is_taken_by_one_test() -> None:
    taken = Counter(found for path in TESTS.rglob("test_*.py") for found in TAKEN.findall(path.read_text()))
    assert set(taken.values()) <= {1}
    assert set(taken) == {block.document for block in everywhere() if block.mark == "test"}


def test_what_is_for_other_programs_is_given_to_them() -> None:
    given = {found for path in TESTS.rglob("test_*.py") for found in SAVED.findall(path.read_text())}
    shown = {(block.document, block.text.splitlines()[0].removeprefix("# ")) for block in everywhere("yaml")}
    assert given <= shown
    assert given >= {
        (block.document, block.text.splitlines()[0].removeprefix("# "))
        for block in everywhere()
        if block.mark == "given to"
    }


def test_names_are_of_one_block() -> None:
    names = Counter((block.document, block.name) for block in everywhere() if block.mark == "test")
    assert [name for name, count in names.items() if count > 1] == []


def test_only_what_can_be_run_or_applied_is_marked() -> None:
    allowed = {"sh": {"test", "not run"}, "yaml": {"", "part of", "given to"}}
    assert [block for block in everywhere() if block.mark not in allowed.get(block.language, {""})] == []
