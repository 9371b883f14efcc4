"""What a mounted Secret's files come to, and which credentials are kept."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from awssts.domain.keys import Credentials
from awssts.domain.rendering import render
from awssts.domain.resources import Format, Target
from awssts.domain.vending import FILES, LARGEST, Stock, Unusable, Vended, read, restocked
from tests.unit.sidecar.samples import LATER, NOW, process_file, profile, secrets_in, variables, vended

GOOD = vended()


@pytest.mark.parametrize(
    "formats", [[one] for one in Format] + [list(Format)], ids=lambda formats: "+".join(each.value for each in formats)
)
def test_what_the_operator_writes_is_read(formats: list[Format]) -> None:
    credentials = Credentials(GOOD.access_key_id, GOOD.secret_access_key, GOOD.session_token, LATER)
    data = render(credentials, Target(formats=formats), "eu-west-1")
    files = {name: content.encode() for name, content in data.items() if name in FILES}
    unknown = formats == [Format.CREDENTIALS_FILE]  # INI has no place for it
    assert read(files) == replace(GOOD, expiration=None if unknown else LATER)


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({}, "there is no credentials.json, no AWS_ACCESS_KEY_ID and no credentials: "),
        ({"credentials.json": b""}, "credentials.json is not a JSON object"),
        ({"credentials.json": b"[" * LARGEST}, "credentials.json is not a JSON object"),
        ({"credentials.json": b'["AccessKeyId"]'}, "credentials.json is not a JSON object"),
        ({"credentials.json": b"\xff"}, "credentials.json is not text"),
        ({"credentials.json": b" " * (LARGEST + 1)}, "credentials.json has more than 65536 bytes"),
        (process_file(GOOD, AccessKeyId=None), "the access key id is missing, or is none"),
        (process_file(GOOD, AccessKeyId=5), "the access key id is missing, or is none"),
        (process_file(GOOD, AccessKeyId="ASIA short"), "the access key id is missing, or is none"),
        (process_file(GOOD, SecretAccessKey=""), "the secret access key is missing, or is none"),
        (process_file(GOOD, SecretAccessKey="two\r\nwords"), "the secret access key is missing, or is none"),
        (process_file(GOOD, SessionToken=None), "the session token is missing, or is none: "),
        (process_file(GOOD, Expiration="tomorrow"), "the expiration is not a time with a zone"),
        (process_file(GOOD, Expiration="2026-01-31T12:00:00"), "the expiration is not a time with a zone"),
        (process_file(GOOD, Expiration="9999-12-31T23:59:59-01:00"), "the expiration is not a time with a zone"),
        (process_file(GOOD, Expiration="0001-01-01T00:00:00+14:00"), "the expiration is not a time with a zone"),
        (process_file(GOOD, Expiration=1769860800), "the expiration is not a time with a zone"),
        ({"AWS_ACCESS_KEY_ID": b"ASIAEXAMPLE000000001"}, "the secret access key is missing, or is none"),
        ({"AWS_SESSION_TOKEN": b"token"}, "the access key id is missing, or is none"),
        ({"credentials": b"aws_access_key_id=x\n"}, "credentials is not an INI file with a profile"),
        ({"credentials": b"\n"}, "credentials is not an INI file with a profile"),
        ({"credentials": b"[default]\naws_access_key_id=\n"}, "the access key id is missing, or is none"),
        (profile(GOOD, end=""), "the session token"),
        (process_file(GOOD) | {"credentials.json": b"{"} | variables(GOOD), "credentials.json is not a JSON object"),
    ],
)
def test_problems(files: dict[str, bytes], problem: str) -> None:
    if files == profile(GOOD, end=""):
        files = {"credentials": files["credentials"].rpartition(b"\naws_session_token")[0] + b"\n"}
    with pytest.raises(Unusable) as told:
        read(files)
    assert str(told.value).startswith(problem)
    assert not any(part in str(told.value) for part in secrets_in(GOOD))


@pytest.mark.parametrize("files", [process_file(GOOD), profile(GOOD)], ids=["process", "profile"])
@settings(deadline=None)
@given(share=st.floats(0, 1, exclude_max=True))
def test_half_a_file_is_none_or_whole(files: dict[str, bytes], share: float) -> None:
    ((name, content),) = files.items()
    try:
        found = read({name: content[: int(share * len(content))]})
    except Unusable:
        return
    assert replace(found, expiration=LATER) == GOOD


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(FILES), st.binary(max_size=200)))
def test_garbage_is_unusable_or_credentials(files: dict[str, bytes]) -> None:
    with suppress(Unusable):
        assert isinstance(read(files), Vended)


def test_nothing_secret_is_shown() -> None:
    shown = repr(Stock(GOOD))
    assert GOOD.access_key_id in shown
    assert not any(part in shown for part in secrets_in(GOOD))


OLD, NEW, UNKNOWN = vended(1), vended(2), vended(3, None)
DEAD, DEADER = vended(4, NOW), vended(5, NOW - timedelta(days=1))
SHORTER = vended(6, NOW + timedelta(seconds=1))


@pytest.mark.parametrize(
    ("held", "found", "after"),
    [
        (None, OLD, OLD),
        (OLD, NEW, NEW),
        (OLD, SHORTER, SHORTER),  # somebody wanted it so
        (OLD, UNKNOWN, UNKNOWN),
        (OLD, DEAD, OLD),
        (UNKNOWN, DEAD, UNKNOWN),
        (DEADER, DEAD, DEAD),
        (None, DEAD, DEAD),  # to say since when
        (DEAD, OLD, OLD),
        (OLD, Unusable("broken"), OLD),
        (None, Unusable("broken"), None),
    ],
)
def test_live_credentials_never_give_way_to_worse_ones(
    held: Vended | None, found: Vended | Unusable, after: Vended | None
) -> None:
    stock = restocked(Stock(held, ""), found, NOW)
    assert stock.held == after
    assert (stock.problem == "") == (after == found)


@settings(deadline=None)
@given(st.lists(st.sampled_from([OLD, NEW, UNKNOWN, DEAD, SHORTER, Unusable("broken")])))
def test_once_alive_it_stays_alive(found: list[Vended | Unusable]) -> None:
    stock = Stock()
    alive = False
    for each in found:
        stock = restocked(stock, each, NOW)
        assert stock.alive(NOW) >= alive
        alive = stock.alive(NOW)
