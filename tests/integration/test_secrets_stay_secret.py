"""Nothing secret leaves: not in logs at debug level, statuses, Events or annotations; and nothing foreign comes in.

What is looked for in this file on purpose is looked for after all other files, too: see `secrecy` in conftest.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.sts import Key
from tests.integration.patience import eventually
from tests.integration.secrecy import Secrecy, secret_values
from tests.integration.workspace import WATCHED, Pod, Workspace, calls_of

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.sts import StrictSts, User
    from tests.integration.api_proxy import ApiProxy
    from tests.integration.conftest import Launch
    from tests.integration.kube import Api

SCRIBBLE = "SCRIBBLEscribbleSCRIBBLEscribble/SCRIBBLE"


def test_the_collector_would_find_a_leak(api: Api, tmp_path: Path) -> None:
    collector = Secrecy(api)
    data = {
        "aws_secret_access_key": "d0psVWtCb1R2dzZPc2R4YnFZc2w=",
        "credentials": "YXdzX3Nlc3Npb25fdG9rZW49SVFvSmIzSnBaMmx1WDJWakVYQU1QTEUK",
    }
    collector.values = secret_values(data)
    assert collector.values == {"wJlUkBoTvw6OsdxbqYsl", "IQoJb3JpZ2luX2VjEXAMPLE"}
    log = tmp_path / "operator.log"
    collector.logs.add(log)
    log.write_text("nothing here\n")
    assert collector.leaks() == []
    log.write_text("debug: signing with wJlUkBoTvw6OsdxbqYsl\n")
    assert collector.leaks() == ["debug: signing with <a secret value>"]
    log.write_text("")
    collector.texts.add('{"annotations": {"last": "d0psVWtCb1R2dzZPc2R4YnFZc2w="}}')
    assert collector.leaks() == ['{"annotations": {"last": "<a secret value>']


@pytest.mark.parametrize("form", ["text", "json"])
def test_all_that_can_go_wrong_at_debug_level(
    launch: Launch, sts: StrictSts, secrecy: Secrecy, space: Workspace, user: User, form: str
) -> None:
    """Issued, renewed, repaired, refused, failed, in every way that might quote what it was given."""
    space.keys(user)
    space.request()
    operator = launch(options=[f"--log-format={form}"])
    operator.start()
    issued = space.until_ready()["accessKeyId"]
    space.renew()
    space.until_renewed(issued)
    space.change_secret(stringData={"AWS_SECRET_ACCESS_KEY": SCRIBBLE})
    eventually(lambda: (space.secret() or {})["AWS_SECRET_ACCESS_KEY"] != SCRIBBLE, "the repair")
    space.until_ready()
    for kind in ("garbage", "drop", "internal-failure"):
        sts.fault(kind, access_key_id=user.access_key_id)
        space.renew()
        eventually(lambda: space.status().get("failures"), "the failure")
        sts.clear_faults()
        space.until_ready()
    space.keys(Key(user.access_key_id, SCRIBBLE))
    space.until_reason("InvalidSecretKey")
    space.secret_of("reports-iam", {"aws_access_key_id": SCRIBBLE, "aws_secret_access_key": "a b c d e f g h"}, WATCHED)
    space.until_reason("SecretInvalid")
    assert operator.stop() == 0

    said = operator.said()
    assert "issued" in said
    assert "debug" in said
    assert SCRIBBLE in secrecy.values
    assert user.secret_access_key in secrecy.values
    assert len(secrecy.values) >= 2 + 2 * 3  # keys, and what was issued
    assert any(space.name in text for text in secrecy.texts)
    assert secrecy.leaks() == []


def test_an_api_server_that_refuses_the_secret(
    launch: Launch, proxy: ApiProxy, proxied: Path, secrecy: Secrecy, space: Workspace, user: User
) -> None:
    """What is refused is not quoted."""
    space.keys(user)
    refusal = proxy.disturb(422, "PATCH", r"/secrets/reports\?", count=1)
    space.request()
    operator = launch(proxied)
    operator.start()
    space.until_reason("TargetRejected")
    assert refusal.struck == 1
    space.change_secret("reports-iam", metadata={"annotations": {"example.com/poke": "1"}})
    space.renew()
    space.until_ready()
    assert secrecy.leaks() == []


OWN_IDENTITY = {
    "AWS_ACCESS_KEY_ID": "AKIAOPERATORSOWNKEY7",
    "AWS_SECRET_ACCESS_KEY": "the/secret/key/of/the/operators/own/user",
    "AWS_SESSION_TOKEN": "the-session-token-of-the-operators-own-user",
    "AWS_PROFILE": "does-not-exist",
    "AWS_DEFAULT_PROFILE": "neither-does-this",
    "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/operator",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/nonexistent/token",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9/credentials",
}
FILES = {
    "credentials": "[default]\naws_access_key_id = AKIAOPERATORSFILEKEY\naws_secret_access_key = from-the-file\n",
    "config": "[default]\nrole_arn = arn:aws:iam::123456789012:role/other\nsource_profile = nowhere\n",
}


@pytest.mark.parametrize("files", [FILES, {"config": "this is [no configuration\n", "credentials": "\x00"}, {}])
def test_an_aws_identity_of_its_own_is_never_used(
    launch: Launch,
    sts: StrictSts,
    space: Workspace,
    user: User,
    tmp_path: Path,
    files: dict[str, str],
) -> None:
    home = tmp_path / "home"
    (home / ".aws").mkdir(parents=True)
    for name, content in files.items():
        (home / ".aws" / name).write_text(content)
    sts.reset_counters()
    space.keys(user)
    space.request()
    space.request("without-keys", keys="not-there")
    operator = launch(environment={**OWN_IDENTITY, "HOME": str(home)})
    operator.start()
    space.until_ready()
    space.until_reason("SecretNotFound", "without-keys")
    space.renew("without-keys")
    space.renew()
    space.until_ready()
    assert {call.access_key_id for call in sts.calls()} == {user.access_key_id}
    assert Pod(space, sts).identity() == user.arn
    assert len(calls_of(sts, user)) >= 1
    assert operator.stop() == 0
    assert OWN_IDENTITY["AWS_SECRET_ACCESS_KEY"] not in operator.said()
