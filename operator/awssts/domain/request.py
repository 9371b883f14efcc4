"""A request as the cluster holds it: identity, spec and status, parsed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from awssts.domain.bulk import told
from awssts.domain.errors import InvalidSpec
from awssts.domain.names import RENEW, TOKEN_CODE
from awssts.domain.resources import Spec, refuse_input_as_target
from awssts.domain.status import Status
from awssts.domain.subject import STAMP, Subject, weight


@dataclass(frozen=True, slots=True)
class Identity:
    """Which request: two of the same name, one after the other, differ in uid."""

    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An ``AwsStsRequest``. ``spec`` is the error instead where it can't be understood."""

    identity: Identity
    generation: int
    resource_version: str
    created: datetime
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    spec: Spec | InvalidSpec
    status: Status
    subject: Subject | None = None  # what its stamp is to be on, where it has one
    owner: Mapping[str, str] | None = None  # what is made for it goes with that, where it is no object itself

    @property
    def renew(self) -> str:
        """The ``renew`` annotation; empty where there is none."""
        return self.annotations.get(RENEW, "")

    @property
    def token_code(self) -> str:
        """A person's MFA code, in the ``token-code`` annotation; empty where there is none."""
        return self.annotations.get(TOKEN_CODE, "")

    @property
    def target_name(self) -> str:
        """Name of the Secret to write."""
        name = self.spec.target.name if isinstance(self.spec, Spec) else None
        return name or self.identity.name


def parse(body: Mapping[str, Any]) -> Request:
    """Return the request of a custom resource's JSON. It never fails: a bad spec is kept as the error."""
    metadata = body["metadata"]
    identity = Identity(metadata["namespace"], metadata["name"], metadata["uid"])
    return Request(
        identity=identity,
        generation=metadata.get("generation", 0),
        resource_version=metadata.get("resourceVersion", ""),
        created=datetime.fromisoformat(metadata["creationTimestamp"]),
        labels=metadata.get("labels") or {},
        annotations=metadata.get("annotations") or {},
        spec=read_spec(body.get("spec"), identity.name),
        status=_status(body.get("status")),
        subject=_subject(body) if STAMP in (metadata.get("annotations") or {}) else None,
    )


def _subject(body: Mapping[str, Any]) -> Subject:
    metadata = body["metadata"]
    return Subject(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        generation=metadata.get("generation", 0),
        created=datetime.fromisoformat(metadata["creationTimestamp"]),
        weight=weight(body.get("spec"), metadata.get("labels") or {}, metadata["annotations"]),
    )


def read_spec(raw: Any, name: str) -> Spec | InvalidSpec:
    """Return the spec of a request of that name, or all that is wrong with it."""
    try:
        spec = Spec.model_validate(raw if raw is not None else {})
        if spec.target.name is None:
            refuse_input_as_target(spec, name)
    except ValidationError as error:
        return InvalidSpec(explain(error, "spec"))
    except ValueError as error:
        return InvalidSpec([f"spec: {error}"])
    return spec


def _status(raw: Any) -> Status:
    try:
        return Status.model_validate(raw or {})
    except ValidationError:  # somebody wrote nonsense over it: it is rebuilt
        return Status()


def explain(error: ValidationError, root: str) -> list[str]:
    """Return a line for each thing wrong, up to some: the field's path, then what is wrong with it.

    Values are not repeated except where our own messages do: they might be secret.
    """
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return told(root, found, lambda details: f"{_path(root, details['loc'])}: {_problem(details['msg'])}")


def _path(root: str, location: tuple[int | str, ...]) -> str:
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in location]
    return root + "".join(parts)


def _problem(message: str) -> str:
    return message.removeprefix("Value error, ").replace("Extra inputs are not permitted", "no such field")
