"""`/health`, `/ready` and `/metrics` on one port, from the first moment."""

import json
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

import uvicorn

Problems = Mapping[str, str]
"""What is not ready, with the reason. Empty means ready."""


class HealthServer(uvicorn.Server):
    """Serves on the worker's own event loop, so a stuck loop answers no probe."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        problems: Callable[[], Awaitable[Problems]],
        metrics: Callable[[], Awaitable[bytes]],
    ) -> None:
        self._problems = problems
        self._metrics = metrics
        super().__init__(
            uvicorn.Config(
                self._answer,
                host=host,
                port=port,
                log_config=None,
                access_log=False,
                interface="asgi3",
                lifespan="off",
                ws="none",
            )
        )

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        # The worker decides when to stop: after its work, not before.
        yield

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        status, content_type, body = await self._route(scope["path"])
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(b"content-type", content_type)],
            }
        )
        await send({"type": "http.response.body", "body": body})

    async def _route(self, path: str) -> tuple[int, bytes, bytes]:
        if path == "/health":
            return _json(200, {"status": "ok"})
        if path == "/ready":
            problems = await self._problems()
            state = "not ready" if problems else "ready"
            return _json(
                503 if problems else 200, {"status": state, "problems": dict(problems)}
            )
        if path == "/metrics":
            return 200, b"text/plain; version=0.0.4", await self._metrics()
        return _json(404, {"status": "not found"})


def _json(status: int, body: dict[str, Any]) -> tuple[int, bytes, bytes]:
    return status, b"application/json", json.dumps(body).encode()
