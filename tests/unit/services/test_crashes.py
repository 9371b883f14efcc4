"""The process ends between any two calls: at most one more call to STS, never a worse Secret."""

from datetime import timedelta

import pytest

from tests.unit.builders import MINUTE
from tests.unit.services.fakes import Killed
from tests.unit.services.world import REPORTS, World

SECOND = timedelta(seconds=1)
CALLS = ["secret", "session_token", "apply_secret", "apply_status"]


def crash(world: World, call: str, *, done: bool) -> None:
    """End the process at that call, and start another."""
    if call == "session_token":
        world.sts.fail(Killed(), done=done)
    else:
        world.cluster.fail(call, Killed(), done=done)
    with pytest.raises(Killed):
        world.advance(2 * SECOND)
    world.restart()


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("call", CALLS)
def test_killed_at_the_first_issue(world: World, call: str, done: bool) -> None:
    world.apply()
    crash(world, call, done=done)
    world.advance(MINUTE)
    assert world.ready() == "True Issued"
    assert world.live()
    assert len(world.sts.calls) <= 2
    if call == "apply_status":
        assert len(world.sts.calls) == 1, "the Secret tells all"


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("call", CALLS)
def test_killed_at_a_renewal(world: World, call: str, done: bool) -> None:
    world.apply()
    world.settle()
    first, renewal = world.live(), world.status().next_renewal
    assert renewal is not None
    world.until(renewal - SECOND)
    crash(world, call, done=done)
    assert world.live(), "the old ones stay until the new ones are written"
    world.advance(MINUTE)
    assert world.ready() == "True Issued"
    assert world.live() not in {"", first}
    assert len(world.sts.calls) <= 3


@pytest.mark.parametrize("call", ["secret", "apply_secret", "apply_status"])
def test_a_request_deleted_while_it_is_worked_on(world: World, call: str) -> None:
    """Nothing breaks, and nothing more is done for it; what was just written goes by its owner reference."""
    world.apply()
    world.cluster.at(call, lambda: world.cluster.delete_request(REPORTS))
    world.settle()
    assert world.costs(lambda: world.advance(60 * MINUTE)) == (0, 0)


def test_a_request_deleted_and_made_anew_while_it_is_worked_on(world: World) -> None:
    world.apply()

    def replace() -> None:
        world.cluster.delete_request(REPORTS)
        world.apply(duration="1h")

    world.cluster.at("apply_secret", replace)
    world.advance(2 * MINUTE)
    assert world.ready() == "True Issued"
    secret = world.secret()
    assert secret is not None
    uid = world.cluster.requests[REPORTS]["metadata"]["uid"]
    assert [owner["uid"] for owner in secret["metadata"]["ownerReferences"]] == [uid]
