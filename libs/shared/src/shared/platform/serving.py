"""Runs Uvicorn so that it stops as a cluster needs: become unready, finish, exit with
0."""

import asyncio
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn

KEEP_ALIVE_SECONDS = 65
"""Longer than a load balancer keeps an idle connection, so that the balancer closes
it."""
LONGEST_REQUEST_SECONDS = 10


class DrainingServer(uvicorn.Server):
    """The first signal drains, a second one ends it at once."""

    def __init__(
        self, config: uvicorn.Config, drain: Callable[[], None], seconds: float
    ) -> None:
        """`drain` makes the application unready and ends its streams. The server then
        accepts requests for this many seconds more, until load balancers have
        noticed."""
        super().__init__(config)
        self._drain = drain
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._asked = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # Uvicorn would raise the signal again at the end, and not exit with 0.
        if self._asked:
            self.should_exit = self.force_exit = True
            return
        self._asked = True
        self._loop.call_soon_threadsafe(self.begin_to_drain)

    def begin_to_drain(self) -> None:
        self._drain()
        self._loop.call_later(self._seconds, setattr, self, "should_exit", True)


async def serve(
    app: Any, drain: Callable[[], None], drain_seconds: float, **options: Any
) -> bool:
    """Serve until asked to stop; `options` are Uvicorn's. False if it could not
    start."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=True,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=LONGEST_REQUEST_SECONDS,
        lifespan="on",
        **options,
    )
    server = DrainingServer(config, drain, drain_seconds)
    try:
        await server.serve()
    except SystemExit:
        # Uvicorn has said why: the port is taken, or the application did not start.
        return False
    return server.started
