"""The session Secret: what is written is read again, what can't be understood counts as not there."""

import base64
import dataclasses
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from awssts.domain import session
from awssts.domain.keys import Credentials
from awssts.domain.session import Ledger, Session
from tests.unit.builders import HOUR, KEY, NOW, OTHER_KEY, SERIAL, Json, encoded

OWNER = {"name": "reports-iam", "uid": "uid-of-keys"}
SECOND = timedelta(seconds=1)


def made(lifetime: int = 43_200, *, number: int = 1, key_digest: str = KEY.digest) -> Session:
    expiration = NOW + timedelta(seconds=lifetime)
    credentials = Credentials(f"ASIA{number:016}", f"made-up-secret/{number}", f"made-up+token/{number}==", expiration)
    return Session(credentials, NOW, lifetime, key_digest)


def ledger(*sessions: Session) -> Ledger:
    return Ledger(sessions=sessions)


def written(ledger: Ledger) -> Json:
    return session.secret("team", ledger, SERIAL, OWNER)


# What is written.


def test_a_round_trip() -> None:
    kept = ledger(made(), made(3_600, number=2))
    assert session.read(written(kept)) == kept


@given(
    lifetimes=st.sets(st.integers(900, 129_600), max_size=4),
    token=st.text(min_size=1).filter(lambda text: text.isprintable()),
    age=st.integers(-3_600, 3_600),
)
def test_any_round_trip(lifetimes: set[int], token: str, age: int) -> None:
    expiration = NOW + age * SECOND
    credentials = Credentials("ASIAIOSFODNN7EXAMPLE", "secret/+=", token, expiration)
    kept = ledger(*(Session(credentials, NOW, lifetime, KEY.digest) for lifetime in lifetimes))
    assert session.read(written(kept)) == kept


def test_what_it_tells_of_itself() -> None:
    metadata = written(ledger(made()))["metadata"]
    assert metadata["labels"] == {"awssts.dev/type": "session"}
    assert metadata["annotations"] == {"awssts.dev/mfa-device": SERIAL}
    (owner,) = metadata["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("Secret", "reports-iam", "uid-of-keys")


def test_nothing_secret_is_outside_of_its_data() -> None:
    secret = written(ledger(made()))
    del secret["data"]
    told = json.dumps(secret)
    for value in ("made-up-secret/1", "made-up+token/1==", KEY.secret_access_key):
        assert value not in told
    assert "made-up" not in repr(made())


@pytest.mark.parametrize(
    ("credentials", "device", "same"),
    [
        ("reports-iam", SERIAL, True),
        ("reports-iam", f"{SERIAL}-2", False),
        ("reports-iam-2", SERIAL, False),
        ("reports-iam\narn", SERIAL, False),
    ],
)
def test_its_name_is_that_of_keys_and_device(credentials: str, device: str, same: bool) -> None:
    name = session.secret_name(credentials, device)
    assert (name == session.secret_name("reports-iam", SERIAL)) is same
    assert name == session.secret_name(credentials, device), "for ever"


@pytest.mark.parametrize("device", [SERIAL, "GAHT12345678", "arn:aws:iam::123456789012:mfa/" + "x" * 200])
def test_its_name_is_one_that_the_cluster_takes(device: str) -> None:
    name = session.secret_name("a" * 253, device)
    assert len(name) <= 63
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


# What is read.


def test_none() -> None:
    assert session.read(None) == Ledger()


def garbled(**changes: Any) -> str:
    """A session as it is written, but for some values; None takes one out."""
    whole = json.loads(base64.b64decode(written(ledger(made()))["data"]["43200.json"]))
    return json.dumps({key: value for key, value in (whole | changes).items() if value is not None})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        '"ASIA"',
        "{ not json",
        garbled(AccessKeyId=None),
        garbled(SessionToken=None),
        garbled(KeyDigest=None),
        garbled(Lifetime="half a day"),
        garbled(Lifetime=[]),
        garbled(Expiration="tomorrow"),
        garbled(Expiration="9999-12-31T23:59:59-01:00"),  # of no year in UTC
        garbled(Expiration="2026-11-23T16:00:00"),  # of no zone: can't be compared
        garbled(SecretAccessKey=5),
        garbled(AccessKeyId=["ASIA"]),
    ],
)
def test_a_session_that_somebody_garbled(text: str) -> None:
    """It is passed over; the others stay."""
    whole = made(3_600)
    secret = written(ledger(whole))
    secret["data"] |= encoded({"43200.json": text})
    assert session.read(secret) == ledger(whole)


