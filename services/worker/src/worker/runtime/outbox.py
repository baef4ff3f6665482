"""Sends the messages that were written down together with their events."""

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from shared.database.engine import Engine
from shared.database.kernel.unit_of_work import MESSAGES
from shared.database.listen import Listener
from shared.database.rows import Row
from sqlalchemy import text

from worker.runtime.backlog import Backlog
from worker.runtime.registry import Message, MessageHandler, Undeliverable

log = logging.getLogger(__name__)

TOO_LATE = timedelta(days=3)
"""Older news only confuses; mail servers give up after 4 to 5 days (RFC 5321)."""

END = text(
    """
    UPDATE messages SET status = :status, error = :error,
      sent_at = CASE WHEN :status = 'sent' THEN now() END
    WHERE subject = :subject AND seq = :seq
    """
)
SKIP_ALL = text(
    "UPDATE messages SET status = 'skipped'"
    " WHERE status = 'open' AND process = ANY(cast(:processes AS text[]))"
)


class OutboxRunner(Backlog):
    channel = MESSAGES
    table = "messages"
    key = "subject, seq"
    # Of a kind that is not known here, a newer worker may know how to tell.
    # Messages about one subject leave in the order of its events.
    open = """status = 'open' AND process || '/' || type = ANY(:kinds) AND NOT EXISTS (
        SELECT FROM messages earlier
        WHERE earlier.subject = messages.subject AND earlier.seq < messages.seq
          AND earlier.status = 'open'
          AND earlier.process || '/' || earlier.type = ANY(:kinds))"""
    columns = """process, subject, seq, type, resends, resent_at, (
        SELECT json_build_object('at', at, 'data', data)::text FROM events e
        WHERE e.subject = messages.subject AND e.seq = messages.seq
      ) AS event"""
    # A second mail at once would be a nuisance: longer than sending one may take.
    first_pause = timedelta(minutes=1)

    def __init__(
        self,
        engine: Engine,
        listener: Listener,
        handlers: Mapping[str, Mapping[str, MessageHandler]],
    ) -> None:
        """`handlers` by process and type: two processes may have events of one name."""
        self._handlers = {
            f"{process}/{type}": handler
            for process, by_type in handlers.items()
            for type, handler in by_type.items()
        }
        super().__init__(engine, listener, tuple(self._handlers))
        self._silent = [process for process, by_type in handlers.items() if not by_type]

    async def work_off_batch(self) -> int:
        if self._silent:
            # These processes send no messages here, and none should pile up.
            async with self._engine.connect() as connection:
                await connection.execute(SKIP_ALL, {"processes": self._silent})
        return await super().work_off_batch() if self._handlers else 0

    async def work_off(self, row: Row) -> None:
        status, error = await self._tell(row)
        async with self._engine.connect() as connection:
            await connection.execute(
                END,
                {
                    "subject": row.subject,
                    "seq": row.seq,
                    "status": status,
                    "error": error,
                },
            )

    async def _tell(self, row: Row) -> tuple[str, str | None]:
        if row.event is None:
            return "failed", "no event"
        event = json.loads(row.event)
        message = Message(
            *(row.subject, row.seq, row.type),
            at=datetime.fromisoformat(event["at"]),
            data=event["data"],
            resends=row.resends,
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
            # Its text may name the addressee: the kind of error alone is kept.
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
