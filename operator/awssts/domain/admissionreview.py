"""AdmissionReview, as the API server sends it and takes it back (admission.k8s.io/v1)."""

import base64
import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from awssts.domain import subject
from awssts.domain.stamp import UserInfo

_API_VERSION = "admission.k8s.io/v1"
_OPENING = re.compile(rb'"request": *\{"uid": *"([-0-9A-Za-z]{1,64})"')  # so does the API server begin


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)


class Kind(_Wire):
    """A kind of objects."""

    group: str
    kind: str


class Metadata(_Wire):
    """What admission looks at."""

    name: str = ""
    uid: str = ""
    generation: int = 0
    creation_timestamp: AwareDatetime | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    deletion_timestamp: str | None = None


class Resource(_Wire):
    """An object, before or after."""

    metadata: Metadata = Metadata()
    spec: Any = None

    @property
    def annotations(self) -> dict[str, str]:
        """Its annotations."""
        return self.metadata.annotations or {}

    @cached_property
    def weight(self) -> str:
        """The digest of the part that its user answers for."""
        return subject.weight(self.spec, self.metadata.labels or {}, self.annotations)


class AdmissionRequest(_Wire):
    """What somebody wants to do to an object."""

    uid: str
    kind: Kind
    operation: Literal["CREATE", "UPDATE", "DELETE", "CONNECT"]
    sub_resource: str = ""
    namespace: str = ""
    user_info: UserInfo
    new: Resource | None = Field(default=None, alias="object")
    old: Resource | None = Field(default=None, alias="oldObject")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.operation in {"CREATE", "UPDATE"} and self.new is None:
            raise ValueError("object is missing")
        if self.operation == "UPDATE" and self.old is None:
            raise ValueError("oldObject is missing")
        return self


class _AdmissionReview(_Wire):
    api_version: Literal["admission.k8s.io/v1"]
    kind: Literal["AdmissionReview"]
    request: AdmissionRequest


@dataclass(frozen=True, slots=True)
class Verdict:
    """Allowed when there is no problem. Each problem is a line: the field's path, then what is wrong with it."""

    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    patch: tuple[dict[str, Any], ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether it may be done."""
        return not self.problems

    @property
    def message(self) -> str:
        """Why not; empty when it may."""
        return "; ".join(self.problems)


def read(payload: bytes) -> AdmissionRequest:
    """Return the request of an AdmissionReview.

    Raises:
        pydantic.ValidationError: it is none.
    """
    return _AdmissionReview.model_validate_json(payload).request


def answer(request: AdmissionRequest, verdict: Verdict) -> dict[str, Any]:
    """Return the AdmissionReview with the answer; kubectl shows its problems as it shows those of the CRD."""
    response: dict[str, Any] = {"uid": request.uid, "allowed": verdict.allowed}
    if verdict.warnings:
        response["warnings"] = list(verdict.warnings)
    if verdict.patch:
        response["patchType"] = "JSONPatch"
        response["patch"] = base64.b64encode(json.dumps(verdict.patch).encode()).decode()
    if not verdict.allowed:
        response["status"] = {
            "status": "Failure",
            "code": 422,
            "reason": "Invalid",
            "message": verdict.message,
            "details": {
                "group": request.kind.group,
                "kind": request.kind.kind,
                "name": request.new.metadata.name if request.new else "",
                "causes": [_cause(problem) for problem in verdict.problems],
            },
        }
    return {"apiVersion": _API_VERSION, "kind": "AdmissionReview", "response": response}


def unread(payload: bytes, problem: str) -> dict[str, Any] | None:
    """Return the AdmissionReview that refuses one for what was seen without reading it; None where it seems to be none.

    The API server shows its user no text of an answer that is no review.
    """
    found = _OPENING.search(payload, 0, 512)
    if found is None:
        return None
    status = {"status": "Failure", "code": 413, "reason": "RequestEntityTooLarge", "message": problem}
    response = {"uid": found[1].decode(), "allowed": False, "status": status}
    return {"apiVersion": _API_VERSION, "kind": "AdmissionReview", "response": response}


def _cause(problem: str) -> dict[str, str]:
    field, _, message = problem.partition(": ")
    return {"reason": "FieldValueInvalid", "field": field, "message": message}
