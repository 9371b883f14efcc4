"""The commands of the how-tos for administrators, run as they are written there, with the files that they show."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import lupa
import pytest
import yaml

from tests.documents import ROOT, blocks, commands, saved
from tests.integration import test_garbage
from tests.integration.operator_process import account_kubeconfig
from tests.integration.patience import eventually
from tests.integration.terminal import Terminal
from tests.integration.test_mfa import until_authenticated

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.cluster import Cluster
    from testbed.sts import StrictSts, User
    from tests.integration.workspace import Workspace

controlled, controlled_operator = test_garbage.controlled, test_garbage.controlled_operator
controlled_space = test_garbage.controlled_space  # its namespace has the user's key in `reports-iam`
FOREIGN = ROOT / "tests" / "data" / "documents" / "foreign-kinds.yaml"


@pytest.fixture
def terminal(controlled: Cluster, controlled_space: Workspace, tmp_path: Path) -> Terminal:
    return Terminal(controlled, controlled_space, tmp_path)


def whose(sts: StrictSts, data: dict[str, str]) -> str:
    """Whose the credentials are under External Secrets' names."""
    given = {"AccessKeyId": "access_key_id", "SecretAccessKey": "secret_access_key", "SessionToken": "session_token"}
    client = sts.client({name: data[key] for name, key in given.items()})
    return client.get_caller_identity()["Arn"]


