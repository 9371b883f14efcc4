"""Bad input: each kind with its own reason, a text that helps, and one Event; what was issued before stays.

The Secrets with the keys are labelled, so a change of them is seen at once.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from testbed.process import ReportedError
from testbed.sts import Key, allow
from tests.integration.patience import eventually, throughout
from tests.integration.workspace import WATCHED, Pod, Workspace, calls_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed.cluster import Cluster
    from testbed.sts import StrictSts, User

pytestmark = pytest.mark.usefixtures("operator")

WRONG = "wrongWRONGwrongWRONGwrongWRONGwrongWRONG"


def without_secret(space: Workspace, user: User) -> None:
    space.delete_secret("reports-iam")
    assert user


def without_key(space: Workspace, user: User) -> None:
    space.secret_of("reports-iam", {"aws_access_key_id": user.access_key_id}, WATCHED)


def with_empty_value(space: Workspace, user: User) -> None:
    data = {"aws_access_key_id": user.access_key_id, "aws_secret_access_key": ""}
    space.secret_of("reports-iam", data, WATCHED)


def with_something_else(space: Workspace, user: User) -> None:
    data = {"aws_access_key_id": "reports@example.com", "aws_secret_access_key": user.secret_access_key}
    space.secret_of("reports-iam", data, WATCHED)


def with_temporary_key(space: Workspace, user: User) -> None:
    data = {"aws_access_key_id": "ASIAIOSFODNN7EXAMPLE", "aws_secret_access_key": user.secret_access_key}
    space.secret_of("reports-iam", data, WATCHED)


def with_wrong_secret(space: Workspace, user: User) -> None:
    space.keys(Key(user.access_key_id, WRONG))


def with_bytes(space: Workspace, user: User) -> None:
    space.keys(user)
    space.change_secret("reports-iam", data={"aws_secret_access_key": "/////w=="})


@dataclass(frozen=True)
class Mistake:
    """How the credentials Secret is spoilt, and what is said of it."""

    make: Callable[[Workspace, User], None]
    reason: str
    message: str  # a pattern


MISTAKES = [
    Mistake(without_secret, "SecretNotFound", r"there is no Secret 'reports-iam' in namespace '\S+': create it with"),
    Mistake(without_key, "SecretKeyMissing", r"Secret 'reports-iam' has no key aws_secret_access_key or AWS_\S+: add"),
    Mistake(with_empty_value, "SecretInvalid", r"Secret 'reports-iam': aws_secret_access_key is empty"),
    Mistake(with_something_else, "SecretInvalid", r"aws_access_key_id is not an access key id \(.*AKIA"),
    Mistake(with_temporary_key, "SecretInvalid", r"is the id of temporary credentials \(ASIA…\); give the long-term"),
    Mistake(with_bytes, "SecretInvalid", r"Secret 'reports-iam': aws_secret_access_key is not text"),
    Mistake(with_wrong_secret, "InvalidSecretKey", r"secret"),
]
mistakes = pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.make.__name__)


def refused(cluster: Cluster, space: Workspace, duration: str) -> str:
    """What kubectl says of a request with such a duration."""
    document = f"""
        apiVersion: awssts.dev/v1alpha1
        kind: AwsStsRequest
        metadata: {{name: refused}}
        spec: {{credentialsSecretRef: {{name: reports-iam}}, duration: {duration}}}
    """
    with pytest.raises(ReportedError) as error:
        cluster.kubectl("apply", f"--namespace={space.name}", "--filename=-", input=document)
    return str(error.value)


def told_once(space: Workspace, reason: str) -> None:
    """One Event for a change, however often it is tried again."""
    eventually(lambda: ("Warning", reason) in space.events(), "the Event")
    throughout(lambda: space.events().count(("Warning", reason)) == 1, "another Event", seconds=1.5)


@mistakes
def test_from_the_beginning(space: Workspace, sts: StrictSts, user: User, pod: Pod, mistake: Mistake) -> None:
    mistake.make(space, user)
    space.request()
    stalled = space.until_reason(mistake.reason)
    assert re.search(mistake.message, stalled["message"])
    ready = space.condition()
    assert (ready["status"], ready["reason"], ready["message"]) == ("False", mistake.reason, stalled["message"])
    told_once(space, mistake.reason)
    assert space.secret() is None
    assert len(calls_of(sts, user)) <= 1

    space.keys(user)
    space.until_ready()
    assert pod.identity() == user.arn


@mistakes
def test_what_was_issued_stays(space: Workspace, user: User, pod: Pod, mistake: Mistake) -> None:
    space.keys(user)
    space.request()
    issued = space.until_ready()["accessKeyId"]
    mistake.make(space, user)
    stalled = space.until_reason(mistake.reason)
    assert re.search(mistake.message, stalled["message"])
    ready = space.condition()
    assert (ready["status"], ready["reason"]) == ("True", "RenewalFailing")
    assert issued in ready["message"]
    assert stalled["message"] in ready["message"]
    assert space.held_key() == issued
    assert pod.identity() == user.arn

    space.keys(user)
    space.until_ready()
    assert pod.identity() == user.arn


def test_a_secret_without_label_is_found_in_time(space: Workspace, user: User) -> None:
    """Nobody tells of it, so it is looked for: after a second, then less and less often, each minute at least."""
    space.request()
    space.until_reason("SecretNotFound")
    space.keys(user, watched=False)
    space.until_ready(timeout=90)


@pytest.mark.parametrize(
    ("duration", "message"),
    [
        ("10m", "must be at least 15m and at most 36h"),
        ("37h", "must be at least 15m and at most 36h"),
        ("899", "must be at least 15m and at most 36h"),
        ("soon", "write a duration like 12h, 1h30m, PT12H or a number of seconds"),
        ("1d", "write a duration like 12h, 1h30m, PT12H or a number of seconds"),
    ],
)
def test_durations_are_refused_at_once(cluster: Cluster, space: Workspace, duration: str, message: str) -> None:
    said = refused(cluster, space, duration)
    assert "spec.duration: Invalid value: " in said
    assert message in said


def test_a_refused_change_changes_nothing(cluster: Cluster, space: Workspace, user: User, pod: Pod) -> None:
    space.keys(user)
    space.request()
    issued = space.until_ready()["accessKeyId"]
    with pytest.raises(ReportedError, match="must be at least 15m and at most 36h"):
        cluster.kubectl(
            "patch",
            "awssts/reports",
            f"--namespace={space.name}",
            "--type=merge",
            '--patch={"spec": {"duration": "37h"}}',
        )
    assert space.held_key() == issued
    assert pod.identity() == user.arn


def test_a_role_that_does_not_trust(sts: StrictSts, space: Workspace, user: User, pod: Pod) -> None:
    stranger = sts.user(f"{user.name}-trusted")
    role = sts.role(f"role-of-{user.name}", trust=stranger.arn)
    space.keys(user)
    space.request(role={"arn": role})
    message = space.until_reason("AccessDenied")["message"]
    assert f"User: {user.arn} is not authorized to perform: sts:AssumeRole on resource: {role}" in message
    assert "trust policy" in message
    told_once(space, "AccessDenied")
    assert space.secret() is None
    space.keys(stranger)
    space.until_ready()
    assert f"assumed-role/role-of-{user.name}/" in pod.identity()


def test_a_role_that_trusts_no_more(sts: StrictSts, space: Workspace, user: User, pod: Pod) -> None:
    name = f"role-of-{user.name}"
    role = sts.role(name, trust=user.arn)
    space.keys(user)
    space.request(role={"arn": role})
    issued = space.until_ready()["accessKeyId"]
    trust_instead(sts, name, sts.user(f"{user.name}-trusted").arn)
    space.renew()
    space.until_reason("AccessDenied")
    assert (space.condition()["status"], space.condition()["reason"]) == ("True", "RenewalFailing")
    assert space.held_key() == issued
    assert "assumed-role" in pod.identity()
    trust_instead(sts, name, user.arn)
    space.renew()
    space.until_renewed(issued)
    space.until_ready()


def trust_instead(sts: StrictSts, role: str, principal: str) -> None:
    policy = {"Version": "2012-10-17", "Statement": [allow(principal)]}
    sts.iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(policy))


def test_the_target_of_another_request(sts: StrictSts, space: Workspace, user: User, pod: Pod) -> None:
    space.keys(user)
    space.request()
    issued = space.until_ready()["accessKeyId"]
    space.request("second", target={"name": "reports"})
    message = space.until_reason("TargetConflict", "second")["message"]
    assert "target Secret 'reports' is that of AwsStsRequest 'reports'" in message
    assert space.condition("second")["status"] == "False"
    assert space.held_key() == issued
    space.until_ready()
    assert len(calls_of(sts, user)) == 1
    space.change("second", target={"name": "second"})
    space.until_ready("second")
    assert pod.identity() == user.arn


def test_two_new_requests_with_one_target(sts: StrictSts, space: Workspace, user: User, pod: Pod) -> None:
    """One gets it, the other is told; never do both write."""
    space.keys(user)
    for name in ("first", "second"):
        space.request(name, target={"name": "reports"})

    def decided() -> set[str]:
        reasons = {space.condition(name).get("reason", "") for name in ("first", "second")}
        return reasons if reasons == {"Issued", "TargetConflict"} else set()

    eventually(decided, "one winner")
    assert len(calls_of(sts, user)) == 1
    loser = next(name for name in ("first", "second") if space.condition(name)["reason"] == "TargetConflict")
    winner = "second" if loser == "first" else "first"
    space.delete_request(winner)
    space.delete_secret()  # as garbage collection does
    space.until_ready(loser, timeout=90)
    assert pod.identity() == user.arn


def test_a_secret_that_is_not_ours(sts: StrictSts, space: Workspace, user: User, pod: Pod) -> None:
    space.keys(user)
    space.secret_of("reports", {"precious": "made by somebody else"})
    space.request()
    message = space.until_reason("TargetConflict")["message"]
    assert "Secret 'reports' exists and was not made by awssts" in message
    assert "creationPolicy: Adopt" in message
    told_once(space, "TargetConflict")
    assert space.secret() == {"precious": "made by somebody else"}
    assert "ownerReferences" not in space.metadata()
    assert calls_of(sts, user) == []
    space.delete_secret()
    space.until_ready(timeout=90)
    assert pod.identity() == user.arn


def test_moved_to_a_secret_that_is_not_ours(sts: StrictSts, space: Workspace, user: User, pod: Pod) -> None:
    """What was issued under the old name stays usable."""
    space.keys(user)
    space.secret_of("precious", {"precious": "made by somebody else"})
    space.request()
    issued = space.until_ready()["accessKeyId"]
    space.change(target={"name": "precious"})
    space.until_reason("TargetConflict")
    assert space.secret("precious") == {"precious": "made by somebody else"}
    assert space.held_key() == issued
    assert pod.identity() == user.arn
    space.change(target=None)
    space.until_ready()
    assert space.held_key() == issued
    assert len(calls_of(sts, user)) == 1


def test_a_type_that_can_not_change(space: Workspace, user: User, pod: Pod) -> None:
    """Kubernetes refuses it; what was issued stays, and goes on being renewed once it is taken back."""
    space.keys(user)
    space.request()
    issued = space.until_ready()["accessKeyId"]
    space.change(target={"template": {"type": "example.com/aws"}})
    assert "Kubernetes refuses the object" in space.until_reason("TargetRejected")["message"]
    assert (space.condition()["status"], space.condition()["reason"]) == ("True", "RenewalFailing")
    assert space.held_key() == issued
    assert pod.identity() == user.arn
    space.change(target=None)
    space.until_ready()


def test_a_new_key_that_aws_does_not_know(space: Workspace, user: User) -> None:
    """AWS takes some seconds to know a new key everywhere: for two minutes it may be just that."""
    space.keys(Key("AKIAIOSFODNN7EXAMPLE", WRONG))
    space.request()
    message = space.until_reason("AccessKeyNotActiveYet", kind="Reconciling")["message"]
    assert "is new, and AWS does not know it everywhere yet" in message
    space.keys(user)
    space.until_ready()
