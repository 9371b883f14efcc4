"""`awssts explain` says what the operator would, and what it had to assume."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from awssts.adapters import plugins
from awssts.domain.request import parse
from awssts.domain.stamp import Keys, UserInfo, stamp
from awssts.domain.subject import STAMP
from awssts.entry.cli import main
from tests.unit.builders import SERIAL, body, encoded, key_data
from tests.unit.entry.kubectl_stand_in import StandIn

KEY = b"the-key-that-signs-stamps-in-tests"
ASSUMED = "Assumed, for explain can't know it:"
GOLD = {"namespaceSelector": {"matchLabels": {"tier": "gold"}}}
TOTP = {"name": "totp", "type": "Totp"}
NAMESPACE = {
    "kind": "Namespace",
    "metadata": {"name": "team", "labels": {"tier": "gold"}, "annotations": {"principal.awssts.dev/team": "pay"}},
}
SECRET = {"kind": "Secret", "metadata": {"name": "reports-iam", "namespace": "team"}, "data": key_data()}
ROOT_KEYS = "the keys are not those of an account's root user, which limits.allowRoot forbids: AWS knows"


def policy(name: str = "house", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "awssts.dev/v1alpha1",
        "kind": "AwsStsPolicy",
        "metadata": {"name": name},
        "spec": {"limits": {"allowRoot": True}, **spec},
    }


def with_mfa(providers: list[dict[str, Any]] | None = None, **triggers: Any) -> dict[str, Any]:
    return policy(mfa={"providers": providers or [TOTP], "triggers": triggers})


@pytest.fixture
def explain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Explain these manifests."""
    monkeypatch.setenv("AWSSTS_KUBECTL", "/nowhere/kubectl")  # offline

    def run(*documents: Any, options: tuple[str, ...] = ()) -> Result:
        file = tmp_path / "manifests.yaml"
        file.write_text(yaml.safe_dump_all(documents))
        return CliRunner().invoke(main, ["explain", "-f", str(file), *options])

    return run


def parts(result: Result) -> tuple[list[str], list[str]]:
    """The lines before what was assumed, and that."""
    assert result.exit_code == 0, result.output
    told, _, assumed = result.stdout.partition(ASSUMED)
    return told.strip().splitlines(), [line.removeprefix("  - ") for line in assumed.strip("\n").splitlines()]


def test_all_is_known(explain: Any) -> None:
    told, assumed = parts(explain(body(), NAMESPACE, SECRET, policy()))
    assert told[-3:] == ["Allowed by house", "Call: GetSessionToken", "MFA: not required: no trigger fired"]
    assert assumed == []


def test_a_device_that_is_missing_is_a_refusal_as_for_the_operator(explain: Any) -> None:
    manifests = NAMESPACE, SECRET, with_mfa(**{"global": {}})
    told, _ = parts(explain(body(), *manifests))
    assert told[-1].startswith("Denied: DeviceMissing: policy house demands MFA (trigger global, provider totp)")
    told, _ = parts(explain(body(mfa={"serialNumber": SERIAL}), *manifests))
    assert told[-1].endswith("give the device's seed in spec.mfa.totpSecretRef")
    device = {"serialNumber": SERIAL, "totpSecretRef": {"name": "seed"}}
    told, _ = parts(explain(body(mfa=device), *manifests))
    assert told[-1] == "MFA: required: policy house, trigger global, provider totp (Totp)"


