"""Access keys that AWS doesn't know, though they have been there for long: wrong, deleted or deactivated.

A file of its own with few tests, so that pytest-xdist comes to it late: the Secrets have to be two minutes old.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.sts import Key
from tests.integration.patience import eventually
from tests.integration.workspace import Pod

if TYPE_CHECKING:
    from testbed.sts import StrictSts, User
    from tests.integration.conftest import LongSince

pytestmark = pytest.mark.usefixtures("operator")


@pytest.mark.timeout(300)
def test_a_key_that_aws_does_not_know(long_since: LongSince, user: User) -> None:
    space = long_since.space
    long_since.wait()
    space.request("unknown", keys="unknown-iam")
    message = space.until_reason("InvalidAccessKey", "unknown")["message"]
    assert "AWS knows no such access key: check that it was not deleted or deactivated" in message
    assert space.condition("unknown")["status"] == "False"
    eventually(lambda: space.events("unknown") == [("Warning", "InvalidAccessKey")], "the Event")
    space.keys(user, "unknown-iam")
    space.until_ready("unknown")


@pytest.mark.timeout(300)
def test_a_key_that_was_deleted(long_since: LongSince, sts: StrictSts) -> None:
    space, user = long_since.space, long_since.user
    pod = Pod(space, sts, "deleted")
    long_since.wait()
    space.request("deleted", keys="deleted-iam")
    issued = space.until_ready("deleted")["accessKeyId"]
    sts.iam.delete_access_key(UserName=user.name, AccessKeyId=user.access_key_id)
    space.renew("deleted")
    space.until_reason("InvalidAccessKey", "deleted")
    ready = space.condition("deleted")
    assert (ready["status"], ready["reason"]) == ("True", "RenewalFailing")
    assert space.held_key("deleted") == issued
    assert pod.identity() == user.arn
    another = sts.iam.create_access_key(UserName=user.name)["AccessKey"]
    space.keys(Key(another["AccessKeyId"], another["SecretAccessKey"]), "deleted-iam")
    space.until_ready("deleted")
    assert pod.identity() == user.arn
