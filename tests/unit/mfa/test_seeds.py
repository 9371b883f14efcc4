"""A seed that is missing, empty, garbage or of another device: told precisely, and nothing is used up."""

import pytest

from awssts.domain.status import MFA_SATISFIED, RECONCILING
from tests.unit.builders import HOUR, MINUTE, encoded
from tests.unit.mfa.stage import Process, Stage, device


@pytest.mark.parametrize(
    ("data", "reason", "problem"),
    [
        (None, "SecretNotFound", "'reports-mfa'"),
        ({}, "SecretKeyMissing", "no key seed"),
        ({"token": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"}, "SecretKeyMissing", "no key seed"),
        ({"seed": ""}, "SecretInvalid", "empty"),
        ({"seed": " \n"}, "SecretInvalid", "empty"),
        ({"seed": b"\xff\xfe"}, "SecretInvalid", "not text"),
        ({"seed": "my-secret-1890"}, "SecretInvalid", "base32"),
        ({"seed": "JBSWY3DPEHPK3PXP"}, "SecretInvalid", "too short"),
    ],
)
def test_a_seed_that_can_not_be_used(
    stage: Stage, process: Process, data: dict | None, reason: str, problem: str
) -> None:
    """Nothing is used up; when it is mended, all goes on by itself."""
    good = stage.cluster.secrets["team", "reports-mfa"]["data"]
    stage.cluster.delete_secret(("team", "reports-mfa"))
    if data is not None:
        stage.give("reports-mfa", encoded(data))
    stage.apply("reports", mfa=device())
    process.settle()
    assert stage.told("reports") == f"False {reason}"
    assert problem in stage.message("reports")
    for value in (data or {}).values():
        assert len(value) < 4 or str(value) not in str(stage.cluster.requests)
    assert stage.sts.calls == []
    assert stage.cluster.steps() == []
    stage.give("reports-mfa", good)
    stage.let_pass(process, 2 * MINUTE)
    assert stage.told("reports") == "True Issued"


def test_a_wrong_seed_is_tried_with_patience(stage: Stage, process: Process) -> None:
    stage.give("reports-mfa", encoded({"seed": "KRSXG5CTMVRXEZLUKN2HEZLOM5ZGK43T"}))
    stage.apply("reports", mfa=device())
    stage.let_pass(process, HOUR)
    assert stage.told("reports") == "False InvalidTokenCode"
    assert stage.message("reports", RECONCILING)
    assert stage.message("reports", MFA_SATISFIED)
    assert stage.sts.codes < 60
    assert stage.sts.refused == stage.sts.codes
