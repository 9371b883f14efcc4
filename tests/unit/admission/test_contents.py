"""What is refused, with which words, and what is only warned of."""

from typing import Any

import pytest

from awssts.domain import names
from awssts.domain.admission import Stage, Verdict, answer
from awssts.domain.subject import LAST_APPLIED
from tests.unit.admission.reviews import ANNAS, SPEC, admitted, asked, kind, review, thing

Json = dict[str, Any]

BAD: Json = {"credentialsSecretRef": {"name": "reports-iam"}, "duration": "1x", "role": {"arn": "reports"}, "colour": 1}
MFA = {"serialNumber": "arn:aws:iam::123456789012:mfa/reports"}
POLICY = kind(names.POLICY_KIND)
TOTP = {"name": "totp", "type": "Totp"}


def request_verdict(new: Json, old: Json | None = None) -> Verdict:
    return admitted(new, old)[1]


def policy_verdict(spec: Any, old: Any = None, **details: Any) -> Verdict:
    return review(Stage.VALIDATE, asked(thing(spec), None if old is None else thing(old), **POLICY, **details))


def with_script(expression: str) -> Json:
    return {"mfa": {"providers": [TOTP], "triggers": {"script": {"expression": expression}}}}


def test_every_problem_names_its_field() -> None:
    verdict = request_verdict(thing(BAD))
    assert not verdict.allowed
    assert [problem.partition(": ")[0] for problem in verdict.problems] == [
        "spec.duration",
        "spec.role.arn",
        "spec.colour",
    ]
    assert "spec.colour: no such field" in verdict.message


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({}, "spec.credentialsSecretRef: Field required"),
        ("text", "spec: Input should be a valid dictionary or instance of Spec"),
        (
            {"credentialsSecretRef": {"name": "reports"}},
            "spec: target.name must differ from credentialsSecretRef.name: the keys would be overwritten",
        ),
        ({**SPEC, "duration": "1h", "renewBefore": "10m"}, "spec: renewBefore must be at least 20m with a duration of"),
    ],
)
def test_a_bad_spec_is_refused(spec: Any, message: str) -> None:
    assert request_verdict(thing(spec)).message.startswith(message)


def test_what_was_there_already_is_not_refused_again() -> None:
    old = thing(BAD, ANNAS)
    assert request_verdict(thing(BAD, {**ANNAS, "x": "y"}), old).allowed
    assert not request_verdict(thing({**BAD, "suspend": True}, ANNAS), old).allowed
    assert request_verdict(thing(SPEC, ANNAS), old).allowed


def test_what_is_being_deleted_is_not_refused() -> None:
    assert request_verdict(
        thing(BAD, ANNAS, deletionTimestamp="2026-11-23T16:00:00Z"), thing(annotations=ANNAS)
    ).allowed


@pytest.mark.parametrize("code", ["", "12345", "1234567", "12345x", "--", "١٢٣٤٥٦", "secret"])
def test_a_bad_code_is_refused_and_not_repeated(code: str) -> None:
    verdict = request_verdict(thing({**SPEC, "mfa": MFA}, {names.TOKEN_CODE: code}))
    assert verdict.message == "metadata.annotations[awssts.dev/token-code]: a code has six digits"


@pytest.mark.parametrize("code", ["123456", "123 456", " 123456", "123456\n", "123-456"])
def test_a_code_as_apps_show_it_is_taken(code: str) -> None:
    assert request_verdict(thing({**SPEC, "mfa": MFA}, {names.TOKEN_CODE: code})).allowed


def test_a_bad_code_that_was_there_stops_no_other_change() -> None:
    old = {**ANNAS, names.TOKEN_CODE: "x"}
    assert request_verdict(thing({**SPEC, "suspend": True}, old), thing(SPEC, old)).allowed


