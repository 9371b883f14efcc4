"""Restarts workloads whose credentials are others now."""

from dataclasses import replace

import structlog

from awssts.domain import conditions, rollout
from awssts.domain.errors import AwsstsError
from awssts.domain.resources import Workload
from awssts.domain.target import Target
from awssts.domain.view import View
from awssts.services.ports import Clock, Cluster, Events, Telemetry

log = structlog.get_logger(__name__)


class Restarts:
    """Patches the workloads that a request names."""

    def __init__(self, cluster: Cluster, events: Events, clock: Clock, telemetry: Telemetry) -> None:
        self._cluster = cluster
        self._events = events
        self._clock = clock
        self._telemetry = telemetry

    async def restart(self, view: View, target: Target) -> View:
        """Restart the workloads that use the Secret; return the view with what came of it."""
        identity = view.request.identity
        failed = await self._patch(view, target)
        before, after = view.request.status.rollout, rollout.tried(view.request, target, failed, self._clock())
        if (event := conditions.restart_event(before, after)) is not None:
            self._events.publish(identity, event)
        self._telemetry.restarted(done=not failed)
        log.info("restarted", namespace=identity.namespace, name=identity.name, failed=len(failed))
        return replace(view, restarts=after)

    async def _patch(self, view: View, target: Target) -> dict[Workload, str]:
        """Return which of them could not be patched, and why."""
        failed: dict[Workload, str] = {}
        change, namespace = rollout.change(target), view.request.identity.namespace
        for workload in view.spec.rollout_restart:
            try:
                if not await self._cluster.patch_workload(namespace, workload, change):
                    failed[workload] = "there is none of that name: create it, or mend spec.rolloutRestart"
            except AwsstsError as error:
                failed[workload] = error.message
        return failed
