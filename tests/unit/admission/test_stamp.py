"""Who applied a request: stamped by the webhook, and by nobody else."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from awssts.domain import names
from awssts.domain.admission import Stage
from awssts.domain.policy import Authentication
from awssts.domain.request import parse
from awssts.domain.stamp import ALL_ANNOTATIONS, TOLERANCE, Doubt, Keys, claimed, size, verified
from awssts.domain.status import timestamp
from awssts.domain.subject import LAST_APPLIED, STAMP
from tests.unit.admission.reviews import (
    ANNA,
    ANNAS,
    BEN,
    KEYS,
    OPERATOR,
    SPEC,
    admitted,
    applied,
    asked,
    by,
    review,
    stamped,
    thing,
    unborn,
    who,
)
from tests.unit.builders import NOW

Json = dict[str, Any]

FORGED = json.dumps({"username": "root", "groups": ["system:masters"], "uid": "", "extra": {}})
OTHER_SPEC = {**SPEC, "duration": "1h"}
LEAVING: Json = {"deletionTimestamp": "2026-11-23T16:00:00Z", "finalizers": ["example.org/x"]}
THERE = by(ANNA, thing())


@pytest.mark.parametrize("written", [None, {}, {STAMP: FORGED}, {STAMP: ""}, ANNAS, {"team": "x"}])
def test_a_new_request_is_stamped_over_anything_its_user_wrote(written: Json | None) -> None:
    after, verdict = admitted(thing(annotations=written), user=BEN)
    assert after["metadata"]["annotations"].keys() == {*(written or {}), STAMP}
    assert who(after) == "ben"
    assert verdict.allowed
    assert not verdict.warnings


@pytest.mark.parametrize("metadata", [{"name": ""}, {"name": "", "generateName": "reports-"}])
def test_one_without_a_name_yet_is_told_by_its_time(metadata: Json) -> None:
    new = thing(**metadata)
    request = asked(unborn(new))
    after = applied(new, review(Stage.MUTATE, request), request)
    named = {**after, "metadata": {**after["metadata"], "name": "reports-x7k2", "creationTimestamp": timestamp(NOW)}}
    assert who(named) == "anna"
    assert review(Stage.VALIDATE, asked(named)).allowed


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(THERE, thing(OTHER_SPEC, ANNAS), id="spec"),
        pytest.param(THERE, thing(annotations=ANNAS, labels={"tier": "gold"}), id="label"),
        pytest.param(by(ANNA, thing(labels={"a": "b"})), thing(annotations=ANNAS), id="label gone"),
        pytest.param(THERE, thing(annotations={**ANNAS, "awssts.dev/mfa": "x"}), id="annotation"),
        pytest.param(by(ANNA, thing(annotations={"x": "y"})), thing(annotations=ANNAS), id="annotation gone"),
        pytest.param(THERE, thing(OTHER_SPEC, {STAMP: FORGED}), id="spec, forged"),
        pytest.param(THERE, thing(OTHER_SPEC), id="spec, stamp removed"),
        pytest.param(thing(), thing(OTHER_SPEC), id="from before the webhook"),
        pytest.param(THERE, thing(OTHER_SPEC, ANNAS, **LEAVING), id="being deleted"),
    ],
)
def test_who_changes_what_counts_is_stamped(old: Json, new: Json) -> None:
    after, verdict = admitted(new, old, user=BEN)
    assert who(after) == "ben"
    assert verdict.allowed


@pytest.mark.parametrize(
    "new",
    [
        pytest.param(thing(annotations=ANNAS), id="nothing"),
        pytest.param(thing(annotations={STAMP: FORGED}), id="forged"),
        pytest.param(thing(annotations={STAMP: stamped(BEN)}), id="another's"),
        pytest.param(thing(annotations={}), id="removed"),
        pytest.param(thing(), id="removed with all annotations"),
        pytest.param(thing(annotations={**ANNAS, names.RENEW: "2"}), id="renewal asked"),
        pytest.param(thing(annotations={**ANNAS, names.TOKEN_CODE: "123456"}), id="code"),
        pytest.param(thing(annotations={**ANNAS, LAST_APPLIED: "{}"}), id="kubectl's copy"),
        pytest.param(thing(annotations=ANNAS, finalizers=["a/b"]), id="finalizer"),
        pytest.param(thing(annotations=ANNAS, ownerReferences=[{}]), id="owner"),
        pytest.param(thing(annotations={STAMP: FORGED}, **LEAVING), id="being deleted"),
        pytest.param({**thing(annotations=ANNAS), "status": {"failures": 3}}, id="status"),
        pytest.param(thing(annotations=ANNAS, labels={}), id="empty labels"),
    ],
)
def test_who_changes_nothing_that_counts_is_not(new: Json) -> None:
    after, verdict = admitted(new, THERE, user=BEN)
    assert after["metadata"]["annotations"][STAMP] == ANNAS[STAMP]
    assert who(after) == "anna"
    assert verdict.allowed


def test_a_code_that_is_taken_leaves_the_stamp() -> None:
    old = thing(annotations={**ANNAS, names.TOKEN_CODE: "123456"})
    assert who(admitted(thing(annotations=ANNAS), old, user=OPERATOR)[0]) == "anna"


def test_what_had_no_stamp_gets_none_by_a_forgery() -> None:
    after, verdict = admitted(thing(annotations={STAMP: FORGED}), thing(), user=BEN)
    assert after["metadata"]["annotations"] == {}
    assert verdict.allowed


OPERATORS = frozenset({OPERATOR["username"]})


@pytest.mark.parametrize("new", [thing(OTHER_SPEC, ANNAS), thing(annotations={STAMP: FORGED}), thing(OTHER_SPEC)])
def test_the_operators_writes_leave_whom_the_stamp_names(new: Json) -> None:
    after, verdict = admitted(new, THERE, user=OPERATOR, operators=OPERATORS)
    assert who(after) == "anna"
    assert verdict.allowed


def test_the_operators_writes_make_no_forgery_genuine() -> None:
    after, verdict = admitted(thing(OTHER_SPEC), thing(annotations={STAMP: FORGED}), user=OPERATOR, operators=OPERATORS)
    assert who(after) is None
    assert verdict.allowed


def test_the_operator_is_stamped_for_what_it_creates() -> None:
    after, _ = admitted(thing(), user=OPERATOR, operators=OPERATORS)
    assert who(after) == OPERATOR["username"]


@pytest.mark.parametrize("annotations", [{STAMP: FORGED}, {STAMP: "nonsense"}, {STAMP: stamped(BEN)}])
def test_a_stamp_that_the_mutating_webhook_did_not_write_is_refused(annotations: Json | None) -> None:
    verdict = review(Stage.VALIDATE, asked(thing(annotations=annotations)))
    assert verdict.message == (
        "metadata.annotations[awssts.dev/authentication]: is written by the admission webhook alone, and it did not: "
        "the MutatingWebhookConfiguration of awssts is missing"
    )


@pytest.mark.parametrize("annotations", [None, {}, {"team": "x"}])
def test_without_a_stamp_nobody_is_known_and_he_hears_of_it(annotations: Json | None) -> None:
    verdict = review(Stage.VALIDATE, asked(thing(annotations=annotations)))
    assert verdict.allowed
    assert "counts as unknown: it has no stamp" in " ".join(verdict.warnings)


@pytest.mark.parametrize(
    ("new", "old"),
    [
        (thing(annotations={STAMP: FORGED}), None),
        (thing(OTHER_SPEC, ANNAS), THERE),
        (thing(OTHER_SPEC), None),
    ],
)
def test_who_has_not_shown_that_he_is_the_api_server_gets_no_stamp(new: Json, old: Json | None) -> None:
    """He may be anybody who reaches the port, and say of himself what he likes."""
    request = asked(new, old, user=BEN)
    after = applied(new, review(Stage.MUTATE, request, called_by_cluster=False), request)
    assert STAMP not in after["metadata"].get("annotations", {})
    assert review(Stage.VALIDATE, asked(after, old, user=BEN)).allowed


def test_nor_for_the_operators_own_name() -> None:
    new = thing(OTHER_SPEC, ANNAS)
    request = asked(new, THERE, user=OPERATOR)
    verdict = review(Stage.MUTATE, request, OPERATORS, called_by_cluster=False)
    assert STAMP not in applied(new, verdict, request)["metadata"]["annotations"]


def test_a_webhook_that_changes_a_request_after_the_stamp_is_noticed() -> None:
    new = thing(OTHER_SPEC, ANNAS, generation=2)
    assert not review(Stage.VALIDATE, asked(new, THERE, user=BEN)).allowed
    assert review(Stage.VALIDATE, asked(by(BEN, new), THERE, user=BEN)).allowed
    further = {**by(BEN, new), "spec": {**OTHER_SPEC, "suspend": True}}
    assert not review(Stage.VALIDATE, asked(further, THERE, user=BEN)).allowed


def test_a_second_call_changes_nothing() -> None:
    request = asked(unborn(thing()))
    once = applied(unborn(thing()), review(Stage.MUTATE, request), request)
    assert review(Stage.MUTATE, asked(once)).patch == ()


def test_clocks_that_differ_are_told() -> None:
    """The request is admitted: only policies that ask who applied it refuse it."""
    request = asked(unborn(thing()))
    once = applied(thing(), review(Stage.MUTATE, request), request)
    once["metadata"]["creationTimestamp"] = timestamp(NOW + TOLERANCE + timedelta(seconds=1))
    verdict = review(Stage.VALIDATE, asked(once))
    assert verdict.allowed
    assert "the clocks of the API server and the operator" in verdict.warnings[0]
    assert who(once) is None


def test_what_does_not_fit_is_refused_with_the_sizes() -> None:
    many: Json = {"username": "anna", "groups": [f"group-{number:06}" for number in range(20_000)]}
    verdict = review(Stage.MUTATE, asked(thing(annotations={"a": "b"}), user=many))
    assert not verdict.patch
    assert verdict.message.startswith(
        "metadata.annotations: with awssts.dev/authentication, which tells who applied this and takes "
    )
    assert verdict.message.endswith("; Kubernetes allows 262144")


def test_the_last_byte_fits() -> None:
    request = asked(unborn(thing()))
    room = ALL_ANNOTATIONS - size(applied(thing(), review(Stage.MUTATE, request), request)["metadata"]["annotations"])
    for length, allowed in ((room - 1, True), (room, False)):
        text = "é" * (length // 2) + "e" * (length % 2)
        assert review(Stage.MUTATE, asked(unborn(thing(annotations={"x": text})))).allowed == allowed


def test_names_beyond_ascii_come_back() -> None:
    user: Json = {"username": "Jörg 🦊", "groups": ["rôle"], "extra": {"x": []}}
    after, _ = admitted(thing(), user=user)
    text = after["metadata"]["annotations"][STAMP]
    assert text.isascii()
    assert {key: value for key, value in json.loads(text).items() if key != "signature"} == {**user, "uid": ""}
    assert who(after) == "Jörg 🦊"


def test_a_stamp_is_read_as_facts() -> None:
    assert claimed(ANNAS) == Authentication(
        username="anna",
        uid="7",
        groups=("developers", "system:authenticated"),
        extra={"authentication.kubernetes.io/credential-id": ("X509SHA256=0f",)},
    )


NONSENSE = ["", "null", "[]", "{}", "{", '{"username": 1}', '{"username": ""}', '{"groups": ["a"]}', '"anna"', "\0"]


@pytest.mark.parametrize("text", [*NONSENSE, FORGED])
def test_nonsense_is_nobody(text: str) -> None:
    assert who(thing(annotations={STAMP: text})) is None
    if text != FORGED:
        assert claimed({STAMP: text}) is None


# --- what somebody does where no webhook is called --------------------------------------------------------------


def signed_anew(**changes: Any) -> str:
    """Anna's stamp with another value in it; the proof stays."""
    text = json.loads(ANNAS[STAMP])
    for name, value in changes.items():
        (text["signature"] if name in text["signature"] else text)[name] = value
    return json.dumps(text)


