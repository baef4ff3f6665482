"""Works off the inbox: webhooks that were verified and stored before their answer."""

import asyncio
import json
import logging
from collections.abc import Mapping

from shared.database.listen import Listener
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.runtime.registry import InboxEvent, InboxHandler

log = logging.getLogger(__name__)

CHANNEL = "inbox"
BATCH = 20
LOOK_EVERY_SECONDS = 10.0
"""NOTIFY wakes at once; this is for a notification that got lost."""

# Claiming puts the next try off, so that a crash in between only delays it.
CLAIM = text(
    """
    UPDATE inbox SET attempts = attempts + 1,
      due_at = now() + least(interval '1 hour',
                             interval '2 seconds' * power(2, least(attempts, 12)))
    WHERE (source, event_id) IN (
      SELECT source, event_id FROM inbox
      WHERE processed_at IS NULL AND due_at <= now()
      ORDER BY due_at LIMIT :batch FOR UPDATE SKIP LOCKED)
    RETURNING source, event_id, type, payload::text AS payload
    """
)
DONE = text(
    "UPDATE inbox SET processed_at = now(), error = NULL"
    " WHERE source = :source AND event_id = :event_id"
)
FAILED = text(
    "UPDATE inbox SET error = :error WHERE source = :source AND event_id = :event_id"
)


class InboxRunner:
    """Any number may run side by side; each event is claimed by one at a time."""

    def __init__(
        self,
        engine: AsyncEngine,
        listener: Listener,
        handlers: Mapping[str, InboxHandler],
    ) -> None:
        self._engine = engine
        self._listener = listener
        self._handlers = handlers

    async def run(self) -> None:
        """Runs until cancelled; what was claimed then is tried again later."""
        with self._listener.subscribe(CHANNEL) as wake:
            while True:
                try:
                    while await self.work_off_batch():
                        pass
                except Exception:
                    log.exception("the inbox cannot be worked off right now")
                await wake.wait(LOOK_EVERY_SECONDS)

    async def work_off_batch(self) -> int:
        """Returns how many events were claimed."""
        async with self._engine.begin() as connection:
            rows = (await connection.execute(CLAIM, {"batch": BATCH})).all()
        events = [
            InboxEvent(row.source, row.event_id, row.type, json.loads(row.payload))
            for row in rows
        ]
        await asyncio.gather(*(self._work_off(event) for event in events))
        return len(events)

    async def _work_off(self, event: InboxEvent) -> None:
        name = {"source": event.source, "event_id": event.event_id}
        handler = self._handlers.get(event.source)
        try:
            matched = handler is not None and await handler(event)
            problem = None if matched else "unmatched"
        except Exception as error:
            log.warning("webhook failed", extra=name, exc_info=True)
            problem = type(error).__name__
        async with self._engine.begin() as connection:
            if problem is None:
                await connection.execute(DONE, name)
            else:
                await connection.execute(FAILED, {**name, "error": problem})
