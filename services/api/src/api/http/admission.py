"""Admits requests before any of their content is parsed: by caller, and by size.

Pure ASGI and inside of `RequestLimits`, which answers what is refused here. Without a
known caller only the addresses in `OPEN` are reachable; routes check what a caller may
do.
"""

import re
from dataclasses import dataclass
from http import HTTPStatus
from itertools import accumulate
from typing import Any

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.auth import Principal
from api.http.dependencies import Dependencies
from api.http.problems import Problem
from api.http.rate_limits import address_of

OPEN = re.compile(
    r"/(|health|ready|openapi\.json|docs(/.*)?|problems(/[^/]*)?|v1/webhooks/[^/]*)"
)
"""Addresses that need no token; webhooks check signatures instead."""

MAX_PARAMETERS = 256
"""Parameters in the address: two hundred ids, and every filter of a list."""
MAX_VALUES = 6000
"""Values in a body: an order of 500 lines that names every price has 4,600. Each costs
the event loop about a microsecond, and each mistake ten."""
MAX_ESCAPES = 30_000
"""Quotes and backslashes: as many as metadata can hold, and 5,000 more."""
MAX_DEPTH = 16
MAX_DIGITS = 64
"""The longest number: parsing takes the square of its length."""

_DIGITS = bytes(ord("0" if chr(byte).isdigit() else " ") for byte in range(128)).ljust(
    256
)
_STEPS = {ord(bracket): 1 for bracket in "[{"} | {ord(bracket): -1 for bracket in "]}"}
_BUT_BRACKETS = bytes(set(range(256)) - set(_STEPS))


class Admission:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        if not OPEN.fullmatch(scope["path"]):
            request.state.caller = await _admit(request)
        if scope["query_string"].count(b"&") >= MAX_PARAMETERS:
            raise Problem("malformed", f"Send at most {MAX_PARAMETERS} parameters.")
        if _is_encoded(request.headers):
            raise Problem("unsupported-media-type", "Send it without an encoding.")
        await self._app(scope, _Checked(request, receive), send)


def _is_encoded(headers: Headers) -> bool:
    """An encoding is one of content: without any, the header says nothing."""
    length = headers.get("content-length", "0")
    has_content = length != "0" or "transfer-encoding" in headers
    encoding = headers.get("content-encoding", "").lower()
    return has_content and encoding not in ("", "identity")


async def _admit(request: Request) -> Principal:
    """Find the caller. Raises `Problem` if unknown, or over the rate limit."""
    deps: Dependencies = request.app.state.deps
    try:
        caller = await deps.authenticate(request.headers)
    except Problem as problem:
        if problem.status_code == HTTPStatus.UNAUTHORIZED:
            await deps.stranger_limiter.count(request, address_of(request))
        raise
    limiter = deps.rate_limiter if caller.link is None else deps.link_limiter
    await limiter.count(request, caller.subject)
    return caller


class _Checked:
    """Passes on the whole body, once its structure is checked; `counted` says what it
    holds."""

    def __init__(self, request: Request, receive: Receive) -> None:
        self._request = request
        self._receive = receive
        self._is_read = False

    async def __call__(self) -> Message:
        if self._is_read:
            return await self._receive()
        self._is_read = True
        parts: list[bytes] = []
        message: dict[str, Any] = {"more_body": True}
        while message.get("more_body", False):
            message = dict(await self._receive())
            if message["type"] != "http.request":
                return message
            parts.append(message.get("body", b""))
        body = b"".join(parts)
        self._request.state.counted = check_structure(body)
        return {"type": "http.request", "body": body}


@dataclass(frozen=True)
class Counted:
    """A body's `values`, each bracket counted as one, and the members of all its
    objects."""

    values: int
    members: int


def check_structure(body: bytes, most: int = MAX_VALUES) -> Counted:
    """Raises `Problem` for JSON that would take long to parse or to validate. Each
    check is one pass in C over the bytes, whatever the caller sends."""
    if b"\0" in body:
        # UTF-16 and UTF-32, which JSON between systems is not (RFC 8259, 8.1).
        raise Problem("malformed", "Send UTF-8.")
    outside = _without_texts(body, most)
    brackets = outside.translate(None, _BUT_BRACKETS)
    levels = accumulate(map(_STEPS.__getitem__, brackets[:most]))
    if max(levels, default=0) > MAX_DEPTH:
        raise Problem("malformed", f"Nest at most {MAX_DEPTH} levels.")
    values = 1 + outside.count(b",") + len(brackets)
    if values > most:
        raise _too_involved(most)
    if b"0" * (MAX_DIGITS + 1) in outside.translate(_DIGITS):
        raise Problem("malformed", f"A number has at most {MAX_DIGITS} digits.")
    return Counted(values, outside.count(b":"))


def _without_texts(body: bytes, most: int) -> bytes:
    """The body without its texts, which lie between unescaped quotes."""
    escaped = body.count(rb"\"")
    if escaped + body.count(rb"\\") > MAX_ESCAPES:
        raise _too_involved(most)
    if body.count(b'"') - escaped > 4 * most:
        raise _too_involved(most)
    plain = body.replace(rb"\\", b"").replace(rb"\"", b"")
    return b" ".join(plain.split(b'"')[::2])


def _too_involved(most: int) -> Problem:
    return Problem("too-large", f"A body may have at most {most} values.")
