"""The composition root: settings, what is made of them, and the life of the operator."""

import asyncio
import contextlib
import signal
import socket
import time
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import structlog

from awssts import __version__
from awssts.adapters import cluster as clusters
from awssts.adapters import plugins
from awssts.adapters.cluster import Cluster
from awssts.adapters.events import EventWriter
from awssts.adapters.iam import Iam
from awssts.adapters.leases import LeaseCluster
from awssts.adapters.rest import Rest
from awssts.adapters.sts import Sts
from awssts.adapters.webhooks import WebhookCluster
from awssts.domain.policy.facts import NO_WEBHOOK
from awssts.domain.request import Request
from awssts.entry import handlers
from awssts.entry.connection import Connection
from awssts.entry.health import Check, HealthServer
from awssts.lead import Lead
from awssts.services.answers import Asker
from awssts.services.devices import Devices
from awssts.services.echoes import Echoes
from awssts.services.intake import Intake
from awssts.services.issuance import Issuance
from awssts.services.judging import Judging
from awssts.services.observations import Name, Observations
from awssts.services.ports import Silence
from awssts.services.reconciler import Reconciler
from awssts.services.scheduler import Scheduler
from awssts.services.sessions import Sessions
from awssts.services.slots import Slots
from awssts.services.stamps import Stamps
from awssts.services.sweeps import Sweeps
from awssts.settings import Admission, Settings
from awssts.starting import Start, Stopped
from awssts.vitals import Vitals

if TYPE_CHECKING:
    from awssts.adapters.telemetry import Telemetry  # brings 3 MB of prometheus_client
    from awssts.webhook import Webhook

log = structlog.get_logger(__name__)

Work = Callable[[], Coroutine[Any, Any, None]]


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


async def run(settings: Settings, stop: asyncio.Event | None = None) -> None:
    """Run the operator until SIGTERM, SIGINT or ``stop``; work under way is finished.

    Where one of several is to lead, the others serve the admission webhook and probes meanwhile.

    Raises:
        AwsstsError: the cluster lacks the CRDs, or the operator the rights; or the lead was lost.
    """
    configuration = await clusters.configuration()
    cluster = WebhookCluster(configuration)
    lead = Lead(settings.election, LeaseCluster(configuration), now)
    stamps = Stamps(cluster, settings.admission.namespace, now) if settings.admission else None
    telemetry = _telemetry() if settings.metrics_port is not None else None
    vitals, start = Vitals(telemetry), Start(stop or asyncio.Event())
    services = Background(start.stop)
    ready: dict[str, Check] = {"cluster": lambda: start.unreached}
    if settings.admission is not None:
        ready["webhook"] = lambda: "it waits for the cluster"
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, start.stop.set)  # kopf takes them over when it watches
    try:
        if telemetry is not None and settings.metrics_port is not None:
            telemetry.follow(lambda: lead.held)
            services.start(_probes(settings.metrics_port, telemetry, vitals, ready).run)
        with contextlib.suppress(Stopped):
            await start.until_answered(lambda: cluster.check(settings.namespaces))
            if settings.admission is not None and stamps is not None:
                webhook = await _webhook(settings, settings.admission, cluster, stamps, start)
                services.start(*webhook.works)
                ready["webhook"] = webhook.unserved
            start.reached()
            await start.unless_stopped(lead.take())
            async with lead.kept(start.stop):
                await _work(settings, cluster, stamps, vitals, lead, start)
        services.raise_failure()
        log.info("stopped")
    finally:
        await services.finish()
        await lead.close()
        await cluster.close()


async def _webhook(
    settings: Settings, admission: Admission, cluster: WebhookCluster, stamps: Stamps, start: Start
) -> "Webhook":
    """Return the admission webhook, once the cluster has given what it needs to begin."""
    from awssts import webhook  # brings 12 MB of cryptography

    await start.until_answered(stamps.load)
    return await start.until_answered(lambda: webhook.prepared(settings, admission, cluster, now, stamps))


