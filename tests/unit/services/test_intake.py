"""What the watches deliver, and whom it wakes."""

from collections.abc import AsyncIterator

import pytest

from awssts.domain import names
from awssts.domain.view import UNKNOWN
from awssts.services.intake import Intake, Kind
from awssts.services.observations import Name, Observations
from tests.unit.builders import KEY, OTHER_KEY, Json, body, encoded, key_data, request, written
from tests.unit.services.world import Due

REPORTS = ("team", "reports")
KEYS = ("team", "reports-iam")


class TakesNotes:
    """In the reconciler's place."""

    def __init__(self, seen: Observations) -> None:
        self._seen = seen

    def take(self, name: Name, found: Json) -> bool:
        self._seen.note(request(name=name[1]))
        return found["metadata"]["resourceVersion"] != "0"

    def forget(self, name: Name) -> None:
        self._seen.forget(name)


class Desk:
    """An intake with what it hands things to."""

    def __init__(self) -> None:
        self.seen = Observations()
        self.reconciler = TakesNotes(self.seen)
        self.due = Due()
        self.intake = Intake(self.seen, self.reconciler, self.due)  # type: ignore[arg-type]

    def woken(self) -> set[Name]:
        woken, self.due.now = set(self.due.now), []
        return woken


@pytest.fixture
def desk() -> Desk:
    made = Desk()
    made.intake.request_changed(REPORTS, body())
    assert made.woken() == {REPORTS}
    return made


def target(**metadata: str) -> Json:
    made = written(request())
    made["metadata"] |= metadata
    return made


def credentials(data: dict[str, str]) -> Json:
    labels = {names.TYPE_LABEL: names.CREDENTIALS}
    metadata = {"namespace": "team", "name": KEYS[1], "resourceVersion": "10", "labels": labels}
    return {"metadata": metadata, "data": data}


def test_a_request_of_old_wakes_nobody(desk: Desk) -> None:
    desk.intake.request_changed(REPORTS, body(version=0))
    assert desk.woken() == set()


def test_a_deleted_request_is_forgotten_and_not_woken(desk: Desk) -> None:
    desk.intake.request_deleted(REPORTS)
    assert not desk.due.later
    desk.intake.secret_deleted(REPORTS, target())
    desk.intake.secret_changed(KEYS, credentials(key_data()))
    assert desk.woken() == set()


def test_our_own_write_wakes_nobody(desk: Desk) -> None:
    desk.intake.secret_changed(REPORTS, target())
    desk.intake.secret_changed(REPORTS, target())
    assert desk.woken() == set()


@pytest.mark.parametrize("data", [{}, encoded({"AWS_ACCESS_KEY_ID": "x"})])
def test_an_altered_target_wakes_its_request_once(desk: Desk, data: dict[str, str]) -> None:
    desk.intake.secret_changed(REPORTS, target())
    altered = target(resourceVersion="11") | {"data": data}
    desk.intake.secret_changed(REPORTS, altered)
    assert desk.woken() == {REPORTS}
    desk.intake.secret_changed(REPORTS, altered)
    assert desk.woken() == set()


def test_a_deleted_target_wakes_its_request(desk: Desk) -> None:
    desk.intake.secret_changed(REPORTS, target())
    desk.woken()
    desk.intake.secret_deleted(REPORTS, target())
    assert desk.woken() == {REPORTS}


def test_a_target_without_its_annotations_wakes_the_request_of_its_name(desk: Desk) -> None:
    desk.intake.secret_changed(REPORTS, target())
    desk.woken()
    stripped = target(resourceVersion="11")
    stripped["metadata"]["annotations"] = None
    desk.intake.secret_changed(REPORTS, stripped)
    assert desk.woken() == {REPORTS}


def test_a_changed_key_wakes_its_users(desk: Desk) -> None:
    desk.intake.secret_changed(KEYS, credentials(key_data(KEY)))
    assert desk.woken() == {REPORTS}
    desk.intake.secret_changed(KEYS, credentials(key_data(KEY)))
    assert desk.woken() == set()
    desk.intake.secret_changed(KEYS, credentials(key_data(OTHER_KEY)))
    assert desk.woken() == {REPORTS}
    desk.intake.secret_deleted(KEYS, credentials(key_data(OTHER_KEY)))
    assert desk.woken() == {REPORTS}


@pytest.mark.parametrize("kind", Kind)
async def test_what_comes_again_while_a_sweep_runs_is_not_taken_for_deleted(desk: Desk, kind: Kind) -> None:
    """Its deletion fell into a gap, and it was made anew after the list was taken: no event would bring it back."""
    policy = {"metadata": {"name": "house"}, "spec": {}}

    def comes() -> None:
        desk.intake.request_changed(REPORTS, body())
        desk.intake.secret_changed(REPORTS, target())
        desk.intake.policy_changed(policy)
        desk.intake.namespace_changed({"name": "team"})

    async def listing() -> AsyncIterator[Json]:
        comes()
        for metadata in ():
            yield metadata

    comes()
    await desk.intake.sweep(kind, listing())
    assert len(desk.intake.known(kind)) == 1
    await desk.intake.sweep(kind, listed())
    assert not desk.intake.known(kind)


@pytest.mark.parametrize("kind", ["device", "user", "something-new"])
def test_other_labelled_secrets_concern_nobody_here(desk: Desk, kind: str) -> None:
    secret = credentials(key_data())
    secret["metadata"]["labels"] = {names.TYPE_LABEL: kind}
    desk.intake.secret_changed(KEYS, secret)
    desk.intake.secret_deleted(KEYS, secret)
    assert desk.woken() == set()


async def listed(*found: Json) -> AsyncIterator[Json]:
    for secret in found:
        yield secret["metadata"]


async def test_a_sweep_finds_what_no_watch_told_of(desk: Desk) -> None:
    desk.intake.secret_changed(REPORTS, target())
    desk.woken()
    await desk.intake.sweep(Kind.SECRETS, listed(target()))
    assert desk.woken() == set(), "all is as it was"
    await desk.intake.sweep(Kind.SECRETS, listed())
    assert desk.woken() == {REPORTS}
    assert desk.seen.target(REPORTS) is UNKNOWN


async def test_a_target_that_comes_while_a_sweep_runs_is_not_taken_for_deleted(desk: Desk) -> None:
    async def listing() -> AsyncIterator[Json]:
        desk.intake.secret_changed(REPORTS, target())
        for metadata in ():
            yield metadata

    await desk.intake.sweep(Kind.SECRETS, listing())
    assert desk.seen.target(REPORTS) is not UNKNOWN
