"""One strict STS for a worker, with a user that may assume a role: each of its sessions is another name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.sts import StrictSts, User
from tests.conformance.pod import ROLE

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def sts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StrictSts]:
    with StrictSts(tmp_path_factory.mktemp("sts")) as running:
        yield running


@pytest.fixture(scope="session")
def user(sts: StrictSts) -> User:
    made = sts.user("service")
    sts.role(ROLE, made.arn)
    return made