async def _work(
    settings: Settings,
    cluster: Cluster,
    stamps: Stamps | None,
    vitals: Vitals,
    lead: Lead,
    start: Start,
) -> None:
    """Work as the one that leads, until stopped."""
    devices = Devices(cluster, now, since=now())
    observations = await start.until_answered(lambda: _observed(cluster, settings))
    called = vitals.telemetry.called if vitals.telemetry else None
    sts = Sts(threads=settings.sts_concurrency, rate=settings.sts_rate, called=called)
    iam, rest = Iam(called), Rest()
    asker = Asker(cluster, rest, iam)
    events = EventWriter(cluster, instance=socket.gethostname())

    def wake(name: Name) -> None:
        scheduler.add(name)  # made below

    slots = Slots(settings.workers, now, wake)
    sessions = Sessions(cluster=cluster, sts=sts, devices=devices, codes=asker, slots=slots, clock=now, wake=wake)
    reconciler = Reconciler(
        cluster=cluster,
        issuance=Issuance(cluster, sts, sessions, now),
        judging=Judging(
            cluster=cluster,
            observations=observations,
            decider=asker,
            callers=sts,
            slots=slots,
            clock=now,
            applicant=stamps.applicant if stamps else Unstamped().applicant,
            plugins=plugins.installed(),
        ),
        events=events,
        observations=observations,
        clock=now,
        region=settings.region,
        telemetry=vitals.telemetry or Silence(),
    )
    scheduler = Scheduler(reconciler.reconcile, now, workers=settings.workers, allowed=lambda: lead.held)
    intake = Intake(observations, reconciler, scheduler, settings.shard.has)
    vitals.at_work(scheduler, observations)
    sweeps = Sweeps(intake, cluster, settings.namespaces)
    background = Background(start.stop, lead.last, events.run, scheduler.run, sweeps.run)
    log.info("starting", version=__version__, targets=len(observations.targets()))
    connection = Connection(cluster.settings, sweeps.listing)
    registry = handlers.registry(intake, background, connection, with_policies=settings.policies)
    try:
        await handlers.watch(registry, settings.namespaces, start.stop)
        background.raise_failure()
    finally:
        await sts.close()
        await iam.close()
        await rest.close()


def _telemetry() -> "Telemetry":
    from awssts.adapters.telemetry import Telemetry

    return Telemetry()


def _probes(port: int, telemetry: "Telemetry", vitals: Vitals, ready: Mapping[str, Check]) -> HealthServer:
    return HealthServer(
        port=port,
        live={"schedule": vitals.stuck, "watch": vitals.deaf},
        ready=ready,
        metrics=telemetry.text,
        content_type=telemetry.content_type,
    )


async def _observed(cluster: Cluster, settings: Settings) -> Observations:
    """Return what decisions rest on before the first is made: targets, so that nothing live is issued again, and
    policies with the namespaces they select by, so that none is passed over; labelled keys, for their digests."""
    observations = Observations(Echoes(time.monotonic, apart=bool(settings.namespaces)))
    if settings.policies:
        async for policy in cluster.policies():
            observations.see_policy(policy)
        async for metadata in cluster.namespaces():
            observations.see_namespace(metadata)
    async for metadata in cluster.target_metadata(settings.namespaces):
        if settings.shard.has(metadata["namespace"]):
            observations.see_target(metadata)
    async for secret in cluster.labelled_credentials(settings.namespaces):
        metadata = secret["metadata"]
        if settings.shard.has(metadata["namespace"]):
            observations.see_credentials((metadata["namespace"], metadata["name"]), secret.get("data") or {})
    return observations


class Unstamped:
    """Says that nobody is known to have applied a request: who has no key for stamps can't tell genuine ones."""

    def __init__(self) -> None:
        self._told = False

    async def applicant(self, _: Request) -> str:
        """Say so; the log hears it once, when a policy first judges a request."""
        if not self._told:
            log.warning("no admission webhook: what policies ask of who applied a request is unknown")
            self._told = True
        return NO_WEBHOOK


class Background:
    """What runs beside the watches. When a part of it fails, the operator stops and says why."""

    def __init__(self, stop: asyncio.Event, *works: Work) -> None:
        self._stop = stop
        self._works = works
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, *more: Work) -> None:
        """Start all."""
        for work in (*self._works, *more):
            task = asyncio.create_task(work())
            task.add_done_callback(lambda _: self._stop.set())
            self._tasks.append(task)
        self._works = ()

    async def finish(self) -> None:
        """Stop the last one first; each finishes what it is at."""
        for task in reversed(self._tasks):
            task.cancel()
            await asyncio.wait([task])

    def raise_failure(self) -> None:
        """Raise the error that a part of it failed with, if one did."""
        for task in self._tasks:
            if not task.done() or task.cancelled():
                continue
            if (error := task.exception()) is not None:
                raise error
