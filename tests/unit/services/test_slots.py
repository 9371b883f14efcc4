"""Slots for those who wait for endpoints: fewer than workers, few for one namespace, and nobody is forgotten."""

from collections import Counter, deque
from contextlib import ExitStack, suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from awssts.services.later import Later
from awssts.services.observations import Name
from awssts.services.slots import LOST, Slots
from tests.unit.builders import NOW
from tests.unit.services.world import NAMESPACE, REPORTS, World

POLICY = {"metadata": {"name": "house", "generation": 1}, "spec": {}}


def make(workers: int = 16) -> tuple[Slots, list[Name]]:
    woken: list[Name] = []
    return Slots(workers, lambda: NOW, woken.append), woken


@pytest.mark.parametrize(
    ("workers", "most", "of_one"), [(1, 1, 1), (2, 1, 1), (4, 2, 1), (8, 4, 1), (16, 8, 2), (32, 16, 4), (256, 128, 4)]
)
def test_how_many(workers: int, most: int, of_one: int) -> None:
    slots, _ = make(workers)
    with ExitStack() as held:
        for namespace in range(most):
            if namespace % of_one == 0:
                for number in range(of_one):
                    held.enter_context(slots.held((f"n{namespace}", str(number))))
                with pytest.raises(Later):
                    held.enter_context(slots.held((f"n{namespace}", "more")))
        with pytest.raises(Later):
            held.enter_context(slots.held(("another", "one")))


def test_who_finds_none_is_quiet_and_looks_again_at_the_latest_after_a_while() -> None:
    slots, _ = make(1)
    with slots.held(("a", "1")), pytest.raises(Later) as raised, slots.held(("b", "1")):
        pass
    assert (raised.value.until, raised.value.quiet) == (NOW + LOST, True)


def test_namespaces_are_served_in_rotation() -> None:
    slots, woken = make(2)
    holding = ExitStack()
    holding.enter_context(slots.held(("x", "0")))
    for name in [("a", "1"), ("a", "2"), ("a", "3"), ("b", "1"), ("a", "1"), ("c", "1")]:
        with pytest.raises(Later), slots.held(name):
            pass
    holding.close()
    for _ in range(4):
        with slots.held(woken[-1]):
            pass
    assert woken == [("a", "1"), ("b", "1"), ("c", "1"), ("a", "2"), ("a", "3")]


def test_one_for_each_name() -> None:
    woken: list[Name] = []
    slots = Slots(16, lambda: NOW, woken.append, for_each_name=True)
    with ExitStack() as held:
        for number in range(slots.most):
            held.enter_context(slots.held(("people", str(number))))
            with pytest.raises(Later):
                held.enter_context(slots.held(("people", str(number))))
        with pytest.raises(Later):
            held.enter_context(slots.held(("people", "more")))
    assert sorted(woken) == sorted([("people", "more"), *(("people", str(number)) for number in range(slots.most))])


def test_an_error_frees_the_slot() -> None:
    slots, woken = make(1)
    with suppress(ZeroDivisionError), slots.held(("a", "1")):
        with pytest.raises(Later), slots.held(("b", "1")):
            pass
        raise ZeroDivisionError
    assert woken == [("b", "1")]


NAMES = st.tuples(st.sampled_from("abc"), st.sampled_from("123456"))


@given(st.sampled_from([1, 2, 4, 16]), st.lists(NAMES, max_size=40), st.randoms(use_true_random=False))
def test_everybody_gets_one_without_any_time_passing(workers: int, asking: list[Name], random: object) -> None:
    """Each is worked on as the scheduler does it: when added, when woken, never twice at once."""
    ready: deque[Name] = deque(dict.fromkeys(asking))
    slots = Slots(workers, lambda: NOW, ready.append)
    held: dict[Name, ExitStack] = {}
    served: set[Name] = set()
    while ready or held:
        if ready and (not held or random.random() < 0.6):  # type: ignore[attr-defined]
            name, stack = ready.popleft(), ExitStack()
            with suppress(Later):
                stack.enter_context(slots.held(name))
                held[name] = stack
        else:
            name = random.choice(sorted(held))  # type: ignore[attr-defined]
            held.pop(name).close()
            served.add(name)
        assert len(held) <= slots.most
        assert max(Counter(namespace for namespace, _ in held).values(), default=0) <= slots.most_of_one
    assert served == set(asking)


class TestReconciler:
    """Requests that policies judge, while all slots of their namespace are held."""

    @pytest.fixture
    def held(self, world: World) -> ExitStack:
        world.see_policy(POLICY)
        stack = ExitStack()
        for number in range(world.slots.most_of_one):
            stack.enter_context(world.slots.held((NAMESPACE, f"slow-{number}")))
        return stack

    def test_nothing_is_read_before_there_is_a_slot_and_then_it_goes_on_at_once(
        self, world: World, held: ExitStack
    ) -> None:
        world.apply()
        world.settle()
        world.advance(timedelta(minutes=5))
        assert world.cluster.calls == []
        held.close()
        world.settle()
        assert world.ready() == "True Issued"
        assert "request" not in world.cluster.calls

    def test_what_it_is_worked_on_with_is_its_newest_version(self, world: World, held: ExitStack) -> None:
        world.apply(duration="2h")
        world.settle()
        world.apply(duration="3h")
        world.settle()
        held.close()
        world.settle()
        assert [call["lifetime"] for call in world.sts.calls] == [10_800]

    def test_one_that_is_deleted_while_it_waits_gets_nothing(self, world: World, held: ExitStack) -> None:
        world.apply()
        world.settle()
        world.cluster.delete_request(REPORTS)
        held.close()
        world.settle()
        assert world.sts.calls == []

    def test_one_that_is_deleted_while_it_is_read_gets_nothing(self, world: World) -> None:
        world.see_policy(POLICY)
        world.apply()
        world.to_renewal()
        with ExitStack() as stack:
            for number in range(world.slots.most_of_one):
                stack.enter_context(world.slots.held((NAMESPACE, f"slow-{number}")))
            world.cluster.at("request", lambda: world.deliver("DELETED", "request", world.cluster.requests[REPORTS]))
            world.advance(timedelta(seconds=2))
            del world.cluster.requests[REPORTS]
        world.settle()
        assert len(world.sts.calls) == 1

    def test_those_whom_nobody_judges_need_none(self, world: World, held: ExitStack) -> None:
        world.lose_policy("house")
        world.apply()
        world.settle()
        assert world.ready() == "True Issued"
        held.close()
