"""Targets that belong to others."""

from typing import Any

from awssts.domain import names
from tests.unit.builders import HOUR, MINUTE, OTHER_KEY, key_data
from tests.unit.services.world import NAMESPACE, REPORTS, World


def test_a_secret_of_somebody_else_is_not_touched(world: World) -> None:
    world.cluster.put_secret(REPORTS, key_data(OTHER_KEY))
    before = world.secret()
    world.apply()
    world.settle()
    assert world.ready() == "False TargetConflict, Stalled TargetConflict"
    assert (world.secret(), world.sts.calls) == (before, [])


def test_it_is_taken_over_when_the_request_says_adopt(world: World) -> None:
    world.cluster.put_secret(REPORTS, key_data(OTHER_KEY))
    world.apply(target={"creationPolicy": "Adopt"})
    world.settle()
    assert world.ready() == "True Issued"
    assert not (world.secret() or {})["metadata"]["ownerReferences"], "it stays when the request goes"


def test_it_is_used_when_the_other_is_gone(world: World) -> None:
    world.cluster.put_secret(REPORTS, key_data(OTHER_KEY))
    world.apply()
    world.settle()
    world.cluster.delete_secret(REPORTS)
    world.advance(2 * MINUTE)
    assert world.ready() == "True Issued"


def test_two_requests_with_one_target_one_after_the_other(world: World) -> None:
    world.apply("first", target={"name": "shared"})
    world.settle()
    world.apply("second", target={"name": "shared"})
    world.settle()
    assert world.ready((NAMESPACE, "first")) == "True Issued"
    assert world.ready((NAMESPACE, "second")) == "False TargetConflict, Stalled TargetConflict"
    assert len(world.sts.calls) == 1


def test_two_requests_with_one_target_at_the_same_time(world: World) -> None:
    both = (NAMESPACE, "first"), (NAMESPACE, "second")
    for _, name in both:
        world.apply(name, target={"name": "shared"})
    world.work_together(*both)
    world.advance(2 * MINUTE)
    assert sorted(map(world.ready, both)) == ["False TargetConflict, Stalled TargetConflict", "True Issued"]
    assert len(world.sts.calls) == 1


def test_no_quarrel_with_who_takes_the_label_off_again_and_again(world: World) -> None:
    """Such as a mutating webhook. The credentials are good: it is tried once a minute."""

    def strip(_before: Any, after: Any) -> None:
        del after["metadata"]["labels"][names.TYPE_LABEL]

    world.cluster.before_secret_write.append(strip)
    world.apply()
    world.advance(HOUR)
    assert world.ready() == "True Issued"
    assert len(world.sts.calls) == 1
    assert world.cluster.calls.count("apply_secret") <= 2 + 60
    assert world.lag == 0, "no watch is to tell of it"
    world.cluster.before_secret_write.clear()
    world.advance(2 * MINUTE)
    assert (world.secret() or {})["metadata"]["labels"][names.TYPE_LABEL] == names.TARGET


def test_another_layout_is_written_at_once_each_time(world: World) -> None:
    world.apply()
    for formats in (["Environment"], ["CredentialsFile"], ["Environment"]):
        world.settle()
        world.apply(target={"formats": formats})
        world.settle()
    assert "AWS_ACCESS_KEY_ID" in (world.secret() or {})["data"]
    assert len(world.sts.calls) == 1


def test_an_owner_that_a_backup_brought_back_is_no_reason_to_write(world: World) -> None:
    world.apply()
    world.settle()
    found = world.secret()
    assert found is not None
    before = {"apiVersion": names.API_VERSION, "kind": names.KIND, "name": "reports", "uid": "of a former life"}
    owners = [before, *found["metadata"]["ownerReferences"]]
    world.cluster.put_secret(REPORTS, found["data"], ownerReferences=owners)
    assert world.costs(lambda: world.advance(HOUR)) == (0, 0)


def test_an_altered_expiration_is_not_believed(world: World) -> None:
    world.apply()
    world.settle()
    found = world.secret()
    assert found is not None
    annotations = found["metadata"]["annotations"] | {names.EXPIRATION: "2030-01-01T00:00:00Z"}
    world.cluster.put_secret(REPORTS, found["data"], annotations=annotations)
    world.advance(24 * HOUR)
    assert world.ready() == "True Issued"
    assert world.live()
