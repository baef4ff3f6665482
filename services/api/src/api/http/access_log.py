"""One log line, one trace id and the safe headers for every request."""

import logging
import re
import time
from collections.abc import Iterable, Mapping

import structlog
from opentelemetry import trace
from shared.contracts.base import ID_BODY
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.trace_ids import begin_trace

log = logging.getLogger("api.access")

SAFE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
_QUIET = ("/health", "/ready")
_ID = re.compile(f"[a-z]{{3}}_{ID_BODY}")


class AccessLog:
    """Pure ASGI, and our outermost layer, so that it sees what is really sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["headers"] = _one_line_each(scope["headers"])
        exchange = _Exchange(scope, send)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(trace_id=exchange.trace_id)
        try:
            await self._app(scope, receive, exchange.send)
        finally:
            exchange.log()


def _one_line_each(lines: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Join repeated headers: a list may come in several lines (RFC 9110, 5.3), of which
    FastAPI sees the first alone. A repeated header that is no list then makes no sense,
    instead of hiding the second."""
    joined: dict[bytes, bytes] = {}
    for name, value in lines:
        joined[name] = joined[name] + b", " + value if name in joined else value
    return list(joined.items())


class _Exchange:
    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self._began = time.perf_counter()
        self._status: int | None = None
        self._made: dict[str, str] = {}
        self.trace_id = begin_trace()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = MutableHeaders(scope=message)
            place, _, made = headers.get("location", "").rpartition("/")
            # `/v1/orders/ord_…`: the name that the id has in the paths of its routes.
            self._made = {place.rpartition("/")[2].removesuffix("s") + "_id": made}
            self._add_headers(headers)
            # Read at the start: by the end of the answer the span has ended.
            trace.get_current_span().set_attribute("url.path", self._path())
        await self._send(message)

    def log(self) -> None:
        path = self._scope["path"]
        if path in _QUIET and self._status == 200:
            return
        log.info(
            "request",
            extra={
                "method": self._scope["method"],
                "route": self._route(),
                # No status: the caller left before the answer.
                "status": self._status or 499,
                "ms": round((time.perf_counter() - self._began) * 1000, 1),
                **self._caller(),
                **self._subjects(),
            },
        )

    def _caller(self) -> dict[str, str]:
        """The subject of the caller's token; strangers have none."""
        caller = self._scope.get("state", {}).get("caller")
        return {"caller": caller.subject} if caller else {}

    def _subjects(self) -> dict[str, str]:
        """Ids in the path, and the id of what was just created. Text that only stands
        where an id should be is left out."""
        known: dict[str, str] = self._scope.get("path_params", {})
        return {
            name: value
            for name, value in (known | self._made).items()
            if name.endswith("_id") and _ID.fullmatch(value)
        }

    def _route(self) -> str:
        path: str = getattr(self._scope.get("route"), "path", "unmatched")
        return path

    def _path(self) -> str:
        """The part of the address that may be logged."""
        path = self._route()
        for name, value in self._subjects().items():
            path = path.replace(f"{{{name}}}", value)
        return path

    def _add_headers(self, headers: MutableHeaders) -> None:
        headers.setdefault("Cache-Control", "no-store")
        headers["X-Request-Id"] = self.trace_id
        for name, value in SAFE_HEADERS.items():
            headers.setdefault(name, value)  # the page of documentation has its own
        state: Mapping[str, Mapping[str, str]] = self._scope.get("state", {})
        headers.update(state.get("response_headers", {}))
