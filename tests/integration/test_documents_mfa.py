"""The commands of docs/mfa.md, run as they are written there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.documents import commands
from tests.integration.patience import eventually
from tests.integration.terminal import Terminal
from tests.integration.test_mfa_people import until_asked
from tests.integration.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testbed.cluster import Cluster
    from testbed.sts import StrictSts, User
    from tests.integration.kube import Api


@pytest.fixture
def payments(cluster: Cluster, api: Api) -> Iterator[Workspace]:
    """The namespace that the document speaks of."""
    space = Workspace(api, "payments")
    cluster.kubectl("create", "namespace", space.name)
    yield space
    space.clear()


@pytest.mark.usefixtures("operator")
def test_a_seed_and_codes(cluster: Cluster, payments: Workspace, sts: StrictSts, user: User, tmp_path: Path) -> None:
    device = sts.device(user)
    terminal = Terminal(cluster, payments, tmp_path).environment | {"SEED": device.seed}
    payments.keys(user)
    payments.request(mfa={"serialNumber": device.serial_number})
    with commands("docs/mfa.md") as shown:
        until_asked(payments)
        shown.run("code", environment=terminal, given=f"{device.code()}\n")  # then 123456, which is none
        eventually(lambda: payments.held_key() and payments.condition()["status"] == "True", "credentials")
        shown.run("seed", environment=terminal)
        assert payments.secret("reports-mfa") == {"seed": device.seed}
