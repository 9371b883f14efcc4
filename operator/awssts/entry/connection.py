"""kopf's connection to the API server: as the operator's own, and heard when a watch begins anew."""

from collections.abc import Callable
from types import SimpleNamespace

import aiohttp
import kopf
from kubernetes.aio.client import Configuration


class Connection:
    """Gives kopf its connection, with a token that is fresh.

    Args:
        listing: is told the plural of what was listed for a watch to begin with, once that is answered: what was
            deleted before reaches no handler.
    """

    def __init__(self, configuration: Configuration, listing: Callable[[str], None]) -> None:
        self._configuration = configuration
        self._listing = listing
        self._given: tuple[kopf.ConnectionInfo, kopf.AiohttpSession] | None = None

    async def __call__(self) -> kopf.AiohttpSession:
        """Return the connection; the same one as before where it would only be alike: kopf knows if it was refused."""
        info = await settings(self._configuration)
        if self._given is None or self._given[0] != info:
            self._given = info, kopf.AiohttpSession(server=info.server, aiohttp_session=self._session(info))
        return self._given[1]

    def _session(self, info: kopf.ConnectionInfo) -> aiohttp.ClientSession:
        heard = aiohttp.TraceConfig()
        heard.on_request_end.append(self._hear)
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=info.as_ssl_context()),
            headers=info.as_http_headers(),
            proxy=info.proxy_url,
            trace_configs=[heard],
        )

    async def _hear(self, _: aiohttp.ClientSession, __: SimpleNamespace, asked: aiohttp.TraceRequestEndParams) -> None:
        if asked.method == "GET" and not {"watch", "continue"} & set(asked.url.query):
            self._listing(asked.url.name)


async def settings(configuration: Configuration) -> kopf.ConnectionInfo:
    """Return how to reach the API server, in kopf's words."""
    authorization = (await configuration.auth_settings()).get("BearerToken", {}).get("value") or ""
    return kopf.ConnectionInfo(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert or None,
        ca_data=configuration.ca_cert_data or None,
        insecure=not configuration.verify_ssl,
        token=authorization.rpartition(" ")[2] or None,  # after "Bearer" of a kubeconfig, "bearer" in a pod
        certificate_path=configuration.cert_file or None,
        private_key_path=configuration.key_file or None,
        proxy_url=configuration.proxy or None,
    )
