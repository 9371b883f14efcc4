"""The admission webhooks on a real API server: what users see, and what they can't get around."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from awssts.domain import calling
from awssts.domain.request import Identity
from awssts.domain.subject import STAMP
from tests.integration import guarded_cluster as scene
from tests.integration.guarded_cluster import FORGED, OPERATOR, as_operator, policy, request
from tests.integration.operator_process import ROOT
from tests.integration.patience import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from awssts.domain.stamp import Keys
    from testbed.cluster import Cluster
    from tests.integration.admission_server import Serving
    from tests.integration.guarded_cluster import Person

Json = dict[str, Any]

guarded, webhook, keys, name, port = scene.guarded, scene.webhook, scene.keys, scene.name, scene.port
anna, ben, admin, operator_kubeconfig = scene.anna, scene.ben, scene.admin, scene.operator_kubeconfig


@pytest.mark.usefixtures("webhook")
def test_a_request_is_stamped_with_its_user(anna: Person, name: str, keys: Keys) -> None:
    anna.does("create", "--filename=-", given=request(name, {STAMP: FORGED}))
    who = anna.stamp(name, keys)
    assert who.username == "anna"
    assert who.groups == ("developers", "system:authenticated")
    assert who.method == "Certificate"


@pytest.mark.usefixtures("webhook")
def test_the_stamp_can_not_be_forged(anna: Person, ben: Person, name: str, keys: Keys) -> None:
    anna.does("create", "--filename=-", given=request(name))
    ben.does("annotate", "awssts", name, "--overwrite", f"{STAMP}={FORGED}")
    ben.does("annotate", "awssts", name, f"{STAMP}-")
    ben.patches(name, {"metadata": {"annotations": None}})
    ben.patches(name, {"metadata": {"annotations": {STAMP: FORGED}}, "status": {"failures": 1}}, "--subresource=status")
    assert ben.stamp(name, keys).username == "anna"
    ben.does("apply", "--server-side", "--force-conflicts", "--filename=-", given=request(name, {STAMP: FORGED}))
    assert ben.stamp(name, keys).username == "anna"


@pytest.mark.usefixtures("webhook")
@pytest.mark.parametrize(
    ("annotations", "told"),
    [
        ({f"a{number}": "" for number in range(10_001)}, "it has more than 10000 fields and elements"),
        ({"a": "x" * 3_000_000}, "metadata.annotations: they have 3000001 bytes; Kubernetes allows 262144"),
    ],
    ids=["many", "long"],
)
def test_what_is_too_large_is_refused_with_the_reason(
    anna: Person, name: str, annotations: dict[str, str], told: str
) -> None:
    assert told in anna.fails("create", "--filename=-", given=request(name, annotations))


@pytest.mark.usefixtures("webhook")
def test_one_whose_name_the_api_server_makes_up_is_stamped(anna: Person, keys: Keys) -> None:
    unnamed = request("")
    unnamed["metadata"] = {"generateName": "reports-"}
    done = anna.kubectl("create", "--filename=-", "--output=name", given=unnamed)
    assert not done.stderr
    made = done.stdout.strip().partition("/")[2]
    assert anna.stamp(made, keys).username == "anna"
    anna.patches(made, {"spec": {"duration": "1h"}})
    assert anna.stamp(made, keys).username == "anna"
    anna.does("delete", "awssts", made)


@pytest.mark.usefixtures("webhook")
@pytest.mark.parametrize(
    ("change", "stamped"),
    [
        ({"spec": {"duration": "1h"}}, "ben"),
        ({"metadata": {"labels": {"tier": "gold"}}}, "ben"),
        ({"metadata": {"annotations": {"awssts.dev/mfa": "totp", STAMP: FORGED}}}, "ben"),
        ({"metadata": {"annotations": {"awssts.dev/renew": "1"}}}, "anna"),
        ({"metadata": {"annotations": {"awssts.dev/token-code": "123456"}}}, "anna"),
        ({"metadata": {"finalizers": ["example.org/x"]}}, "anna"),
    ],
    ids=["spec", "label", "annotation", "renewal", "code", "finalizer"],
)
def test_who_changes_a_request_is_stamped(
    *, anna: Person, ben: Person, name: str, keys: Keys, change: Json, stamped: str
) -> None:
    anna.does("create", "--filename=-", given=request(name))
    ben.patches(name, change)
    assert anna.stamp(name, keys).username == stamped
    anna.patches(name, {"metadata": {"finalizers": None}})


@pytest.mark.usefixtures("webhook")
async def test_the_operator_takes_a_code_and_leaves_the_stamp(
    anna: Person, name: str, keys: Keys, operator_kubeconfig: Path
) -> None:
    mfa = {"serialNumber": "arn:aws:iam::123456789012:mfa/reports"}
    anna.does("create", "--filename=-", given=request(name, {"awssts.dev/token-code": "123456"}, mfa=mfa))
    uid = anna.kubectl("get", "awssts", name, "--output=jsonpath={.metadata.uid}").stdout
    cluster = await as_operator(operator_kubeconfig)
    try:
        assert await cluster.user_name() == OPERATOR
        assert await cluster.take_token_code(Identity("team", name, uid), "123456")
    finally:
        await cluster.close()
    assert anna.stamp(name, keys).username == "anna"


@pytest.mark.usefixtures("webhook")
def test_a_bad_code_is_refused_without_repeating_it(anna: Person, name: str) -> None:
    shown = anna.fails("create", "--filename=-", given=request(name, {"awssts.dev/token-code": "hunter2"}))
    assert "metadata.annotations[awssts.dev/token-code]" in shown
    assert "a code has six digits" in shown
    assert "hunter2" not in shown


@pytest.fixture
def old_crd(guarded: Cluster, webhook: Serving, anna: Person) -> Iterator[None]:
    """A CRD that says less than the operator knows: Helm does not upgrade CRDs."""
    path = ROOT / "crds" / "awssts.dev_awsstsrequests.yaml"
    crd = yaml.safe_load(path.read_text())
    schema = crd["spec"]["versions"][0]["schema"]
    schema["openAPIV3Schema"] = {
        "type": "object",
        "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
    }
    probe = ("create", "--dry-run=server", "--filename=-")
    wrong = request("probe", colour="red")
    guarded.kubectl("apply", "--server-side", "--filename=-", "--force-conflicts", input=yaml.safe_dump(crd))
    eventually(lambda: "no such field" in anna.kubectl(*probe, given=wrong).stderr, "the old CRD is served")
    yield
    guarded.kubectl("apply", "--server-side", "--filename", path, "--force-conflicts")
    eventually(lambda: "no such field" not in anna.fails(*probe, given=wrong), "the new CRD is served")


@pytest.mark.usefixtures("old_crd")
def test_what_an_old_crd_lets_through_is_refused_in_full(anna: Person, name: str) -> None:
    bad = request(name, duration="1x", role={"arn": "reports"}, colour="red")
    shown = anna.fails("create", "--filename=-", given=bad)
    assert shown.splitlines() == [
        f'The AwsStsRequest "{name}" is invalid: ',
        "* spec.duration: '1x' is not a duration: write a duration like 12h, 1h30m, PT12H or a number of seconds",
        "* spec.role.arn: String should have at least 20 characters",
        "* spec.colour: no such field",
    ]
    assert anna.fails("apply", "--filename=-", given=bad) == shown


@pytest.mark.usefixtures("webhook")
def test_doubts_are_shown_as_warnings(anna: Person, name: str) -> None:
    warned = anna.does("create", "--filename=-", given=request(name, {"awssts.dev/renw": "1"}))
    assert warned.splitlines() == [
        "Warning: metadata.annotations[awssts.dev/renw]: there is no such annotation; did you mean awssts.dev/renew?"
    ]


@pytest.mark.usefixtures("webhook")
def test_a_policy_that_does_not_compile_is_refused(admin: Person) -> None:
    mfa = {"providers": [{"name": "totp", "type": "Totp"}], "triggers": {"script": {"expression": "principal.("}}}
    shown = admin.fails("create", "--filename=-", given=policy("house", mfa=mfa))
    assert 'The AwsStsPolicy "house" is invalid: ' in shown
    assert "spec.mfa.triggers.script.expression: not a CEL expression (line:column: problem): " in shown
    authorization = {"principalAttribute": {"name": "team", "value": "(?=x)"}}
    shown = admin.fails("create", "--filename=-", given=policy("house", authorization=authorization))
    assert "spec.authorization.principalAttribute.value: not a regular expression of RE2" in shown


@pytest.mark.usefixtures("webhook")
def test_a_policy_that_protects_nobody_draws_a_warning(admin: Person) -> None:
    selector = {"requestSelector": {"matchLabels": {"tier": "gold"}}}
    warned = admin.does("create", "--filename=-", given=policy("weak", selector=selector))
    admin.does("delete", "awsstspolicy", "weak")
    assert "Warning: spec.selector.requestSelector rests on labels that the request's owner can write" in warned


@pytest.mark.usefixtures("webhook")
def test_without_the_mutating_webhook_nobody_is_known_and_no_forgery_is_admitted(
    guarded: Cluster, anna: Person, name: str
) -> None:
    guarded.kubectl("delete", "mutatingwebhookconfiguration", "awssts")
    arguments = ("create", "--filename=-", "--dry-run=server")
    missing = "the MutatingWebhookConfiguration of awssts is missing"
    forged = request(name, {STAMP: FORGED})
    eventually(lambda: missing in anna.kubectl(*arguments, given=forged).stderr, "the stamp is asked for")
    assert "counts as unknown: it has no stamp" in anna.does(*arguments, given=request(name))


def test_without_the_operator_it_fails_closed(
    webhook: Serving, anna: Person, ben: Person, admin: Person, name: str, port: int
) -> None:
    anna.does("create", "--filename=-", given=request(name))
    anna.patches(name, {"metadata": {"finalizers": ["example.org/x"]}})
    webhook.__exit__(None, None, None)

    refused = anna.fails("create", "--filename=-", given=request("late"))
    assert 'failed calling webhook "stamp.awssts.dev"' in refused
    assert f"127.0.0.1:{port}" in refused
    assert "connection refused" in refused
    assert f"{calling.ROOT}/" in refused, "the API server shows the path; so none is good for long"
    ben.fails("annotate", "awssts", name, "--overwrite", f"{STAMP}={FORGED}")
    ben.fails("patch", "awssts", name, "--type=merge", '--patch={"spec": {"duration": "1h"}}')
    assert 'failed calling webhook "validate.awssts.dev"' in admin.fails("create", "--filename=-", given=policy("late"))

    anna.patches(name, {"status": {"failures": 1}}, "--subresource=status")
    anna.does("delete", "awssts", name, "--wait=false")
    anna.patches(name, {"metadata": {"finalizers": None}})
    assert "not found" in anna.fails("get", "awssts", name)
