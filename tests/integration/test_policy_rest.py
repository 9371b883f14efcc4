"""Endpoints that decide or know people, and what becomes of a request when they hang, lie or are away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integration import endpoints as servers
from tests.integration import policies
from tests.integration.patience import eventually
from tests.integration.policies import (
    TOTP,
    asks_sts_no_more,
    issuing_calls,
    mfa,
    request_with,
    until_failing,
    until_issued,
    until_message,
    until_refused,
)
from tests.integration.workspace import Workspace
from tests.unit.adapters.rest_server import SECRET_BODY

if TYPE_CHECKING:
    from testbed.sts import StrictSts, User
    from tests.integration.endpoints import Endpoints
    from tests.integration.kube import Api
    from tests.integration.operator_process import OperatorProcess
    from tests.integration.policies import Administrator
    from tests.integration.workspace import Pod

admin, endpoints = policies.admin, servers.endpoints
pytestmark = pytest.mark.usefixtures("operator")

STAFF = {"principalAttribute": {"name": "groups", "value": "staff"}}


def labelled(admin: Administrator, lie: str) -> dict[str, Any]:
    """Selects the requests of this namespace with that label: one policy for each lie."""
    here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": admin.namespace}}}
    return here | {"requestSelector": {"matchLabels": {"lie": lie}}}


class TestTrigger:
    """A REST trigger that gives no answer that can be used."""

    LIES = (
        "hang",
        "redirect/302",
        "status/404",
        "status/413",
        "status/500",
        "garbage",
        "page",
        "endless",
        "bomb",
        "cut",
        "close",
        "telnet",
        "plain",
    )

    def test_closed_refuses(
        self,
        *,
        admin: Administrator,
        space: Workspace,
        sts: StrictSts,
        user: User,
        endpoints: Endpoints,
        operator: OperatorProcess,
    ) -> None:
        space.keys(user)
        for number, lie in enumerate(self.LIES):
            rest = {"url": endpoints.url(lie) + "?key=hidden-from-people", "timeout": "2s"}
            admin.write(f"lie-{number}", selector=labelled(admin, f"lie-{number}"), mfa=mfa(TOTP, rest=rest))
        admin.settle()
        for number in range(len(self.LIES)):
            request_with(space, f"lie-{number}", labels={"lie": f"lie-{number}"})
        for number, lie in enumerate(self.LIES):
            reason = "ProviderUnknown" if lie == "plain" else "PolicyEndpointUnavailable"
            said = until_refused(space, reason, f"lie-{number}")
            assert endpoints.url(lie) in said
        assert issuing_calls(sts, user) == []
        assert endpoints.asked("target") == []
        told = operator.said() + str([space.status(f"lie-{number}") for number in range(len(self.LIES))])
        assert SECRET_BODY not in told
        assert "hidden-from-people" not in told

    @pytest.mark.parametrize(
        "lie", ["status/404", "status/413", "status/429", "redirect/302", "page", "endless", "bomb"]
    )
    def test_open_is_not_for_one_that_answers(
        self, *, admin: Administrator, space: Workspace, sts: StrictSts, user: User, endpoints: Endpoints, lie: str
    ) -> None:
        space.keys(user)
        rest = {"url": endpoints.url(lie), "timeout": "5s", "failureMode": "Open"}
        admin.policy(mfa=mfa(TOTP, rest=rest))
        space.request()
        assert endpoints.url(lie) in until_refused(space, "PolicyEndpointUnavailable")
        assert issuing_calls(sts, user) == []

    def test_open_goes_on_with_the_other_triggers(
        self, *, admin: Administrator, space: Workspace, sts: StrictSts, user: User, endpoints: Endpoints
    ) -> None:
        space.keys(user)
        rest = {"url": endpoints.url("hang"), "timeout": "1s", "failureMode": "Open"}
        admin.policy(mfa=mfa(TOTP, rest=rest, script={"expression": "principal.attributes.size() > 0"}))
        space.request()
        until_issued(space)
        admin.attributes(stage="production")
        until_failing(space, "DeviceMissing")
        assert [call.with_code for call in issuing_calls(sts, user)] == [False]

    def test_is_asked_about_principal_and_service(
        self, *, admin: Administrator, space: Workspace, user: User, endpoints: Endpoints
    ) -> None:
        space.keys(user)
        admin.attributes(id="alice")
        admin.policy(mfa=mfa(TOTP, rest={"url": endpoints.says("rules", lambda: "totp")}))
        space.request()
        until_refused(space, "DeviceMissing")
        (asked,) = set(endpoints.asked("rules"))
        assert '"alice"' in asked
        assert f"{space.name}/reports" in asked
        endpoints.says("rules", lambda: "", "204 None")
        space.renew()
        until_issued(space)


class TestBypass:
    @pytest.mark.parametrize("lie", ["hang", "redirect/302", "status/500", "garbage", "plain", "list", "empty"])
    def test_a_lie_lets_nobody_off(
        self, *, admin: Administrator, space: Workspace, sts: StrictSts, user: User, endpoints: Endpoints, lie: str
    ) -> None:
        space.keys(user)
        bypass = {"rest": {"url": endpoints.url(lie), "timeout": "1s"}}
        admin.policy(mfa=mfa(TOTP | {"bypass": bypass}))
        space.request()
        until_refused(space, "DeviceMissing")
        assert issuing_calls(sts, user) == []

    def test_a_word_lets_off(self, admin: Administrator, space: Workspace, user: User, endpoints: Endpoints) -> None:
        space.keys(user)
        url = endpoints.says("bypass", lambda: '{"bypass": true}')
        admin.policy(mfa=mfa(TOTP | {"bypass": {"rest": {"url": url}}}))
        space.request()
        assert until_issued(space)["mfa"]["bypass"] == "rest"


class TestDirectory:
    """Principal source Rest: without it nobody can be told from another."""

    @pytest.mark.parametrize("lie", ["hang", "redirect/302", "status/500", "garbage", "plain", "list", "empty"])
    def test_a_lie_authorizes_nobody(
        self, *, admin: Administrator, space: Workspace, sts: StrictSts, user: User, endpoints: Endpoints, lie: str
    ) -> None:
        space.keys(user)
        rest = {"url": endpoints.url(lie), "timeout": "1s"}
        admin.policy(principal={"sources": ["Rest"], "rest": rest}, authorization=STAFF)
        space.request()
        until_refused(space, "PolicyEndpointUnavailable")
        assert issuing_calls(sts, user) == []

    def test_its_word_counts(
        self, *, admin: Administrator, space: Workspace, user: User, endpoints: Endpoints, pod: Pod
    ) -> None:
        space.keys(user)
        url = endpoints.says("people", lambda: '{"attributes": {"groups": ["guests"]}}')
        admin.attributes(id="alice", groups="staff")
        sources = {"sources": ["Rest", "Namespace"], "rest": {"url": url}}
        admin.policy(principal=sources, authorization=STAFF)
        space.request()
        until_refused(space, "NotAuthorized")
        endpoints.says("people", lambda: '{"attributes": {"groups": ["guests", "staff"]}}')
        space.renew()
        held = until_issued(space)["accessKeyId"]
        endpoints.says("people", lambda: "", "500 Away")
        space.renew()
        until_failing(space, "PolicyEndpointUnavailable")
        assert (space.held_key(), pod.identity()) == (held, user.arn)

    def test_its_bearer_token_stays_secret(
        self,
        *,
        admin: Administrator,
        space: Workspace,
        api: Api,
        user: User,
        endpoints: Endpoints,
        operator: OperatorProcess,
    ) -> None:
        tokens = Workspace(api, f"{space.name}-tokens")
        admin.create_namespace(tokens.name)
        tokens.secret_of("directory", {"token": "bearer-of-the-directory-0000"})
        reference = {"namespace": tokens.name, "name": "directory", "key": "token"}
        space.keys(user)
        rest = {"url": endpoints.url("status/403"), "bearerTokenSecretRef": reference}
        admin.policy(principal={"sources": ["Rest"], "rest": rest})
        space.request()
        said = until_refused(space, "PolicyEndpointUnavailable")
        assert endpoints.server.received[0].headers["authorization"] == "Bearer bearer-of-the-directory-0000"
        assert "bearer-of-the-directory" not in operator.said() + said
        tokens.delete_secret("directory")
        space.renew()
        until_message(space, "Authorized", f"Secret {tokens.name}/directory, which bearerTokenSecretRef names, is not")


@pytest.mark.parametrize("judged", [True, False], ids=["judged by a policy too", "judged by none"])
def test_others_are_not_delayed(
    *, admin: Administrator, space: Workspace, api: Api, sts: StrictSts, user: User, endpoints: Endpoints, judged: bool
) -> None:
    """While many requests wait for an endpoint that hangs, those of other namespaces go on."""
    space.keys(user)
    other = Workspace(api, f"{space.name}-other")
    admin.create_namespace(other.name)
    other.keys(user)
    if judged:
        theirs = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": other.name}}}
        said = {"url": endpoints.says("rules", lambda: "", "204 None"), "timeout": "10s"}
        admin.write("theirs", selector=theirs, mfa=mfa(TOTP, rest=said))
    admin.policy(mfa=mfa(TOTP, rest={"url": endpoints.url("hang"), "timeout": "30s"}))
    for number in range(24):
        space.request(f"reports-{number}")
    eventually(lambda: endpoints.server.hits["/hang"] >= 2, "the first questions")
    other.request()
    try:
        until_issued(other, timeout=15)
        assert bool(endpoints.asked("rules")) is judged
        assert endpoints.server.hits["/hang"] == 2
        assert space.secret("reports-0") is None
        asks_sts_no_more(sts, user, seconds=0.5)
    finally:
        other.clear()
