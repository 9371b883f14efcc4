"""Leases on the API server."""

from urllib.parse import quote

from awssts.adapters.cluster import Cluster, Json

_JSON = "application/json"


class LeaseCluster(Cluster):
    """Calls that only leader election makes."""

    async def lease(self, namespace: str, name: str) -> Json | None:
        """Return the Lease, or None where there is none."""
        return await self._get(f"{_folder(namespace)}/{quote(name)}")

    async def write_lease(self, body: Json) -> Json:
        """Create the Lease, or replace it where the body names the version that was read; return it.

        Raises:
            ClusterConflict: somebody else was faster.
            ClusterUnavailable: it was deleted meanwhile, or there is no such namespace.
        """
        metadata = body["metadata"]
        folder = _folder(metadata["namespace"])
        if "resourceVersion" in metadata:
            return await self._write(self._call("PUT", f"{folder}/{quote(metadata['name'])}", body, accept=_JSON))
        return await self._write(self._call("POST", folder, body, accept=_JSON))


def _folder(namespace: str) -> str:
    return f"/apis/coordination.k8s.io/v1/namespaces/{quote(namespace)}/leases"
