"""Uvicorn that stops the way a cluster wants: not ready any more, finish, exit 0."""

import asyncio
from types import FrameType

import uvicorn
from fastapi import FastAPI

from api.http.connections import Connection
from api.http.request_limits import MAX_HEAD_BYTES
from api.http.services import Services
from api.settings import AccessSettings

KEEP_ALIVE_SECONDS = 65
"""Longer than a load balancer keeps an idle connection, so that it is the one to
close."""
LONGEST_REQUEST_SECONDS = 10


class DrainingServer(uvicorn.Server):
    """The first signal drains, a second one ends it at once."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, drain: float) -> None:
        super().__init__(config)
        self._app = app
        self._drain_seconds = drain
        self._loop = asyncio.get_running_loop()
        self._asked = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # Not remembered as uvicorn does: it would raise it again and not exit with 0.
        if self._asked:
            self.should_exit = self.force_exit = True
            return
        self._asked = True
        self._loop.call_soon_threadsafe(self.begin_to_drain)

    def begin_to_drain(self) -> None:
        """Not ready any more; streams end; then the rest may finish."""
        services: Services | None = getattr(self._app.state, "services", None)
        if services is not None:
            services.drain()
        self._loop.call_later(self._drain_seconds, self._exit)

    def _exit(self) -> None:
        self.should_exit = True


async def serve(app: FastAPI, settings: AccessSettings) -> bool:
    """Serve until asked to stop. False if it could not start."""
    config = uvicorn.Config(
        app,
        host=settings.bind_host,
        port=settings.api_port,
        http=Connection,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=True,
        forwarded_allow_ips=settings.api_trusted_proxies,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=LONGEST_REQUEST_SECONDS,
        lifespan="on",
    )
    server = DrainingServer(config, app, settings.api_drain.total_seconds())
    try:
        await server.serve()
    except SystemExit:
        # Uvicorn has said why: the port is taken, or the application did not start.
        return False
    return server.started
