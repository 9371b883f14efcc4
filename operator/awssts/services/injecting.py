"""Adds the sidecar to pods that ask for it: looks up the request they name."""

import asyncio
from typing import Protocol

from awssts.domain import injection
from awssts.domain.admissionreview import AdmissionRequest, Verdict
from awssts.domain.errors import AwsstsError
from awssts.domain.request import parse
from awssts.services.ports import Json

PATIENCE = 3.0  # seconds for the API server to give the request: it gives the webhook five


class Cluster(Protocol):
    """The Kubernetes API; see ``awssts.adapters.cluster``."""

    async def request(self, namespace: str, name: str) -> Json | None: ...


class Injecting:
    """``image`` is the sidecar's; without one every pod that asks is refused. ``region`` is the default."""

    def __init__(self, cluster: Cluster, *, image: str | None, region: str | None) -> None:
        self._cluster = cluster
        self._image = image
        self._region = region

    async def review(self, request: AdmissionRequest) -> Verdict:
        """Return what becomes of a pod. One that asks is never let go without its sidecar by a mishap of ours."""
        name = injection.asked(request)
        if isinstance(name, Verdict):
            return name
        if self._image is None:
            return _refused("the operator runs without --sidecar-image, and knows none to add")
        try:
            async with asyncio.timeout(PATIENCE):
                body = await self._cluster.request(request.namespace, name)
        except TimeoutError:
            return _refused("the API server does not answer; try again")
        except AwsstsError as error:
            return _refused(f"the request can't be looked up: {error.message}")
        found = injection.source(name, parse(body) if body else None, self._region)
        return injection.inject(request, name, found, self._image)


def _refused(problem: str) -> Verdict:
    return Verdict(problems=(f"metadata.annotations[{injection.INJECT}]: {problem}",))
