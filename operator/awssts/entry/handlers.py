"""What kopf calls: each event goes to where it is worked on, and nothing is kept in kopf's own annotations."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

import kopf
import structlog

from awssts.domain import names
from awssts.domain.errors import ClusterUnavailable
from awssts.services.observations import Name

log = structlog.get_logger(__name__)


class Intake(Protocol):
    """Where events go; see ``awssts.services.intake``."""

    def request_changed(self, name: Name, body: dict[str, Any]) -> None: ...
    def request_deleted(self, name: Name) -> None: ...
    def policy_changed(self, body: dict[str, Any]) -> None: ...
    def policy_deleted(self, name: str) -> None: ...
    def namespace_changed(self, metadata: dict[str, Any]) -> None: ...
    def namespace_deleted(self, name: str) -> None: ...
    def secret_changed(self, name: Name, secret: dict[str, Any]) -> None: ...
    def secret_deleted(self, name: Name, secret: dict[str, Any]) -> None: ...


class Background(Protocol):
    """What runs beside the watches; see ``awssts.app``."""

    def start(self) -> None: ...
    async def finish(self) -> None: ...


def registry(
    intake: Intake,
    background: Background,
    connection: Callable[[], Awaitable[kopf.AiohttpSession]],
    *,
    with_policies: bool,
) -> kopf.OperatorRegistry:
    """Return the handlers; ``connection`` is called for kopf's connection.

    Only ``on.event``: timers, daemons and change handlers would put finalizers or annotations on objects. All are
    coroutines: others run in threads, and what they call is for the loop's own.
    """
    handlers = kopf.OperatorRegistry()

    @kopf.on.startup(registry=handlers)
    async def start(**_: Any) -> None:
        background.start()

    @kopf.on.cleanup(registry=handlers)
    async def finish(**_: Any) -> None:
        await background.finish()

    @kopf.on.login(registry=handlers)
    async def login(**_: Any) -> kopf.AiohttpSession:
        return await connection()

    @kopf.on.event(names.GROUP, names.VERSION, names.PLURAL, registry=handlers)
    async def request(event: kopf.RawEvent, **_: Any) -> None:
        body: Any = event["object"]
        if event["type"] == "DELETED":
            intake.request_deleted(_name(body))
        else:
            intake.request_changed(_name(body), body)

    @kopf.on.event("", "v1", "secrets", registry=handlers)
    async def secret(event: kopf.RawEvent, **_: Any) -> None:
        body: Any = event["object"]
        if event["type"] == "DELETED":
            intake.secret_deleted(_name(body), body)
        else:
            intake.secret_changed(_name(body), body)

    if with_policies:
        _watch_policies(handlers, intake)
    return handlers


def _watch_policies(handlers: kopf.OperatorRegistry, intake: Intake) -> None:
    @kopf.on.event(names.GROUP, names.VERSION, names.POLICY_PLURAL, registry=handlers)
    async def policy(event: kopf.RawEvent, **_: Any) -> None:
        body: Any = event["object"]
        if event["type"] == "DELETED":
            intake.policy_deleted(body["metadata"]["name"])
        else:
            intake.policy_changed(body)

    @kopf.on.event("", "v1", "namespaces", registry=handlers)
    async def namespace(event: kopf.RawEvent, **_: Any) -> None:
        body: Any = event["object"]
        if event["type"] == "DELETED":
            intake.namespace_deleted(body["metadata"]["name"])
        else:
            intake.namespace_changed(body["metadata"])


async def watch(registry: kopf.OperatorRegistry, namespaces: Sequence[str], stop: asyncio.Event) -> None:
    """Watch until a signal or ``stop``.

    Raises:
        ClusterUnavailable: kopf gave up.
    """
    try:
        await kopf.operator(
            registry=registry,
            settings=_settings(),
            standalone=True,
            clusterwide=not namespaces,
            namespaces=namespaces,
            stop_flag=stop,
        )
    except Exception as error:
        log.exception("the watches ended")
        raise ClusterUnavailable(f"the watches of the cluster ended: {type(error).__name__}; see the log") from None


def _settings() -> kopf.OperatorSettings:
    """Return kopf's settings for many objects: small pages, workers that go when idle, no Events of kopf's own."""
    chosen = kopf.OperatorSettings()
    chosen.posting.enabled = False
    chosen.scanning.disabled = True
    chosen.watching.chunk_size = 500
    chosen.watching.label_selectors["secrets"] = names.TYPE_LABEL
    chosen.queueing.idle_timeout = 0.1
    chosen.persistence.diffbase_storage = _NoDiffBase()
    return chosen


class _NoDiffBase(kopf.DiffBaseStorage):
    """Keeps no last-handled state: nothing here asks for a difference, and each event would be copied for it."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        return kopf.BodyEssence({})

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        return None


def _name(body: dict[str, Any]) -> Name:
    return body["metadata"]["namespace"], body["metadata"]["name"]
