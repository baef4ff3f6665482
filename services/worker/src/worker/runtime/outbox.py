"""Sends the messages that were written down together with their events."""

import json
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from shared.database.engine import Engine
from shared.database.kernel.unit_of_work import MESSAGES
from shared.database.listen import Listener
from shared.database.rows import Row, Rows
from sqlalchemy import text

from worker.runtime.backlog import BATCH, Backlog, Outcome
from worker.runtime.registry import Message, MessageHandler, Undeliverable

log = logging.getLogger(__name__)

TOO_LATE = timedelta(days=3)
"""Older news only confuses; mail servers give up after 4 to 5 days (RFC 5321)."""

SKIP_ALL = text(
    "UPDATE messages SET status = 'skipped'"
    " WHERE status = 'open' AND process = ANY(cast(:processes AS text[]))"
)


class OutboxRunner(Backlog):
    channel = MESSAGES
    table = "messages"
    key = "subject, seq"
    # Leave unknown kinds alone: a newer worker may handle them. Messages about one
    # subject leave in the order of its events.
    open = """status = 'open' AND process || '/' || type = ANY(:kinds) AND NOT EXISTS (
        SELECT FROM messages earlier
        WHERE earlier.subject = messages.subject AND earlier.seq < messages.seq
          AND earlier.status = 'open'
          AND NOT EXISTS (SELECT FROM done d WHERE d.status <> 'open'
            AND d.subject = earlier.subject AND d.seq = earlier.seq)
          AND earlier.process || '/' || earlier.type = ANY(:kinds))"""
    outcome = "subject text, seq int, status text, error text"
    settle = """
        UPDATE messages m SET status = d.status, error = d.error,
          sent_at = CASE WHEN d.status = 'sent' THEN now() END
        FROM done d WHERE m.subject = d.subject AND m.seq = d.seq"""
    columns = """process, subject, seq, type, resends, resent_at, (
        SELECT json_build_object('at', at, 'data', data)::text FROM events e
        WHERE e.subject = messages.subject AND e.seq = messages.seq
      ) AS event"""
    owner = "process"
    # Longer than sending may take, so that no second mail goes out meanwhile.
    first_pause = timedelta(minutes=1)

    def __init__(
        self,
        engine: Engine,
        listener: Listener,
        handlers: Mapping[str, Mapping[str, MessageHandler]],
        contexts: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """`handlers` by process and type: two processes may have events of one name.
        `contexts` by process."""
        self._handlers = {
            f"{process}/{type}": handler
            for process, by_type in handlers.items()
            for type, handler in by_type.items()
        }
        super().__init__(engine, listener, tuple(self._handlers), contexts)
        self._silent = [process for process, by_type in handlers.items() if not by_type]

    async def _next(
        self, outcomes: Sequence[Outcome] = (), *, most: int = BATCH
    ) -> Rows:
        if self._silent:
            # No handler sends these processes' messages, and they must not pile up.
            async with self._engine.connect() as connection:
                await connection.execute(SKIP_ALL, {"processes": self._silent})
        return await super()._next(outcomes, most=most)

    async def work_off(self, row: Row) -> Outcome:
        status, error = await self._handle(row)
        return {
            "subject": row.subject,
            "seq": row.seq,
            "status": status,
            "error": error,
        }

    async def _handle(self, row: Row) -> tuple[str, str | None]:
        if row.event is None:
            return "failed", "no event"
        event = json.loads(row.event)
        message = Message(
            *(row.subject, row.seq, row.type),
            at=datetime.fromisoformat(event["at"]),
            data=event["data"],
            resends=row.resends,
            context=row.context,
        )
        if datetime.now(UTC) - (row.resent_at or message.at) > TOO_LATE:
            return "failed", "too late"
        return await self._send(f"{row.process}/{row.type}", message)

    async def _send(self, kind: str, message: Message) -> tuple[str, str | None]:
        try:
            sent = await self._handlers[kind](message)
        except Undeliverable as refused:
            return "failed", str(refused)
        except Exception as error:
            # Error texts may name the addressee, so only the error's kind is kept.
            failure = type(error).__name__
            log.warning(
                "a message could not be sent",
                extra={
                    "subject": message.subject,
                    "seq": message.seq,
                    "error": failure,
                },
            )
            return "open", failure
        return ("sent" if sent else "skipped"), None
