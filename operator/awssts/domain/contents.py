"""What is wrong or doubtful in a request or a policy that somebody applies.

The CRDs refuse most of it by themselves. These are for what they can't say (expressions, annotations), and for a
cluster whose CRDs are older than the operator.
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from awssts.domain import bulk, tokencode
from awssts.domain.errors import InvalidSpec
from awssts.domain.names import GROUP, LAST_APPLIED, RENEW, TOKEN_CODE
from awssts.domain.policy import InvalidPolicy, load, warnings
from awssts.domain.request import read_spec
from awssts.domain.resources import Spec
from awssts.domain.subject import STAMP

NEW: Final = object()  # in place of an old spec: there was none
KNOWN: Final = frozenset({RENEW, TOKEN_CODE, STAMP, f"{GROUP}/mfa", f"{GROUP}/entity-id"})
_OURS: Final = frozenset({GROUP, f"principal.{GROUP}"})  # prefixes


@dataclass(frozen=True, slots=True)
class Findings:
    """Problems refuse, warnings are shown; both name the field first."""

    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def of_request(
    name: str, spec: Any, old_spec: Any, annotations: Mapping[str, str], old_annotations: Mapping[str, str]
) -> Findings:
    """Return what is to be said of an AwsStsRequest. What has not changed is not refused again."""
    problems: list[str] = []
    parsed = read_spec(spec, name)
    if isinstance(parsed, InvalidSpec) and spec != old_spec:
        problems += parsed.problems
    code = annotations.get(TOKEN_CODE)
    if code is not None and code != old_annotations.get(TOKEN_CODE) and tokencode.digits(code) is None:
        problems.append(f"{_field(TOKEN_CODE)}: a code has six digits")
    return Findings(tuple(problems), (*_unknown(annotations), *_about_code(annotations, parsed)))


def of_policy(name: str, spec: Any, old_spec: Any) -> Findings:
    """Return what is to be said of an AwsStsPolicy."""
    loaded = load({"metadata": {"name": name}, "spec": spec})
    if not isinstance(loaded, InvalidPolicy):
        return Findings(warnings=tuple(bulk.told("spec", warnings(loaded), str)))
    return Findings() if spec == old_spec else Findings(loaded.problems)


def _unknown(annotations: Mapping[str, str]) -> list[str]:
    found = [key for key in sorted(annotations) if key not in KNOWN and key.rpartition("/")[0] in _OURS]
    return bulk.told("metadata.annotations", found, _about_unknown)


def _about_unknown(key: str) -> str:
    if not key.startswith(f"{GROUP}/"):
        return f"{_field(key)}: counts on a namespace or on a credentials Secret, not on a request"
    near = difflib.get_close_matches(key, KNOWN - {STAMP}, n=1, cutoff=0.8)
    return f"{_field(key)}: there is no such annotation" + (f"; did you mean {near[0]}?" if near else "")


def _about_code(annotations: Mapping[str, str], spec: Spec | InvalidSpec) -> Iterator[str]:
    if TOKEN_CODE not in annotations:
        return
    if isinstance(spec, Spec) and spec.mfa is None:
        yield f"{_field(TOKEN_CODE)}: without spec.mfa no code is used"
    if TOKEN_CODE in annotations.get(LAST_APPLIED, ""):
        yield f"{_field(TOKEN_CODE)}: kubectl apply keeps a copy of it; give it by kubectl annotate"


def _field(annotation: str) -> str:
    return f"metadata.annotations[{annotation}]"
