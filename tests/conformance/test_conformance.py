"""Each SDK, in each layout, in each situation: the tables in docs/consume.md say what it does."""

from __future__ import annotations

import json
from dataclasses import astuple
from typing import TYPE_CHECKING

import pytest

from tests.conformance import table
from tests.conformance.pod import Pod
from tests.conformance.scenarios import ROWS, Row
from tests.conformance.sdks import SDKS, Missing, Sdk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from testbed.sts import StrictSts, User


@pytest.mark.timeout(300)  # seconds, for a program that hangs twice, and has to be built first where nobody did
@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.layout}: {row.title}")
@pytest.mark.parametrize("sdk", SDKS, ids=lambda sdk: sdk.name)
def test_sdk(
    sdk: Sdk, row: Row, sts: StrictSts, user: User, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    try:
        command = sdk.command()
    except Missing as reason:
        pytest.skip(str(reason))
    with Pod(sts, user, command, tmp_path) as pod:
        cell = row.measure(pod, sdk.name)
    record_property(table.PROPERTY, json.dumps([*table.key(sdk, row), *astuple(cell)]))
    if not table.WRITES:
        assert cell == table.documented(table.DOCUMENT.read_text())[table.key(sdk, row)]
