"""What happens to every request: headers, one log line, limits, and no naked 500."""

import asyncio
import logging
import re
import time
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import structlog
from fastapi import Request
from opentelemetry import trace
from shared.contracts.base import ID_BODY
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.problems import Problem, Unavailable, problem_response
from api.http.trace_ids import begin_trace
from api.services import Services

log = logging.getLogger("api.access")

MAX_HEAD_BYTES = 16 * 1024
"""Of the request line and all headers; a token of some kilobytes fits."""
MAX_BODY_BYTES = 1024 * 1024
SAFE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
# The page is FastAPI's: a script in it, and Swagger's own from where it is published.
_PAGE_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'unsafe-inline' https://cdn.jsdelivr.net",
        "style-src 'unsafe-inline' https://cdn.jsdelivr.net",
        "img-src data: https://fastapi.tiangolo.com",
        "connect-src 'self' {issuer}",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
_PAGES = ("/docs",)
_QUIET = ("/health", "/ready")
_ID = re.compile(f"[a-z]{{3}}_{ID_BODY}")


class Edge:
    """Pure ASGI, and the outermost layer of ours: what it sees is what is sent."""

    def __init__(self, app: ASGIApp, issuer: str | None) -> None:
        self._app = app
        # The page asks there for tokens.
        scheme, host, *_ = urlsplit(issuer or "")
        origin = f"{scheme}://{host}" if host else "'self'"
        self._page_policy = _PAGE_POLICY.format(issuer=origin)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["headers"] = _one_line_each(scope["headers"])
        exchange = _Exchange(scope, send, self._page_policy)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(trace_id=exchange.trace_id)
        try:
            await self._app(scope, receive, exchange.send)
        finally:
            exchange.log()


def _one_line_each(lines: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """A list may come in several lines (RFC 9110, 5.3), of which readers see the first
    alone. What is no list then makes no sense, instead of hiding the second."""
    joined: dict[bytes, bytes] = {}
    for name, value in lines:
        joined[name] = joined[name] + b", " + value if name in joined else value
    return list(joined.items())


class _Exchange:
    def __init__(self, scope: Scope, send: Send, page_policy: str) -> None:
        self._scope = scope
        self._send = send
        self._page_policy = page_policy
        self._began = time.perf_counter()
        self._status: int | None = None
        self._placed: str | None = None
        self.trace_id = begin_trace()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = MutableHeaders(scope=message)
            place, _, made = headers.get("location", "").rpartition("/")
            self._placed = made if place == "/v1/orders" else None
            self._add_headers(headers)
            # By the end of the answer the span has ended too.
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
                # Without a status the caller left before there was one.
                "status": self._status or 499,
                "ms": round((time.perf_counter() - self._began) * 1000, 1),
                **self._subjects(),
            },
        )

    def _subjects(self) -> dict[str, str]:
        """The ids in the path, and that of an order which was just placed. What only
        stands where an id should be is anybody's text, and is not told."""
        known: dict[str, str] = self._scope.get("path_params", {})
        ids = {
            name: value
            for name, value in known.items()
            if name.endswith("_id") and _ID.fullmatch(value)
        }
        return ids | ({"order_id": self._placed} if self._placed else {})

    def _route(self) -> str:
        path: str = getattr(self._scope.get("route"), "path", "unmatched")
        return path

    def _path(self) -> str:
        """As much of the address as may be told."""
        path = self._route()
        for name, value in self._subjects().items():
            path = path.replace(f"{{{name}}}", value)
        return path

    def _add_headers(self, headers: MutableHeaders) -> None:
        headers.setdefault("Cache-Control", "no-store")
        headers["X-Request-Id"] = self.trace_id
        headers.update(SAFE_HEADERS)
        if self._scope["path"].startswith(_PAGES):
            headers["Content-Security-Policy"] = self._page_policy
        told: Mapping[str, str] = self._scope.get("state", {}).get("told", {})
        headers.update(told)


