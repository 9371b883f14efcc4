"""Targets that belong to others."""

from tests.unit.builders import MINUTE, OTHER_KEY, key_data
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
