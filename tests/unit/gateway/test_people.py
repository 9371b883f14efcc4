"""Users as their Secrets say, and the request that a login is."""

from typing import Any

import pytest

from awssts.domain import people
from awssts.domain.callers import Caller
from awssts.domain.errors import AwsstsError, InvalidSpec
from awssts.domain.gateway import Asked
from awssts.domain.people import User
from awssts.domain.policy import NamespaceFacts
from awssts.domain.policy.errors import RoleNotAllowed
from awssts.domain.policy.principal import from_metadata
from awssts.domain.refusals import BadParameter, DeviceRefused
from awssts.domain.request import Request
from awssts.domain.resources import Spec
from tests.unit.builders import NOW, ROLE_ARN, SERIAL, Json, encoded

HASH = "$argon2id$v=19$m=32768,t=3,p=1$c29tZXNhbHRzb21lc2FsdA$aGFzaGhhc2hoYXNoaGFzaA"
CALLER = Caller("192.0.2.1", "curl/8")
MFA = f"mfa: {{serialNumber: '{SERIAL}'}}"
ROLE = f"role: {{arn: '{ROLE_ARN}', externalId: team}}"


def secret(annotations: dict[str, str] | None = None, **data: str) -> Json:
    metadata = {"namespace": "people", "name": "anna", "uid": "uid-of-anna", "labels": {"team": "a"}}
    values = {"username": "anna@example.org", "passwordHash": HASH} | data
    return {"metadata": metadata | {"annotations": annotations or {}}, "data": encoded(values)}


def user(**details: Any) -> User:
    return people.read(secret(**details))


def login(spec: str = "", annotations: dict[str, str] | None = None, **asked: Any) -> Request:
    wanted = Asked(username="anna@example.org", password="x", **asked)
    return people.login(user(spec=spec, annotations=annotations), wanted, NOW, "1")


def spec_of(*arguments: Any, **asked: Any) -> Spec:
    found = login(*arguments, **asked).spec
    assert isinstance(found, Spec)
    return found


def test_read() -> None:
    found = user(attributes="awsRoles: [a, b]\nteam: x", annotations={"principal.awssts.dev/team": "y"})
    assert (found.username, found.identity.name) == ("anna@example.org", "anna")
    assert found.attributes == {"awsRoles": ("a", "b"), "team": ("y",)}
    assert not found.suspended
    assert user(spec="suspend: true").suspended
    assert not user(spec="suspend: false").suspended
    assert HASH not in repr(found)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"username": ""}, "username: a username has"),
        ({"username": "system:admin"}, "username: a username has"),
        ({"passwordHash": "hunter2"}, "passwordHash is no argon2id hash"),
        ({"passwordHash": HASH.replace("argon2id", "argon2i")}, "passwordHash is no argon2id hash"),
        ({"spec": "{"}, "spec is not YAML"),
        ({"spec": "target: {name: x}"}, "spec has to be a mapping with none but credentialsSecretRef"),
        ({"spec": "text"}, "spec has to be a mapping"),
        ({"spec": "mfa: {seed: x}"}, "spec.mfa"),
        ({"spec": "role: 1"}, "spec.role"),
        ({"spec": "duration: 1m"}, "spec.duration"),
        ({"spec": "suspend: maybe"}, "spec.suspend"),
        ({"attributes": "- a"}, "attributes must be a YAML mapping"),
    ],
)
def test_what_is_no_user(data: dict[str, str], message: str) -> None:
    assert message in people.problem(secret(**data))
    assert "hunter2" not in people.problem(secret(**data))


def test_a_missing_key() -> None:
    body = secret()
    del body["data"]["passwordHash"]
    with pytest.raises(AwsstsError, match="has no key passwordHash"):
        people.read(body)


def test_the_request_of_a_login() -> None:
    wishes = {"awssts.dev/mfa": "totp", "awssts.dev/entity-id": "x"}
    annotations = {"awssts.dev/mfa": "person", "team": "b", "awssts.dev/authentication": "forged"}
    request = login("region: eu-west-1", annotations, token="123456", wishes=wishes, serial_number=SERIAL)
    assert request.identity.uid == "uid-of-anna/1"
    assert request.labels == {"team": "a"}
    assert request.token_code == "123456"
    assert request.annotations["awssts.dev/mfa"] == "person"  # the administrator's word, not the caller's
    assert request.annotations["awssts.dev/entity-id"] == "x"
    assert request.owner == {"apiVersion": "v1", "kind": "Secret", "name": "anna", "uid": "uid-of-anna"}
    assert isinstance(request.spec, Spec)
    assert request.spec.credentials_secret_ref.name == "anna"
    assert request.spec.region == "eu-west-1"


def test_who_logs_in() -> None:
    who = people.applicant(user(attributes="groups: [staff, admins]"), CALLER)
    assert (who.username, who.uid) == ("gateway:anna@example.org", "uid-of-anna")
    assert who.groups == ("staff", "admins")
    assert who.attributes["address"] == ("192.0.2.1",)
    assert who.attributes["userAgent"] == ("curl/8",)


def test_role_and_duration() -> None:
    assert spec_of().role is None
    assert spec_of(role_arn=ROLE_ARN).role.arn == ROLE_ARN  # type: ignore[union-attr]
    assert spec_of(ROLE, role_arn=ROLE_ARN).role.external_id == "team"  # type: ignore[union-attr]
    assert spec_of("duration: 2h").lifetime == 7200
    assert spec_of("duration: 2h", duration=900).lifetime == 900
    assert spec_of(duration=129_600).lifetime == 129_600
    with pytest.raises(RoleNotAllowed):
        login(ROLE, role_arn=ROLE_ARN + "2")
    with pytest.raises(BadParameter, match="12h with a role"):
        login(ROLE, duration=43_201)
    with pytest.raises(InvalidSpec):
        login("duration: 36h", role_arn=ROLE_ARN)


def test_device() -> None:
    assert spec_of().mfa is None
    assert spec_of(MFA).mfa.serial_number == SERIAL  # type: ignore[union-attr]
    assert spec_of(MFA, serial_number=SERIAL).uses_device
    assert spec_of(serial_number=SERIAL).uses_device
    triggered = f"mfa: {{serialNumber: '{SERIAL}', when: Triggered}}"
    assert not spec_of(triggered).uses_device
    assert spec_of(triggered, token="123456").uses_device
    with pytest.raises(DeviceRefused):
        login(MFA, serial_number=SERIAL + "2")
    with pytest.raises(BadParameter, match="name it as serialNumber"):
        login(token="123456")


def test_home() -> None:
    """What the namespace says of its principals hides what the user's Secret says, but for who he is."""
    given = user(attributes='awsRoles: [a, "b: ü"]\nteam: mine\nsite: here\nid: other')
    labels = {"principal.awssts.dev/site": "there", "env": "prod"}
    namespace = NamespaceFacts(
        name="people",
        labels=labels,
        annotations={"principal.awssts.dev/team": "ours", "principal.awssts.dev/id": "all"},
    )
    found = people.home(given, namespace)
    assert found.labels == labels
    assert from_metadata("", found.annotations, found.labels) == {
        "awsRoles": ("a", "b: ü"),
        "team": ("ours",),
        "site": ("there",),
        "id": ("other",),
    }
    plain = people.home(user(), namespace)
    assert from_metadata("", plain.annotations)["id"] == ("anna@example.org",)
