"""The record of a device: what is written is read again, and what no true clock can have written is not believed."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from awssts.domain import names, record, totp
from awssts.domain.record import LIFE_OF_A_CODE, Record
from tests.unit.builders import MINUTE, NOW, SERIAL, Json

OWNER = {"apiVersion": "v1", "kind": "Secret", "name": "reports-iam", "uid": "uid-of-keys"}
STEP = totp.step_at(NOW)


def written(kept: Record) -> Json:
    return record.secret("team", SERIAL, kept, OWNER)


def noted(**notes: str) -> Json:
    """A record whose annotations somebody wrote."""
    secret = written(Record(STEP).after("123456", STEP, SERIAL, NOW))
    for name, note in notes.items():
        secret["metadata"]["annotations"][getattr(names, name)] = note
    return secret


@given(codes=st.lists(st.from_regex("[0-9]{6}", fullmatch=True), max_size=60, unique=True), step=st.integers(0, STEP))
def test_a_round_trip(codes: list[str], step: int) -> None:
    kept = Record(step)
    for code in codes:
        kept = kept.after(code, step, SERIAL, NOW)
    found = record.read(written(kept), NOW)
    assert found == kept
    assert all(found.has(code, SERIAL) for code in codes[-50:])
    assert found.step == step


def test_none() -> None:
    assert record.read(None, NOW) == Record()


def test_no_code_is_in_it() -> None:
    assert "654321" not in str(written(Record().after("654321", STEP, SERIAL, NOW)))


def test_a_code_is_one_of_its_device() -> None:
    kept = Record().after("123456", STEP, SERIAL, NOW)
    assert kept.has("123456", SERIAL)
    assert not kept.has("123457", SERIAL)
    assert not kept.has("123456", f"{SERIAL}-2")


def test_a_code_is_known_for_as_long_as_aws_could_take_it() -> None:
    secret = written(Record().after("123456", STEP, SERIAL, NOW))
    assert record.read(secret, NOW + LIFE_OF_A_CODE).has("123456", SERIAL)
    assert not record.read(secret, NOW + LIFE_OF_A_CODE + MINUTE).has("123456", SERIAL)


@pytest.mark.parametrize("behind", [0, 30, 45, 60], ids=lambda seconds: f"{seconds} s behind")
def test_a_code_is_known_to_clocks_that_differ(behind: int) -> None:
    secret = written(Record().after("123456", STEP, SERIAL, NOW - timedelta(seconds=behind)))
    assert record.read(secret, NOW + MINUTE).has("123456", SERIAL)


def test_a_step_never_goes_back() -> None:
    assert Record(5).after("123456", 7, SERIAL, NOW).step == 7
    assert Record(7).after("123456", 5, SERIAL, NOW).step == 7


@pytest.mark.parametrize("step", ["", "soon", "-1", "1.5", "²", "٣", "0x10", " 7", "9" * 15])
def test_a_step_that_is_none(step: str) -> None:
    found = record.read(noted(STEP=step), NOW)
    assert found.step == 0
    assert found.has("123456", SERIAL)


@pytest.mark.parametrize("codes", ["", "soon", "0123:1", "0123456789abcdef:", "0123456789abcdef:²", ":" * 5_000])
def test_codes_that_are_none(codes: str) -> None:
    assert record.read(noted(CODES=codes), NOW) == Record(STEP)


@pytest.mark.parametrize(("ahead", "believed"), [(0, True), (2, True), (20, True), (21, False), (10**9, False)])
def test_a_step_that_nobody_can_have_used(ahead: int, believed: bool) -> None:
    """Of a clock that was far ahead: it must not starve the device until then."""
    step = STEP + ahead
    assert record.read(written(Record(step)), NOW).step == (step if believed else 0)


@pytest.mark.parametrize("missing", ["annotations", "labels", "ownerReferences"])
def test_metadata_that_somebody_took_away(missing: str) -> None:
    secret = noted()
    secret["metadata"][missing] = None
    assert record.read(secret, NOW) in {Record(), record.read(noted(), NOW)}


def test_the_version_that_it_was_read_at_is_a_condition_of_the_next_write() -> None:
    assert "resourceVersion" not in written(Record())["metadata"]
    secret = written(Record())
    secret["metadata"]["resourceVersion"] = "17"
    following = record.read(secret, NOW).after("123456", STEP, SERIAL, NOW)
    assert written(following)["metadata"]["resourceVersion"] == "17"


@pytest.mark.parametrize("device", [SERIAL, "GAHT12345678", "arn:aws:iam::123456789012:mfa/" + "x" * 200])
def test_its_name_is_one_that_the_cluster_takes(device: str) -> None:
    name = record.secret_name(device)
    assert len(name) <= 63
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
