"""Puts the admission webhook together; imported only where it is served."""

import gc
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from awssts.adapters.certificates import Files
from awssts.adapters.selfmade import SelfMade
from awssts.adapters.webhooks import WebhookCluster, registrations
from awssts.domain import calling
from awssts.domain.registration import DUTIES, Expected
from awssts.entry.admission import AdmissionServer
from awssts.services.injecting import Injecting
from awssts.services.registrations import Registrations
from awssts.services.stamps import Stamps
from awssts.settings import Admission, Settings


@dataclass(frozen=True, slots=True)
class Webhook:
    """What serves the admission webhook and looks after what it needs; each of its works runs until cancelled.

    ``unserved``: says why the API server can't call it; nothing where it can.
    """

    works: tuple[Callable[[], Coroutine[Any, Any, None]], ...]
    unserved: Callable[[], str]


async def prepared(
    operator: Settings, settings: Admission, cluster: WebhookCluster, clock: Callable[[], datetime], stamps: Stamps
) -> Webhook:
    """Return the admission webhook.

    Raises:
        AwsstsError: the API server does not say who the operator is.
    """
    certificates: Files | SelfMade
    if settings.certificate and settings.key:
        certificates = Files(settings.certificate, settings.key)
    else:
        certificates = SelfMade(
            cluster=cluster,
            namespace=settings.namespace,
            names=frozenset({f"{settings.service}.{settings.namespace}.svc"}),
            registrations=registrations([settings.registration], [settings.registration]),
            clock=clock,
        )
    operators = [await cluster.user_name()]
    injecting = Injecting(cluster, image=settings.sidecar_image, region=operator.region)
    server = AdmissionServer(certificates, stamps, injecting, clock, port=settings.port, operators=operators)

    async def path() -> str:
        return calling.path(await stamps.keys(), clock())

    expected = Expected(
        service=settings.service,
        namespace=settings.namespace,
        trusted=server.vouched_by,
        namespaces=frozenset(operator.namespaces),
    )
    watched = Registrations(cluster, settings.registration, DUTIES, expected, path)
    server.on_stranger = watched.hurry
    gc.freeze()  # what is there by now stays: a large review must not have the collector go through it each time
    return Webhook((stamps.follow, watched.watch, server.run), server.unserved)
