"""The record of a device: which of its codes were used, written before they are, so that no crash lets one come again.

One Secret for each device and namespace, whoever's keys the codes go with. It holds nothing secret: codes that are
used up, as digests, and only for as long as AWS could take them.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from awssts.domain import names, totp

LIFE_OF_A_CODE = timedelta(seconds=5 * totp.STEP)  # AWS takes it a step early or late; and clocks differ
MOST = 50  # codes: more than anybody gives in that time

_STEP = re.compile("[0-9]{1,12}")
_CODE = re.compile("([0-9a-f]{16}):([0-9]{1,12})")


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of a device's codes."""

    step: int = 0  # the last one that was used
    codes: tuple[tuple[str, int], ...] = ()  # digests of those used, and the last step to know them in
    version: str = ""  # resource version of the Secret; empty where there is none yet

    def has(self, code: str, serial_number: str) -> bool:
        """Whether that code was used a short while ago."""
        return _digest(code, serial_number) in dict(self.codes)

    def after(self, code: str, step: int, serial_number: str, now: datetime) -> "Record":
        """Return it with a code used that is of that step or an earlier one."""
        used = _digest(code, serial_number), totp.step_at(now + LIFE_OF_A_CODE)
        return replace(self, step=max(step, self.step), codes=(*self.current(now).codes[-MOST:], used))

    def current(self, now: datetime) -> "Record":
        """Return it without a step that no true clock can have written, and without codes that AWS takes no longer.

        Codes that seem to be of the future stay: it may be our clock that is wrong, and they starve nobody.
        """
        present, far = totp.step_at(now), totp.step_at(now + totp.FAR)
        codes = tuple(found for found in self.codes if present <= found[1])
        return replace(self, step=self.step if self.step <= far else 0, codes=codes)

    def and_also(self, other: "Record") -> "Record":
        """Return it with what the other has."""
        return replace(self, step=max(self.step, other.step), codes=(*other.codes, *self.codes))


def secret_name(serial_number: str) -> str:
    """Return the name of the Secret with a device's record."""
    return f"awssts-device-{hashlib.sha256(serial_number.encode()).hexdigest()[:16]}"


def read(secret: Mapping[str, Any] | None, now: datetime) -> Record:
    """Return what the Secret tells. What can't be understood counts as not there.

    So does a step far in the future: STS took none of that, and it would starve the device.
    """
    if secret is None:
        return Record()
    metadata = secret["metadata"]
    notes = metadata.get("annotations") or {}
    step = _STEP.fullmatch(notes.get(names.STEP, ""))
    codes = (_CODE.fullmatch(word) for word in notes.get(names.CODES, "").split())
    return Record(
        int(step[0]) if step else 0,
        tuple((code[1], int(code[2])) for code in codes if code),
        metadata.get("resourceVersion", ""),
    ).current(now)


def secret(namespace: str, serial_number: str, record: Record, owner: Mapping[str, Any]) -> dict[str, Any]:
    """Return the Secret; it goes with its ``owner``, of which an owner reference's four fields are given."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {
            "namespace": namespace,
            "name": secret_name(serial_number),
            **({"resourceVersion": record.version} if record.version else {}),
            "labels": {names.TYPE_LABEL: names.RECORD},
            "annotations": {
                names.DEVICE: serial_number,
                names.STEP: str(record.step),
                names.CODES: " ".join(f"{digest}:{last}" for digest, last in record.codes),
            },
            "ownerReferences": [{**owner, "controller": False}],
        },
        "data": {},
    }


def _digest(code: str, serial_number: str) -> str:
    return hashlib.sha256(f"{serial_number}\n{code}".encode()).hexdigest()[:16]
