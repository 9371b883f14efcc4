"""The gateway as CAS's users meet it: CAS's own test cases, its examples, parameters and statuses."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration import gateways, policies
from tests.integration.gateways import PASSWORD, People
from tests.integration.patience import eventually
from tests.integration.policies import issuing_calls

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.cluster import Cluster
    from testbed.sts import StrictSts, User
    from tests.integration.gateways import GatewayProcess, Place
    from tests.integration.policies import Administrator

place, gateway, people = gateways.place, gateways.gateway, gateways.people

STAFF = {"principalAttribute": {"name": "awsRole", "value": "staff|admin"}}
ROLES = {"rolesFromAttribute": "awsRoles"}
FAILED = 401, "Authentication failed"


@pytest.fixture
def admin(cluster: Cluster, people: People) -> Iterator[Administrator]:
    """Who writes policies over the users; they are taken away at the end."""
    made = policies.Administrator(cluster, people.space.name)
    yield made
    made.remove()
    made.remove("second")
    people.settle()


@pytest.fixture
def roles(sts: StrictSts, user: User) -> dict[str, str]:
    """Two roles of the user, one's ARN the beginning of the other's."""
    return {name: sts.role(f"{user.name}-{name}", user.arn) for name in ("admin", "admin-ro")}


def write(admin: Administrator, people: People, name: str = "house", **spec: Any) -> str:
    written = admin.write(name, **spec)
    people.settle()
    return written


class TestCasCases:
    """CAS: AmazonSecurityTokenServiceEndpointTests."""

    def test_no_attribute_configured(self, people: People, user: User) -> None:
        anna = people.add(keys=user)
        people.settle()
        answer = people.call(anna)
        assert people.identity(answer) == user.arn
        assert list(answer.file) == ["aws_access_key_id", "aws_secret_access_key", "aws_session_token", "region"]
        assert answer.file["region"] == "us-east-1"
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-store"

    def test_attribute_missing_or_another(
        self, people: People, admin: Administrator, user: User, sts: StrictSts
    ) -> None:
        none, guest = people.add(keys=user), people.add(keys=user, attributes={"awsRole": ["guest", "staff-ro"]})
        staff = people.add(keys=user, attributes={"awsRole": ["guest", "staff"]})
        write(admin, people, authorization=STAFF)
        assert people.call(none).said == (401, "Authorization failure")
        assert people.call(guest).said == (401, "Authorization failure")
        assert issuing_calls(sts, user) == []
        assert people.identity(people.call(staff)) == user.arn

    @pytest.mark.parametrize(
        ("username", "password"),
        [("nobody", PASSWORD), ("", PASSWORD), (None, None), ("anna", None), ("anna", "wrong"), ("ANNA", PASSWORD)],
    )
    def test_who_is_not_known(self, people: People, user: User, username: str | None, password: str | None) -> None:
        """Unknown user, no credentials, bad password: all the same."""
        anna = people.add(keys=user)
        people.settle()
        given = {"anna": anna, "ANNA": anna.upper()}.get(username or "", username)
        assert people.call(given, password).said == FAILED

    def test_one_role(self, people: People, admin: Administrator, user: User, roles: dict[str, str]) -> None:
        anna = people.add(keys=user, attributes={"awsRoles": [roles["admin"]]})
        write(admin, people, authorization=ROLES)
        for form in ({}, {"roleArn": roles["admin"]}):
            assert f":assumed-role/{user.name}-admin/{people.space.name}.{anna}" in people.identity(
                people.call(anna, **form)
            )

    def test_several_roles_and_none_chosen(
        self, people: People, admin: Administrator, user: User, sts: StrictSts, roles: dict[str, str]
    ) -> None:
        """CAS lists them; here nobody learns of roles before the code was right."""
        anna = people.add(keys=user, attributes={"awsRoles": list(roles.values())})
        write(admin, people, authorization=ROLES)
        said = people.call(anna)
        assert said.said == (401, "Found multiple roles and none is specified: give one as roleArn")
        assert issuing_calls(sts, user) == []
        chosen = people.call(anna, query={"roleArn": roles["admin-ro"]})
        assert f":assumed-role/{user.name}-admin-ro/" in people.identity(chosen)

    @pytest.mark.parametrize("held", [["admin"], ["admin", "other"]])
    @pytest.mark.parametrize("wanted", ["admin-ro", "unknown", "adm", ".*"])
    def test_unknown_role(
        self,
        people: People,
        admin: Administrator,
        user: User,
        sts: StrictSts,
        roles: dict[str, str],
        *,
        held: list[str],
        wanted: str,
    ) -> None:
        """Also with one role, and never as a pattern."""
        arn = roles.get(wanted, roles["admin"].replace("-admin", f"-{wanted}"))
        anna = people.add(keys=user, attributes={"awsRoles": [roles.get(name, roles["admin"] + "-x") for name in held]})
        write(admin, people, authorization=ROLES)
        answer = people.call(anna, roleArn=arn)
        assert answer.status == (400 if wanted == ".*" else 401), answer.said
        assert issuing_calls(sts, user) == []

    def test_a_code_alone(self, people: People, sts: StrictSts, user: User) -> None:
        device = sts.device(user)
        anna = people.add(keys=user, mfa={"serialNumber": device.serial_number})
        people.settle()
        for password in (None, "wrong"):
            form = {"token": device.code(), "serialNumber": device.serial_number}
            assert people.call(anna, password, **form).said == FAILED
        assert sts.counters().codes.get(device.serial_number, 0) == 0


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl on this machine")
class TestCurl:
    """CAS's examples: a POST with the form `username=casuser&password=Mellon` and `duration=PT15S`."""

    @pytest.mark.parametrize(
        ("path", "arguments"),
        [
            ("/cas/actuator/awsSts?duration=PT15S", ["-d", "username=casuser&password=Mellon"]),
            ("/cas/actuator/awsSts", ["-d", "username=casuser&password=Mellon&duration=PT15S"]),
            (
                "/actuator/awsSts",
                ["-d", "username=casuser", "--data-urlencode", "password=Mellon", "-d", "duration=PT1H"],
            ),
            ("/actuator/awsSts?username=casuser&password=Mellon", []),
        ],
    )
    def test_cas_examples(self, people: People, user: User, path: str, arguments: list[str]) -> None:
        people.add("casuser", keys=user, password="Mellon")
        people.settle()
        done = self.curl(people, "-X", "POST", people.gateway.url + path, *arguments)
        assert done.stdout.splitlines()[0] == "[default]"
        for name in ("aws_access_key_id", "aws_secret_access_key", "aws_session_token"):
            assert f"\n{name}=" in done.stdout

    def test_a_passcode_is_no_mfa(self, people: People, sts: StrictSts, user: User) -> None:
        """CAS's example of MFA that fails."""
        people.add("casuser", keys=user, password="Mellon", mfa={"serialNumber": sts.device(user).serial_number})
        people.settle()
        form = "username=casuser&password=Mellon&passcode=352410"
        done = self.curl(
            people, "-w", "%{http_code}", "-d", form, f"{people.gateway.url}/cas/actuator/awsSts?duration=PT15S"
        )
        assert "Authentication failed" in done.stdout
        assert done.stdout.endswith("401")

    def curl(self, people: People, *arguments: str) -> subprocess.CompletedProcess[str]:
        options = ["--silent", "--show-error", "--cacert", str(people.gateway.authority), "-m", "60"]
        return subprocess.run(["curl", *options, *arguments], capture_output=True, text=True, check=True)  # noqa: S603, S607