def test_string_data_is_read(explain: Any) -> None:
    keys = {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key": "x" * 40, "attributes": "team: pay"}
    text = {"kind": "Secret", "metadata": {"name": "reports-iam", "namespace": "team"}, "stringData": keys}
    wanted = policy(authorization={"principalAttribute": {"name": "team", "value": "pay"}})
    bare = {"kind": "Namespace", "metadata": {"name": "team"}}
    told, assumed = parts(explain(body(), bare, text, wanted))
    assert "Allowed by house" in told
    assert assumed == []


def test_what_the_manifests_lack_is_assumed(explain: Any) -> None:
    selecting = policy(selector={"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "team"}}})
    told, assumed = parts(explain(body(), selecting))
    assert "Allowed by house" in told
    assert assumed == [
        "namespace team has no labels and annotations of its own: the manifests have no such Namespace",
        "Secret reports-iam has keys, the label, and no attributes: the manifests have no such Secret",
    ]


def test_sources_that_are_not_asked_do_not_end_it(explain: Any) -> None:
    """It goes on to the triggers, and says which lines rest on nothing."""
    sources = {"sources": ["IamUserTags", "Rest"], "rest": {"url": "https://people.example.org/who?key=k"}}
    hooks = [{"name": "push", "type": "Webhook", "webhook": {"url": "https://push.example.org"}}]
    triggers = {"rest": {"url": "https://rules.example.org/mfa?key=k"}, "applications": [{"selector": GOLD}]}
    rested = policy(principal=sources, mfa={"providers": hooks, "triggers": triggers})
    told, assumed = parts(explain(body(mfa={"serialNumber": SERIAL}), NAMESPACE, SECRET, rested))
    assert "MFA: required: policy house, trigger applications, provider push (Webhook)" in told
    marked = [line.lstrip("> ").split()[1:3] for line in told if line.endswith("(assumed)")]
    assert marked == [["Principal", "sources"], ["Trigger", "rest"], ["FailureMode", "push"]]
    assert assumed == [
        "the IAM user has no tags: they were not read",
        "policy house: https://people.example.org/who was not asked, and is taken to know nobody",
        "policy house: https://rules.example.org/mfa was not asked, and is taken to name no provider",
        "policy house: https://push.example.org was not asked, and is taken to be there",
    ]


def test_the_root_users_keys(explain: Any) -> None:
    _, assumed = parts(explain(body(), NAMESPACE, SECRET, policy(limits={"maxDuration": "8h"})))
    assert assumed == [ROOT_KEYS]


def test_plugins_are_asked(explain: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    device = {"serialNumber": SERIAL, "totpSecretRef": {"name": "seed"}}
    manifests = body(mfa=device), NAMESPACE, SECRET, with_mfa(other=[{"name": "night"}])
    told, assumed = parts(explain(*manifests))
    assert told[-2:] == [
        "MFA: not required: no trigger fired",
        "Device: used all the same, for the request says so (spec.mfa.when)",
    ]
    assert assumed == ["plug-in night says no: it is not installed here"]
    monkeypatch.setattr(plugins, "installed", lambda: {"night": lambda known: known["request"]["name"] == "reports"})
    told, assumed = parts(explain(*manifests))
    assert told[-1].startswith("MFA: required: policy house, trigger other")
    assert assumed == []


def stamped(signer: bytes, **details: Any) -> dict[str, Any]:
    """A request that ada applied, stamped with that key."""
    made = body(annotations={STAMP: "{}"}, mfa={"serialNumber": SERIAL}, **details)
    subject = parse(made).subject
    assert subject is not None
    made["metadata"]["annotations"][STAMP] = stamp(UserInfo(username="ada"), subject, Keys((signer,)), subject.created)
    return made


def test_a_stamp_is_taken_on_trust_offline(explain: Any) -> None:
    request = stamped(KEY)
    wanted = with_mfa(
        [{"name": "person", "type": "Manual"}],
        authenticationAttribute={"names": ["username"], "value": "ada"},
    )
    told, assumed = parts(explain(request, NAMESPACE, SECRET, wanted))
    assert "trigger authenticationAttribute" in told[-1]
    assert assumed == [
        "ada applied the request: its stamp says so, on trust, for manifests have no key to check it with"
    ]


@pytest.mark.parametrize(
    ("documents", "told"),
    [
        ([policy()], "no such AwsStsRequest: give its file too with -f"),
        ([body(), body(name="daily")], "2 such AwsStsRequests: give NAME and -n"),
        ([body(raw={"duration": "1m"})], "the request can't work: spec."),
        ([{"kind": "AwsStsRequest", "metadata": {"name": 5}, "spec": {}}], "can't"),
        ([{"kind": "AwsStsRequest", "metadata": {"name": "x", "labels": 3}, "spec": {}}], "can't"),
        ([{"kind": "AwsStsRequest", "metadata": "x"}], "no such AwsStsRequest"),
    ],
)
def test_manifests_that_explain_nothing(explain: Any, documents: list[Any], told: str) -> None:
    result = explain(*documents)
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert told in result.stderr


def test_one_of_several_requests(explain: Any) -> None:
    several = body(), body(name="daily"), body(namespace="other")
    assert explain(*several, options=("daily",)).exit_code == 0
    assert explain(*several, options=("reports",)).exit_code == 1
    assert explain(*several, options=("reports", "-n", "other")).exit_code == 0


def test_attributes_that_are_no_text_are_a_refusal(explain: Any) -> None:
    garbage = SECRET | {"data": key_data() | {"attributes": "/w=="}}
    told, _ = parts(explain(body(), NAMESPACE, garbage, policy()))
    assert told == ["Denied: SecretInvalid: Secret 'reports-iam': attributes is not text"]


# From a cluster.


BY_ADA = with_mfa(
    [{"name": "person", "type": "Manual"}], authenticationAttribute={"names": ["username"], "value": "ada"}
)


@pytest.mark.parametrize(
    ("signer", "doubt"), [(KEY, ""), (b"another-key-of-thirty-two-bytes-or", "a key that the operator does not have")]
)
def test_a_stamp_is_checked_where_its_key_can_be_read(kubectl: StandIn, signer: bytes, doubt: str) -> None:
    kubectl.holds(stamped(signer))
    kubectl.says("awsstspolicies", {"items": [BY_ADA], "metadata": {}})
    kubectl.says("/awssts-system/secrets/awssts-stamp-key", {"data": encoded({"key": KEY})})
    told, _ = parts(from_cluster())
    fired = next(line for line in told if "authenticationAttribute" in line)
    assert ("Fired" in fired) is not bool(doubt)
    assert doubt in fired
    assert not any("ada applied" in line for line in told)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"said": "Error from server (Forbidden): no", "code": 1}, "no"),
        ({"said": "Error from server (NotFound): no", "code": 1}, "there is no key in Secret sys/awssts-stamp-key"),
        ({"answer": {"data": {}}}, "there is no key in Secret sys/awssts-stamp-key"),
    ],
)
def test_without_the_key_it_is_taken_on_trust(kubectl: StandIn, answer: dict[str, Any], why: str) -> None:
    kubectl.holds(stamped(KEY))
    kubectl.says("/sys/secrets/awssts-stamp-key", **answer)
    _, assumed = parts(from_cluster("--operator-namespace", "sys"))
    assert f"ada applied the request: its stamp says so, on trust, for {why}" in assumed


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    made = StandIn(tmp_path)
    monkeypatch.setenv("AWSSTS_KUBECTL", str(made.program))
    made.holds(body(status={"issuedAt": datetime.now(UTC).isoformat()}))
    made.says("awsstspolicies", {"items": [policy()], "metadata": {}})
    return made


