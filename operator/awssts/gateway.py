"""Puts the gateway together, and runs it. No kopf: it serves, and watches nothing."""

import asyncio
import signal
import socket
import time
from datetime import UTC, datetime

import structlog

from awssts import __version__
from awssts.adapters import cluster as clusters
from awssts.adapters import plugins
from awssts.adapters.certificates import Files
from awssts.adapters.events import EventWriter
from awssts.adapters.iam import Iam
from awssts.adapters.passwords import Passwords
from awssts.adapters.people import People
from awssts.adapters.rest import Rest
from awssts.adapters.sts import Sts
from awssts.domain.policy import Authentication
from awssts.domain.request import Request
from awssts.entry.gateway import GatewayServer, Pages
from awssts.services.answers import Asker
from awssts.services.audit import Audit
from awssts.services.devices import Devices
from awssts.services.gateway import MOST, Gateway, Terms
from awssts.services.house import House
from awssts.services.issuance import Issuance
from awssts.services.judging import Judging
from awssts.services.logins import Logins
from awssts.services.observations import Observations
from awssts.services.obtaining import Bell, Obtaining
from awssts.services.sessions import Sessions
from awssts.services.slots import Slots
from awssts.settings import GatewaySettings

log = structlog.get_logger(__name__)

ABOUT = "v1", "Secret"  # what Events are about: the user's


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


async def run(settings: GatewaySettings) -> None:
    """Serve until SIGTERM or SIGINT; calls under way are answered.

    Raises:
        AwsstsError: the cluster or the certificate can't be read, or the port is taken.
    """
    cluster = People(await clusters.configuration())
    sts = Sts(threads=settings.sts_concurrency, rate=settings.sts_rate)
    iam, rest, passwords = Iam(), Rest(), Passwords()
    events = EventWriter(cluster, instance=socket.gethostname(), about=ABOUT)
    house = House(cluster, settings.namespaces, time.monotonic)
    asker = Asker(cluster, rest, iam)
    bell = Bell()
    slots = Slots(MOST, now, bell.ring, for_each_name=True)
    devices = Devices(cluster, now, since=now())
    sessions = Sessions(cluster=cluster, sts=sts, devices=devices, codes=asker, slots=slots, clock=now, wake=bell.ring)

    def judging(scene: Observations, who: Authentication) -> Judging:
        async def applicant(_: Request) -> Authentication:
            return who

        return Judging(
            cluster=cluster,
            observations=scene,
            decider=asker,
            callers=sts,
            slots=slots,
            clock=now,
            applicant=applicant,
            plugins=triggers,
        )

    try:
        triggers = plugins.installed()
        residents = await house.residents()
        service = Gateway(
            cluster=cluster,
            logins=Logins(house, passwords, cluster, time.monotonic),
            obtaining=Obtaining(Issuance(cluster, sts, sessions, now), cluster, bell, now, settings.patience),
            judging=judging,
            audit=Audit(events, time.monotonic),
            clock=now,
            terms=Terms(region=settings.region, patience=settings.patience, remember=settings.remember),
        )
        log.info("starting", version=__version__, users=len(residents.users), policies=len(residents.policies))
        await _serve(settings, service, Pages(service, house, settings.proxies), events)
        log.info("stopped")
    finally:
        for each in (sts, iam, rest, passwords, cluster):
            await each.close()


async def _serve(settings: GatewaySettings, service: Gateway, pages: Pages, events: EventWriter) -> None:
    """Serve until told to stop, then answer who is there, and write the last Events."""
    certificates = Files(settings.certificate, settings.key) if settings.certificate and settings.key else None
    finish = settings.patience.total_seconds()
    server = GatewayServer(pages, certificates, host=settings.host, port=settings.port, finish=finish)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    writing = asyncio.create_task(events.run())
    serving = asyncio.create_task(server.run())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task, then in ((stopping, None), (serving, service.finish), (writing, None)):
            task.cancel()
            await asyncio.wait([task])
            if then is not None:
                await then()
    if not serving.cancelled() and (error := serving.exception()) is not None:
        raise error