@pytest.mark.parametrize("value", [b"\xff\xfe", b"\x00", b"{\xff}"])
def test_bytes_that_are_no_text(value: bytes) -> None:
    secret = written(ledger())
    secret["data"] |= encoded({"43200.json": value})
    assert session.read(secret) == ledger()


@pytest.mark.parametrize("missing", ["annotations", "labels", "ownerReferences"])
def test_metadata_that_somebody_took_away(missing: str) -> None:
    secret = written(ledger(made()))
    del secret["metadata"][missing]
    assert session.read(secret).sessions == (made(),)
    secret["metadata"][missing] = None
    assert session.read(secret).sessions == (made(),)


@pytest.mark.parametrize("data", [None, {}])
def test_an_empty_secret(data: Any) -> None:
    secret = written(ledger()) | {"data": data}
    assert session.read(secret) == ledger()


def test_the_version_that_it_was_read_at_is_a_condition_of_the_next_write() -> None:
    assert "resourceVersion" not in written(ledger())["metadata"]
    secret = written(ledger())
    secret["metadata"]["resourceVersion"] = "17"
    assert written(session.read(secret))["metadata"]["resourceVersion"] == "17"


# What is kept.


@pytest.mark.parametrize(
    ("lifetime", "key_digest", "found"),
    [(43_200, KEY.digest, True), (3_600, KEY.digest, False), (43_200, OTHER_KEY.digest, False)],
)
def test_a_session_is_found_by_duration_and_key(lifetime: int, key_digest: str, found: bool) -> None:
    assert (ledger(made()).find(lifetime, key_digest) is not None) is found


def test_a_new_session_takes_the_place_of_the_one_of_its_duration() -> None:
    old, other, new = made(), made(3_600, number=2), made(number=3)
    assert set(ledger(old, other).with_session(new, NOW).sessions) == {other, new}


def test_who_gave_the_code_has_a_session_of_his_own() -> None:
    """A seed's session does not put an end to a person's."""
    person, seed = dataclasses.replace(made(), by="Manual"), made(number=2)
    kept = ledger(person).with_session(seed, NOW)
    assert set(kept.sessions) == {person, seed}
    assert session.read(written(kept)).find(43_200, KEY.digest, "Manual") == person
    assert len(written(kept)["data"]) == 2


def test_with_another_key_all_of_the_old_key_go() -> None:
    old = (made(), made(3_600, number=2))
    new = made(900, number=3, key_digest=OTHER_KEY.digest)
    assert ledger(*old).with_session(new, NOW) == ledger(new)


def test_expired_ones_go() -> None:
    short, new = made(900, number=2), made(number=3)
    kept = ledger(short)
    assert set(kept.with_session(new, short.expiration - SECOND).sessions) == {short, new}
    assert kept.with_session(new, short.expiration).sessions == (new,)


def test_one_that_is_refused_goes_alone() -> None:
    refused, other = made(), made(3_600, number=2)
    assert ledger(refused, other).without(refused) == ledger(other)
    successor = dataclasses.replace(refused, credentials=made(number=9).credentials)
    assert ledger(successor).without(refused) == ledger(successor), "its successor stays"


def test_it_lives_as_long_as_sts_said() -> None:
    less = dataclasses.replace(made(), credentials=dataclasses.replace(made().credentials, expiration=NOW + HOUR))
    assert less.expiration == NOW + HOUR
    assert session.read(written(ledger(less))).sessions == (less,)
