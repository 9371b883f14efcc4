"""The target Secret as it is found."""

from typing import Any

import pytest

from awssts.domain import names
from awssts.domain.request import Identity
from awssts.domain.target import inputs_digest, layout_digest, observe
from tests.unit.builders import HOUR, KEY, MINUTE, NOW, ROLE_ARN, SERIAL, Json, encoded, request, spec, target, written

IDENTITY = request().identity


def annotated(**values: str | None) -> Json:
    """The metadata of a target, with some of its annotations changed, or gone."""
    metadata = written(request())["metadata"]
    annotations = metadata["annotations"] | {f"{names.GROUP}/{key}": value for key, value in values.items()}
    return metadata | {"annotations": {key: value for key, value in annotations.items() if value is not None}}


def test_what_the_operator_wrote_is_found_again() -> None:
    asked = request(annotations={names.RENEW: "once"}, region="eu-west-1")
    found = target(asked)
    assert found.belongs_to(asked.identity)
    assert found.labelled
    assert found.intact
    assert found.live(NOW)
    assert (found.issued_at, found.expiration) == (NOW - HOUR, NOW + 11 * HOUR)
    assert (found.access_key_id, found.key_digest) == ("ASIA0000000000000001", KEY.digest)
    assert (found.renewed, found.owner_uids) == ("once", (asked.identity.uid,))
    assert found.inputs_digest == inputs_digest(spec(region="eu-west-1"))
    assert found.layout_digest == layout_digest(spec(region="eu-west-1"), "eu-west-1")


@pytest.mark.parametrize(
    "metadata",
    [{}, {"annotations": None, "labels": None, "ownerReferences": None}, {"annotations": {}, "resourceVersion": ""}],
)
def test_somebody_elses_secret(metadata: Json) -> None:
    found = observe(metadata, encoded({"password": "x"}))
    assert not found.belongs_to(IDENTITY)
    assert not found.labelled
    assert not found.intact
    assert not found.live(NOW)
    assert (found.request, found.owner_uids, found.expiration) == ("", (), None)


def owned_by(kind: str, version: str) -> Json:
    return {"ownerReferences": [{"kind": kind, "apiVersion": version, "uid": IDENTITY.uid}]}


@pytest.mark.parametrize(
    ("metadata", "belongs"),
    [
        (annotated(), True),
        (annotated(request="other"), True),
        (annotated(request="other") | {"ownerReferences": []}, False),
        (annotated() | {"ownerReferences": []}, True),
        (annotated(request=None) | {"ownerReferences": []}, False),
        (annotated(request=None) | owned_by("AwsStsRequest", "awssts.dev/v1beta1"), True),
        (annotated(request=None) | owned_by("AwsStsRequest", "v1"), False),
        (annotated(request=None) | owned_by("Job", "batch/v1"), False),
    ],
    ids=[
        "annotated and owned",
        "owned",
        "another's",
        "orphan of that name",
        "nobody's",
        "a later version",
        "another group",
        "a Job's",
    ],
)  # fmt: skip
def test_whose_it_is(metadata: Json, belongs: bool) -> None:
    assert observe(metadata).belongs_to(IDENTITY) is belongs


def test_it_belongs_to_a_request_of_the_same_name_before() -> None:
    assert observe(annotated()).belongs_to(Identity("team", "reports", "uid-of-a-later-one"))


@pytest.mark.parametrize(
    ("data", "intact"),
    [
        (None, True),
        (written(request())["data"], True),
        (written(request())["data"] | {"more": ""}, True),
        (written(request())["data"] | {"AWS_ACCESS_KEY_ID": ""}, False),
        ({}, False),
    ],
    ids=["not looked at", "as written", "another manager's key", "an altered value", "empty"],
)
def test_whether_it_is_as_it_was_written(data: dict[str, str] | None, intact: bool) -> None:
    found = observe(annotated(), data)
    assert found.intact is intact
    assert found.live(NOW) is intact


FAR = ["9999-12-31T23:59:59-01:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"]


