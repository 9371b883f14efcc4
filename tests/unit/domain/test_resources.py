"""What the models take, and what they say about the rest."""

import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from awssts.domain import template
from awssts.domain.errors import InvalidSpec
from awssts.domain.request import read_spec
from awssts.domain.resources import CreationPolicy, Format, MfaWhen, Spec
from tests.unit.builders import ROLE_ARN, SERIAL, raw_spec, spec

ROLE = {"arn": ROLE_ARN}
KEPT = "the keys would be overwritten"
FIT = "renewBefore must be shorter than duration (12h by default, 1h with a role)"
LEAST = "renewBefore must be at least 20m with a duration of an hour or more"
FORM = "write a duration like 12h, 1h30m, PT12H or a number of seconds"


def problems(name: str = "reports", **fields: Any) -> list[str]:
    found = read_spec(raw_spec(**fields), name)
    return found.problems if isinstance(found, InvalidSpec) else []


def test_defaults() -> None:
    found = spec()
    assert (found.lifetime, found.renew_before, found.region, found.suspend) == (43_200, None, None, False)
    assert (found.target.name, found.target.formats) == (None, tuple(Format))
    assert (found.target.profile, found.target.mount_path) == ("default", "/var/run/secrets/awssts.dev")
    assert found.target.creation_policy is CreationPolicy.OWNER
    assert spec(role=ROLE).lifetime == 3_600
    device = spec(mfa={"serialNumber": SERIAL, "totpSecretRef": {"name": "seed"}}).mfa
    assert device is not None
    assert device.when is MfaWhen.ALWAYS
    assert device.totp_secret_ref is not None
    assert device.totp_secret_ref.key == "seed"


@pytest.mark.parametrize(
    "fields",
    [
        {"duration": "36h"},
        {"duration": "PT15M"},
        {"duration": 900},
        {"duration": "12h", "role": ROLE},
        {"duration": "15m", "renewBefore": "1m"},
        {"duration": "1h", "renewBefore": "20m"},
        {"duration": "59m59s", "renewBefore": 1},
        {"region": "us-gov-west-1"},
        {"region": "cn-northwest-1"},
        {"role": {"arn": "arn:aws-us-gov:iam::123456789012:role/path/to/reports"}},
        {"role": ROLE | {"sessionName": "a@b.c,=+-_", "externalId": "x:/y", "sourceIdentity": "jane"}},
        {"role": ROLE | {"policyArns": ["arn:aws:iam::aws:policy/ReadOnlyAccess"], "policy": "{}"}},
        {"role": ROLE | {"tags": {"team": ""}, "transitiveTagKeys": ["team"]}},
        {"mfa": {"serialNumber": "GAHT12345678"}},
        {"mfa": {"serialNumber": SERIAL, "when": "Triggered"}},
        {"target": {"name": "a.b-c", "formats": ["Environment"], "profile": "team.reports@prod", "mountPath": "/"}},
        {"target": {"template": {"data": {"url": "https://${accessKeyId}@x/$$HOME/$HOME", "k": ""}}}},
        {"target": {"template": {"labels": {"app.awssts.dev/x": "y"}, "annotations": {"a": "b"}, "type": "x/y"}}},
    ],
)
def test_what_is_taken(fields: dict[str, Any]) -> None:
    assert problems(**fields) == []


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"duration": "10m"}, "spec.duration: 10m is out of range: must be at least 15m and at most 36h"),
        ({"duration": "37h"}, "spec.duration: 37h is out of range: must be at least 15m and at most 36h"),
        ({"duration": "soon"}, f"spec.duration: 'soon' is not a duration: {FORM}"),
        ({"duration": "12h\n"}, f"spec.duration: '12h\\n' is not a duration: {FORM}"),
        ({"duration": True}, f"spec.duration: 'True' is not a duration: {FORM}"),
        ({"renewBefore": "0s"}, "spec.renewBefore: 0s is out of range: must be at least 1s"),
        ({"duration": "12h1s", "role": ROLE}, "spec: duration must be at most 12h with a role"),
        ({"duration": "2h", "renewBefore": "2h"}, f"spec: {FIT}"),
        ({"renewBefore": "12h"}, f"spec: {FIT}"),
        ({"renewBefore": "1h", "role": ROLE}, f"spec: {FIT}"),
        ({"renewBefore": "19m59s"}, f"spec: {LEAST}"),
        ({"duration": "1h", "renewBefore": 60}, f"spec: {LEAST}"),
        ({"target": {"name": "reports-iam"}}, f"spec: target.name must differ from credentialsSecretRef.name: {KEPT}"),
        (
            {"mfa": {"serialNumber": SERIAL, "totpSecretRef": {"name": "seed"}}, "target": {"name": "seed"}},
            "spec: target.name must differ from mfa.totpSecretRef.name: the seed would be overwritten",
        ),
        (
            {"role": ROLE | {"tags": {"a": "b"}, "transitiveTagKeys": ["c"]}},
            "spec.role: transitiveTagKeys names 'c', which is not a key of tags",
        ),
        (
            {"target": {"template": {"labels": {"awssts.dev/type": "x"}}}},
            "spec.target.template: labels of awssts.dev/ are the operator's: remove 'awssts.dev/type'",
        ),
        (
            {"target": {"template": {"annotations": {"awssts.dev/x": "x"}}}},
            "spec.target.template: annotations of awssts.dev/ are the operator's: remove 'awssts.dev/x'",
        ),
        (
            {"target": {"template": {"data": {"a": "${password}"}}}},
            "spec.target.template.data.a: no placeholder ${password}: there are ${accessKeyId}, ${secretAccessKey}, "
            "${sessionToken}, ${expiration}, ${region} (write $$ for a dollar sign)",
        ),
        ({"duratoin": "1h"}, "spec.duratoin: no such field"),
        ({"role": {}}, "spec.role.arn: Field required"),
        ({"target": {"formats": []}}, "spec.target.formats: Tuple should have at least 1 item after validation, not 0"),
        (
            {"target": {"formats": ["Environment", "Toml"]}},
            "spec.target.formats[1]: Input should be 'Environment', 'CredentialsFile' or 'CredentialProcess'",
        ),
    ],
)  # fmt: skip
def test_what_is_refused_and_why(fields: dict[str, Any], problem: str) -> None:
    assert problems(**fields) == [problem]


