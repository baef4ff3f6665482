"""Limits the size and the duration of requests; no failure leaves without a problem."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.dependencies import Dependencies
from api.http.problems import Problem, Unavailable, problem_response

MAX_HEAD_BYTES = 16 * 1024
"""The request line and all headers; a token of some kilobytes fits."""
MAX_BODY_BYTES = 256 * 1024
"""The largest body: an order with 500 lines and 25,000 characters of metadata. Webhooks
about one have a tenth of it."""
USUAL_BODY_BYTES = 64 * 1024
"""All other bodies: 500 lines of a parcel, indented, have 50 KB."""


class RequestLimits:
    """Limits size and duration, and turns every failure into a problem. Inside of CORS,
    so that a browser's script may read these problems as well."""

    def __init__(
        self,
        app: ASGIApp,
        client_timeout: float,
        *,
        largest: Mapping[str, int],
        has_database: bool = True,
    ) -> None:
        """`largest` bytes of a body, by the addresses that may have more than usual."""
        self._app = app
        self._client_timeout = client_timeout
        self._largest = largest
        self._has_database = has_database

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        largest = self._largest.get(scope["path"], USUAL_BODY_BYTES)
        incoming = _Incoming(scope, receive, self._client_timeout, largest)
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
            # The client is gone.
            return
        except Exception:
            logging.getLogger(__name__).exception("a request failed")
            if self._begun:
                raise
            await self._answer(Problem("internal", "Something went wrong here."))

    async def _wait_or_give_up(self, answer: Any) -> None:
        """Raises `Unavailable` if the database falls silent: later the caller's own
        time-outs would end the request without an answer."""
        serving: asyncio.Task[None] = asyncio.create_task(answer)
        try:
            while await self._takes_long(serving):
                if await self._deps.database.is_silent() and not self._begun:
                    self._given_up = True
                    self._deps.abandon(serving)
                    raise Unavailable("The database does not answer.")
            await serving
        except asyncio.CancelledError:
            serving.cancel()
            raise

    async def _takes_long(self, serving: asyncio.Task[None]) -> bool:
        seconds = self._deps.database.fail_fast_seconds
        await asyncio.wait({serving}, timeout=seconds)
        return not self._begun and not serving.done()

    async def _send_answer(self, message: Message) -> None:
        if not self._given_up:
            self._begun = True
            await self._send(message)

    @property
    def _deps(self) -> Dependencies:
        deps: Dependencies = self._scope["app"].state.deps
        return deps

    async def _answer(self, problem: Problem) -> None:
        if not self._begun:
            response = problem_response(Request(self._scope), problem)
            await response(self._scope, self._receive, self._send)


class _Incoming:
    def __init__(
        self, scope: Scope, receive: Receive, client_timeout: float, largest: int
    ) -> None:
        self._headers: list[tuple[bytes, bytes]] = scope["headers"]
        self._target = len(scope.get("raw_path") or b"") + len(scope["query_string"])
        self._receive = receive
        self._client_timeout = client_timeout
        self._largest = largest
        self._until = asyncio.get_running_loop().time() + client_timeout
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

    async def receive(self) -> Message:
        """Receives the body of a known caller: `Admission` lets nobody else in."""
        if self._complete:
            # From here only the end of the connection is awaited, however long that
            # takes.
            return await self._receive()
        if self._declared_length() > self._largest:
            raise self._too_large()
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            raise Problem(
                "request-timeout",
                f"The body has not come within {self._client_timeout:g} s.",
                headers={"Connection": "close"},
            ) from None
        if message["type"] == "http.request":
            self._complete = not message.get("more_body", False)
            self._received += len(message.get("body", b""))
            if self._received > self._largest:
                raise self._too_large()
        return message

    def _has_two_ends(self) -> bool:
        """A proxy may go by the other length, and take for another request what we take
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