@pytest.mark.usefixtures("controlled_operator")
def test_from_eso(
    controlled: Cluster, controlled_space: Workspace, terminal: Terminal, sts: StrictSts, user: User
) -> None:
    """External Secrets itself does not run: what it has left is laid out as it does."""
    space = controlled_space
    controlled.kubectl("apply", "--server-side", "--filename", FOREIGN)
    controlled.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    for name in ("eso.yaml", "reports.yaml"):
        saved("docs/howto-from-eso.md", name, terminal.home)
    space.secret_of("reports-iam", {"key-id": user.access_key_id, "access-secret": user.secret_access_key})
    apply = ("kubectl", "apply", "--server-side", "--filename=eso.yaml")
    eventually(lambda: terminal.run(*apply, code=None).returncode == 0, "the API of External Secrets")
    session = sts.client(user).get_session_token()["Credentials"]
    left = {
        "access_key_id": session["AccessKeyId"],
        "secret_access_key": session["SecretAccessKey"],
        "session_token": session["SessionToken"],
        "expiration": f"{session['Expiration'].timestamp():.0f}",
    }
    space.secret_of("reports-aws", left, labels={"reconcile.external-secrets.io/managed": "true"})
    uid = terminal.run("kubectl", "get", "externalsecret/reports-aws", "--output=jsonpath={.metadata.uid}").stdout
    owner = {"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "name": "reports-aws", "uid": uid}
    space.change_secret("reports-aws", metadata={"ownerReferences": [owner | {"controller": True}]})

    with commands("docs/howto-from-eso.md") as shown:
        assert shown.run("expiration", environment=terminal.environment) == left["expiration"]
        shown.run("orphan", environment=terminal.environment)
        assert space.secret("reports-aws") == left
        assert "ownerReferences" not in space.metadata("reports-aws")
        assert "Ready" in shown.run("apply", environment=terminal.environment, cwd=terminal.home)
        found = space.secret("reports-aws") or {}
        assert set(found) == {*left, "config", "credentials.json"}
        assert found["access_key_id"] == json.loads(found["credentials.json"])["AccessKeyId"] != left["access_key_id"]
        assert whose(sts, found) == user.arn
        assert whose(sts, left) == user.arn, "nobody was cut off meanwhile"
        shown.run("generator", environment=terminal.environment)
    space.change(target={"creationPolicy": None})
    eventually(lambda: space.metadata("reports-aws").get("ownerReferences"), "the request's Secret")
    assert space.secret("reports-aws") == found


@pytest.mark.usefixtures("controlled_operator")
def test_from_aws_vault(
    controlled: Cluster, controlled_space: Workspace, terminal: Terminal, sts: StrictSts, user: User
) -> None:
    space, home = controlled_space, terminal.home
    space.delete_secret("reports-iam")
    device = sts.device(user, name="reports")
    for name in ("reports.yaml", "reader.yaml"):
        saved("docs/howto-from-aws-vault.md", name, home)
    given = {
        "AWS_ACCESS_KEY_ID": user.access_key_id,
        "AWS_SECRET_ACCESS_KEY": user.secret_access_key,
        "SEED": device.seed,
    }
    with commands("docs/howto-from-aws-vault.md") as shown:
        shown.run("keys", environment=terminal.environment | given)
        assert space.metadata("reports-iam")["labels"] == {"awssts.dev/type": "credentials"}
        shown.run("job", environment=terminal.environment, cwd=home)
        token = shown.run("reader", environment=terminal.environment, cwd=home).splitlines()[-1]
        config = yaml.safe_load(account_kubeconfig(controlled, "awssts", home / "machine").read_text())
        config["users"][0]["user"] = {"token": token}
        config["contexts"][0]["context"]["namespace"] = space.name
        (home / "machine").write_text(json.dumps(config))
        machine = terminal.environment | {"KUBECONFIG": str(home / "machine")}
        assert f"AWS_ACCESS_KEY_ID={space.held_key()}\n" in shown.run("cron", environment=machine)
    denied = terminal.run("kubectl", "get", "secret/reports-iam", KUBECONFIG=str(home / "machine"), code=None)
    assert "forbidden" in denied.stderr


@pytest.mark.usefixtures("controlled_operator")
def test_key_rotation(controlled_space: Workspace, terminal: Terminal, sts: StrictSts, user: User) -> None:
    space = controlled_space
    devices = [sts.device(user, name=name) for name in ("reports-1", "reports-2")]
    space.secret_of("reports-mfa", {"seed": devices[0].seed})
    space.request(mfa={"serialNumber": devices[0].serial_number, "totpSecretRef": {"name": "reports-mfa"}})
    until_authenticated(space)
    first = space.held_key()
    new = sts.iam.create_access_key(UserName=user.name)["AccessKey"]
    given = {
        "NEW_ACCESS_KEY_ID": new["AccessKeyId"],
        "NEW_SECRET_ACCESS_KEY": new["SecretAccessKey"],
        "NEW_SEED": devices[1].seed,
    }
    with commands("docs/howto-key-rotation.md") as shown:
        for block in ("patch", "renew"):
            shown.run(block, environment=terminal.environment | given)
        assert space.held_key() != first
        sts.iam.update_access_key(UserName=user.name, AccessKeyId=user.access_key_id, Status="Inactive")
        second = space.held_key()
        for block in ("seed", "device"):
            shown.run(block, environment=terminal.environment | given)
        space.until_renewed(second)
        until_authenticated(space)
        used = {call.serial_number for call in sts.calls() if call.access_key_id == new["AccessKeyId"]}
        assert devices[1].serial_number in used
        shown.run("old", environment=terminal.environment)
    assert sts.counters().reused_codes == 0


def test_checks_of_a_pull_request(terminal: Terminal) -> None:
    with commands("docs/howto-gitops.md") as shown:
        said = shown.run("check", environment=terminal.environment)
    assert ", 0 problems\n" in said
    assert "Allowed by default: no policy selects the request" in said


HEALTH = {  # status of the conditions, and the generation that they speak of: what Argo CD is to show
    "Progressing": [({}, None), ({"Ready": "True"}, 1), ({"Ready": "False", "Reconciling": "True"}, 2)],
    "Healthy": [({"Ready": "True"}, 2), ({"Ready": "True", "Reconciling": "True"}, 2)],
    "Degraded": [({"Ready": "False", "Stalled": "True"}, 2), ({"Ready": "True", "Stalled": "True"}, 2)],
}


@pytest.mark.parametrize(
    ("conditions", "seen", "health"), [(*case, health) for health, cases in HEALTH.items() for case in cases]
)
def test_the_health_that_argo_cd_shows(conditions: dict[str, str], seen: int | None, health: str) -> None:
    """Run by a real Lua, as Argo CD does: the object is the global `obj`, the answer what is returned."""
    told = [{"type": kind, "status": status, "message": f"{kind} is {status}"} for kind, status in conditions.items()]
    request = {"metadata": {"generation": 2}, "spec": {}, "status": {"conditions": told, "observedGeneration": seen}}
    assert in_lua(request)["status"] == health
    assert in_lua({**request, "spec": {"suspend": True}})["status"] == "Suspended"
    assert in_lua({"metadata": {"generation": 1}, "spec": {}})["status"] == "Progressing"


def in_lua(request: dict[str, Any]) -> dict[str, str]:
    found = [each for block in blocks("docs/howto-gitops.md", "yaml") for each in block.objects]
    (script,) = next(each for each in found if each["kind"] == "ConfigMap")["data"].values()
    lua = lupa.LuaRuntime()
    lua.globals().obj = lua.table_from(request, recursive=True)
    return dict(lua.execute(script))
