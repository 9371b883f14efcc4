"""Takes in what the watches deliver, and has the requests worked on that it concerns."""

from collections.abc import AsyncIterator, Callable
from enum import StrEnum
from typing import Any

from awssts.domain import names
from awssts.domain.target import Target
from awssts.services.observations import Name, Observations
from awssts.services.reconciler import Reconciler
from awssts.services.scheduler import Scheduler


class Kind(StrEnum):
    """What is watched, by the plural that the API has for it."""

    SECRETS = "secrets"
    NAMESPACES = "namespaces"
    POLICIES = names.POLICY_PLURAL
    REQUESTS = names.PLURAL


class Intake:
    """The watches' side of the operator: quick, and without a call to anything.

    Args:
        serves: which namespaces the operator works in; what happens in others is passed over.
    """

    def __init__(
        self,
        observations: Observations,
        reconciler: Reconciler,
        scheduler: Scheduler,
        serves: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self._serves = serves
        self._seen = observations
        self._reconciler = reconciler
        self._scheduler = scheduler
        self._arrived: dict[Kind, set[Name]] = {}  # while a kind is swept: what the watch tells of meanwhile

    def request_changed(self, name: Name, body: dict[str, Any]) -> None:
        """A request is there, new or changed."""
        self._arrives(Kind.REQUESTS, name)
        self._seen.echoes.requests.told(name, _version(body))
        if not self._serves(name[0]):
            return
        if body["metadata"].get("deletionTimestamp"):
            self.request_deleted(name)
        elif self._reconciler.take(name, body):
            self._scheduler.add(name)

    def request_deleted(self, name: Name) -> None:
        """A request is gone."""
        self._reconciler.forget(name)
        self._scheduler.add_at(name, None)

    def secret_changed(self, name: Name, secret: dict[str, Any]) -> None:
        """A labelled Secret is there, new or changed."""
        self._arrives(Kind.SECRETS, name)
        self._seen.echoes.secrets.told(name, _version(secret))
        if not self._serves(name[0]):
            return
        match secret["metadata"]["labels"].get(names.TYPE_LABEL):
            case names.TARGET:
                known = isinstance(self._seen.target(name), Target)
                news = self._seen.see_target(secret["metadata"], secret.get("data") or {})
                if news is not None and (known or not news.intact):  # our own new one, before its answer is here
                    self._wake(name, news.request)
            case names.CREDENTIALS:
                self._wake_all(self._seen.see_credentials(name, secret.get("data") or {}))

    def secret_deleted(self, name: Name, secret: dict[str, Any]) -> None:
        """A labelled Secret is gone, or has lost its label."""
        if (lost := self._seen.lose_target(name, secret["metadata"].get("uid"))) is not None:
            self._wake(name, lost.request)
        if self._seen.watches_credentials(name):
            self._wake_all(self._seen.see_credentials(name, None))

    def policy_changed(self, body: dict[str, Any]) -> None:
        """A policy is there, new or changed."""
        self._arrives(Kind.POLICIES, ("", body["metadata"]["name"]))
        self._wake_all(self._seen.see_policy(body))

    def policy_deleted(self, name: str) -> None:
        """A policy is gone."""
        self._wake_all(self._seen.lose_policy(name))

    def namespace_changed(self, metadata: dict[str, Any]) -> None:
        """A namespace is there, new or changed: policies select by its labels, and judge by its annotations."""
        self._arrives(Kind.NAMESPACES, ("", metadata["name"]))
        if self._seen.see_namespace(metadata) and self._seen.policies:
            self._wake_all(self._seen.requests(metadata["name"]))

    def namespace_deleted(self, name: str) -> None:
        """A namespace is gone."""
        self._seen.lose_namespace(name)

    def known(self, kind: Kind) -> set[Name]:
        """Return what was seen of a kind; of Secrets the targets. Where there are no namespaces, that is empty."""
        match kind:
            case Kind.SECRETS:
                return self._seen.targets()
            case Kind.NAMESPACES:
                return {("", name) for name in self._seen.namespaces()}
            case Kind.POLICIES:
                return {("", held.policy.name) for held in self._seen.policies}
            case Kind.REQUESTS:
                return self._seen.requests()

    async def sweep(self, kind: Kind, listed: AsyncIterator[dict[str, Any]]) -> None:
        """Compare with the metadata of all that there are: a deletion while no watch ran is not delivered."""
        before, there = self.known(kind), set[Name]()
        arrived = self._arrived[kind] = set()
        try:
            async for metadata in listed:
                name = metadata.get("namespace", ""), metadata["name"]
                there.add(name)
                if kind is Kind.SECRETS and self._serves(name[0]):
                    self._seen.see_target(metadata)
        finally:
            del self._arrived[kind]
        for name in before - there - arrived:
            self._lose(kind, name)

    def _arrives(self, kind: Kind, name: Name) -> None:
        if (arrived := self._arrived.get(kind)) is not None:
            arrived.add(name)

    def _lose(self, kind: Kind, name: Name) -> None:
        match kind:
            case Kind.SECRETS:
                if (lost := self._seen.lose_target(name)) is not None:
                    self._wake(name, lost.request)
            case Kind.NAMESPACES:
                self.namespace_deleted(name[1])
            case Kind.POLICIES:
                self.policy_deleted(name[1])
            case Kind.REQUESTS:
                self.request_deleted(name)

    def _wake(self, target: Name, request: str) -> None:
        for name in {request, target[1]}:
            if self._seen.knows((target[0], name)):
                self._scheduler.add((target[0], name))

    def _wake_all(self, users: set[Name]) -> None:
        for user in users:
            self._scheduler.add(user)


def _version(body: dict[str, Any]) -> int:
    return int(body["metadata"]["resourceVersion"])