class TestAnswers:
    def test_json(self, people: People, user: User) -> None:
        anna = people.add(keys=user)
        people.settle()
        answer = people.call(anna, accept="application/json", duration="PT1H")
        found = json.loads(answer.text)
        assert found.keys() == {
            "Version", "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration", "Region",
        }  # fmt: skip
        failed = people.call(anna, "wrong", accept="application/json")
        assert json.loads(failed.text) == {"reason": "AuthenticationFailed", "message": "Authentication failed"}

    @pytest.mark.parametrize(
        ("form", "status", "part"),
        [
            ({"duration": "P1D"}, 400, "duration"),
            ({"duration": "37h"}, 400, "at most 36h"),
            ({"duration": "36h", "roleArn": "arn:aws:iam::123456789012:role/x"}, 400, "12h with a role"),
            ({"token": "12345"}, 400, "six digits"),
            ({"token": "123456"}, 400, "serialNumber"),
            ({"roleArn": "admin"}, 400, "roleArn"),
            ({"serialNumber": "x"}, 400, "serialNumber"),
            ({"profile": "x" * 3000}, 400, "profile"),
        ],
    )
    def test_parameters(self, people: People, user: User, form: dict[str, str], status: int, part: str) -> None:
        anna = people.add(keys=user)
        people.settle()
        answer = people.call(anna, **form)
        assert answer.status == status, answer.said
        assert part in answer.text

    def test_given_twice(self, people: People) -> None:
        assert people.call("anna", query={"username": "berta"}).status == 400

    @pytest.mark.parametrize(
        ("method", "path", "content_type", "status"),
        [
            ("GET", "/actuator/awsSts", "", 405),
            ("PUT", "/actuator/awsSts", "", 405),
            ("POST", "/actuator/awsSts/", "", 404),
            ("POST", "/", "", 404),
            ("POST", "/actuator/awsSts", "application/json", 415),
            ("POST", "/actuator/awsSts", "multipart/form-data; boundary=x", 415),
        ],
    )
    def test_other_calls(self, people: People, method: str, path: str, content_type: str, status: int) -> None:
        headers = {"Content-Type": content_type} if content_type else {}
        assert people.send(method, path, b"{}" if content_type else b"", headers).status == status

    def test_durations_and_regions(self, people: People, sts: StrictSts, user: User) -> None:
        anna = people.add(keys=user, region="eu-west-1", duration="2h")
        people.settle()
        assert people.call(anna).file["region"] == "eu-west-1"
        for duration in ("PT1H", "1h30m", "900", "PT15S"):
            people.call(anna, duration=duration).key  # noqa: B018 - asserts
        asked = [call.duration_seconds for call in issuing_calls(sts, user)]
        assert asked == [7200, 3600, 5400, 900, 900]

    def test_probes_and_description(self, people: People) -> None:
        assert people.send("GET", "/healthz").said == (200, "ok\n")
        assert people.send("GET", "/readyz").said == (200, "ok\n")
        assert json.loads(people.send("GET", "/openapi.json").text)["openapi"] == "3.1.0"


