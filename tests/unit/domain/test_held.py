"""Credentials read back from what was rendered."""

import json
from datetime import timedelta

import pytest

from awssts.domain.held import CONFLICTING, CredentialsError, read, written
from awssts.domain.rendering import render
from awssts.domain.resources import Format, Target
from tests.unit.builders import HOUR, NOW, credentials

GIVEN = credentials()


def data(*formats: Format, region: str | None = "eu-west-1", **fields: object) -> dict[str, str]:
    return render(GIVEN, Target.model_validate({"formats": formats, **fields}), region)


@pytest.mark.parametrize("formats", [(Format.ENVIRONMENT,), (Format.CREDENTIAL_PROCESS,), tuple(Format)])
def test_every_format_that_says_when_they_expire(formats: tuple[Format, ...]) -> None:
    held = read(data(*formats))
    assert held.parts == (GIVEN.access_key_id, GIVEN.secret_access_key, GIVEN.session_token)
    assert held.expiration == GIVEN.expiration


def test_the_credentials_file_does_not_say_when() -> None:
    with pytest.raises(CredentialsError, match="does not say when"):
        read(data(Format.CREDENTIALS_FILE))
    held = read(data(Format.CREDENTIALS_FILE), NOW + HOUR)
    assert (held.expiration, held.region) == (NOW + HOUR, "eu-west-1")


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"},
        {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_SESSION_TOKEN": ""},
        {"credentials.json": "{"},
        {"credentials.json": "[]"},
        {"credentials.json": json.dumps({"AccessKeyId": 1, "SecretAccessKey": 2, "SessionToken": 3})},
        {"credentials": "no section"},
        {"credentials": "[default]\naws_access_key_id = a\n"},
    ],
)
def test_all_or_nothing(broken: dict[str, str]) -> None:
    with pytest.raises(CredentialsError, match="no credentials in it"):
        read(broken, NOW)


EVIL = "\n[default]\ncredential_process = evil"


@pytest.mark.parametrize("evil", [EVIL, "\n  [default]\n  credential_process = evil", "\r", "\x1b[2K", " ", "é"])
@pytest.mark.parametrize("part", ["access_key_id", "secret_access_key", "session_token"])
@pytest.mark.parametrize("form", Format)
def test_what_could_write_another_profile_is_none(form: Format, part: str, evil: str) -> None:
    clean = data(form, region=None)
    value = getattr(GIVEN, part)
    dirty = {
        key: text.replace(value, value[:9] + (json.dumps(evil)[1:-1] if key.endswith("json") else evil) + value[9:], 1)
        for key, text in clean.items()
    }
    assert dirty != clean
    assert read(clean, NOW).parts == (GIVEN.access_key_id, GIVEN.secret_access_key, GIVEN.session_token)
    with pytest.raises(CredentialsError, match="no credentials in it"):
        read(dirty, NOW)


def test_a_part_that_a_template_replaced_is_not_taken_for_credentials() -> None:
    mixed = data(*Format) | {"AWS_SESSION_TOKEN": "something else"}
    assert read(mixed, made=GIVEN.digest).session_token == GIVEN.session_token


def test_nothing_secret_is_shown() -> None:
    assert GIVEN.secret_access_key not in repr(read(data(*Format)))


def test_the_environment_has_them_and_nothing_that_conflicts() -> None:
    held = read(data(*Format))
    assert set(held.environment()) - set(CONFLICTING) == {"AWS_REGION", "AWS_DEFAULT_REGION"}
    assert "AWS_REGION" not in read(data(Format.ENVIRONMENT, region=None)).environment()


def test_a_process() -> None:
    assert json.loads(data(Format.CREDENTIAL_PROCESS)["credentials.json"]) == read(data(*Format)).process()


def test_expired() -> None:
    held = read(data(*Format))
    assert held.live(held.expiration - timedelta(seconds=1)) is held
    with pytest.raises(CredentialsError, match=f"expired at {written(held.expiration)}"):
        held.live(held.expiration)
