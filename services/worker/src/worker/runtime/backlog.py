"""Works off the rows of a table that is a backlog: webhooks, messages.

Such a table has `due_at` and `attempts`. NOTIFY wakes its runners at once; a slow poll
finds what is due later, and what a lost notification was about.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from datetime import timedelta
from typing import ClassVar

from shared.database.engine import Engine
from shared.database.listen import Listener
from shared.database.rows import Row
from sqlalchemy import TextClause, text

log = logging.getLogger(__name__)

BATCH = 20
LOOK_EVERY_SECONDS = 10.0
LONGEST_PAUSE = timedelta(hours=1)


class Backlog(ABC):
    """Any number may run side by side; each row is claimed by one at a time."""

    channel: ClassVar[str]
    table: ClassVar[str]
    key: ClassVar[str]
    """The columns that name a row."""
    open: ClassVar[str]
    """The condition under which a row waits. `:kinds` are those that are handled."""
    columns: ClassVar[str]
    """What is needed of a row to work on it."""
    first_pause: ClassVar[timedelta]
    """How long a claim lasts, and doubles with each attempt. Longer than an attempt
    takes where two at once would do harm."""

    def __init__(
        self, engine: Engine, listener: Listener, kinds: tuple[str, ...]
    ) -> None:
        self._engine = engine
        self._listener = listener
        self._kinds = kinds
        self._claim = self._claiming()

    async def run(self) -> None:
        """Runs until cancelled; what was claimed then is tried again later."""
        with self._listener.subscribe(self.channel) as wake:
            while True:
                try:
                    # Working one off may open the way for the next of its subject.
                    while await self.work_off_batch():
                        pass
                except Exception:
                    log.exception("%s cannot be worked off right now", self.table)
                await wake.wait(LOOK_EVERY_SECONDS)

    async def work_off_batch(self) -> int:
        """Returns how many rows were claimed."""
        async with self._engine.connect() as connection:
            rows = await connection.execute(
                self._claim,
                {
                    "batch": BATCH,
                    "kinds": list(self._kinds),
                    "first": self.first_pause,
                    "longest": LONGEST_PAUSE,
                },
            )
        # One that breaks must not leave the others at work with nobody who waits.
        outcomes = await asyncio.gather(
            *(self.work_off(row) for row in rows), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return len(rows)

    @abstractmethod
    async def work_off(self, row: Row) -> None:
        """Do it and note how it ended; a row that stays open is claimed again."""

    def _claiming(self) -> TextClause:
        # Claiming puts the next try off, so that a crash in between only delays it.
        return text(
            f"""
            UPDATE {self.table} SET attempts = attempts + 1,
              due_at = now() + least(cast(:longest AS interval),
                cast(:first AS interval) * power(2, least(attempts, 12)))
            WHERE ({self.key}) IN (
              SELECT {self.key} FROM {self.table}
              WHERE {self.open} AND due_at <= now()
              ORDER BY due_at LIMIT :batch FOR UPDATE SKIP LOCKED)
            RETURNING {self.columns}
            """  # noqa: S608 - our own names
        )
