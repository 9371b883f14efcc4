"""Input that can not work: it is told, and what lives stays."""

import pytest

from awssts.domain.keys import KeyPair
from awssts.domain.status import timestamp
from tests.unit.builders import HOUR, KEY, MINUTE, NOW, OTHER_KEY, key_data
from tests.unit.services.world import KEYS, REPORTS, World

LONG_AGO = {"managedFields": [], "creationTimestamp": timestamp(NOW - 24 * HOUR)}  # AWS knows the key by now


def broken(pair: KeyPair, **values: str) -> dict[str, str]:
    data = {"aws_access_key_id": pair.access_key_id, "aws_secret_access_key": pair.secret_access_key} | values
    return key_data(KeyPair(data["aws_access_key_id"], data["aws_secret_access_key"]))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (None, "SecretNotFound"),
        ({}, "SecretKeyMissing"),
        (broken(KEY, aws_secret_access_key=""), "SecretInvalid"),
        (broken(KEY, aws_access_key_id="ASIAIOSFODNN7EXAMPLE"), "SecretInvalid"),
        (key_data(OTHER_KEY), "InvalidAccessKey"),
        (broken(KEY, aws_secret_access_key=OTHER_KEY.secret_access_key), "InvalidSecretKey"),
    ],
    ids=["no Secret", "no key", "empty value", "temporary key", "unknown key", "wrong secret"],
)
def test_a_bad_input_says_so_and_spares_what_lives(data: dict[str, str] | None, reason: str) -> None:
    for renewed in (False, True):
        world = World()
        if renewed:
            world.give_keys()
            world.apply()
            world.to_renewal()
        live = world.live()
        if data is None:
            world.cluster.delete_secret(KEYS)
        else:
            world.cluster.put_secret(KEYS, data, **LONG_AGO)
            world.sts.secret_keys[KEY.access_key_id] = KEY.secret_access_key
        world.apply()
        world.advance(6 * MINUTE)
        ready = "True RenewalFailing" if renewed else f"False {reason}"
        assert world.ready() == f"{ready}, Stalled {reason}"
        assert world.live() == live
        assert [event.type for event in world.events.published if event.reason == reason] == ["Warning"]

        world.give_keys()
        world.advance(16 * MINUTE)
        assert world.ready() == "True Issued"
        world.close()


def test_a_missing_secret_is_looked_for_rarely_and_without_a_write(world: World) -> None:
    world.cluster.delete_secret(KEYS)
    world.apply()
    world.settle()
    world.advance(10 * MINUTE)
    reads = len(world.cluster.calls)
    assert world.costs(lambda: world.advance(HOUR)) == (0, 0)
    assert len(world.cluster.calls) - reads <= 3 * 60, "once a minute"


def test_an_invalid_spec_is_told_once(world: World) -> None:
    """The CRD refuses it; one from before a rule came is still there."""
    world.cluster.put_request(REPORTS, {"credentialsSecretRef": {"name": "reports-iam"}, "duration": "1 day"}, {})
    world.settle()
    assert world.ready() == "False InvalidSpec, Stalled InvalidSpec"
    assert world.costs(lambda: world.advance(HOUR))[0] == 0
    assert world.events.reasons == ["InvalidSpec"]
    assert len(world.cluster.writes) < 10
