"""A connection with time-outs for slow clients.

Uvicorn alone lets a client take any time to send the head of a request, or to read an
answer, and answers a too large head like any malformed one.
"""

import asyncio
import logging
import sys
from typing import Any, cast

import h11
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from api.http.access_log import SAFE_HEADERS
from api.http.problems import Problem, problem_document
from api.http.request_limits import MAX_HEAD_BYTES
from api.http.trace_ids import begin_trace
from api.settings import AccessSettings

log = logging.getLogger(__name__)


class Connection(H11Protocol):
    """Closes when a head, or the rest of an answered request, does not arrive in time;
    aborts when the client does not read the answer."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        app = cast(FastAPI, self.config.app)
        self._settings: AccessSettings = app.state.settings
        self._client_timeout = self._settings.api_client_timeout.total_seconds()
        self._awaits_input: asyncio.TimerHandle | None = None
        self._awaits_reader: asyncio.TimerHandle | None = None
        self._is_over = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_input()

    def data_received(self, data: bytes) -> None:
        if self._is_over:
            return
        super().data_received(data)
        if self._is_incomplete():
            self._await_input()
        else:
            self._input_came()

    def _is_incomplete(self) -> bool:
        """Whether a partial head has arrived, or the rest of a body is due whose
        request is answered. `RequestLimits` handles the bodies of running requests."""
        if self.conn.their_state is h11.IDLE:
            return bool(self.conn.trailing_data[0])
        answered = self.conn.our_state in (h11.DONE, h11.MUST_CLOSE)
        return self.conn.their_state is h11.SEND_BODY and answered

    def _await_input(self) -> None:
        if self._awaits_input is None:
            self._awaits_input = self.loop.call_later(
                self._client_timeout, self._give_up
            )

    def _input_came(self) -> None:
        if self._awaits_input is not None:
            self._awaits_input.cancel()
            self._awaits_input = None

    def _give_up(self) -> None:
        if self.transport.is_closing():
            return
        if not self.conn.trailing_data[0]:
            self.transport.close()
            return
        self._refuse(Problem("request-timeout", "The request has not come."))
        self._close()

    def send_400_response(self, msg: str) -> None:
        """Called when h11 has refused a request, while its exception is handled."""
        status = getattr(sys.exception(), "error_status_hint", 400)
        if status == 431:
            limit = f"The URL and headers may have at most {MAX_HEAD_BYTES} bytes."
            self._refuse(Problem("head-too-large", limit))
        else:
            self._refuse(Problem("malformed", "This is not an HTTP request."))
        self._close()

    def _refuse(self, problem: Problem) -> None:
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        trace_id = begin_trace()
        status = problem.status_code
        log.info("refused unread", extra={"status": status, "trace_id": trace_id})
        body = problem_document(self._settings.public_url, problem, instance="")
        headers = SAFE_HEADERS | {
            "Content-Type": "application/problem+json",
            "Content-Length": str(len(body)),
            "Cache-Control": "no-store",
            "Connection": "close",
            "X-Request-Id": trace_id,
        }
        for event in (
            h11.Response(status_code=status, headers=[*headers.items()]),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")

    def _close(self) -> None:
        """Close after an answer. Closing at once would lose the answer of a client that
        still sends."""
        self._is_over = True
        if self.cycle is not None and not self.cycle.response_complete:
            # The handler of the request learns that the client is gone.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()
        self._await_reader()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._await_reader()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._reader_came()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        # Closing waits for the last answer to be read.
        self._await_reader()

    def _await_reader(self) -> None:
        if self._awaits_reader is None:
            self._awaits_reader = self.loop.call_later(self._client_timeout, self._cut)

    def _reader_came(self) -> None:
        if self._awaits_reader is not None:
            self._awaits_reader.cancel()
            self._awaits_reader = None

    def _cut(self) -> None:
        log.warning("a client that neither read its answer nor left was cut off")
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._input_came()
        super().connection_lost(exc)
        self._reader_came()
