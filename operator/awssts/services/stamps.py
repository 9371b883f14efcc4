"""The key that stamps are signed with: in a Secret that all replicas share, made by whichever comes first."""

import asyncio
import base64
import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Protocol

import structlog

from awssts.domain import stamp
from awssts.domain.errors import AwsstsError, ClusterConflict, ClusterUnavailable
from awssts.domain.policy import Authentication
from awssts.domain.request import Request
from awssts.domain.stamp import SHORTEST, Doubt, Keys
from awssts.services.ports import Clock, Json

log = structlog.get_logger(__name__)

SECRET = "awssts-stamp-key"  # noqa: S105 - a Secret's name
SIGNING = "key"  # what signs; every other entry is believed, so that a key can be replaced in peace
LOOK = 300.0  # seconds between looks at the Secret
SOONEST = timedelta(seconds=5)  # between looks because of a key that is not known
ATTEMPTS = 3


class Cluster(Protocol):
    """The Kubernetes API; see ``awssts.adapters.webhooks``."""

    async def secret(self, namespace: str, name: str) -> Json | None: ...
    async def write_secret(self, namespace: str, name: str, data: dict[str, bytes], version: str | None) -> None: ...


class Stamps:
    """Holds the key, and tells by it who applied a request."""

    def __init__(self, cluster: Cluster, namespace: str, clock: Clock, look: float = LOOK) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._clock = clock
        self._look = look
        self._keys = Keys(())
        self._looked = clock() - SOONEST

    async def load(self) -> None:
        """Read the key; where there is none, make it.

        Raises:
            AwsstsError: it can't be read or written. What was known before still is.
        """
        self._looked = self._clock()
        for _ in range(ATTEMPTS):
            secret = await self._cluster.secret(self._namespace, SECRET)
            data = (secret or {}).get("data") or {}
            if (keys := keys_in(data)) is not None:
                if keys != self._keys:
                    log.info("stamps are signed", key=stamp.key_name(keys.all[0]), believed=len(keys.all))
                self._keys = keys
                return
            version = secret["metadata"]["resourceVersion"] if secret else None
            kept = {name: base64.b64decode(value) for name, value in data.items() if name != SIGNING}
            made = kept | {SIGNING: secrets.token_bytes(SHORTEST)}
            try:
                await self._cluster.write_secret(self._namespace, SECRET, made, version)
            except ClusterConflict:
                continue  # another replica was faster: its key is ours
            log.warning("made a new key for stamps: those of another key count as nobody's", secret=SECRET)
        raise ClusterUnavailable(f"Secret {self._namespace}/{SECRET} is written by others again and again")

    async def follow(self) -> None:
        """Look for changes, until cancelled."""
        while True:
            await asyncio.sleep(self._look)
            await self._refresh()

    async def keys(self, *annotations: Mapping[str, str]) -> Keys:
        """Return the keys to judge such stamps with: a replica may have made one that we haven't heard of."""
        named = [name for each in annotations if (name := stamp.signing_key(each)) is not None]
        return self._keys if all(map(self._keys.has, named)) else await self.newest()

    async def newest(self) -> Keys:
        """Return the keys as they are now: something is signed with none that is known."""
        if self._clock() - self._looked >= SOONEST:
            await self._refresh()
        return self._keys

    async def applicant(self, request: Request) -> Authentication | str:
        """Return who applied the request, or why that can't be told, and what to do."""
        if request.subject is None:
            return Doubt.UNSTAMPED
        keys = await self.keys(request.annotations)
        found = stamp.verified(request.annotations, request.subject, keys)
        return str(found) if isinstance(found, Doubt) else found.authentication

    async def _refresh(self) -> None:
        try:
            await self.load()
        except AwsstsError as error:
            log.warning("the key for stamps can't be looked after; the old one counts", error=error.message)


def keys_in(data: Mapping[str, str]) -> Keys | None:
    """Return the keys in a Secret's data; None where there is none to sign with."""
    decoded = {name: base64.b64decode(value) for name, value in sorted(data.items())}
    signing = decoded.pop(SIGNING, b"")
    if len(signing) < SHORTEST:
        return None
    return Keys((signing, *(key for key in decoded.values() if len(key) >= SHORTEST)))
