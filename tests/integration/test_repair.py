"""Renewals, changes of mind, and what other people do to the target Secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration import kube
from tests.integration.patience import eventually, throughout
from tests.integration.workspace import Pod, Workspace, calls_of

if TYPE_CHECKING:
    from testbed.sts import StrictSts, User

pytestmark = pytest.mark.usefixtures("operator")


@pytest.fixture
def issued(space: Workspace, user: User) -> str:
    """The access key id of a request `reports` that has its credentials."""
    space.keys(user)
    space.request()
    key: str = space.until_ready()["accessKeyId"]
    return key


# --- renewals ------------------------------------------------------------------------------------------


def test_renew_asks_for_one_renewal(sts: StrictSts, space: Workspace, user: User, issued: str, pod: Pod) -> None:
    space.renew()
    second = space.until_renewed(issued)
    assert space.until_ready()["accessKeyId"] == second
    assert pod.identity() == user.arn
    throughout(lambda: len(calls_of(sts, user)) == 2, "another call", seconds=2)


def test_renewed_by_expiry_without_a_gap(sts: StrictSts, space: Workspace, user: User, pod: Pod) -> None:
    """Credentials that live 15 seconds: whenever a pod looks, those in the Secret work."""
    space.keys(user)
    sts.fault("expiry", seconds=15, access_key_id=user.access_key_id)
    space.request(duration="15m")
    space.until_ready()

    def renewed_twice() -> bool:
        assert pod.identity() == user.arn
        return len(pod.seen) == 3

    eventually(renewed_twice, "two renewals", timeout=90)
    assert len(calls_of(sts, user)) <= 4
    assert space.events() == [("Normal", "Issued")]


def test_a_changed_duration(sts: StrictSts, space: Workspace, user: User, issued: str) -> None:
    space.change(duration="2h")
    space.until_renewed(issued)
    space.until_ready()
    assert [call.duration_seconds for call in calls_of(sts, user)] == [43_200, 7_200]


def test_the_same_duration_in_other_words(sts: StrictSts, space: Workspace, user: User, issued: str) -> None:
    space.change(duration="PT12H")
    eventually(lambda: space.status()["observedGeneration"] == 2, "the new generation")
    assert space.held_key() == issued
    assert len(calls_of(sts, user)) == 1


def test_a_changed_role(sts: StrictSts, space: Workspace, user: User, issued: str, pod: Pod) -> None:
    role = sts.role(f"role-of-{user.name}", trust=user.arn)
    space.change(role={"arn": role})
    second = space.until_renewed(issued)
    assert pod.identity().endswith(f"assumed-role/role-of-{user.name}/{space.name}.reports")
    assert space.until_ready()["roleArn"] == role
    space.change(role=None)
    space.until_renewed(second)
    assert pod.identity() == user.arn
    assert "roleArn" not in space.until_ready()


def test_renew_before_moves_the_renewal_only(sts: StrictSts, space: Workspace, user: User, issued: str) -> None:
    before = space.status()["nextRenewal"]
    space.change(renewBefore="1h")
    eventually(lambda: space.status()["nextRenewal"] > before, "the later renewal")
    assert space.held_key() == issued
    assert len(calls_of(sts, user)) == 1


def test_a_changed_key_in_a_labelled_secret(
    sts: StrictSts, space: Workspace, user: User, issued: str, pod: Pod
) -> None:
    successor = sts.user(f"{user.name}-successor")
    space.keys(successor)
    space.until_renewed(issued)
    assert pod.identity() == successor.arn
    assert len(calls_of(sts, successor)) == 1


def test_a_changed_key_in_a_secret_without_label(sts: StrictSts, space: Workspace, user: User, pod: Pod) -> None:
    """Such a Secret isn't watched: the change is seen at the next renewal."""
    space.keys(user, watched=False)
    space.request()
    first = space.until_ready()["accessKeyId"]
    successor = sts.user(f"{user.name}-successor")
    space.keys(successor, watched=False)
    space.renew()
    space.until_renewed(first)
    assert pod.identity() == successor.arn


def test_suspended_and_resumed(sts: StrictSts, space: Workspace, user: User, issued: str, pod: Pod) -> None:
    space.change(suspend=True)
    eventually(lambda: space.condition()["reason"] == "Suspended", "the condition")
    assert space.condition()["status"] == "True"
    assert "nextRenewal" not in space.status()
    space.renew()
    space.change(duration="2h")
    throughout(lambda: space.held_key() == issued, "a renewal", seconds=2)
    assert pod.identity() == user.arn
    space.change(suspend=False)
    space.until_renewed(issued)
    space.until_ready()
    assert len(calls_of(sts, user)) == 2


def test_suspended_from_the_beginning(sts: StrictSts, space: Workspace, user: User) -> None:
    space.keys(user)
    space.request(suspend=True)
    eventually(lambda: space.condition().get("reason") == "Suspended", "the condition")
    assert space.condition()["status"] == "False"
    assert space.secret() is None
    space.change(suspend=None)
    space.until_ready()
    assert len(calls_of(sts, user)) == 1


# --- the target Secret ---------------------------------------------------------------------------------


def test_a_deleted_target(space: Workspace, user: User, issued: str, pod: Pod) -> None:
    space.delete_secret()
    eventually(lambda: space.secret() is not None, "the Secret")
    assert space.held_key() != issued
    assert pod.identity() == user.arn
    assert space.until_ready()["accessKeyId"] == space.held_key()