@pytest.mark.parametrize(
    "there",
    [
        pytest.param(thing(annotations={STAMP: signed_anew(username="root")}), id="another user"),
        pytest.param(thing(annotations={STAMP: signed_anew(groups=["system:masters"])}), id="another group"),
        pytest.param(thing(annotations={STAMP: signed_anew(extra={})}), id="less of him"),
        pytest.param(thing(annotations={STAMP: signed_anew(mac="0" * 64)}), id="another proof"),
        pytest.param(thing(annotations={STAMP: signed_anew(mac="")}), id="no proof"),
        pytest.param(thing(annotations={STAMP: signed_anew(mac="é")}), id="a proof that is none"),
        pytest.param(thing(annotations={STAMP: signed_anew(key="00000000")}), id="another key"),
        pytest.param(thing(annotations={STAMP: signed_anew(name=None)}), id="without its name"),
        pytest.param(thing(annotations={STAMP: signed_anew(object=None)}), id="without its uid"),
        pytest.param(thing(annotations={STAMP: stamped(ANNA, keys=Keys((b"x" * 32,)))}), id="a key of his own"),
        pytest.param(thing(OTHER_SPEC, ANNAS), id="another spec, generation as it was"),
        pytest.param(thing(annotations=ANNAS, generation=2), id="the spec of before"),
        pytest.param(thing(annotations=ANNAS, labels={"tier": "gold"}), id="another label"),
        pytest.param(thing(annotations={**ANNAS, "awssts.dev/mfa": "none"}), id="another annotation"),
        pytest.param(thing(annotations=ANNAS, name="other"), id="copied to another request"),
        pytest.param(thing(annotations=ANNAS, uid="later"), id="put on a request made anew"),
    ],
)
def test_a_stamp_of_his_own_making_is_nobody(there: Json) -> None:
    assert who(THERE) == "anna"
    assert who(there) is None


