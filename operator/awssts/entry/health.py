"""What kubelet and Prometheus ask of the operator: /healthz, /readyz and /metrics, on a port of their own."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

Check = Callable[[], str]  # what is wrong; empty where all is well


class HealthServer:
    """Serves probes and metrics; nothing secret is in them.

    Args:
        live: named checks of /healthz; while one tells of a problem kubelet restarts the pod.
        ready: named checks of /readyz; while one tells of a problem the pod gets no admission reviews.
    """

    def __init__(
        self,
        *,
        port: int,
        host: str | None = None,
        live: Mapping[str, Check],
        ready: Mapping[str, Check],
        metrics: Callable[[], Awaitable[bytes]],
        content_type: str,
    ) -> None:
        self._host, self._port = host, port
        self._live, self._ready = live, ready
        self._metrics, self._content_type = metrics, content_type

    async def run(self) -> None:
        """Serve until cancelled."""
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._serve_metrics)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()

    async def _healthz(self, _: web.Request) -> web.Response:
        return _verdict(self._live)

    async def _readyz(self, _: web.Request) -> web.Response:
        return _verdict(self._ready)

    async def _serve_metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=await self._metrics(), headers={"Content-Type": self._content_type})


def _verdict(checks: Mapping[str, Check]) -> web.Response:
    found = {name: check() for name, check in checks.items()}
    lines = [f"{name}: {problem or 'ok'}" for name, problem in found.items()]
    return web.Response(text="\n".join([*lines, ""]), status=503 if any(found.values()) else 200)