@pytest.mark.parametrize(
    "fields",
    [
        {"region": "Frankfurt"},
        {"region": "eu-west-1\n"},
        {"suspend": "true"},
        {"suspend": 1},
        {"credentialsSecretRef": {"name": "Upper"}},
        {"credentialsSecretRef": {"name": "x", "accessKeyIdKey": "a b"}},
        {"role": {"arn": "arn:aws:iam::123456789012:user/jane"}},
        {"role": {"arn": "arn:aws:iam::123456789012:role/rôle"}},
        {"role": ROLE | {"sessionName": "rôle"}},
        {"role": ROLE | {"sessionName": "x"}},
        {"role": ROLE | {"externalId": "٣٣"}},
        {"role": ROLE | {"policyArns": ["ReadOnlyAccess"]}},
        {"role": ROLE | {"tags": {str(number): "" for number in range(51)}}},
        {"mfa": {"serialNumber": "short"}},
        {"mfa": {"serialNumber": "sérialnumber"}},
        {"mfa": {"serialNumber": SERIAL, "when": "Sometimes"}},
        {"target": {"profile": "a b"}},
        {"target": {"profile": "défaut"}},
        {"target": {"mountPath": "relative"}},
        {"target": {"mountPath": "/x; rm -rf /"}},
        {"target": {"formats": ["Environment", "Environment"]}},
        {"target": {"creationPolicy": "Mine"}},
        {"target": {"template": {"data": {"a b": "x"}}}},
        {"target": {"template": {"data": {"a": "${"}}}},
    ],
)
def test_what_is_refused(fields: dict[str, Any]) -> None:
    """The API server refuses these too: ``tests/integration/test_crd.py``."""
    assert problems(**fields) != []


def test_the_default_target_must_be_no_input_either() -> None:
    assert problems(name="reports-iam") == [f"spec: target.name must differ from credentialsSecretRef.name: {KEPT}"]
    device = {"serialNumber": SERIAL, "totpSecretRef": {"name": "seed"}}
    assert problems(name="seed", mfa=device) != []
    assert problems(name="seed", mfa=device, target={"name": "other"}) == []


def test_all_problems_are_told_at_once() -> None:
    found = problems(duration="1d", region="Frankfurt", credentialsSecretRef={}, suspend="maybe")
    assert [problem.split(":")[0] for problem in found] == [
        "spec.credentialsSecretRef.name", "spec.duration", "spec.region", "spec.suspend",
    ]  # fmt: skip


@given(st.text("$${}abr", max_size=12).map(lambda text: text.replace("r", "${region}")))
@example("${")
@example("$${")
@example("$$${region}")
@example("${acce$$ssKeyId}")
@example("${${region}region}")
def test_python_and_the_crd_take_the_same_templates(text: str) -> None:
    try:
        template.check(text)
    except ValueError:
        taken = False
    else:
        taken = True
    assert taken == by_the_rule(text)


def by_the_rule(text: str) -> bool:
    """What the CEL rule says of a text: a regular expression of RE2, whose ``$`` is the end only."""
    rule = re.fullmatch(r"self\.matches\('(?P<pattern>.*)\$'\)", template.in_cel("self"))
    assert rule is not None
    return re.match(rule["pattern"] + r"\Z", text) is not None


def test_a_spec_can_be_written_again() -> None:
    raw = raw_spec(duration="1h30m", role=ROLE | {"tags": {"a": "b"}})
    found = Spec.model_validate(raw)
    assert Spec.model_validate(found.model_dump(mode="json", by_alias=True)) == found
