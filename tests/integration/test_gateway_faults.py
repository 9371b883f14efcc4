"""What goes wrong behind the gateway: each is told in time, nothing is wedged, and it is over without help."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.integration import gateways, kube, policies
from tests.integration.gateways import People
from tests.integration.operator_process import SYSTEM, account_kubeconfig
from tests.integration.patience import eventually
from tests.integration.policies import issuing_calls

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testbed.cluster import Cluster
    from testbed.sts import Device, StrictSts, User
    from tests.integration.api_proxy import ApiProxy
    from tests.integration.gateways import Place
    from tests.integration.kube import Api

place, gateway, people, device = gateways.place, gateways.gateway, gateways.people, policies.device
FAILED = 401, "Authentication failed"


class TestSts:
    @pytest.mark.parametrize(
        ("kind", "status", "text"),
        [
            ("throttle", 503, "Not available (Throttled): try again"),
            ("internal-failure", 504, "AWS STS gives no answer: try again"),
            ("garbage", 504, "AWS STS gives no answer: try again"),
            ("drop", 504, "AWS STS gives no answer: try again"),
        ],
    )
    def test_faults(self, people: People, sts: StrictSts, user: User, kind: str, status: int, text: str) -> None:
        anna = people.add(keys=user)
        people.settle()
        sts.fault(kind, access_key_id=user.access_key_id)
        assert people.call(anna).said == (status, text)
        sts.clear_faults()
        assert people.identity(people.call(anna)) == user.arn

    def test_hangs(self, people: People, sts: StrictSts, user: User) -> None:
        """More calls than there are threads: each is answered, and others with other keys as soon as one is free."""
        anna, clara = people.add(keys=user), people.add(keys=user)
        berta = people.add(keys=sts.user(f"{user.name}-other"))
        people.settle()
        sts.fault("hang", access_key_id=user.access_key_id)
        begin = time.monotonic()
        with ThreadPoolExecutor(12) as pool:
            answers = [pool.submit(people.call, name) for name in [anna, clara] * 6]
            assert people.send("GET", "/readyz").status == 200
            assert {answer.result().said for answer in answers} == {(504, "AWS STS gives no answer: try again")}
        assert time.monotonic() - begin < 45
        assert people.call(berta).status == 200

    def test_patience(self, place: Place, sts: StrictSts, user: User, device: Device) -> None:
        """The caller is told in time. What STS gives for his code then is kept: no code is lost."""
        with place.gateway("--patience=4s", "--mfa-remember=1h") as running:
            people = People(place.space, place.sts, running)
            anna = people.add(keys=user, mfa={"serialNumber": device.serial_number})
            people.settle()
            sts.fault("slow", access_key_id=user.access_key_id, seconds=6, count=1)
            assert people.call(anna, token=device.code()).said == (504, "No answer in time: try again")
            eventually(lambda: people.call(anna).status == 200, "the session that was kept", timeout=20)
            assert len(issuing_calls(sts, user)) == 1

    def test_what_aws_refuses(self, people: People, sts: StrictSts, user: User) -> None:
        role = sts.role(f"{user.name}-other", "arn:aws:iam::123456789012:root")
        short = sts.role(f"{user.name}-short", user.arn)
        anna = people.add(keys=user)
        people.settle()
        denied = people.call(anna, roleArn=role + "-that-is-not-there")
        assert denied.said == (403, "AWS denied access (AccessDenied): ask the administrator")
        long = people.call(anna, roleArn=short, duration="2h")
        assert long.status == 400
        assert "MaxSessionDuration" in long.text

    def test_clock(self, people: People, sts: StrictSts, user: User) -> None:
        anna = people.add(keys=user)
        people.settle()
        sts.fault("skew", access_key_id=user.access_key_id, seconds=3600)
        assert people.call(anna).said == (503, "Not available (ClockSkew): ask the administrator")


class TestCluster:
    @pytest.fixture
    def proxied(self, place: Place, proxy: ApiProxy) -> Iterator[People]:
        with place.gateway("--patience=5s", kubeconfig=place.proxied(proxy)) as running:
            yield People(place.space, place.sts, running)
            proxy.clear()

    @pytest.mark.parametrize("what", [500, 503, 429, "close"])
    @pytest.mark.parametrize("where", ["/awsstspolicies", "type(=|%3D)user", "-iam"])
    def test_can_not_be_read(self, proxied: People, proxy: ApiProxy, user: User, what: int | str, where: str) -> None:
        """Fails closed, also what was read before; and is ready again."""
        anna = proxied.add(keys=user)
        proxied.settle()
        proxy.disturb(what, "GET", where, count=None)
        assert proxied.call(anna).said == (503, "Not available (ClusterUnavailable): try again")
        if where != "-iam":
            assert proxied.send("GET", "/readyz").said == (503, "ClusterUnavailable\n")
            assert proxied.call("nobody").status == 503
        assert proxied.send("GET", "/healthz").status == 200
        proxy.clear()
        assert proxied.call(anna).status == 200
        assert proxied.send("GET", "/readyz").status == 200

    def test_hangs(self, proxied: People, proxy: ApiProxy, user: User) -> None:
        anna = proxied.add(keys=user)
        proxied.settle()
        proxy.disturb("hang", "GET", "/awsstspolicies", count=None)
        assert proxied.call(anna).said == (504, "No answer in time: try again")
        proxy.clear()
        eventually(lambda: proxied.call(anna).status == 200, "the end of it")

    @pytest.mark.parametrize(("what", "count", "status"), [(409, 1, 200), (409, None, 503), (500, None, 503)])
    def test_code_can_not_be_recorded(
        self,
        proxied: People,
        proxy: ApiProxy,
        sts: StrictSts,
        user: User,
        device: Device,
        *,
        what: int,
        count: int | None,
        status: int,
    ) -> None:
        """It is not used then: by whom else it was, nobody knows."""
        anna = proxied.add(keys=user, mfa={"serialNumber": device.serial_number})
        proxied.settle()
        proxy.disturb(what, "POST", f"/{proxied.space.name}/secrets", count=count)
        assert proxied.call(anna, token=device.code()).status == status
        assert len(issuing_calls(sts, user)) == (status == 200)

    @pytest.mark.parametrize("what", [409, 500, "close"])
    def test_session_can_not_be_kept(
        self, proxied: People, proxy: ApiProxy, sts: StrictSts, user: User, device: Device, what: int | str
    ) -> None:
        """It is given all the same where that comes through at last; else it is tried again, without STS."""
        anna = proxied.add(keys=user, mfa={"serialNumber": device.serial_number})
        proxied.settle()
        disturbed = proxy.disturb(what, "PATCH", "/secrets/awssts-session-", count=1)
        answer = proxied.call(anna, token=device.code())
        assert answer.status in ({200} if what == 409 else {200, 503}), answer.said
        assert len(issuing_calls(sts, user)) <= 1
        assert disturbed.struck == 1


class TestGarbage:
    @pytest.mark.parametrize(
        "data",
        [
            {"username": "{name}"},
            {"username": "{name}", "passwordHash": "plain"},
            {"username": "{name}", "passwordHash": f"$argon2id$v=19$m=4194304,t=9,p=1${'A' * 22}${'A' * 43}"},
            {"username": "{name}", "passwordHash": f"$argon2id$v=19$m=99999999999999999999,t=1,p=1${'A' * 22}$AAAA"},
            {"username": "{name}", "passwordHash": "{hash}", "spec": "["},
            {"username": "{name}", "passwordHash": "{hash}", "spec": "- a"},
            {"username": "{name}", "passwordHash": "{hash}", "spec": "target: {name: x}"},
            {"username": "{name}", "passwordHash": "{hash}", "spec": "mfa: {serialNumber: 1}"},
            {"username": "{name}", "passwordHash": "{hash}", "spec": "role: [1]"},
            {"username": "{name}", "passwordHash": "{hash}", "spec": "suspend: please"},
            {"username": "{name}", "passwordHash": "{hash}", "spec": "suspend: true"},
            {"username": "{name}", "passwordHash": "{hash}", "attributes": "{a: {b: c}}"},
            {"username": "a b", "passwordHash": "{hash}"},
        ],
    )  # fmt: skip
    def test_users(self, people: People, user: User, data: dict[str, str]) -> None:
        """The same as if there was no such user; and the others can log in."""
        anna, name = people.add(keys=user), f"broken-{user.name}"
        values = {"name": name, "hash": gateways.hashed(gateways.PASSWORD)}
        filled = {key: value.replace("{name}", name).replace("{hash}", values["hash"]) for key, value in data.items()}
        people.space.secret_of(name, filled, labels={"awssts.dev/type": "user"})
        people.settle()
        assert people.call(name).said == FAILED
        assert people.call(anna).status == 200
        people.space.delete_secret(name)

    def test_two_of_one_name(self, people: People, user: User) -> None:
        anna = people.add(keys=user)
        data = people.space.secret(anna) or {}
        people.space.secret_of(f"{anna}-too", data, labels={"awssts.dev/type": "user"})
        people.settle()
        assert people.call(anna).said == FAILED
        assert "another Secret has the same username" in people.gateway.said()
        people.space.delete_secret(f"{anna}-too")
        people.settle()
        assert people.call(anna).status == 200

    @pytest.mark.parametrize(
        ("spec", "said"),
        [
            ({"credentialsSecretRef": {"name": "nowhere"}}, "Refused (SecretNotFound): ask the administrator"),
            ({}, "Refused (SecretKeyMissing): ask the administrator"),
        ],
    )
    def test_keys(self, people: People, spec: dict[str, Any], said: str) -> None:
        anna = people.add(**spec)
        people.settle()
        assert people.call(anna).said == (403, said)

    def test_device_of_another(self, people: People, sts: StrictSts, user: User) -> None:
        other = sts.device(sts.user(f"{user.name}-other"))
        anna = people.add(keys=user, mfa={"serialNumber": other.serial_number})
        people.settle()
        assert people.call(anna, token=other.code()).said == (403, "Refused (InvalidDevice): ask the administrator")


class TestRights:
    @pytest.mark.parametrize(
        ("right", "said"),
        [
            ("list awsstspolicies", 'cannot list resource "awsstspolicies"'),
            ("get namespaces", 'cannot get resource "namespaces"'),
            ("list secrets", 'cannot list resource "secrets"'),
        ],
    )
    def test_missing_at_the_start(
        self, place: Place, cluster: Cluster, api: Api, tmp_path: Path, *, right: str, said: str
    ) -> None:
        """One sentence, no traceback, and 1."""
        running = place.gateway(kubeconfig=without(place, cluster, api, tmp_path, right))
        assert running.end() == 1
        assert "Traceback" not in running.said()
        (line,) = [line for line in running.said().splitlines() if line.startswith("Error: ")]
        assert said in line

    def test_events_are_not_needed(self, place: Place, cluster: Cluster, api: Api, tmp_path: Path, user: User) -> None:
        with place.gateway(kubeconfig=without(place, cluster, api, tmp_path, "create events")) as running:
            people = People(place.space, place.sts, running)
            anna = people.add(keys=user)
            people.settle()
            assert people.call(anna).status == 200
            eventually(lambda: "event lost" in running.said(), "the complaint")
            assert running.stop() == 0

    def test_no_rights_that_are_worth_much_to_a_thief(self) -> None:
        documents = list(yaml.safe_load_all((gateways.RIGHTS / "gateway.yaml").read_text()))
        cluster_wide = [rule for each in documents if each["kind"] == "ClusterRole" for rule in each["rules"]]
        verbs = {verb for each in documents for rule in each.get("rules", ()) for verb in rule["verbs"]}
        assert {resource for rule in cluster_wide for resource in rule["resources"]} == {"awsstspolicies", "namespaces"}
        assert verbs == {"get", "list", "create", "patch"}


def without(place: Place, cluster: Cluster, api: Api, folder: Path, right: str) -> Path:
    """The kubeconfig of an account with all rights but that one."""
    verb, resource = right.split()
    name, namespace = f"gateway-without-{verb}-{resource}", place.space.name
    cluster.kubectl("create", "serviceaccount", name, f"--namespace={SYSTEM}")
    for document in yaml.safe_load_all((gateways.RIGHTS / "gateway.yaml").read_text()):
        if document["kind"] not in {"ClusterRole", "Role"}:
            continue
        rules = document["rules"]
        for rule in rules:
            rule["verbs"] = [each for each in rule["verbs"] if resource not in rule["resources"] or each != verb]
        rules = [rule for rule in rules if rule["verbs"]]
        wide = document["kind"] == "ClusterRole"
        group = "apis/rbac.authorization.k8s.io/v1"
        subject = {"kind": "ServiceAccount", "name": name, "namespace": SYSTEM}
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": document["kind"], "name": name}
        plurals = ("clusterroles", "clusterrolebindings") if wide else ("roles", "rolebindings")
        where = "" if wide else namespace
        api.create(kube.path((group, plurals[0]), where), {"metadata": {"name": name}, "rules": rules})
        binding = {"metadata": {"name": name}, "roleRef": reference, "subjects": [subject]}
        api.create(kube.path((group, plurals[1]), where), binding)
    return account_kubeconfig(cluster, name, folder / "kubeconfig")


def test_a_restart_keeps_nothing_but_what_the_cluster_has(place: Place, user: User, sts: StrictSts) -> None:
    """SIGTERM answers who is there, exits with 0; the next one serves the session that a seed gave."""
    seeded = sts.device(user)
    with place.gateway() as first:
        people = People(place.space, place.sts, first)
        people.space.secret_of("restart-seed", {"seed": seeded.seed})
        mfa = {"serialNumber": seeded.serial_number, "totpSecretRef": {"name": "restart-seed"}}
        anna = people.add(keys=user, mfa=mfa)
        people.settle()
        key = people.call(anna).key
        sts.fault("slow", access_key_id=user.access_key_id, seconds=3, count=1)
        with ThreadPoolExecutor(1) as pool:
            late = pool.submit(people.call, anna, duration="1h")
            eventually(gateways.elapsed(0.5), "the call to be under way")
            assert first.stop() == 0
            assert late.result().status in {200, 504}
    with place.gateway() as second:
        assert People(place.space, place.sts, second).call(anna).key == key