@pytest.mark.parametrize(
    ("spec", "annotations", "warnings"),
    [
        ({**SPEC, "mfa": MFA}, {names.TOKEN_CODE: "123456"}, []),
        (SPEC, {names.RENEW: "1", "awssts.dev/mfa": "totp", "awssts.dev/entity-id": "x", "example.org/renw": ""}, []),
        (
            SPEC,
            {"awssts.dev/renw": "1"},
            ["[awssts.dev/renw]: there is no such annotation; did you mean awssts.dev/renew?"],
        ),
        (SPEC, {"awssts.dev/colour": "1"}, ["[awssts.dev/colour]: there is no such annotation"]),
        (
            SPEC,
            {"principal.awssts.dev/team": "a"},
            ["[principal.awssts.dev/team]: counts on a namespace or on a credentials Secret, not on a request"],
        ),
        (SPEC, {names.TOKEN_CODE: "123456"}, ["[awssts.dev/token-code]: without spec.mfa no code is used"]),
        (
            {**SPEC, "mfa": MFA},
            {names.TOKEN_CODE: "123456", LAST_APPLIED: '{"awssts.dev/token-code": "123456"}'},
            ["[awssts.dev/token-code]: kubectl apply keeps a copy of it; give it by kubectl annotate"],
        ),
    ],
)
def test_doubtful_annotations_draw_a_warning(spec: Json, annotations: Json, warnings: list[str]) -> None:
    verdict = request_verdict(thing(spec, annotations))
    assert verdict.allowed
    assert list(verdict.warnings) == [f"metadata.annotations{warning}" for warning in warnings]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (with_script("principal.("), "spec.mfa.triggers.script.expression: not a CEL expression"),
        (with_script("user.name == 'x'"), "spec.mfa.triggers.script.expression: there is no variable 'user'"),
        ({"authorization": {"principalAttribute": {"name": "a", "value": "(?=x)"}}}, "not a regular expression of RE2"),
        ({"authorization": {"principalAttribute": {"name": "a", "value": "("}}}, "not a regular expression of RE2"),
        ({"awsCredentials": {"secretName": "a", "namespace": "b"}}, "awsCredentials needs authorization.roles"),
        ("text", "spec: "),
    ],
)
def test_a_policy_that_does_not_compile_is_refused(spec: Any, message: str) -> None:
    verdict = policy_verdict(spec)
    assert not verdict.allowed
    assert message in verdict.message


def test_every_problem_of_a_policy_names_its_field() -> None:
    verdict = policy_verdict({**with_script("("), "priority": "high", "colour": 1})
    assert [problem.partition(": ")[0] for problem in verdict.problems] == [
        "spec.priority",
        "spec.mfa.triggers.script.expression",
        "spec.colour",
    ]


def test_a_policy_that_protects_nobody_draws_a_warning() -> None:
    verdict = policy_verdict({"selector": {"requestSelector": {"matchLabels": {"a": "b"}}}})
    assert verdict.allowed
    assert [warning.partition(" ")[0] for warning in verdict.warnings] == ["spec.selector.requestSelector"]


@pytest.mark.parametrize("spec", [{}, None])
def test_an_empty_policy_is_one(spec: Any) -> None:
    assert review(Stage.VALIDATE, asked({"metadata": {"name": "a"}, "spec": spec}, **POLICY)) == Verdict()


def test_a_policy_that_was_bad_already_may_change_its_labels() -> None:
    assert policy_verdict(with_script("("), with_script("(")).allowed
    assert not policy_verdict(with_script("(("), with_script("(")).allowed


def test_policies_are_not_stamped() -> None:
    assert review(Stage.MUTATE, asked(thing({}), **POLICY)) == Verdict()


@pytest.mark.parametrize(
    "details",
    [
        {"operation": "DELETE"},
        {"operation": "CONNECT"},
        {"operation": "UPDATE", "subResource": "status"},
        kind("AwsStsOther"),
        kind("AwsStsRequest", group="example.org"),
        kind("Pod", group=""),
    ],
    ids=str,
)
@pytest.mark.parametrize("stage", Stage)
def test_all_else_is_allowed(stage: Stage, details: Json) -> None:
    assert review(stage, asked(thing(BAD), thing(BAD), **details)) == Verdict()


@pytest.mark.parametrize("stage", Stage)
def test_a_deletion_is_allowed(stage: Stage) -> None:
    assert review(stage, asked(None, thing(BAD), operation="DELETE")) == Verdict()


def test_a_refusal_is_told_as_the_crds_are() -> None:
    request = asked(thing(BAD))
    response = answer(request, Verdict(problems=("spec.duration: wrong", "spec: too: bad"), warnings=("careful",)))
    assert response == {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {
            "uid": "0815",
            "allowed": False,
            "warnings": ["careful"],
            "status": {
                "status": "Failure",
                "code": 422,
                "reason": "Invalid",
                "message": "spec.duration: wrong; spec: too: bad",
                "details": {
                    "group": "awssts.dev",
                    "kind": "AwsStsRequest",
                    "name": "reports",
                    "causes": [
                        {"reason": "FieldValueInvalid", "field": "spec.duration", "message": "wrong"},
                        {"reason": "FieldValueInvalid", "field": "spec", "message": "too: bad"},
                    ],
                },
            },
        },
    }


def test_an_approval_is_short() -> None:
    response = answer(asked(thing()), Verdict())
    assert response["response"] == {"uid": "0815", "allowed": True}
