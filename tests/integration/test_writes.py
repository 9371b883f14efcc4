"""What the operator asks of the API server, from its audit log: little to issue, nothing in the steady state."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.integration import kube
from tests.integration.patience import eventually, throughout
from tests.integration.workspace import Workspace, calls_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed.sts import StrictSts, User
    from tests.integration.audit import Audit

pytestmark = pytest.mark.usefixtures("operator")

ISSUANCE = {"patch secrets": 1, "patch awsstsrequests/status": 1}
FIRST_EVENT = {"create events": 1}
LULL = 8  # seconds: some after its start, the operator looks once for what the watches did not tell
READS = {"get secrets": 2}  # the long-term key, and whether there is a target already


def written(audit: Audit, space: Workspace) -> dict[str, int]:
    """What was asked for, but for what only reads."""
    reading = ("get", "list", "watch")
    return {what: number for what, number in audit.asked(space.name).items() if not what.startswith(reading)}


def test_the_first_issuance(
    space: Workspace, user: User, audit: Audit, record_property: Callable[[str, object], None]
) -> None:
    space.keys(user)
    audit.mark()
    space.request()
    space.until_ready()
    eventually(space.events, "the Event")
    throughout(
        lambda: audit.asked(space.name) <= Counter(ISSUANCE | FIRST_EVENT | READS), f"{audit.asked()}", seconds=2
    )
    asked = audit.asked(space.name)
    assert written(audit, space) == ISSUANCE | FIRST_EVENT
    record_property("asked for the first issuance", str(dict(asked)))


def test_a_renewal(space: Workspace, user: User, audit: Audit, sts: StrictSts) -> None:
    """No Event: nothing has changed that a person would want to know of."""
    space.keys(user)
    space.request()
    first = space.until_ready()["accessKeyId"]
    eventually(space.events, "the Event")
    audit.mark()
    space.renew()
    second = space.until_renewed(first)
    eventually(lambda: space.status()["accessKeyId"] == second, "the status")
    throughout(lambda: audit.asked(space.name) <= Counter(ISSUANCE | {"get secrets": 1}), "more", seconds=2)
    assert written(audit, space) == ISSUANCE
    assert len(calls_of(sts, user)) == 2


def test_all_of_it_says_who_it_is(space: Workspace, user: User, audit: Audit) -> None:
    space.keys(user)
    space.request()
    space.until_ready()
    eventually(space.events, "the Event")
    agents = {event["userAgent"].partition("/")[0] for event in audit.events() if event["verb"] != "watch"}
    assert agents == {"awssts"}


def idle(audit: Audit) -> bool:
    """Whether nothing was asked for but, perhaps, a watch anew: one that tells nothing for long is taken for dead."""
    return all(what.startswith("watch ") for what in audit.asked())


def settled(space: Workspace, user: User, audit: Audit, number: int) -> None:
    """Some requests with credentials, and nothing left to be written."""
    space.keys(user)
    for each in range(number):
        space.request(f"reports-{each}")
    for each in range(number):
        space.until_ready(f"reports-{each}")
    eventually(lambda: audit.asked(space.name)["create events"] == number, "the last Event")
    eventually(lambda: audit.seconds_since_last() > LULL, "the end of what follows a start")
    audit.mark()


def test_ten_steady_seconds(space: Workspace, user: User, audit: Audit, sts: StrictSts) -> None:
    settled(space, user, audit, 5)
    throughout(lambda: idle(audit), "the operator asked for something", seconds=10)
    assert len(calls_of(sts, user)) == 5


@pytest.mark.slow
def test_a_steady_minute(space: Workspace, user: User, audit: Audit, sts: StrictSts) -> None:
    settled(space, user, audit, 20)
    throughout(lambda: idle(audit), "the operator asked for something", seconds=60)
    assert len(calls_of(sts, user)) == 20


def test_changes_of_no_consequence(space: Workspace, user: User, audit: Audit, sts: StrictSts) -> None:
    """Labels, foreign annotations, and Secrets that have nothing to do with us."""
    settled(space, user, audit, 1)
    where = kube.path(kube.REQUESTS, space.name, "reports-0")
    space.api.merge(where, {"metadata": {"labels": {"team": "data"}, "annotations": {"example.com/note": "hello"}}})
    space.secret_of("other", {"password": "correct horse battery staple"})
    space.change_secret("reports-iam", metadata={"annotations": {"example.com/note": "hello"}})
    throughout(lambda: idle(audit), "the operator asked for something", seconds=3)
    assert len(calls_of(sts, user)) == 1


def test_failures_are_not_told_again_and_again(space: Workspace, user: User, audit: Audit) -> None:
    """A request that waits for its Secret is looked at, but nothing is written after the first time."""
    space.request(keys="not-there")
    space.until_reason("SecretNotFound")
    eventually(lambda: space.events() == [("Warning", "SecretNotFound")], "the Event")
    audit.mark()
    throughout(lambda: not written(audit, space), "a write", seconds=8)
    assert audit.asked(space.name)["get secrets"] <= 12
    assert user.access_key_id  # it is never asked for


def test_no_finalizers_and_no_annotations_of_the_framework(space: Workspace, user: User) -> None:
    space.keys(user)
    space.request()
    space.until_ready()
    space.renew()
    space.change(duration="2h")
    space.until_ready()
    objects = [
        space.api.get(kube.path(kube.REQUESTS, space.name, "reports")),
        space.api.get(kube.path(kube.SECRETS, space.name, "reports")),
        space.api.get(kube.path(kube.SECRETS, space.name, "reports-iam")),
    ]
    for found in objects:
        assert found is not None
        assert "finalizers" not in found["metadata"]
        assert "kopf" not in json.dumps(found)
