"""Providers that get their codes from an endpoint, and the failure modes for one that is away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integration import endpoints as servers
from tests.integration import kube, policies
from tests.integration.patience import eventually, throughout
from tests.integration.policies import (
    issuing_calls,
    mfa,
    until_authorized,
    until_failing,
    until_issued,
    until_refused,
)
from tests.integration.workspace import Workspace

if TYPE_CHECKING:
    from testbed.sts import Device, StrictSts, User
    from tests.integration.endpoints import Endpoints
    from tests.integration.kube import Api
    from tests.integration.policies import Administrator
    from tests.integration.workspace import Pod

admin, device, endpoints = policies.admin, policies.device, servers.endpoints
pytestmark = pytest.mark.usefixtures("operator")


def push(url: str, **more: Any) -> dict[str, Any]:
    """A provider that asks an endpoint for the code."""
    return {"name": "push", "type": "Webhook", "webhook": {"url": url, "timeout": "2s"}, **more}


class TestCodes:
    """Providers of type Webhook."""

    def test_from_an_endpoint(
        self,
        *,
        admin: Administrator,
        space: Workspace,
        sts: StrictSts,
        user: User,
        device: Device,
        endpoints: Endpoints,
        pod: Pod,
    ) -> None:
        url = endpoints.says("codes", lambda: f'{{"tokenCode": "{device.code()}"}}')
        space.keys(user)
        admin.policy(mfa=mfa(push(url)))
        space.request(mfa={"serialNumber": device.serial_number, "when": "Triggered"})
        assert until_issued(space)["mfa"]["provider"] == "push"
        assert [call.with_code for call in issuing_calls(sts, user)] == [True]
        assert pod.identity() == user.arn
        asked = f'{{"serialNumber": "{device.serial_number}", "request": '
        where = f'{{"namespace": "{space.name}", "name": "reports"}}}}'
        assert [body for body in endpoints.asked("codes") if body] == [asked + where]

    def test_what_one_let_through_does_not_count_for_another(
        self, *, admin: Administrator, space: Workspace, user: User, device: Device, endpoints: Endpoints
    ) -> None:
        space.keys(user)
        admin.policy(mfa=mfa(push(endpoints.says("lax", lambda: f'{{"tokenCode": "{device.code()}"}}'))))
        space.request(mfa={"serialNumber": device.serial_number})
        until_issued(space)
        admin.policy(mfa=mfa(push(endpoints.says("strict", lambda: "{}"))))
        space.request("second", mfa={"serialNumber": device.serial_number})
        space.until_reason("ProviderUnavailable", "second", kind="Reconciling")
        assert space.secret("second") is None

    def test_a_code_that_it_repeats_is_not_used_again(
        self,
        *,
        admin: Administrator,
        space: Workspace,
        sts: StrictSts,
        user: User,
        device: Device,
        endpoints: Endpoints,
    ) -> None:
        once = device.code()
        url = endpoints.says("codes", lambda: f'{{"tokenCode": "{once}"}}')
        space.keys(user)
        admin.policy(mfa=mfa(push(url)))
        space.request(mfa={"serialNumber": device.serial_number})
        held = until_issued(space)["accessKeyId"]
        space.renew()
        eventually(lambda: len([body for body in endpoints.asked("codes") if body]) > 1, "another question")
        throughout(lambda: space.held_key() == held, "the credentials stay", seconds=2)
        assert not any(call.reused_code for call in issuing_calls(sts, user))

    def test_a_persons_code_is_thrown_away(
        self,
        *,
        admin: Administrator,
        space: Workspace,
        sts: StrictSts,
        user: User,
        device: Device,
        endpoints: Endpoints,
    ) -> None:
        """It is off the request, and gives at the most what any renewal does: not another one for ever."""
        url = endpoints.says("codes", lambda: f'{{"tokenCode": "{device.code()}"}}')
        space.keys(user)
        admin.policy(mfa=mfa(push(url)))
        space.request(mfa={"serialNumber": device.serial_number})
        until_issued(space)
        policies.give_code(space, "123456")

        def given() -> bool:
            found = space.api.get(kube.path(kube.REQUESTS, space.name, "reports")) or {}
            return "awssts.dev/token-code" in (found["metadata"].get("annotations") or {})

        eventually(lambda: not given(), "the code to be off the request")
        throughout(lambda: len(issuing_calls(sts, user)) <= 2, "one more call at the most", seconds=35)
        assert until_issued(space)
        assert not any(call.reused_code for call in issuing_calls(sts, user))

    @pytest.mark.parametrize("lie", ["number", "short", "list", "redirect/307", "garbage", "page"])
    def test_a_lie_is_no_code(
        self,
        *,
        admin: Administrator,
        space: Workspace,
        sts: StrictSts,
        user: User,
        device: Device,
        endpoints: Endpoints,
        lie: str,
    ) -> None:
        space.keys(user)
        url = {"url": endpoints.url(lie), "availabilityUrl": endpoints.url("good"), "timeout": "2s"}
        admin.policy(mfa=mfa({"name": "push", "type": "Webhook", "webhook": url}))
        space.request(mfa={"serialNumber": device.serial_number})
        said = space.until_reason("ProviderUnavailable", kind="Reconciling")["message"]
        assert f"{endpoints.url(lie)} gave no MFA code" in said
        assert until_authorized(space, "True", "Allowed")
        assert issuing_calls(sts, user) == []
        assert endpoints.asked("target") == []

    def test_that_many_wait_for_delay_nobody_else_and_let_nobody_off(
        self,
        *,
        admin: Administrator,
        space: Workspace,
        api: Api,
        sts: StrictSts,
        user: User,
        device: Device,
        endpoints: Endpoints,
    ) -> None:
        """An owner with many requests, each with a device of its own, whose codes nobody gives."""
        other = Workspace(api, f"{space.name}-other")
        admin.create_namespace(other.name)
        for owner in (space, other):
            owner.keys(user)
        webhook = {"url": endpoints.url("hang"), "availabilityUrl": endpoints.url("good"), "timeout": "30s"}
        admin.write(mfa=mfa({"name": "push", "type": "Webhook", "webhook": webhook, "failureMode": "Open"}))
        codes = endpoints.says("codes", lambda: f'{{"tokenCode": "{device.code()}"}}')
        theirs = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": other.name}}}
        webhook = {"url": codes, "availabilityUrl": endpoints.url("good"), "timeout": "10s"}
        admin.policy(
            "theirs",
            selector=theirs,
            mfa=mfa({"name": "push", "type": "Webhook", "webhook": webhook, "failureMode": "Open"}),
        )
        for number in range(24):
            space.request(f"reports-{number}", mfa={"serialNumber": f"{device.serial_number}-{number}"})
        eventually(lambda: endpoints.server.hits["/hang"] >= 2, "the first questions")
        other.request(mfa={"serialNumber": device.serial_number, "when": "Triggered"})
        try:
            assert until_issued(other, timeout=20)["mfa"]["outcome"] == "Required"
            assert [call.with_code for call in issuing_calls(sts, user)] == [True]
            assert endpoints.server.hits["/hang"] == 2
        finally:
            other.clear()


class TestFailureModes:
    """CAS's four, for a provider that is away."""

    @pytest.fixture
    def away(self, endpoints: Endpoints) -> str:
        return endpoints.says("codes", lambda: "", "503 Away")

    @pytest.mark.parametrize("lie", ["status/404", "status/413", "status/429", "redirect/302"])
    @pytest.mark.parametrize("mode", ["Open", "Phantom"])
    def test_one_that_refuses_is_not_away(
        self,
        *,
        admin: Administrator,
        space: Workspace,
        sts: StrictSts,
        user: User,
        endpoints: Endpoints,
        device: Device,
        lie: str,
        mode: str,
    ) -> None:
        space.keys(user)
        admin.policy(mfa=mfa(push(endpoints.url(lie), failureMode=mode)))
        space.request(mfa={"serialNumber": device.serial_number, "when": "Triggered"})
        assert "gave no MFA code" in space.until_reason("ProviderUnavailable", kind="Reconciling")["message"]
        assert issuing_calls(sts, user) == []

    def test_closed_refuses_until_it_is_back(
        self,
        *,
        admin: Administrator,
        space: Workspace,
        sts: StrictSts,
        user: User,
        device: Device,
        endpoints: Endpoints,
        away: str,
    ) -> None:
        space.keys(user)
        house = admin.policy(mfa=mfa(push(away)))
        space.request(mfa={"serialNumber": device.serial_number, "when": "Triggered"})
        said = until_refused(space, "ProviderUnavailable")
        assert said == f"policy {house}: provider push can't be reached: {away} answered with status 503"
        assert space.condition(kind="Reconciling")["reason"] == "ProviderUnavailable"
        assert issuing_calls(sts, user) == []
        endpoints.says("codes", lambda: f'{{"tokenCode": "{device.code()}"}}')
        until_issued(space)
        assert [call.with_code for call in issuing_calls(sts, user)] == [True]

    @pytest.mark.parametrize(("mode", "outcome"), [("Open", "SkippedOpen"), ("Phantom", "Phantom")])
    def test_open_and_phantom_go_on_without(
        self, *, admin: Administrator, space: Workspace, sts: StrictSts, user: User, mode: str, outcome: str, away: str
    ) -> None:
        space.keys(user)
        admin.policy(mfa=mfa(push(away, failureMode=mode)))
        space.request()
        decided = until_issued(space)["mfa"]
        assert (decided["required"], decided["outcome"]) == (False, outcome)
        assert [call.with_code for call in issuing_calls(sts, user)] == [False]

    def test_none_does_not_look_and_so_gets_no_code(
        self, *, admin: Administrator, space: Workspace, sts: StrictSts, user: User, device: Device, away: str
    ) -> None:
        space.keys(user)
        admin.policy(mfa=mfa(push(away, failureMode="None")))
        space.request(mfa={"serialNumber": device.serial_number})
        said = space.until_reason("ProviderUnavailable", kind="Reconciling")["message"]
        assert "gave no MFA code" in said
        assert issuing_calls(sts, user) == []

    def test_of_these_requests_comes_before_the_providers(
        self, *, admin: Administrator, space: Workspace, sts: StrictSts, user: User, device: Device, away: str
    ) -> None:
        here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": space.name}}}
        closed = {"serviceFailureModes": [{"selector": here, "failureMode": "Closed"}]}
        space.keys(user)
        admin.policy(mfa=mfa(push(away, failureMode="Open")) | closed)
        space.request(mfa={"serialNumber": device.serial_number, "when": "Triggered"})
        until_refused(space, "ProviderUnavailable")
        assert issuing_calls(sts, user) == []

    def test_what_was_issued_stays(
        self, *, admin: Administrator, space: Workspace, user: User, device: Device, away: str, pod: Pod
    ) -> None:
        space.keys(user)
        admin.policy()
        space.request(mfa={"serialNumber": device.serial_number, "when": "Triggered"})
        held = until_issued(space)["accessKeyId"]
        admin.policy(mfa=mfa(push(away)))
        until_failing(space, "ProviderUnavailable")
        assert (space.held_key(), pod.identity()) == (held, user.arn)