def from_cluster(*options: str) -> Result:
    return CliRunner().invoke(main, ["explain", "reports", *options])


def test_who_may_read_little_still_gets_an_explanation(kubectl: StandIn) -> None:
    no = 'Error from server (Forbidden): User "ada" cannot get it'
    kubectl.says("/secrets/", said=no, code=1)
    kubectl.says("/namespaces/team --", said=no, code=1)
    kubectl.says("get --raw /api/v1/namespaces/team", said=no, code=1)
    told, assumed = parts(from_cluster())
    assert "Allowed by house" in told
    assert assumed == [
        'namespace team has no labels and annotations of its own: User "ada" cannot get it',
        'Secret reports-iam has keys, the label, and no attributes: User "ada" cannot get it',
        'the key was not changed since the last issuance: User "ada" cannot get it',
    ]


def test_without_policies_there_is_no_explanation(kubectl: StandIn) -> None:
    kubectl.says("awsstspolicies", said='Error from server (Forbidden): User "ada" cannot list', code=1)
    result = from_cluster()
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", 'Error: User "ada" cannot list\n')


def test_no_policy_selects_it(kubectl: StandIn) -> None:
    kubectl.says("awsstspolicies", {"items": [], "metadata": {}})
    told, assumed = parts(from_cluster())
    assert told[0] == "Allowed by default: no policy selects the request"
    assert assumed == []
