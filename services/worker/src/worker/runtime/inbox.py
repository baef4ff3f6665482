"""Works off the inbox: webhooks that were verified and stored before their answer."""

import logging
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

from shared.database.engine import Engine
from shared.database.listen import Listener
from shared.database.rows import Row

from worker.runtime.backlog import Backlog, Outcome
from worker.runtime.registry import InboxEvent, InboxHandler

log = logging.getLogger(__name__)

CHANNEL = "inbox"


class InboxRunner(Backlog):
    channel = CHANNEL
    table = "inbox"
    key = "source, event_id"
    open = "processed_at IS NULL AND source = ANY(:kinds)"
    outcome = "source text, event_id text, error text"
    settle = """
        UPDATE inbox i SET error = d.error,
          processed_at = CASE WHEN d.error IS NULL THEN now() END
        FROM done d WHERE i.source = d.source AND i.event_id = d.event_id"""
    columns = "source, event_id, type, payload"
    owner = "source"
    first_pause = timedelta(seconds=2)

    def __init__(
        self,
        engine: Engine,
        listener: Listener,
        handlers: Mapping[str, InboxHandler],
        contexts: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Both by source."""
        super().__init__(engine, listener, tuple(handlers), contexts)
        self._handlers = handlers

    async def work_off(self, row: Row) -> Outcome:
        event = InboxEvent(row.source, row.event_id, row.type, row.payload, row.context)
        name = {"source": event.source, "event_id": event.event_id}
        try:
            matched = await self._handlers[event.source](event)
            problem = None if matched else "unmatched"
        except Exception as error:
            log.warning("webhook failed", extra=name, exc_info=True)
            problem = type(error).__name__
        return {**name, "error": problem}
