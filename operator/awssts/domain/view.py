"""All that a decision about a request may look at: what was observed, and what was not looked at."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from awssts.domain import digest
from awssts.domain.errors import AwsstsError, InvalidSpec
from awssts.domain.judgement import Judgement
from awssts.domain.keys import KeyPair
from awssts.domain.request import Request
from awssts.domain.resources import Spec
from awssts.domain.status import Attempt, RolloutStatus
from awssts.domain.target import Target, inputs_digest, layout_digest


class Unknown(Enum):
    """Marks what has not been looked at, as against what is known not to be there."""

    UNKNOWN = "unknown"


UNKNOWN = Unknown.UNKNOWN


@dataclass(frozen=True, slots=True)
class Rewritten:
    """That the credentials in the target were written in another form."""

    layout: str  # its digest
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """All that a decision may look at.

    ``key`` is the key pair, its digest where only that is known, or the error that reading it met.
    """

    request: Request
    now: datetime
    region: str | None
    target: Target | Unknown | None = UNKNOWN
    key: KeyPair | str | AwsstsError | Unknown = UNKNOWN
    judged: Judgement | Unknown | None = None  # by policies; None where none selects the request
    guard: str = ""  # what policies judge the request by; empty where none selects it
    rival: str | None = None  # another request that has claimed the same target
    looked_at: datetime | None = None  # when the inputs were last read, by this process
    repaired_at: datetime | None = None  # when the target was last issued anew for being gone or altered
    rewritten: Rewritten | None = None  # when the target was last written in another layout
    restarts: RolloutStatus | None = None  # what came of restarting workloads just now

    @property
    def spec(self) -> Spec:
        """The spec, for checks behind the one that refuses an invalid one."""
        if isinstance(self.request.spec, InvalidSpec):
            raise self.request.spec
        return self.request.spec

    @property
    def outcome(self) -> Mapping[str, Any]:
        """What policies came to; empty where none selects the request."""
        return self.judged.outcome if isinstance(self.judged, Judgement) else {}

    @property
    def rollout(self) -> RolloutStatus | None:
        """What is known of restarts of workloads."""
        return self.restarts or self.request.status.rollout

    @property
    def target_region(self) -> str | None:
        """The region to write into the files."""
        return self.spec.region or self.region

    @property
    def attempt(self) -> Attempt:
        """What an attempt now is made with. A code is not of it: it is taken off the request, and is no input then."""
        return Attempt(inputs_digest=attempted_inputs(self, code=False), key_digest=self.key_digest or "")

    @property
    def key_digest(self) -> str | None:
        """Digest of the key; empty where there is none to be had, None where it is not known."""
        match self.key:
            case KeyPair():
                return self.key.digest
            case str():
                return self.key
            case AwsstsError():
                return ""
            case _:
                return None


def attempted_inputs(view: View, *, code: bool) -> str:
    """Return the digest of what the request asks for, with what was annotated; empty for an invalid spec."""
    request = view.request
    if isinstance(request.spec, InvalidSpec):
        return ""
    spec = request.spec
    asked = inputs_digest(spec), layout_digest(spec, view.target_region)
    device = spec.mfa.model_dump(mode="json", exclude_defaults=True) if spec.mfa else None
    named = [spec.credentials_secret_ref.model_dump(exclude_defaults=True), device]
    return digest.of([*asked, named, request.renew, code, view.guard])