@pytest.mark.parametrize("moment", ["", "tomorrow", "2026-11-23T16:00:00", "2026-13-01T00:00:00Z", None, *FAR])
def test_a_moment_that_cannot_be_read_is_none(moment: str | None) -> None:
    found = observe(annotated(expiration=moment))
    assert found.expiration is None
    assert not found.live(NOW)


def test_it_lives_until_it_expires() -> None:
    found = target(request(), lifetime=HOUR, issued_at=NOW - HOUR + MINUTE)
    assert found.live(NOW)
    assert not found.live(NOW + MINUTE)


def test_resource_versions_make_no_difference() -> None:
    assert observe(annotated() | {"resourceVersion": "1"}) == observe(annotated() | {"resourceVersion": "2"})


ROLE = {"arn": ROLE_ARN}


@pytest.mark.parametrize(
    ("fields", "others", "same"),
    [
        ({}, {"duration": "12h"}, True),
        ({"duration": "PT2H"}, {"duration": 7200}, True),
        ({}, {"region": "eu-west-1", "renewBefore": "2h", "suspend": True, "target": {"name": "x"}}, True),
        ({}, {"credentialsSecretRef": {"name": "other"}}, True),
        ({}, {"duration": "11h"}, False),
        ({"duration": "1h"}, {"duration": "1h", "role": ROLE}, False),
        ({"role": ROLE}, {"role": ROLE | {"tags": {"a": "b"}}}, False),
        ({"role": ROLE}, {"role": ROLE | {"policyArns": ["arn:aws:iam::aws:policy/ReadOnlyAccess"]}}, False),
        ({}, {"mfa": {"serialNumber": SERIAL}}, False),
    ],
)
def test_what_decides_the_credentials(fields: dict[str, Any], others: dict[str, Any], same: bool) -> None:
    """Another credentials Secret with the same key gives the same credentials: the key has a digest of its own."""
    assert (inputs_digest(spec(**fields)) == inputs_digest(spec(**others))) is same


@pytest.mark.parametrize(
    ("fields", "others", "same"),
    [
        ({}, {"duration": "1h"}, True),
        ({}, {"target": {"profile": "default"}}, True),
        ({}, {"target": {"profile": "other"}}, False),
        ({}, {"target": {"formats": ["Environment"]}}, False),
        ({}, {"target": {"template": {"labels": {"a": "b"}}}}, False),
        ({}, {"target": {"creationPolicy": "Orphan"}}, False),
    ],
)
def test_what_decides_the_layout(fields: dict[str, Any], others: dict[str, Any], same: bool) -> None:
    assert (layout_digest(spec(**fields), None) == layout_digest(spec(**others), None)) is same
    assert layout_digest(spec(**fields), "eu-west-1") != layout_digest(spec(**fields), None)


FULL: Json = {
    "role": ROLE | {"sessionName": "jobs", "externalId": "x1", "tags": {"a": "b"}, "transitiveTagKeys": ["a"]},
    "mfa": {"serialNumber": SERIAL, "totpSecretRef": {"name": "seed"}},
    "target": {"name": "aws", "profile": "jobs", "formats": ["Environment"], "template": {"labels": {"a": "b"}}},
}


@pytest.mark.parametrize(
    ("fields", "inputs", "layout"),
    [
        ({}, "a83e0fc35f53286329b02e14c19b8240", "1946aa208c6f458ca5f444407f9f7f96"),
        (FULL, "bea26324fe0ec11fdbd07980b54c9fd7", "3d46c2f80df8ee74db9ad93c08a523f5"),
    ],
    ids=["defaults", "much"],
)
def test_digests_stay_from_version_to_version(fields: Json, inputs: str, layout: str) -> None:
    """They are on the Secrets of every cluster. Another digest has all credentials issued anew, codes used up with MFA,
    or all Secrets written, by nothing but an upgrade. Change these only if that is meant."""
    assert (inputs_digest(spec(**fields)), layout_digest(spec(**fields), "eu-west-1")) == (inputs, layout)


def test_what_is_as_by_default_is_in_no_digest() -> None:
    """So a field that a later version adds changes none."""
    said = spec(target={"profile": "default", "creationPolicy": "Owner", "template": {"labels": {}}})
    assert layout_digest(said, None) == layout_digest(spec(), None)
