"""The target Secret as it is written: tests/data/secret."""

import base64
import dataclasses
from typing import Any

import pytest
import yaml

from awssts.domain import names, secret
from awssts.domain.target import observe
from tests.unit.builders import HOUR, KEY, NOW, ROLE_ARN, Json, credentials, request, target, view
from tests.unit.golden import DATA, compare

GOLDEN = DATA / "secret"
GIVEN = credentials(expiration=NOW + 12 * HOUR)
TEMPLATE = {"labels": {"team": "reports"}, "annotations": {"a": "b"}, "data": {"k": "${accessKeyId}"}, "type": "x/y"}

CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "role": {"role": {"arn": ROLE_ARN}, "region": "eu-west-1", "target": {"formats": ["CredentialsFile"]}},
    "template": {"target": {"name": "aws", "formats": ["Environment"], "template": TEMPLATE}},
    "orphan": {"target": {"formats": ["Environment"], "creationPolicy": "Orphan"}},
    "adopt": {"target": {"formats": ["Environment"], "creationPolicy": "Adopt"}},
}


def fresh(**fields: Any) -> Json:
    return secret.fresh(view(request(**fields)), GIVEN, KEY.digest, NOW)


@pytest.mark.parametrize("case", CASES)
def test_golden(case: str) -> None:
    compare(GOLDEN / f"{case}.yaml", fresh(**CASES[case]))


def test_every_golden_file_has_a_case() -> None:
    assert {file.stem for file in GOLDEN.iterdir()} == set(CASES)


def test_what_is_secret_is_only_in_the_data() -> None:
    for case in CASES:
        written = yaml.safe_load((GOLDEN / f"{case}.yaml").read_text())
        data = written.pop("data")
        text = yaml.dump(written)
        for value in (GIVEN.secret_access_key, GIVEN.session_token, KEY.secret_access_key):
            assert value not in text
            assert base64.b64encode(value.encode()).decode() not in text
        assert data


def test_a_template_cannot_take_the_labels_and_annotations_of_the_operator() -> None:
    written = fresh(target={"template": {"labels": {"a": "b"}, "annotations": {"a": "b"}}})
    assert written["metadata"]["labels"] == {"a": "b", names.TYPE_LABEL: names.TARGET}
    assert written["metadata"]["annotations"][names.REQUEST] == "reports"


def test_another_secret_of_the_name_is_refused_by_its_uid() -> None:
    asked = request()
    found = target(asked)
    written = secret.fresh(view(asked, target=found), GIVEN, KEY.digest, NOW)
    assert written["metadata"]["uid"] == found.uid
    assert "uid" not in fresh()["metadata"]


def test_in_another_layout_it_is_of_the_same_origin() -> None:
    asked = request(annotations={names.RENEW: "once"})
    found = target(asked)
    changed = dataclasses.replace(asked, spec=request(target={"formats": ["Environment"]}).spec, annotations={})
    written = secret.rewritten(view(changed, target=found), GIVEN, found, version="7")
    assert written["metadata"]["resourceVersion"] == "7"
    again = observe(written["metadata"] | {"resourceVersion": "11"}, written["data"])
    assert again == dataclasses.replace(
        found,
        expiration=GIVEN.expiration,
        layout_digest=again.layout_digest,
        content_digest=again.content_digest,
    )
    assert again.layout_digest != found.layout_digest
    assert again.content_digest != found.content_digest
    assert again.intact
