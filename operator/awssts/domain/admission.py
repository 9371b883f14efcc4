"""What may enter the cluster: a request of an AdmissionReview goes in, a verdict comes out.

The mutating webhook only stamps who applied a request, where the API server itself says so; the validating one sees
the result of all webhooks and refuses. Nothing that is there already is refused again: an update is judged by what it
changes, so that a request from before an upgrade, or one that is being deleted, never gets stuck.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from awssts.domain import contents, names, stamp
from awssts.domain.admissionreview import AdmissionRequest, Metadata, Resource, Verdict, answer, read, unread
from awssts.domain.stamp import Doubt, Keys, UserInfo
from awssts.domain.subject import STAMP, Subject

__all__ = ["AdmissionRequest", "Desk", "Stage", "Verdict", "answer", "read", "review", "unread"]

_FORGED = (
    f"metadata.annotations[{STAMP}]: is written by the admission webhook alone, and it did not: "
    "the MutatingWebhookConfiguration of awssts is missing"
)
_UNKNOWN = f"metadata.annotations[{STAMP}]: who applied this counts as unknown: "


class Stage(StrEnum):
    """Which of the two webhooks is called."""

    MUTATE = "mutate"
    VALIDATE = "validate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What is there to judge with: keys for stamps, the time, and the operator's own user names, never stamped.

    ``called_by_cluster``: the caller has shown that it is the API server; nobody else's word is signed.
    """

    keys: Keys
    now: datetime
    operators: frozenset[str] = frozenset()
    called_by_cluster: bool = True


def review(stage: Stage, request: AdmissionRequest, desk: Desk) -> Verdict:
    """Return what the webhook answers."""
    new = request.new
    if new is None or request.operation not in {"CREATE", "UPDATE"} or request.sub_resource:
        return Verdict()
    if problem := _too_large(request, new):
        return Verdict(problems=(problem,))
    match request.kind.group, request.kind.kind, stage:
        case names.GROUP, names.KIND, Stage.MUTATE:
            return _stamped(request, new, desk)
        case names.GROUP, names.KIND, Stage.VALIDATE:
            return _request(request, new, desk)
        case names.GROUP, names.POLICY_KIND, Stage.VALIDATE:
            return _unless_leaving(new, contents.of_policy(new.metadata.name, new.spec, _old_spec(request)))
        case _:
            return Verdict()


def _stamped(request: AdmissionRequest, new: Resource, desk: Desk) -> Verdict:
    who = _applicant(request, new, desk)
    if isinstance(who, UserInfo):
        signed = stamp.stamp(who, _becoming(request, new, desk), desk.keys, desk.now)
        wanted = signed if desk.called_by_cluster else None
    else:
        wanted = who
    if problem := _no_room(new, wanted):
        return Verdict(problems=(problem,))
    return Verdict(patch=tuple(stamp.patch(new.metadata.annotations, wanted)))


def _request(request: AdmissionRequest, new: Resource, desk: Desk) -> Verdict:
    who = _applicant(request, new, desk)
    doubt: Doubt | None = None
    if isinstance(who, str | None):
        genuine = new.annotations.get(STAMP) == who
    else:
        found = stamp.verified(new.annotations, _subject(request.namespace, new.metadata, new.weight, desk), desk.keys)
        doubt = found if found is Doubt.TIME or found is Doubt.UNSTAMPED else None
        genuine = doubt is not None or found == who
    if not genuine:
        return Verdict(problems=(_FORGED,))
    before = request.old.annotations if request.old else {}
    found_in = contents.of_request(new.metadata.name, new.spec, _old_spec(request), new.annotations, before)
    verdict = _unless_leaving(new, found_in)
    return replace(verdict, warnings=(*verdict.warnings, _UNKNOWN + doubt)) if doubt else verdict


def _applicant(request: AdmissionRequest, new: Resource, desk: Desk) -> UserInfo | str | None:
    """Return whom the stamp has to name; a text, or None, where it has to stay as it was."""
    old = request.old
    if request.operation == "CREATE" or old is None:
        return request.user_info
    if new.weight == old.weight:
        return old.annotations.get(STAMP)
    if request.user_info.username in desk.operators:
        who = stamp.verified(old.annotations, _subject(request.namespace, old.metadata, old.weight, desk), desk.keys)
        return old.annotations.get(STAMP) if isinstance(who, Doubt) else who
    return request.user_info


def _becoming(request: AdmissionRequest, new: Resource, desk: Desk) -> Subject:
    """Return the request as it will be stored: what the API server fills in comes after the mutating webhooks."""
    old = request.old
    if request.operation == "CREATE" or old is None:
        filled = new.metadata.model_copy(update={"uid": "", "generation": 1, "creation_timestamp": None})
    else:
        generation = old.metadata.generation + (new.spec != old.spec)
        filled = old.metadata.model_copy(update={"generation": generation})
    return _subject(request.namespace, filled, new.weight, desk)


def _subject(namespace: str, metadata: Metadata, weight: str, desk: Desk) -> Subject:
    return Subject(
        namespace=namespace,
        name=metadata.name,
        uid=metadata.uid,
        generation=metadata.generation,
        created=metadata.creation_timestamp or desk.now,
        weight=weight,
    )


def _too_large(request: AdmissionRequest, new: Resource) -> str | None:
    """Say what Kubernetes would say too, but only after it has asked the mutating webhooks."""
    size = stamp.size(new.annotations)
    if request.kind.group != names.GROUP or size <= stamp.ALL_ANNOTATIONS:
        return None
    return f"metadata.annotations: they have {size} bytes; Kubernetes allows {stamp.ALL_ANNOTATIONS}"


def _no_room(new: Resource, wanted: str | None) -> str | None:
    stamped = stamp.size({**new.annotations, STAMP: wanted or ""})
    if wanted is None or stamped <= stamp.ALL_ANNOTATIONS:
        return None
    return (
        f"metadata.annotations: with {STAMP}, which tells who applied this and takes {len(wanted)} bytes, they have "
        f"{stamped} bytes; Kubernetes allows {stamp.ALL_ANNOTATIONS}"
    )


def _old_spec(request: AdmissionRequest) -> Any:
    return request.old.spec if request.old else contents.NEW


def _unless_leaving(new: Resource, found: contents.Findings) -> Verdict:
    """Return the verdict on contents; what is being deleted may be as bad as it likes."""
    if new.metadata.deletion_timestamp:
        return Verdict()
    return Verdict(problems=found.problems, warnings=found.warnings)
