"""A release that works, and the first pods that use what it gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.sts import allow
from tests.e2e.pods import consuming
from tests.e2e.release import HERE

if TYPE_CHECKING:
    from testbed.helm import Helm
    from testbed.sts import StrictSts, User
    from tests.e2e.pods import Team
    from tests.e2e.watched import Watched

WITH_MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}

pytestmark = pytest.mark.timeout(900)  # it starts a cluster


def test_helm_test(installed: Helm) -> None:
    said = installed("test", "awssts", HERE, "--logs")
    assert "A request would be taken.\nThe admission webhook has stamped it.\n" in said


def test_a_pod_with_environment_variables(team: Team, sts: StrictSts, user: User) -> None:
    team.request("job", target={"formats": ["Environment"]})
    spec = consuming(sts, {"envFrom": [{"secretRef": {"name": "job"}}]}, "--once")
    said = team.pod("job", spec).first_words()
    assert said["arn"] == user.arn
    assert said["key"] == team.key("job") != user.access_key_id


def test_an_injected_pod_waits_for_its_request(watched: Watched) -> None:
    """Its program has nothing but the sidecar, and starts when that has credentials."""
    sidecar = watched.pods["injected sidecar"]
    assert sidecar.first_words(within=180)["arn"] == watched.user.arn
    assert sidecar.restarts() == 0


def test_mfa_from_a_seed(team: Team, sts: StrictSts, user: User) -> None:
    """A role whose trust policy asks for MFA, in a pod."""
    device = sts.device(user)
    team.secret("device", seed=device.seed)
    role = sts.role("reports", {"Statement": [allow(user.arn, condition=WITH_MFA)]})
    team.request(
        "reports",
        role={"arn": role},
        mfa={"serialNumber": device.serial_number, "totpSecretRef": {"name": "device", "key": "seed"}},
        target={"formats": ["Environment"]},
    )
    spec = consuming(sts, {"envFrom": [{"secretRef": {"name": "reports"}}]}, "--once")
    assert ":assumed-role/reports/" in team.pod("reports", spec).first_words()["arn"]