@pytest.mark.parametrize(
    "change",
    [
        {"stringData": {"AWS_SESSION_TOKEN": "scribbled-over-by-somebody"}},
        {"data": {"AWS_SECRET_ACCESS_KEY": None}},
        {"data": None},
        {"metadata": {"annotations": {"awssts.dev/expiration": None}}},
        {"metadata": {"annotations": {"awssts.dev/content-digest": None}}},
    ],
)
def test_an_altered_target(space: Workspace, user: User, issued: str, pod: Pod, change: kube.Json) -> None:
    space.change_secret(**change)
    space.until_renewed(issued)
    assert pod.identity() == user.arn
    space.until_ready()


def test_a_label_that_was_taken_off(sts: StrictSts, space: Workspace, user: User, issued: str) -> None:
    space.change_secret(metadata={"labels": {"awssts.dev/type": None}})
    eventually(lambda: space.metadata().get("labels") == {"awssts.dev/type": "target"}, "the label")
    assert space.held_key() == issued
    assert len(calls_of(sts, user)) == 1


def test_a_fight_costs_one_call_a_minute(sts: StrictSts, space: Workspace, user: User, issued: str) -> None:
    """Somebody's other tool deletes the Secret whenever it is there."""

    def fight() -> bool:
        space.delete_secret()
        return len(calls_of(sts, user)) <= 2  # the first and one repair

    throughout(fight, "more than one repair a minute", seconds=10)
    assert issued
    assert space.condition()["status"] == "False"


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_key_that_somebody_added(sts: StrictSts, space: Workspace, user: User, issued: str, pod: Pod) -> None:
    """A server-side apply does not take a foreign key away: that is no reason to call STS each minute."""
    space.change_secret(stringData={"comment": "kilroy was here"})
    throughout(lambda: len(calls_of(sts, user)) <= 2, "a call each minute", seconds=75)
    assert issued
    assert pod.identity() == user.arn
    space.until_ready()


def test_another_layout(sts: StrictSts, space: Workspace, user: User, issued: str) -> None:
    """The credentials that are there are written anew; STS isn't asked."""
    space.change(target={"formats": ["CredentialsFile"], "profile": "nightly"})
    eventually(lambda: set(space.secret() or ()) == {"credentials"}, "one format")
    file = (space.secret() or {})["credentials"]
    assert file.startswith(f"[nightly]\naws_access_key_id={issued}\n")
    space.change(region="eu-west-1", target={"formats": None, "profile": None, "template": {"labels": {"a": "b"}}})
    eventually(lambda: space.held_key() == issued, "all formats")
    data = space.secret() or {}
    assert data["AWS_REGION"] == "eu-west-1"
    assert data["credentials"].startswith("[default]\n")
    assert space.metadata()["labels"] == {"a": "b", "awssts.dev/type": "target"}
    assert space.until_ready()["accessKeyId"] == issued
    assert len(calls_of(sts, user)) == 1


def test_orphaned(space: Workspace, user: User, sts: StrictSts) -> None:
    space.keys(user)
    space.request(target={"creationPolicy": "Orphan"})
    key = space.until_ready()["accessKeyId"]
    assert "ownerReferences" not in space.metadata()
    space.change(target={"creationPolicy": "Owner"})
    eventually(lambda: "ownerReferences" in space.metadata(), "the owner reference")
    space.change(target={"creationPolicy": "Orphan"})
    eventually(lambda: "ownerReferences" not in space.metadata(), "no owner reference")
    assert space.held_key() == key
    assert len(calls_of(sts, user)) == 1


def test_adopted(sts: StrictSts, space: Workspace, user: User, pod: Pod) -> None:
    """A Secret that was there before is taken over, and stays when the request goes."""
    space.keys(user)
    space.secret_of("reports", {"AWS_ACCESS_KEY_ID": "old", "AWS_SECRET_ACCESS_KEY": "old"})
    space.request(target={"creationPolicy": "Adopt"})
    space.until_ready()
    assert pod.identity() == user.arn
    assert "ownerReferences" not in space.metadata()
    throughout(lambda: len(calls_of(sts, user)) == 1, "another call", seconds=3)


def test_another_target(sts: StrictSts, space: Workspace, user: User, issued: str, pod: Pod) -> None:
    space.change(target={"name": "reports-aws"})
    eventually(lambda: space.held_key("reports-aws"), "the new Secret")
    assert Pod(space, sts, "reports-aws").identity() == user.arn
    assert space.until_ready()["secretName"] == "reports-aws"
    if space.secret() is not None:  # the old one is nobody's concern any more, but a pod may still use it
        assert space.held_key() == issued
        assert pod.identity() == user.arn


def test_a_request_that_is_being_deleted_gets_nothing_new(
    sts: StrictSts, space: Workspace, user: User, issued: str
) -> None:
    """Its end waits for somebody's finalizer; garbage collection has taken the Secret already."""
    where = kube.path(kube.REQUESTS, space.name, "reports")
    space.api.merge(where, {"metadata": {"finalizers": ["example.com/archive"]}})
    try:
        space.delete_request()
        throughout(lambda: space.held_key() == issued, "the Secret", seconds=1)  # two watches tell in any order
        space.delete_secret()
        throughout(lambda: space.secret() is None, "a new Secret", seconds=3)
        assert len(calls_of(sts, user)) == 1
    finally:
        space.api.merge(where, {"metadata": {"finalizers": None}})
