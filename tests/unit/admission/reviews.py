"""AdmissionReviews as the API server sends them; every value can be chosen."""

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from awssts.domain import admission, stamp
from awssts.domain.admission import AdmissionRequest, Desk, Stage, Verdict, answer, read
from awssts.domain.request import parse
from awssts.domain.stamp import Keys, UserInfo
from awssts.domain.status import timestamp
from awssts.domain.subject import STAMP, Subject, weight
from tests.unit.builders import HOUR, NOW

Json = dict[str, Any]

KEYS = Keys((b"k" * 32,))
DESK = Desk(keys=KEYS, now=NOW)
CREATED = NOW - HOUR

ANNA: Json = {
    "username": "anna",
    "uid": "7",
    "groups": ["developers", "system:authenticated"],
    "extra": {"authentication.kubernetes.io/credential-id": ["X509SHA256=0f"]},
}
BEN: Json = {"username": "ben", "groups": ["contractors"]}
OPERATOR: Json = {"username": "system:serviceaccount:awssts-system:awssts", "groups": ["system:serviceaccounts"]}
SPEC: Json = {"credentialsSecretRef": {"name": "reports-iam"}}


def stamped(user: Json, there: Json | None = None, keys: Keys = KEYS) -> str:
    """The stamp of a user on an object: the one that `thing()` makes, unless there is another."""
    there = there or thing()
    metadata = there["metadata"]
    on = Subject(
        namespace="team",
        name=metadata["name"],
        uid=metadata["uid"],
        generation=metadata["generation"],
        created=CREATED,
        weight=weight(there["spec"], metadata.get("labels") or {}, metadata.get("annotations") or {}),
    )
    return stamp.stamp(UserInfo(**user), on, keys, NOW)


def thing(
    spec: Any = None,
    annotations: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    **metadata: Any,
) -> Json:
    """An object that is there; a request unless the spec says otherwise."""
    return {
        "metadata": {
            "name": "reports",
            "uid": "uid-of-reports",
            "generation": 1,
            "creationTimestamp": timestamp(CREATED),
            **({"annotations": dict(annotations)} if annotations is not None else {}),
            **({"labels": dict(labels)} if labels is not None else {}),
            **metadata,
        },
        "spec": SPEC if spec is None else spec,
    }


def by(user: Json, there: Json) -> Json:
    """The object, stamped as that user's."""
    annotations = (there["metadata"].get("annotations") or {}) | {STAMP: stamped(user, there)}
    return {**there, "metadata": {**there["metadata"], "annotations": annotations}}


def who(there: Json, keys: Keys = KEYS) -> str | None:
    """The user whom a genuine stamp names."""
    request = parse({**there, "metadata": {**there["metadata"], "namespace": "team"}})
    found = stamp.verified(request.annotations, request.subject, keys) if request.subject else None
    return found.username if isinstance(found, UserInfo) else None


def raw(new: Json | None, old: Json | None = None, *, user: Json = ANNA, **request: Any) -> Json:
    """An AdmissionReview: an update where there is an old object."""
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "0815",
            "kind": {"group": "awssts.dev", "version": "v1alpha1", "kind": "AwsStsRequest"},
            "operation": "UPDATE" if old else "CREATE",
            "namespace": "team",
            "userInfo": user,
            "object": new,
            "oldObject": old,
            **request,
        },
    }


def asked(new: Json | None, old: Json | None = None, **details: Any) -> AdmissionRequest:
    return read(json.dumps(raw(new, old, **details)).encode())


ANNAS: Json = {STAMP: stamped(ANNA)}


def review(stage: Stage, request: AdmissionRequest, operators: frozenset[str] = frozenset(), **desk: Any) -> Verdict:
    return admission.review(stage, request, replace(DESK, operators=operators, **desk))


def kind(name: str, group: str = "awssts.dev") -> Json:
    return {"kind": {"group": group, "version": "v1alpha1", "kind": name}}


def applied(document: Json, verdict: Verdict, request: AdmissionRequest) -> Json:
    """The object after the patch, as it goes over the wire: RFC 6902's add and remove."""
    response = answer(request, verdict)["response"]
    result: Json = json.loads(json.dumps(document))
    if "patch" not in response:
        return result
    assert response["patchType"] == "JSONPatch"
    for change in json.loads(base64.b64decode(response["patch"])):
        *path, last = (part.replace("~1", "/").replace("~0", "~") for part in change["path"][1:].split("/"))
        node = result
        for part in path:
            node = node[part]
        if change["op"] == "remove":
            del node[last]
        else:
            node[last] = change["value"]
    return result


def stored(new: Json, old: Json | None) -> Json:
    """The object as the API server completes it between the two webhooks."""
    if old is None:
        mine = {"uid": "uid-of-reports", "generation": 1, "creationTimestamp": timestamp(NOW)}
    else:
        was = old["metadata"]
        mine = {"uid": was["uid"], "generation": was["generation"] + (new["spec"] != old["spec"])}
        mine["creationTimestamp"] = was["creationTimestamp"]
    return {**new, "metadata": {**new["metadata"], **mine}}


def unborn(new: Json) -> Json:
    """An object that is being created, as the mutating webhook gets it."""
    metadata = {key: value for key, value in new["metadata"].items() if key not in _FILLED}
    return {**new, "metadata": metadata}


_FILLED = frozenset({"uid", "generation", "creationTimestamp"})


def admitted(
    new: Json, old: Json | None = None, *, user: Json = ANNA, operators: frozenset[str] = frozenset()
) -> tuple[Json, Verdict]:
    """The object after the mutating webhook, and what the validating one says of it."""
    sent = new if old else unborn(new)
    request = asked(sent, old, user=user)
    after = stored(applied(sent, review(Stage.MUTATE, request, operators), request), old)
    return after, review(Stage.VALIDATE, asked(after, old, user=user), operators)
