"""Credentials in each format: what is written is in tests/data/rendering, one file for each case."""

import base64
import configparser
import itertools
import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from awssts.domain import rendering
from awssts.domain.keys import Credentials
from awssts.domain.resources import Format, Target
from tests.unit.builders import HOUR, NOW, credentials, encoded
from tests.unit.golden import DATA, compare

GOLDEN = DATA / "rendering"
GIVEN = credentials(expiration=NOW + HOUR)
TEMPLATE = {"data": {"aws.url": "s3://${accessKeyId}:${secretAccessKey}@${region}", "until": "${expiration} $$ $HOME"}}
COMBINATIONS = [
    list(some) for size in (1, 2, 3) for some in itertools.combinations([one.value for one in Format], size)
]

CASES: dict[str, tuple[dict[str, Any], str | None]] = {
    **{"+".join(some): ({"formats": some}, None) for some in COMBINATIONS},
    "region": ({}, "eu-west-1"),
    "profile": ({"profile": "team.reports@prod", "mountPath": "/aws/"}, None),
    "template": ({"formats": ["Environment"], "template": TEMPLATE}, "eu-west-1"),
    "template-replaces-a-key": (
        {"formats": ["CredentialsFile"], "template": {"data": {"credentials": "mine\n"}}},
        None,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_golden(case: str) -> None:
    fields, region = CASES[case]
    compare(GOLDEN / f"{case}.yaml", rendering.render(GIVEN, Target.model_validate(fields), region))


def test_every_golden_file_has_a_case() -> None:
    assert {file.stem for file in GOLDEN.iterdir()} == set(CASES)


def golden(case: str, key: str) -> str:
    return str(yaml.safe_load((GOLDEN / f"{case}.yaml").read_text())[key])


def parsed(text: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    return parser


def test_the_credentials_file_is_what_sdks_read() -> None:
    parser = parsed(golden("profile", "credentials"))
    assert parser.sections() == ["team.reports@prod"]
    assert set(parser["team.reports@prod"]) == {"aws_access_key_id", "aws_secret_access_key", "aws_session_token"}


def test_the_config_file_has_no_static_keys_and_a_process() -> None:
    """In the config file other profiles than default are sections "profile …"; static keys would win."""
    profile = parsed(golden("profile", "config"))["profile team.reports@prod"]
    assert dict(profile) == {"credential_process": "cat /aws/credentials.json"}
    assert parsed(golden("region", "config"))["default"]["region"] == "eu-west-1"


def test_the_answer_of_the_process() -> None:
    answer = json.loads(golden("CredentialProcess", "credentials.json"))
    assert answer["Version"] == 1
    assert answer["Expiration"] == "2026-11-23T17:00:00Z"


# Back from there.

# STS's values are of these; the point is what an INI or JSON parser might stumble over.
values = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)


@given(values, values, values, st.sampled_from(COMBINATIONS), st.sampled_from([None, "eu-west-1"]), values)
def test_every_combination_gives_the_credentials_back(
    key: str, secret: str, token: str, formats: list[str], region: str | None, profile: str
) -> None:
    given = Credentials(key, secret, token, NOW + HOUR)
    target = Target.model_construct(formats=tuple(map(Format, formats)), profile=profile.replace("]", "."))
    assert (
        rendering.recover(rendering.encode(rendering.render(given, target, region)), given.expiration, given.digest)
        == given
    )


@pytest.mark.parametrize("one", Format)
@pytest.mark.parametrize("loss", ["gone", "empty", "half", "not text", "not base64"])
def test_credentials_that_are_not_whole_are_none(one: Format, loss: str) -> None:
    data = rendering.encode(rendering.render(GIVEN, Target(formats=(one,)), None))
    for key in list(data):
        if loss == "gone":
            del data[key]
        elif loss == "empty":
            data[key] = ""
        elif loss == "half":
            text = base64.b64decode(data[key])
            data[key] = base64.b64encode(text[: len(text) // 2] if one is not Format.ENVIRONMENT else b"").decode()
        elif loss == "not text":
            data[key] = base64.b64encode(b"\xff").decode()
        else:
            data[key] = "!"
    assert rendering.recover(data, GIVEN.expiration, GIVEN.digest) is None


@pytest.mark.parametrize("data", [{}, {"credentials.json": "[]"}, {"credentials.json": "5"}, {"credentials": "x"}])
def test_other_data_gives_none(data: dict[str, str]) -> None:
    assert rendering.recover(encoded(data), GIVEN.expiration, GIVEN.digest) is None


@pytest.mark.parametrize(
    ("data", "formats"),
    [
        ({"AWS_SESSION_TOKEN": "see ${accessKeyId}"}, list(Format)),
        ({"AWS_SECRET_ACCESS_KEY": ""}, list(Format)),
        ({"credentials.json": "{}"}, [Format.CREDENTIALS_FILE, Format.CREDENTIAL_PROCESS]),
        (
            {"credentials": "[default]\naws_access_key_id=x\naws_secret_access_key=y\naws_session_token=z\n"},
            list(Format),
        ),
    ],
)
def test_a_template_over_a_format_does_not_spoil_the_credentials(data: dict[str, str], formats: list[Format]) -> None:
    """Whichever key a user replaces: what is rewritten from there is what STS gave, or nothing."""
    target = Target.model_validate({"formats": formats, "template": {"data": data}})
    found = rendering.recover(rendering.encode(rendering.render(GIVEN, target, None)), GIVEN.expiration, GIVEN.digest)
    assert found in {None, GIVEN}


def test_other_credentials_than_those_of_the_digest_are_none() -> None:
    data = rendering.encode(rendering.render(GIVEN, Target(), None))
    assert rendering.recover(data, GIVEN.expiration, credentials(number=2).digest) is None


def test_a_template_over_one_format_leaves_the_others_to_recover_from() -> None:
    target = Target.model_validate({"template": {"data": {"AWS_SECRET_ACCESS_KEY": ""}}})
    assert (
        rendering.recover(rendering.encode(rendering.render(GIVEN, target, None)), GIVEN.expiration, GIVEN.digest)
        == GIVEN
    )