TEXTS = st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2)
PARTS = st.fixed_dictionaries({"spec": st.dictionaries(st.text(max_size=3), st.integers() | st.none(), max_size=2)})


@given(signed=st.tuples(PARTS, TEXTS, TEXTS), now=st.tuples(PARTS, TEXTS, TEXTS))
def test_a_stamp_is_good_for_what_was_signed_and_nothing_else(signed: Any, now: Any) -> None:
    before, after = (thing(spec["spec"], annotations, labels) for spec, annotations, labels in (signed, now))
    stamp = stamped(ANNA, before)
    after["metadata"]["annotations"] |= {STAMP: stamp}
    assert who(after) == ("anna" if signed == now else None)


def test_a_stamp_of_a_creation_serves_no_later_one() -> None:
    request = asked(unborn(thing()))
    made = applied(thing(), review(Stage.MUTATE, request), request)
    for later, known in ((timedelta(0), "anna"), (TOLERANCE, "anna"), (TOLERANCE + timedelta(seconds=1), None)):
        made["metadata"]["creationTimestamp"] = timestamp(NOW + later)
        assert who(made) == known


def test_a_stamp_is_good_in_its_namespace_only() -> None:
    assert who(THERE) == "anna"
    request = asked(unborn(thing()), namespace="elsewhere")
    made = applied(thing(creationTimestamp=timestamp(NOW)), review(Stage.MUTATE, request), request)
    assert who(made) is None


def test_an_old_key_is_believed_while_it_is_kept() -> None:
    new = b"n" * 32
    assert who(THERE, Keys((new, *KEYS.all))) == "anna"
    assert who(THERE, Keys((new,))) is None


@pytest.mark.parametrize(
    ("annotations", "keys", "doubt"),
    [
        ({}, KEYS, Doubt.UNSTAMPED),
        ({STAMP: "nonsense"}, KEYS, Doubt.UNSIGNED),
        ({STAMP: FORGED}, KEYS, Doubt.UNSIGNED),
        (ANNAS, Keys((b"n" * 32,)), Doubt.KEY),
        ({STAMP: signed_anew(username="root")}, KEYS, Doubt.OTHER),
    ],
)
def test_why_nobody_is_known_is_told(annotations: Json, keys: Keys, doubt: Doubt) -> None:
    body = thing(annotations={STAMP: "x", **annotations}, namespace="team")
    subject = parse(body).subject
    assert subject is not None
    assert verified(annotations, subject, keys) is doubt


def test_keys_are_not_shown() -> None:
    assert "kkk" not in repr(KEYS)
