"""IAM, as far as no IAM is needed."""

import pytest

from awssts.adapters.iam import Iam
from awssts.domain.errors import StsUnavailable
from testbed.process import free_port
from tests.unit.builders import KEY


async def test_its_calls_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_IAM", f"http://127.0.0.1:{free_port()}")
    told: list[tuple[str, str, str]] = []
    iam = Iam(lambda service, operation, code, _: told.append((service, operation, code)))
    with pytest.raises(StsUnavailable):
        await iam.user_tags(KEY, region=None)
    await iam.close()
    assert told == [("iam", "GetUser", "Unavailable")]
