"""`awssts explain` and the operator come to the same, on the same policies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integration import policies
from tests.integration.patience import eventually
from tests.integration.policies import PERSON, TOTP, mfa
from tests.integration.terminal import Terminal

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.cluster import Cluster
    from testbed.sts import User
    from tests.integration.kube import Json
    from tests.integration.policies import Administrator
    from tests.integration.workspace import Workspace

admin, device = policies.admin, policies.device
pytestmark = pytest.mark.usefixtures("operator")

SERIAL = "arn:aws:iam::123456789012:mfa/reports"
NIGHT = {"script": {"expression": "'night' in principal.attributes.shift"}}


@pytest.fixture
def terminal(cluster: Cluster, space: Workspace, tmp_path: Path) -> Terminal:
    return Terminal(cluster, space, tmp_path)


@pytest.mark.parametrize(
    ("policy", "spec"),
    [
        ({}, {}),
        ({"mfa": mfa(TOTP)}, {}),
        ({"mfa": mfa(TOTP)}, {"mfa": {"serialNumber": SERIAL}}),
        ({"mfa": mfa(PERSON, **NIGHT)}, {}),
        ({"authorization": {"principalAttribute": {"name": "team", "value": "sales"}}}, {}),
        ({"authorization": {"rolesFromAttribute": "roles"}}, {"role": {"arn": "arn:aws:iam::123456789012:role/admin"}}),
        ({"limits": {"maxDuration": "1h"}}, {"duration": "2h"}),
        ({"limits": {"requireCredentialsLabel": True}}, {}),
        ({"mfa": mfa(other=[{"name": "not-there"}])}, {}),
    ],
    ids=[
        "allowed",
        "no device",
        "no seed",
        "a trigger that does not fire",
        "another team",
        "another role",
        "too long",
        "labelled",
        "a plug-in that is nowhere",
    ],
)
def test_the_same_verdict(
    admin: Administrator, terminal: Terminal, space: Workspace, user: User, policy: Json, spec: dict[str, Any]
) -> None:
    space.keys(user)
    admin.attributes(team="pay", shift="day", roles="arn:aws:iam::123456789012:role/reports")
    admin.policy(**{"limits": {"allowRoot": True}, **policy})
    space.request(**spec)
    verdict = eventually(lambda: space.condition(kind="Authorized"), "the operator's verdict")
    told = terminal.run("awssts", "explain", "reports").stdout
    if "not-there" in str(policy):  # the one thing that only the operator's own machine has
        assert "plug-in not-there says no: it is not installed here" in told
    elif verdict["status"] == "True":
        assert verdict["message"].replace("allowed", "Allowed") in told
        assert "Denied" not in told.splitlines()[-1]
    else:
        assert f"Denied: {verdict['reason']}: {verdict['message']}" in told.splitlines()
