"""The cluster as the gateway sees it: users are Secrets, and a code comes with the call instead of an annotation."""

import base64
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager

from kubernetes.aio.client import Configuration

from awssts.adapters.cluster import Cluster, Json, NotFound, path_of_secret
from awssts.domain import people
from awssts.domain.errors import ClusterConflict, TargetRejected
from awssts.domain.request import Identity

_JSON = "application/json"
_JSON_PATCH = "application/json-patch+json"


class People(Cluster):
    """Calls to one API server; errors are those of ``Cluster``."""

    def __init__(self, settings: Configuration) -> None:
        super().__init__(settings)
        self._codes: dict[str, str] = {}  # by the uid of the login that they came with

    @contextmanager
    def offering(self, login: Identity, code: str) -> Iterator[Callable[[], bool]]:
        """Within the block the code that a person gave can be taken, once; yield what tells whether it still can."""
        self._codes[login.uid] = code
        try:
            yield lambda: login.uid in self._codes
        finally:
            self._codes.pop(login.uid, None)

    async def take_token_code(self, identity: Identity, code: str) -> bool:
        """Take the code that came with the login; say whether nobody has yet."""
        return self._codes.pop(identity.uid, None) == code

    def users(self, namespaces: Sequence[str]) -> AsyncIterator[Json]:
        """Yield the Secrets of all users in those namespaces, with their data."""
        return self._secrets(people.USER, namespaces, _JSON)

    async def replace_hash(self, user: Identity, old: str, new: str) -> bool:
        """Write another password hash; say whether the old one was still there."""
        path = f"/data/{people.PASSWORD_HASH}"
        changes = [
            {"op": "test", "path": "/metadata/uid", "value": user.uid},
            {"op": "test", "path": path, "value": base64.b64encode(old.encode()).decode()},
            {"op": "replace", "path": path, "value": base64.b64encode(new.encode()).decode()},
        ]
        url = path_of_secret(user.namespace, user.name)
        try:
            await self._call("PATCH", url, changes, accept=_JSON, content_type=_JSON_PATCH)
        except (NotFound, TargetRejected):
            return False
        return True

    async def delete_secret(self, namespace: str, name: str, uid: str) -> bool:
        """Delete a Secret; say whether it was there and still the same."""
        body = {"preconditions": {"uid": uid}}
        try:
            await self._call("DELETE", path_of_secret(namespace, name), body, accept=_JSON)
        except (NotFound, ClusterConflict):
            return False
        return True
