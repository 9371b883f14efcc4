"""What the operator keeps in Secrets of a namespace is its owner's to edit. None of it lets a renewal go without the
MFA that a policy demands; at the worst, what he holds already is kept."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from awssts.domain import session as ledgers
from awssts.domain.keys import KeyPair
from awssts.domain.policy import Policy, load, warnings
from testbed.sts.client import allow
from tests.integration import kube, policies
from tests.integration.patience import eventually
from tests.integration.policies import (
    ATTRIBUTE,
    PERSON,
    TOTP,
    annotate,
    asks_sts_no_more,
    change_metadata,
    give_code,
    issuing_calls,
    mfa,
    until_code_wanted,
    until_issued,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed.sts import Device, StrictSts, User
    from tests.integration.policies import Administrator
    from tests.integration.workspace import Workspace

admin, device, owner_api = policies.admin, policies.device, policies.owner_api
pytestmark = pytest.mark.usefixtures("operator")

NO_MFA = {
    "allowed": True,
    "awsCredentials": None,
    "forced": False,
    "maxDuration": None,
    "mfa": {"provider": None, "required": False, "webhook": None},
    "roleArn": None,
}
PAST = "2026-01-01T00:00:00Z"


def said(space: Workspace, **annotations: str | None) -> None:
    """Annotations of awssts.dev on the target Secret."""
    space.change_secret(
        metadata={"annotations": {f"awssts.dev/{name.replace('_', '-')}": value for name, value in annotations.items()}}
    )


def outcome(**changes: Any) -> str:
    return json.dumps(NO_MFA | changes, sort_keys=True, separators=(",", ":"))


def copied(space: Workspace) -> None:
    """The target Secret deleted, and put back as it was, with another outcome."""
    old = space.api.get(kube.path(kube.SECRETS, space.name, "reports")) or {}
    metadata = {field: old["metadata"][field] for field in ("name", "labels", "annotations")}
    metadata["annotations"]["awssts.dev/policy-outcome"] = outcome()

    def faster() -> bool:
        space.delete_secret()
        try:
            space.api.create(kube.path(kube.SECRETS, space.name), {"metadata": metadata, "data": old["data"]})
        except AssertionError as refused:
            assert "AlreadyExists" in str(refused)  # noqa: PT017 - the operator repaired it first
            return False
        return True

    eventually(faster, "a Secret that is put back before the operator does")


def kept(space: Workspace, what: str) -> list[str]:
    listed = space.api.get(kube.path(kube.SECRETS, space.name)) or {}
    return [one["metadata"]["name"] for one in listed["items"] if one["metadata"]["name"].startswith(f"awssts-{what}-")]


def forgotten_session(space: Workspace) -> None:
    for name in kept(space, "session"):
        space.delete_secret(name)


def forgotten_step(space: Workspace) -> None:
    """So that a code that was used would count as new."""
    (name,) = kept(space, "device")
    space.change_secret(name, metadata={"annotations": {"awssts.dev/totp-step": "0", "awssts.dev/used-codes": ""}})


WAYS: dict[str, Callable[[Workspace], Any]] = {
    "outcome: no MFA": lambda space: said(space, policy_outcome=outcome()),
    "outcome: none": lambda space: said(space, policy_outcome=None),
    "outcome: garbage": lambda space: said(space, policy_outcome="{[1"),
    "outcome: MFA is a text": lambda space: said(space, policy_outcome='{"mfa":"none"}'),
    "outcome: a role and lent keys": lambda space: said(
        space, policy_outcome=outcome(roleArn="arn:aws:iam::123456789012:role/admin", awsCredentials="kube-system/root")
    ),
    "outcome: a duration that is no number": lambda space: said(space, policy_outcome=outcome(maxDuration="for ever")),
    "guard: none": lambda space: said(space, policy_guard=None, policy_outcome=None),
    "guard: another": lambda space: said(space, policy_guard="0" * 32, policy_outcome=outcome()),
    "digest of the key": lambda space: said(space, key_digest="0" * 32, policy_outcome=outcome()),
    "digest of the inputs": lambda space: said(space, inputs_digest="0" * 32, policy_outcome=outcome()),
    "expired": lambda space: said(space, expiration=PAST, policy_outcome=outcome()),
    "about to expire": lambda space: said(space, issued_at=PAST, policy_outcome=outcome()),
    "nobody's": lambda space: said(space, request=None, policy_outcome=outcome()),
    "copied": copied,
    "session deleted": forgotten_session,
    "step of the session forgotten": forgotten_step,
    "device no longer used": lambda space: space.change(mfa={"when": "Triggered"}),
    "device no longer there": lambda space: space.change(mfa=None),
    "another duration": lambda space: space.change(duration="1h"),
    "label and stamp": lambda space: change_metadata(
        space, labels={"mfa": "none"}, annotations={"awssts.dev/authentication": '{"username": "admin"}'}
    ),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_renewal_wants_a_code(
    *,
    admin: Administrator,
    owner_api: Workspace,
    sts: StrictSts,
    user: User,
    device: Device,
    way: Callable[[Workspace], Any],
) -> None:
    owner = owner_api
    owner.keys(user)
    admin.policy(mfa=mfa(PERSON))
    owner.request(mfa={"serialNumber": device.serial_number})
    until_code_wanted(owner)
    give_code(owner, device.code())
    until_issued(owner)
    way(owner)
    eventually(lambda: renewal_is_refused(owner), "a renewal that is refused, or asks for a code")
    asks_sts_no_more(sts, user, seconds=1)
    assert [(call.with_code, call.result) for call in issuing_calls(sts, user)] == [(True, "Success")]


@pytest.mark.parametrize(
    "way",
    [
        lambda space: space.delete_secret(),
        lambda space: space.change_secret(stringData={"AWS_SECRET_ACCESS_KEY": "mine, all mine"}),
        lambda space: said(space, content_digest="0" * 32, policy_outcome=outcome()),
    ],
    ids=["deleted", "scribbled over", "digest of the content"],
)
def test_what_he_spoils_is_what_he_had(
    *,
    admin: Administrator,
    owner_api: Workspace,
    sts: StrictSts,
    user: User,
    device: Device,
    way: Callable[[Workspace], Any],
) -> None:
    """It is put back from the session that a code gave, and that is all."""
    owner = owner_api
    owner.keys(user)
    admin.policy(mfa=mfa(PERSON))
    owner.request(mfa={"serialNumber": device.serial_number})
    until_code_wanted(owner)
    give_code(owner, device.code())
    until_issued(owner)
    held = whole(owner)
    way(owner)
    eventually(lambda: whole(owner) == held, "the repair")
    owner.renew()
    until_code_wanted(owner)
    assert [(call.with_code, call.result) for call in issuing_calls(sts, user)] == [(True, "Success")]


def whole(space: Workspace) -> list[Any]:
    """The data of the target Secret, and their digest; nothing where it is gone."""
    found = space.api.get(kube.path(kube.SECRETS, space.name, "reports")) or {"data": {}, "metadata": {}}
    return [found["data"], (found["metadata"].get("annotations") or {}).get("awssts.dev/content-digest")]


def renewal_is_refused(space: Workspace) -> bool:
    """Asked for again and again: where there is something to repair from a session, that may answer the first."""
    if not refused(space):
        space.renew()
    return refused(space)


def refused(space: Workspace) -> bool:
    """Whether the last word is that something is in the way."""
    return any(space.condition(kind=kind).get("status") == "True" for kind in ("Stalled", "Reconciling"))


def test_what_was_issued_without_mfa_is_not_renewed_without(
    admin: Administrator, owner_api: Workspace, sts: StrictSts, user: User, device: Device
) -> None:
    """The owner makes old credentials look as if they had been made with MFA: they stay, and no others come."""
    owner = owner_api
    owner.keys(user)
    owner.request(mfa={"serialNumber": device.serial_number, "when": "Triggered"})
    owner.until_ready()
    with_mfa = outcome(mfa={"provider": "Manual", "required": True, "webhook": None})
    admin.policy(mfa=mfa(PERSON))
    until_code_wanted(owner)
    said(owner, policy_outcome=with_mfa)
    owner.renew()
    until_code_wanted(owner)
    asks_sts_no_more(sts, user, seconds=1)
    assert [call.with_code for call in issuing_calls(sts, user)] == [False]


def test_a_session_of_his_own_making_is_none_of_mfas(
    *, admin: Administrator, owner_api: Workspace, sts: StrictSts, user: User, device: Device
) -> None:
    """He puts a session without MFA where the operator keeps those with: a role that demands MFA is not given by it.

    What AWS gives to his key without MFA he can have without the operator; see docs/limitations.md.
    """
    owner = owner_api
    present = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
    role = sts.role(user.name, {"Statement": [allow(user.arn, condition=present)]})
    plain = sts.client(user).get_session_token(DurationSeconds=43_200)["Credentials"]
    held = {
        **{name: plain[name] for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")},
        "Expiration": plain["Expiration"].isoformat(),
        "IssuedAt": PAST,
        "Lifetime": 43_200,
        "KeyDigest": KeyPair(user.access_key_id, user.secret_access_key).digest,
    }
    owner.keys(user)
    name = ledgers.secret_name("reports-iam", device.serial_number)
    owner.secret_of(name, {"43200.json": json.dumps(held)}, {"awssts.dev/type": "session"})
    admin.policy(mfa=mfa(PERSON))
    owner.request(role={"arn": role}, mfa={"serialNumber": device.serial_number})
    eventually(lambda: refused(owner), "a refusal, or the wish for a code")
    owner.renew()
    asks_sts_no_more(sts, user, seconds=1)
    assert owner.secret() is None
    roles = [call for call in sts.calls() if call.role_arn == role]
    assert [call for call in roles if call.result == "Success"] == []


def test_a_session_moved_to_another_device_or_secret(
    *, admin: Administrator, owner_api: Workspace, sts: StrictSts, user: User, device: Device
) -> None:
    """A session is good for the key that it was made with, whatever its Secret is called."""
    owner = owner_api
    other = sts.user(f"{user.name}-other")
    theirs = sts.device(other)
    owner.keys(user)
    owner.keys(other, "other-iam")
    admin.policy(mfa=mfa(PERSON))
    owner.request(mfa={"serialNumber": device.serial_number})
    until_code_wanted(owner)
    give_code(owner, device.code())
    until_issued(owner)
    (mine,) = kept(owner, "session")
    data = owner.secret(mine) or {}
    owner.secret_of(ledgers.secret_name("other-iam", theirs.serial_number), data, {"awssts.dev/type": "session"})
    owner.request("other", keys="other-iam", mfa={"serialNumber": theirs.serial_number})
    until_code_wanted(owner, "other")
    assert owner.secret("other") is None
    assert issuing_calls(sts, other) == []


def test_a_session_by_seed_is_none_by_a_person(
    *, admin: Administrator, owner_api: Workspace, sts: StrictSts, user: User, device: Device
) -> None:
    """Made by his own seed before the policy demanded a person, it serves no request after."""
    owner = owner_api
    owner.keys(user)
    owner.secret_of("reports-mfa", {"seed": device.seed})
    by_seed = {"serialNumber": device.serial_number, "totpSecretRef": {"name": "reports-mfa"}}
    owner.request("before", mfa=by_seed)
    until_issued(owner, "before")
    admin.policy(mfa=mfa(PERSON))
    owner.request(mfa=by_seed)
    until_code_wanted(owner, timeout=20)
    assert owner.secret() is None
    asks_sts_no_more(sts, user)
    assert len(issuing_calls(sts, user)) == 1


# --- policies that rest on what he can write ------------------------------------------------------------------


def exempt_by_secret(owner: Workspace) -> None:
    owner.change_secret("reports-iam", metadata={"annotations": {ATTRIBUTE + "exempt": "yes"}})


LAX: dict[str, tuple[dict[str, Any], Callable[[Workspace], Any]]] = {
    "a bypass by an attribute of the Secret": (
        {
            "principal": {"sources": ["Namespace", "Secret"]},
            "mfa": mfa(TOTP | {"bypass": {"principalAttributes": [{"name": "exempt"}]}}),
        },
        exempt_by_secret,
    ),
    "a bypass by a label of the request": (
        {"mfa": mfa(TOTP | {"bypass": {"requestProperties": [{"label": "exempt"}]}})},
        lambda owner: change_metadata(owner, labels={"exempt": "yes"}),
    ),
    "a trigger by an annotation of the request": (
        {"mfa": mfa(TOTP, entityId={"source": "Annotation", "entities": [{"id": "human"}]})},
        lambda owner: annotate(owner, {"awssts.dev/entity-id": "robot"}),
    ),
    "a trigger that looks at the request": (
        {"mfa": mfa(TOTP, script={"expression": "!('exempt' in request.labels)"})},
        lambda owner: change_metadata(owner, labels={"exempt": "yes"}),
    ),
}


@pytest.mark.parametrize(("spec", "way"), LAX.values(), ids=LAX)
def test_a_policy_that_he_can_get_around_draws_a_warning(
    *,
    admin: Administrator,
    owner_api: Workspace,
    sts: StrictSts,
    user: User,
    spec: dict[str, Any],
    way: Callable[[Workspace], Any],
) -> None:
    """It is deserved: he does get around it."""
    policy = load(admin.body(**spec))
    assert isinstance(policy, Policy)
    assert len(warnings(policy)) == 1
    owner_api.keys(user)
    admin.policy(**spec)
    owner_api.request()
    way(owner_api)
    owner_api.renew()
    until_issued(owner_api)
    assert len(issuing_calls(sts, user)) in {1, 2}


@pytest.mark.parametrize(
    "spec",
    [
        {"mfa": mfa(PERSON)},
        {"mfa": mfa(TOTP | {"bypass": {"principalAttributes": [{"name": "exempt"}]}})},
        {"mfa": mfa(TOTP, script={"expression": "principal.attributes.stage[0] == 'production'"})},
        {
            "principal": {"sources": ["IamUserTags"]},
            "mfa": mfa(TOTP, principalAttribute={"names": ["a"], "value": "b"}),
        },
    ],
)
def test_one_that_rests_on_what_he_cannot_write_draws_none(admin: Administrator, spec: dict[str, Any]) -> None:
    policy = load(admin.body(**spec))
    assert isinstance(policy, Policy)
    assert warnings(policy) == []


def test_a_directory_does_not_know_him_by_a_name_he_chooses(admin: Administrator) -> None:
    """Without a trusted id it is asked about his namespace, however he names his Secret."""
    directory = {"url": "https://people.example.org/who"}
    policy = load(
        admin.body(
            principal={"sources": ["Rest"], "rest": directory},
            mfa=mfa(TOTP | {"bypass": {"principalAttributes": [{"name": "exempt"}]}}),
        )
    )
    assert isinstance(policy, Policy)
    assert warnings(policy) == []
