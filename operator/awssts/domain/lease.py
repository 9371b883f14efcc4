"""The Lease that says who leads, by the rules of Kubernetes's own components (client-go's leaderelection).

Clocks of different machines are never compared: a lease is over when it was not seen to change for its duration.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Lease:
    """A Lease as it was read; ``version`` is empty where there is none yet."""

    holder: str = ""
    seconds: float = 0.0
    acquired: str = ""
    transitions: int = 0
    version: str = ""


def read(body: Mapping[str, Any] | None) -> Lease:
    """Return what a Lease tells; what can't be understood counts as held by nobody."""
    if body is None:
        return Lease()
    spec = body.get("spec") or {}
    return Lease(
        holder=str(spec.get("holderIdentity") or ""),
        seconds=float(spec.get("leaseDurationSeconds") or 0),
        acquired=str(spec.get("acquireTime") or ""),
        transitions=int(spec.get("leaseTransitions") or 0),
        version=body["metadata"]["resourceVersion"],
    )


def body(name: tuple[str, str], before: Lease, holder: str, seconds: float, now: datetime) -> dict[str, Any]:
    """Return the Lease (namespace and name) to write over ``before``; an empty holder gives it up."""
    moment = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    changes_hands = bool(holder) and holder != before.holder
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "namespace": name[0],
            "name": name[1],
            **({"resourceVersion": before.version} if before.version else {}),
        },
        "spec": {
            "holderIdentity": holder,
            "leaseDurationSeconds": int(seconds) if holder else 1,
            "acquireTime": moment if changes_hands or not before.acquired else before.acquired,
            "renewTime": moment,
            "leaseTransitions": before.transitions + (changes_hands and bool(before.version)),
        },
    }


@dataclass(slots=True)
class Watch:
    """When a Lease was last seen to change, on this machine's own clock.

    Times are seconds of a monotonic clock.
    """

    lease: Lease | None = None
    changed_at: float = 0.0

    def see(self, lease: Lease, now: float) -> None:
        """Take in the Lease as it is now."""
        if self.lease is None or self.lease.version != lease.version:
            self.lease, self.changed_at = lease, now

    def is_free(self, holder: str, now: float) -> bool:
        """Whether ``holder`` may take it."""
        lease = self.lease
        if lease is None:
            return False
        return lease.holder in {"", holder} or now - self.changed_at >= lease.seconds
