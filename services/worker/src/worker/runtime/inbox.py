"""Works off the inbox: webhooks that were verified and stored before their answer."""

import json
import logging
from collections.abc import Mapping
from datetime import timedelta

from shared.database.engine import Engine
from shared.database.listen import Listener
from shared.database.rows import Row
from sqlalchemy import text

from worker.runtime.backlog import Backlog
from worker.runtime.registry import InboxEvent, InboxHandler

log = logging.getLogger(__name__)

CHANNEL = "inbox"

DONE = text(
    "UPDATE inbox SET processed_at = now(), error = NULL"
    " WHERE source = :source AND event_id = :event_id"
)
FAILED = text(
    "UPDATE inbox SET error = :error WHERE source = :source AND event_id = :event_id"
)


class InboxRunner(Backlog):
    channel = CHANNEL
    table = "inbox"
    key = "source, event_id"
    open = "processed_at IS NULL AND source = ANY(:kinds)"
    columns = "source, event_id, type, payload::text AS payload"
    first_pause = timedelta(seconds=2)

    def __init__(
        self,
        engine: Engine,
        listener: Listener,
        handlers: Mapping[str, InboxHandler],
    ) -> None:
        super().__init__(engine, listener, tuple(handlers))
        self._handlers = handlers

    async def work_off(self, row: Row) -> None:
        event = InboxEvent(row.source, row.event_id, row.type, json.loads(row.payload))
        name = {"source": event.source, "event_id": event.event_id}
        try:
            matched = await self._handlers[event.source](event)
            problem = None if matched else "unmatched"
        except Exception as error:
            log.warning("webhook failed", extra=name, exc_info=True)
            problem = type(error).__name__
        async with self._engine.connect() as connection:
            if problem is None:
                await connection.execute(DONE, name)
            else:
                await connection.execute(FAILED, {**name, "error": problem})