class TestPolicies:
    def test_limits(self, people: People, admin: Administrator, user: User, sts: StrictSts) -> None:
        anna = people.add(keys=user)
        house = write(admin, people, limits={"maxDuration": "1h"})
        long = people.call(anna, duration="2h")
        assert long.status == 403
        assert f"policy {house}: a duration of 2h is over limits.maxDuration, 1h" in long.text
        people.call(anna).file  # noqa: B018 - asserts
        assert [call.duration_seconds for call in issuing_calls(sts, user)] == [3600]

    def test_selects_by_labels_of_the_user(self, people: People, admin: Administrator, user: User) -> None:
        intern, anna = people.add(keys=user, labels={"team": "interns"}), people.add(keys=user)
        selector = {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": people.space.name}},
            "requestSelector": {"matchLabels": {"team": "interns"}},
        }
        write(admin, people, selector=selector, limits={"allowedRoleArns": []}, authorization=STAFF)
        assert people.call(intern).status == 401
        assert people.call(anna).status == 200

    def test_lent_keys(
        self, people: People, admin: Administrator, user: User, sts: StrictSts, roles: dict[str, str]
    ) -> None:
        """CAS's own way: the server holds the keys, the user's attributes give the role."""
        people.space.keys(user, "lent-iam", watched=False)
        anna = people.add(attributes={"awsRoles": [roles["admin"]]})
        nobody = people.add()
        keys = {"secretName": "lent-iam", "namespace": people.space.name}
        write(admin, people, awsCredentials=keys, authorization=ROLES)
        assert f":assumed-role/{user.name}-admin/" in people.identity(people.call(anna))
        assert people.call(nobody).status == 401
        assert people.call(anna, roleArn=roles["admin-ro"]).status == 401

    def test_an_invalid_policy_fails_closed(self, people: People, admin: Administrator, user: User) -> None:
        anna = people.add(keys=user)
        write(admin, people, mfa={"providers": [policies.PERSON], "triggers": {"script": {"expression": "1 +"}}})
        assert people.call(anna).said == (403, "Refused (PolicyInvalid): ask the administrator")

    def test_a_role_of_the_user(self, people: People, user: User, roles: dict[str, str]) -> None:
        anna = people.add(keys=user, role={"arn": roles["admin"]})
        people.settle()
        assert f":assumed-role/{user.name}-admin/" in people.identity(people.call(anna))
        assert people.call(anna, roleArn=roles["admin-ro"]).status == 401

    def test_where_he_calls_from(self, people: People, admin: Administrator, user: User) -> None:
        """CAS's adaptive trigger; there is no device, so that is where it ends."""
        anna = people.add(keys=user)
        expression = '!("10.9.9.9" in authentication.attributes["address"])'
        rule = {"expression": expression, "provider": "person"}
        write(admin, people, mfa={"providers": [policies.PERSON], "triggers": {"adaptive": [rule]}})
        assert people.call(anna, address="10.9.9.9").status == 200
        outside = people.call(anna)
        assert outside.said == (403, "Authorization failure: MFA is demanded, and you have no device for it")


def test_audit(people: People, user: User) -> None:
    anna = people.add(keys=user)
    people.settle()
    key = people.call(anna).key
    people.call(anna, "wrong")
    people.call("hunter2-typed-into-the-wrong-field")
    (line,) = people.audit(user=anna)
    assert (line["outcome"], line["address"], line["access_key_id"]) == ("Issued", people.address, key)
    assert [line["outcome"] for line in people.audit(secret=anna)] == ["Issued", "AuthenticationFailed"]
    assert "hunter2" not in people.gateway.said()
    wanted = [("Normal", "LoggedIn"), ("Warning", "AuthenticationFailed")]
    eventually(lambda: people.events(anna) == wanted, "the Events")


def test_idle_it_asks_for_nothing(cluster: Cluster, place: Place, gateway: GatewayProcess) -> None:
    from tests.integration.audit import Audit  # noqa: PLC0415 - here only

    assert gateway
    audit = Audit(cluster, "system:serviceaccount:awssts-system:awssts-gateway")
    eventually(gateways.elapsed(3), "a quiet while")
    assert place
    assert audit.events() == []
    assert audit.refused() == []
