"""Restarts of workloads after their Secret's content changed: whether one is due, and what it is."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from awssts.domain import names, schedule
from awssts.domain.request import Request
from awssts.domain.resources import Spec, Workload
from awssts.domain.status import FailedRestart, RolloutStatus
from awssts.domain.target import Target

_ROUNDED = timedelta(seconds=1)  # the status has whole ones


def due(request: Request, told: RolloutStatus | None, target: Target, now: datetime) -> bool:
    """Whether workloads are to be restarted now. What the first credentials meet has yet to start."""
    if told is None or not _wanted(request) or not target.live(now) or told.content == target.content_digest:
        return False
    return told.next_attempt is None or told.next_attempt <= now


def next_attempt(request: Request, told: RolloutStatus | None, now: datetime) -> datetime | None:
    """Return when a restart that failed is tried again."""
    at = told.next_attempt if told and _wanted(request) else None
    return at if at is not None and at > now else None


def report(request: Request, told: RolloutStatus | None, target: Target | None) -> RolloutStatus | None:
    """Return what the status says; the content at the first look counts as known to the workloads.

    A failure is over when the content is again what all of them run with.
    """
    if not _wanted(request):
        return None
    if target is None or target.expiration is None or (told is not None and told.content != target.content_digest):
        return told
    return RolloutStatus(content=target.content_digest)


def tried(request: Request, target: Target, failed: Mapping[Workload, str], now: datetime) -> RolloutStatus:
    """Return what there is to tell after a try; ``failed`` has the reasons."""
    before = request.status.rollout
    if not failed:
        return RolloutStatus(content=target.content_digest)
    failures = ((before.failures if before else None) or 0) + 1
    nobody = isinstance(request.spec, Spec) and failed.keys() >= set(request.spec.rollout_restart)
    return RolloutStatus(
        content=before.content if before and nobody else "",  # else they run with different ones by now
        failed=tuple(
            FailedRestart(kind=workload.kind, name=workload.name, message=message[:1024])
            for workload, message in failed.items()
        ),
        failures=failures,
        next_attempt=(now + schedule.backoff(failures, request.identity.uid) + _ROUNDED).replace(microsecond=0),
    )


def change(target: Target) -> dict[str, Any]:
    """Return the merge patch of a workload; the same one again changes nothing."""
    return {"spec": {"template": {"metadata": {"annotations": {names.RESTARTED_FOR: target.content_digest}}}}}


def _wanted(request: Request) -> bool:
    return isinstance(request.spec, Spec) and bool(request.spec.rollout_restart)
