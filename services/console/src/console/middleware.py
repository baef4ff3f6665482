"""Middleware for every request and every answer, whatever the page."""

import logging
import time
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("console.access")

_SAFE = ("GET", "HEAD")
_STATIC = "/static/"
LONGEST_BODY = 1024 * 1024
"""Bytes: more than any form of ours has."""


def policy(issuer: str | None) -> str:
    """The content security policy: nothing from elsewhere, and nothing inline, so that
    text from customers can be shown and never runs. A form may lead to the issuer,
    which ends its session."""
    parts = urlsplit(issuer or "")
    leads_to = f" {parts.scheme}://{parts.netloc}" if parts.netloc else ""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            "connect-src 'self'",
            "manifest-src 'self'",
            "frame-src 'self'",
            f"form-action 'self'{leads_to}",
            "base-uri 'none'",
            "frame-ancestors 'self'",
        )
    )


class PageMiddleware:
    """Refuses changes that another site has a browser send, and bodies over
    `LONGEST_BODY`. Adds safe headers to each answer, and the session if it was renewed
    meanwhile."""

    def __init__(self, app: ASGIApp, *, origin: str, issuer: str | None) -> None:
        self._app = app
        self._origin = origin
        self._headers = {
            "Content-Security-Policy": policy(issuer),
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        }
        if origin.startswith("https://"):
            self._headers["Strict-Transport-Security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        state = scope.setdefault("state", {})

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._complete(scope, state, message)
                took = time.perf_counter() - began
                _note(scope, state, message["status"], took)
            await send(message)

        if scope["method"] not in _SAFE and not self._is_ours(Headers(scope=scope)):
            refusal = PlainTextResponse("This came from another site.", 403)
            await refusal(scope, receive, answer)
            return
        await self._app(scope, _bounded(receive), answer)

    def _is_ours(self, headers: Headers) -> bool:
        """Browsers send `Origin` with every change, and no page can forge it."""
        return headers.get("origin") == self._origin

    def _complete(self, scope: Scope, state: dict[str, Any], message: Message) -> None:
        headers = MutableHeaders(scope=message)
        for name, value in self._headers.items():
            headers.setdefault(name, value)
        if not scope["path"].startswith(_STATIC):
            # It shows orders: no cache keeps it, and no later user of this machine sees
            # it by going back.
            headers.setdefault("Cache-Control", "no-store")
        renewed = state.get("renewed")
        if renewed is not None:
            carrier = Response()
            scope["app"].state.cookies.keep(carrier, renewed)
            headers.append("set-cookie", carrier.headers["set-cookie"])


def _bounded(receive: Receive) -> Receive:
    """Bodies are read before anybody is asked who they are."""
    came = 0

    async def receive_some() -> Message:
        nonlocal came
        message = await receive()
        came += len(message.get("body", b""))
        if came > LONGEST_BODY:
            raise HTTPException(413, "This is too much at once")
        return message

    return receive_some


def _note(scope: Scope, state: dict[str, Any], status: int, took: float) -> None:
    """One line for each request: its route and not its address, which may hold what
    somebody has searched for."""
    route = getattr(scope.get("route"), "path", "")
    if route in ("/health", "/ready") or scope["path"].startswith(_STATIC):
        return
    person = getattr(state.get("person"), "name", None)
    log.info(
        "%s %s %d",
        scope["method"],
        route or "(no page)",
        status,
        extra={"caller": person, "seconds": round(took, 4)},
    )
