"""What the admission webhook needs of the API server: its Secret, its registrations, and who the operator is."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from awssts.adapters.cluster import Cluster, Json, NotFound
from awssts.domain.registration import Plural, led

_REGISTRATIONS = "/apis/admissionregistration.k8s.io/v1"
_SELF = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
_JSON = "application/json"
_JSON_PATCH = "application/json-patch+json"


@dataclass(frozen=True, slots=True)
class Registration:
    """A webhook configuration by its name."""

    kind: Plural
    name: str

    @property
    def path(self) -> str:
        """Where it is."""
        return f"{_REGISTRATIONS}/{self.kind}/{quote(self.name)}"


def registrations(mutating: Sequence[str], validating: Sequence[str]) -> tuple[Registration, ...]:
    """Return the webhook configurations of those names."""
    return (
        *(Registration("mutatingwebhookconfigurations", name) for name in mutating),
        *(Registration("validatingwebhookconfigurations", name) for name in validating),
    )


class WebhookCluster(Cluster):
    """Calls that only the admission webhook makes."""

    async def user_name(self) -> str:
        """Return whom the API server takes this process for."""
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        found = await self._call("POST", _SELF, body, accept=_JSON)
        name: str = found["status"]["userInfo"]["username"]
        return name

    async def write_secret(self, namespace: str, name: str, data: dict[str, bytes], version: str | None) -> None:
        """Write the Secret as it was read in that version; None: as one that was not there.

        Raises:
            ClusterConflict: somebody else was faster: read it again.
        """
        folder = f"/api/v1/namespaces/{quote(namespace)}/secrets"
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "namespace": namespace,
                "name": name,
                "labels": {"app.kubernetes.io/name": "awssts"},
                **({"resourceVersion": version} if version else {}),
            },
            "type": "Opaque",
            "data": {key: base64.b64encode(value).decode() for key, value in data.items()},
        }
        if version:
            await self._write(self._call("PUT", f"{folder}/{quote(name)}", body, accept=_JSON))
        else:
            await self._write(self._call("POST", folder, body, accept=_JSON))

    async def webhook_configuration(self, plural: Plural, name: str) -> Json | None:
        """Return a webhook configuration, or None where there is none."""
        return await self._get(Registration(plural, name).path)

    async def trust(self, registration: Registration, bundle: bytes) -> bool:
        """Have the API server trust these authorities (PEM) when it calls the webhooks of a configuration.

        Return whether there is such a configuration. Nothing is written where it trusts them already.
        """
        found = await self.webhook_configuration(registration.kind, registration.name)
        if found is None:
            return False
        wanted = base64.b64encode(bundle).decode()
        changes: list[Json] = [
            {"op": "add", "path": f"/webhooks/{index}/clientConfig/caBundle", "value": wanted}
            for index, webhook in enumerate(found.get("webhooks") or ())
            if webhook["clientConfig"].get("caBundle") != wanted
        ]
        if changes:
            version = found["metadata"]["resourceVersion"]
            unchanged = {"op": "test", "path": "/metadata/resourceVersion", "value": version}
            return await self._change(registration, [unchanged, *changes])
        return True

    async def lead(self, plural: Plural, name: str, path: str) -> None:
        """Have the API server call the webhooks of a configuration that stamp at this path. Its text is nobody's.

        Nothing is written where it does already, nor where there is no such configuration.
        """
        registration = Registration(plural, name)
        found = await self.webhook_configuration(plural, name)
        if changes := led(found or {}, path):
            await self._change(registration, changes)

    async def _change(self, registration: Registration, changes: list[Json]) -> bool:
        """Make the changes (JSON patch); say whether it is still there: somebody may uninstall just now."""
        try:
            await self._call("PATCH", registration.path, changes, accept=_JSON, content_type=_JSON_PATCH)
        except NotFound:
            return False
        return True
