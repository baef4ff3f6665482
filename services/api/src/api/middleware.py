"""What happens to every request: limits, headers, one log line, and no naked 500."""

import asyncio
import logging
import time
from typing import Any

import structlog
from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import Problem, Unavailable, problem_response
from api.services import Services
from api.tracing import begin_trace

log = logging.getLogger("api.access")

MAX_BODY_BYTES = 1024 * 1024
_QUIET = ("/health", "/ready")
_PAGES = ("/docs", "/redoc")


class Edge:
    """Pure ASGI, and the outermost layer of ours: what it sees is what is sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(trace_id=exchange.trace_id)
        try:
            await exchange.serve(self._app)
        finally:
            exchange.log()


class _Exchange:
    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._began = time.perf_counter()
        self._status: int | None = None
        self._received = 0
        self._placed: str | None = None
        self._given_up = False
        self.trace_id = begin_trace()

    async def serve(self, app: ASGIApp) -> None:
        try:
            if self._declared_length() > MAX_BODY_BYTES:
                raise _too_large()
            await self._serve_or_give_up(app)
        except Problem as problem:
            await self._answer(problem)
        except Exception:
            logging.getLogger(__name__).exception("a request failed")
            if self._status is not None:
                raise
            await self._answer(Problem("internal", "Something went wrong here."))

    async def _serve_or_give_up(self, app: ASGIApp) -> None:
        """Raises `Unavailable` when the database has fallen silent: who still waits
        for it then is left to the time-outs on the way, and answers nobody."""
        answer: Any = app(self._scope, self.receive, self._send_answer)
        serving: asyncio.Task[None] = asyncio.create_task(answer)
        try:
            while await self._takes_long(serving):
                if await self._services.database.is_silent() and self._status is None:
                    self._given_up = True
                    self._services.abandon(serving)
                    raise Unavailable("The database does not answer.")
            await serving
        except asyncio.CancelledError:
            serving.cancel()
            raise

    async def _takes_long(self, serving: asyncio.Task[None]) -> bool:
        patience = self._services.database.patience_seconds
        await asyncio.wait({serving}, timeout=patience)
        return self._status is None and not serving.done()

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._received += len(message.get("body", b""))
            if self._received > MAX_BODY_BYTES:
                raise _too_large()
        return message

    async def _send_answer(self, message: Message) -> None:
        if not self._given_up:
            await self.send(message)

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = MutableHeaders(scope=message)
            place, _, made = headers.get("location", "").rpartition("/")
            self._placed = made if place == "/v1/orders" else None
            self._add_headers(headers)
        await self._send(message)

    def log(self) -> None:
        path = self._scope["path"]
        if path in _QUIET and self._status == 200:
            return
        route = self._scope.get("route")
        log.info(
            "request",
            extra={
                "method": self._scope["method"],
                "route": getattr(route, "path", "unmatched"),
                # Without a status the caller left before there was one.
                "status": self._status or 499,
                "ms": round((time.perf_counter() - self._began) * 1000, 1),
                **self._subjects(),
            },
        )

    @property
    def _services(self) -> Services:
        services: Services = self._scope["app"].state.services
        return services

    def _subjects(self) -> dict[str, str]:
        """The ids in the path, and that of an order which was just placed."""
        known: dict[str, str] = self._scope.get("path_params", {})
        ids = {name: value for name, value in known.items() if name.endswith("_id")}
        return ids | ({"order_id": self._placed} if self._placed else {})

    def _declared_length(self) -> int:
        for name, value in self._scope["headers"]:
            if name == b"content-length":
                return int(value) if value.isdigit() else 0
        return 0

    def _add_headers(self, headers: MutableHeaders) -> None:
        headers.setdefault("Cache-Control", "no-store")
        headers["X-Content-Type-Options"] = "nosniff"
        headers["X-Request-Id"] = self.trace_id
        headers["Referrer-Policy"] = "no-referrer"
        if self._services.draining:
            # The next request finds a process that stays; an idle connection that is
            # closed under it would break it.
            headers["Connection"] = "close"
        if not self._scope["path"].startswith(_PAGES):
            policy = "default-src 'none'; frame-ancestors 'none'"
            headers["Content-Security-Policy"] = policy

    async def _answer(self, problem: Problem) -> None:
        response = problem_response(Request(self._scope), problem)
        await response(self._scope, self._receive, self.send)


def _too_large() -> Problem:
    return Problem("too-large", f"A body has at most {MAX_BODY_BYTES} bytes.")
