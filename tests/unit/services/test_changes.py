"""What users change, and what comes of it."""

import copy
from datetime import timedelta

import pytest

from awssts.domain import names
from tests.unit.builders import HOUR, MINUTE, NOW, OTHER_KEY, Json
from tests.unit.services.world import KEYS, REPORTS, World

SECOND = timedelta(seconds=1)


def test_the_renew_annotation_renews_once(world: World) -> None:
    world.apply()
    world.settle()
    world.apply(annotations={names.RENEW: "please"})
    assert world.costs(world.settle) == (1, 2)
    assert world.costs(world.restart) == (0, 0)
    assert world.costs(world.settle) == (0, 0)


def test_another_duration_is_issued_at_once(world: World) -> None:
    world.apply()
    world.settle()
    world.apply(duration="1h")
    assert world.costs(world.settle)[0] == 1
    assert world.status().expiration == NOW + HOUR


def test_another_label_on_the_request_changes_nothing(world: World) -> None:
    world.apply()
    world.settle()
    world.apply(annotations={"team.example/owner": "jane"})
    assert world.costs(world.settle) == (0, 0)


@pytest.mark.parametrize(
    "target",
    [
        {"formats": ["CredentialProcess"]},
        {"formats": ["Environment"], "profile": "reports"},
        {"mountPath": "/aws"},
        {"template": {"labels": {"team": "reports"}, "data": {"url": "https://${accessKeyId}"}}},
        {"creationPolicy": "Orphan"},
    ],
    ids=",".join,
)
def test_another_layout_keeps_the_credentials(world: World, target: dict[str, object]) -> None:
    world.apply(target={"formats": ["Environment", "CredentialsFile"]})
    world.settle()
    live = world.live()
    world.apply(target=target)
    assert world.costs(world.settle) == (0, 2)
    assert world.live() == live
    assert world.ready() == "True Issued"
    assert world.costs(world.settle) == (0, 0)


def test_another_region_is_written_into_the_files_without_a_call(world: World) -> None:
    world.apply()
    world.settle()
    world.apply(region="eu-west-1")
    world.settle()
    assert "AWS_REGION" in (world.secret() or {})["data"]


def test_suspended_keeps_what_is_there_and_renews_nothing(world: World) -> None:
    world.apply()
    world.settle()
    world.apply(suspend=True)
    world.settle()
    assert world.ready() == "True Suspended"
    assert world.costs(lambda: world.advance(24 * HOUR))[0] == 0
    assert world.ready() == "False Suspended"
    world.apply(suspend=False)
    world.settle()
    assert world.ready() == "True Issued"


@pytest.mark.parametrize("labelled", [True, False])
def test_a_deleted_target_is_issued_anew(world: World, labelled: bool) -> None:
    world.give_keys(labelled=labelled)
    world.apply()
    world.settle()
    world.cluster.delete_secret(REPORTS)
    assert world.costs(world.settle)[0] == 1
    assert world.live()
    assert world.ready() == "True Issued"


def test_an_altered_target_is_issued_anew_at_most_once_a_minute(world: World) -> None:
    world.apply()
    world.settle()
    for _ in range(4):
        world.cluster.put_secret(REPORTS, {"AWS_ACCESS_KEY_ID": ""})
        world.advance(20 * SECOND)
    assert len(world.sts.calls) == 1 + 2
    world.advance(MINUTE)
    assert world.live()


def test_a_target_is_issued_anew_at_most_once_a_minute_whatever_else_changes(world: World) -> None:
    """The status that tells of the second deletion forgets that there were credentials."""
    world.apply()
    world.settle()
    for number in range(8):
        world.cluster.delete_secret(REPORTS)
        world.settle()
        world.apply(annotations={"example.com/changed": str(number)})
        world.advance(20 * SECOND)
    assert len(world.sts.calls) == 1 + 3
    world.advance(MINUTE)
    assert world.live()


def test_a_clock_that_is_set_back_after_a_repair_holds_up_no_other(world: World) -> None:
    world.apply()
    world.settle()
    world.cluster.delete_secret(REPORTS)
    world.settle()
    world.clock.advance(-HOUR)
    world.cluster.delete_secret(REPORTS)
    world.settle()
    assert world.live()


def test_another_layout_is_never_written_over_newer_credentials(world: World) -> None:
    """Another process, which leads by now, puts them there while this one rewrites the old ones."""

    def put(secret: Json) -> None:
        world.cluster.put_secret(REPORTS, secret["data"], annotations=secret["metadata"]["annotations"])

    def found() -> Json:
        return copy.deepcopy(world.secret() or {})

    world.apply()
    world.settle()
    old = found()
    world.apply(annotations={names.RENEW: "1"})
    world.settle()
    new, live = found(), world.live()
    put(old)
    world.apply()
    world.settle()
    calls = len(world.sts.calls)

    world.apply(target={"formats": ["Environment"]})
    world.cluster.at("apply_secret", lambda: put(new))
    world.advance(MINUTE)
    assert world.live() == live
    assert set((world.secret() or {})["data"]) >= {"AWS_ACCESS_KEY_ID"}
    assert len(world.sts.calls) == calls


def test_a_target_without_its_label_gets_it_again(world: World) -> None:
    """Without it neither a watch nor a restart sees the Secret."""
    world.apply()
    world.settle()
    live = world.live()
    world.cluster.put_secret(REPORTS, (world.secret() or {})["data"], labels={})
    world.restart()
    world.settle()
    assert (world.secret() or {})["metadata"]["labels"] == {names.TYPE_LABEL: names.TARGET}
    assert (world.live(), len(world.sts.calls)) == (live, 1)


def test_a_changed_key_is_used_at_once_when_its_secret_is_labelled(world: World) -> None:
    world.give_keys(labelled=True)
    world.apply()
    world.settle()
    world.give_keys(OTHER_KEY, labelled=True)
    world.settle()
    assert world.sts.calls[-1]["key"] == OTHER_KEY.access_key_id


def test_a_changed_key_is_used_at_renewal_when_its_secret_has_no_label(world: World) -> None:
    world.apply()
    world.settle()
    world.give_keys(OTHER_KEY)
    world.settle()
    assert len(world.sts.calls) == 1
    world.advance(9 * HOUR)
    assert world.sts.calls[-1]["key"] == OTHER_KEY.access_key_id


def test_a_deleted_request_is_left_alone(world: World) -> None:
    world.apply()
    world.settle()
    world.cluster.delete_request(REPORTS)
    assert world.costs(lambda: world.advance(24 * HOUR)) == (0, 0)


def test_a_request_of_the_same_name_takes_over_the_secret_of_the_last(world: World) -> None:
    world.apply(target={"creationPolicy": "Orphan"})
    world.settle()
    live = world.live()
    world.cluster.delete_request(REPORTS)
    world.settle()
    world.apply(target={"creationPolicy": "Orphan"})
    world.settle()
    assert (world.ready(), world.live(), len(world.sts.calls)) == ("True Issued", live, 1)


def test_a_target_that_lost_its_label_and_its_data_while_the_key_was_gone(world: World) -> None:
    """No watch tells of it any more: what a look found out has to be kept all the same."""
    world.apply()
    world.settle()
    world.cluster.delete_secret(KEYS)
    world.apply(duration="2h")
    world.settle()
    world.cluster.put_secret(REPORTS, {}, labels={})
    world.settle()
    world.apply(target={"formats": ["Environment"]})
    world.give_keys()
    world.until(NOW + 5 * MINUTE)
    assert world.ready() == "True Issued"
    assert world.live()
