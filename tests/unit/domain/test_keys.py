"""The credentials Secret, as people make it."""

import base64
import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from awssts.domain import keys
from awssts.domain.errors import AwsstsError, SecretInvalid, SecretKeyMissing
from awssts.domain.keys import KeyPair
from awssts.domain.resources import CredentialsSecretRef
from tests.unit.builders import KEY, OTHER_KEY, credentials, encoded

REFERENCE = CredentialsSecretRef(name="iam")
CHOSEN = CredentialsSecretRef(name="iam", access_key_id_key="id", secret_access_key_key="secret")
ID, SECRET = KEY.access_key_id, KEY.secret_access_key
LOWER = {"aws_access_key_id": ID, "aws_secret_access_key": SECRET}
UPPER = {"AWS_ACCESS_KEY_ID": ID, "AWS_SECRET_ACCESS_KEY": SECRET}
OTHERS = {"id": OTHER_KEY.access_key_id, "secret": OTHER_KEY.secret_access_key}


@pytest.mark.parametrize(
    ("values", "reference", "pair"),
    [
        (LOWER, REFERENCE, KEY),
        (UPPER, REFERENCE, KEY),
        ({"aws_access_key_id": ID, "AWS_SECRET_ACCESS_KEY": SECRET}, REFERENCE, KEY),
        (OTHERS | LOWER, REFERENCE, KEY),
        (OTHERS | LOWER, CHOSEN, OTHER_KEY),
        (LOWER | {"AWS_ACCESS_KEY_ID": OTHER_KEY.access_key_id}, REFERENCE, KEY),
        ({key: f"{value}\n" for key, value in LOWER.items()}, REFERENCE, KEY),
        ({key: f" \t{value}\r\n" for key, value in UPPER.items()}, REFERENCE, KEY),
        (LOWER | {"unrelated": "x"}, REFERENCE, KEY),
    ],
    ids=["lower", "upper", "mixed", "usual names", "chosen names", "lower wins", "newline", "white space", "more"],
)
def test_what_is_read(values: dict[str, str], reference: CredentialsSecretRef, pair: KeyPair) -> None:
    data = encoded(values)
    assert keys.read(data, reference) == pair
    assert keys.digest_in(keys.fingerprint(data), reference) == pair.digest


@pytest.mark.parametrize(
    ("values", "reference", "kind", "message"),
    [
        (
            {},
            REFERENCE,
            SecretKeyMissing,
            "Secret 'iam' has no key aws_access_key_id or AWS_ACCESS_KEY_ID: add it, or name another with "
            "credentialsSecretRef.accessKeyIdKey",
        ),
        (
            {"aws_access_key_id": ID},
            REFERENCE,
            SecretKeyMissing,
            "Secret 'iam' has no key aws_secret_access_key or AWS_SECRET_ACCESS_KEY: add it, or name another with "
            "credentialsSecretRef.secretAccessKeyKey",
        ),
        (
            LOWER,
            CHOSEN,
            SecretKeyMissing,
            "Secret 'iam' has no key id: add it, or name another with credentialsSecretRef.accessKeyIdKey",
        ),
        (LOWER | {"aws_access_key_id": ""}, REFERENCE, SecretInvalid, "Secret 'iam': aws_access_key_id is empty"),
        (
            LOWER | {"aws_secret_access_key": " \n"},
            REFERENCE,
            SecretInvalid,
            "Secret 'iam': aws_secret_access_key is empty",
        ),
        (
            LOWER | {"aws_access_key_id": b"\xff\xfe"},
            REFERENCE,
            SecretInvalid,
            "Secret 'iam': aws_access_key_id is not text",
        ),
        (
            LOWER | {"aws_access_key_id": "AKIA"},
            REFERENCE,
            SecretInvalid,
            "Secret 'iam': aws_access_key_id is not an access key id (at least 16 letters and digits, like AKIA…)",
        ),
        (
            LOWER | {"aws_access_key_id": "ASIAIOSFODNN7EXAMPLE"},
            REFERENCE,
            SecretInvalid,
            "Secret 'iam': aws_access_key_id is the id of temporary credentials (ASIA…); "
            "give the long-term key of an IAM user (AKIA…)",
        ),
        (
            UPPER | {"AWS_SECRET_ACCESS_KEY": "two words and more"},
            REFERENCE,
            SecretInvalid,
            "Secret 'iam': AWS_SECRET_ACCESS_KEY is not a secret access key (one word of 40 characters)",
        ),
        (UPPER | {"AWS_SECRET_ACCESS_KEY": "gehëim" * 8}, REFERENCE, SecretInvalid,
         "Secret 'iam': AWS_SECRET_ACCESS_KEY is not a secret access key (one word of 40 characters)"),
    ],
)  # fmt: skip
def test_what_is_refused(
    values: dict[str, Any], reference: CredentialsSecretRef, kind: type[AwsstsError], message: str
) -> None:
    with pytest.raises(kind) as raised:
        keys.read(encoded(values), reference)
    assert raised.value.message == message


@pytest.mark.parametrize("garbage", ["A", "%%%A", "YQ=", "AKIAIOSFODNN7EXAMPLE="])
def test_garbage_for_base64(garbage: str) -> None:
    with pytest.raises(SecretInvalid) as raised:
        keys.read({"aws_access_key_id": garbage, "aws_secret_access_key": garbage}, REFERENCE)
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None, "a traceback would show the value"


@given(st.binary(max_size=64))
def test_reading_raises_nothing_else_and_repeats_no_value(value: bytes) -> None:
    data = encoded(LOWER) | {"aws_secret_access_key": base64.b64encode(value).decode()}
    found: KeyPair | SecretInvalid
    try:
        found = keys.read(data, REFERENCE)
    except SecretInvalid as error:
        found = error
    if isinstance(found, KeyPair):
        assert found.secret_access_key == value.decode().strip()
    else:
        assert found.message.startswith("Secret 'iam': aws_secret_access_key is ")
        assert len(found.message) < 120


def test_digests_tell_any_change() -> None:
    pairs = [KeyPair(one, other) for one, other in itertools.product((ID, OTHER_KEY.access_key_id), (SECRET, ID))]
    pairs.append(KeyPair(SECRET, ID))
    assert len({pair.digest for pair in pairs}) == len(pairs)
    assert KeyPair(ID, SECRET).digest == KEY.digest


@pytest.mark.parametrize(
    ("values", "reference"), [({}, REFERENCE), ({"aws_access_key_id": ID}, REFERENCE), (LOWER, CHOSEN)]
)
def test_the_digest_of_a_fingerprint_without_a_key_is_empty(
    values: dict[str, str], reference: CredentialsSecretRef
) -> None:
    assert keys.digest_in(keys.fingerprint(encoded(values)), reference) == ""


def test_a_fingerprint_holds_no_value() -> None:
    found = keys.fingerprint(encoded(LOWER | {"binary": b"\xff"}))
    assert set(found) == set(LOWER)
    assert not {ID, SECRET} & set(found.values())


def test_secrets_are_not_shown() -> None:
    given = credentials()
    for shown in (repr(KEY), str(KEY), repr(given), f"{given}"):
        assert SECRET not in shown
        assert given.secret_access_key not in shown
        assert given.session_token not in shown