class Heads:
    """Answers HEAD as GET is answered, without the content (RFC 9110, 9.3.2): routes of
    FastAPI know no HEAD."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        scope["method"] = "GET"
        try:
            await self._app(scope, receive, _without_content(send))
        finally:
            scope["method"] = "HEAD"  # for the log


def _without_content(send: Send) -> Send:
    ended = False

    async def send_head(message: Message) -> None:
        nonlocal ended
        if message["type"] == "http.response.start":
            await send(message)
        elif not ended:
            # Also of a stream: it hears that nobody listens.
            ended = True
            await send({"type": "http.response.body", "body": b""})

    return send_head


class Guard:
    """How large and how slow a request may be; and whatever fails is a problem.

    Inside of CORS, so that a browser's script may read these problems as well.
    """

    def __init__(
        self,
        app: ASGIApp,
        patience: float,
        *,
        largest: int = MAX_BODY_BYTES,
        has_database: bool = True,
    ) -> None:
        self._app = app
        self._patience = patience
        self._largest = largest
        self._has_database = has_database

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        incoming = _Incoming(scope, receive, self._patience, self._largest)
        served = _Served(scope, incoming, receive, send)
        await served.by(self._app, gives_up=self._has_database)


class _Served:
    def __init__(
        self, scope: Scope, incoming: "_Incoming", receive: Receive, send: Send
    ) -> None:
        self._scope = scope
        self._incoming = incoming
        self._receive = receive
        self._send = send
        self._begun = False
        self._given_up = False

    async def by(self, app: ASGIApp, *, gives_up: bool) -> None:
        try:
            self._incoming.check()
            serving = app(self._scope, self._incoming.receive, self._send_answer)
            await (self._wait_or_give_up(serving) if gives_up else serving)
        except Problem as problem:
            await self._answer(problem)
        except ClientDisconnect:
            # Nobody is there to be answered.
            return
        except Exception:
            logging.getLogger(__name__).exception("a request failed")
            if self._begun:
                raise
            await self._answer(Problem("internal", "Something went wrong here."))

    async def _wait_or_give_up(self, answer: Any) -> None:
        """Raises `Unavailable` when the database has fallen silent: who still waits
        for it then is left to the time-outs on the way, and answers nobody."""
        serving: asyncio.Task[None] = asyncio.create_task(answer)
        try:
            while await self._takes_long(serving):
                if await self._services.database.is_silent() and not self._begun:
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
        return not self._begun and not serving.done()

    async def _send_answer(self, message: Message) -> None:
        if not self._given_up:
            self._begun = True
            await self._send(message)

    @property
    def _services(self) -> Services:
        services: Services = self._scope["app"].state.services
        return services

    async def _answer(self, problem: Problem) -> None:
        if not self._begun:
            response = problem_response(Request(self._scope), problem)
            await response(self._scope, self._receive, self._send)


class _Incoming:
    def __init__(
        self, scope: Scope, receive: Receive, patience: float, largest: int
    ) -> None:
        self._headers: list[tuple[bytes, bytes]] = scope["headers"]
        self._target = len(scope.get("raw_path") or b"") + len(scope["query_string"])
        self._receive = receive
        self._patience = patience
        self._largest = largest
        self._until = asyncio.get_running_loop().time() + patience
        self._received = 0
        self._complete = False

    def check(self) -> None:
        head = self._target + sum(len(n) + len(v) + 4 for n, v in self._headers)
        if head > MAX_HEAD_BYTES:
            raise Problem(
                "head-too-large",
                f"The URL and headers may have at most {MAX_HEAD_BYTES} bytes.",
            )
        if self._has_two_ends():
            raise Problem(
                "malformed",
                "Send Content-Length or Transfer-Encoding, not both.",
                headers={"Connection": "close"},
            )
        if self._declared_length() > self._largest:
            raise self._too_large()

    async def receive(self) -> Message:
        if self._complete:
            # Only the end of the connection is awaited, however long that takes.
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            raise Problem(
                "request-timeout",
                f"The body has not come within {self._patience:g} s.",
                headers={"Connection": "close"},
            ) from None
        if message["type"] == "http.request":
            self._complete = not message.get("more_body", False)
            self._received += len(message.get("body", b""))
            if self._received > self._largest:
                raise self._too_large()
        return message

    def _has_two_ends(self) -> bool:
        """A proxy may believe the other one, and take for another request what we take
        for the body (RFC 9112, 6.3)."""
        names = {name for name, _ in self._headers}
        return {b"content-length", b"transfer-encoding"} <= names

    def _declared_length(self) -> int:
        for name, value in self._headers:
            if name == b"content-length":
                return int(value) if value.isdigit() else 0
        return 0

    def _too_large(self) -> Problem:
        return Problem("too-large", f"A body may have at most {self._largest} bytes.")
