"""Works off tables that are backlogs: webhooks, messages.

Such a table has `due_at` and `attempts`. One statement claims what is due, and also
stores how the previous rows ended. NOTIFY wakes the runners at once; a slow poll finds
what is due later, and makes up for lost notifications.
"""

import asyncio
import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from shared.database.engine import Engine, literal
from shared.database.listen import Listener, Wake
from shared.database.rows import Row, Rows
from sqlalchemy import TextClause, text

log = logging.getLogger(__name__)

BATCH = 20
LOOK_EVERY_SECONDS = 10.0
LONGEST_PAUSE = timedelta(hours=1)

Outcome = Mapping[str, Any]
"""How a row ended, by column: those that name it, and those that `settle` writes."""


class Backlog(ABC):
    """Any number may run side by side; each row is claimed by one at a time."""

    channel: ClassVar[str]
    table: ClassVar[str]
    key: ClassVar[str]
    """The columns that name a row."""
    open: ClassVar[str]
    """The condition for an open row. `:kinds` are those that are handled."""
    outcome: ClassVar[str]
    """The columns, with their types, of how a row ended."""
    settle: ClassVar[str]
    """The statement that writes down what is in `done`, of which `outcome` tells."""
    columns: ClassVar[str]
    """The columns that working on a row needs."""
    owner: ClassVar[str]
    """The column that names a row's owner, and so which of `contexts` it needs."""
    first_pause: ClassVar[timedelta]
    """How long a claim lasts, and doubles with each attempt. Longer than an attempt
    takes where two at once would do harm."""

    def __init__(
        self,
        engine: Engine,
        listener: Listener,
        kinds: tuple[str, ...],
        contexts: Mapping[str, str],
    ) -> None:
        """`contexts` by `owner`: SQL that reads what else is needed of a row."""
        self._engine = engine
        self._listener = listener
        self._kinds = kinds
        self._settle_and_claim = self._settling_and_claiming(contexts)

    async def run(self) -> None:
        """Runs until cancelled; what was claimed then is tried again later."""
        with self._listener.subscribe(self.channel) as wake:
            while True:
                try:
                    await self._work_off_all(wake)
                except Exception:
                    log.exception("%s cannot be worked off right now", self.table)
                await wake.wait(LOOK_EVERY_SECONDS)

    async def _work_off_all(self, wake: Wake) -> None:
        """Outcomes are stored with the next claim, since one row may open the way for
        the next of its subject."""
        rows = await self._next()
        while rows:
            outcomes = await self._work(rows)
            wake.forget()
            rows = await self._next(outcomes)

    async def work_off_batch(self) -> int:
        """Returns how many rows were claimed."""
        rows = await self._next()
        if rows:
            await self._next(await self._work(rows), most=0)
        return len(rows)

    async def _work(self, rows: Rows) -> list[Outcome]:
        """Return how the rows ended. An error in one does not stop the others, and
        finished work is stored even if this is cancelled."""
        working = [asyncio.create_task(self.work_off(row)) for row in rows]
        try:
            await asyncio.wait(working)
        except asyncio.CancelledError:
            for task in working:
                task.cancel()
            await asyncio.gather(*working, return_exceptions=True)
            await asyncio.shield(self._next(_ended(working), most=0))
            raise
        broken = [e for task in working if (e := task.exception()) is not None]
        if broken:
            await self._next(_ended(working), most=0)
            raise broken[0]
        return _ended(working)

    async def _next(
        self, outcomes: Sequence[Outcome] = (), *, most: int = BATCH
    ) -> Rows:
        """Settle what was worked off, and claim what is due by now, `most` rows."""
        if not outcomes and not self._kinds:
            return Rows()
        async with self._engine.connect() as connection:
            return await connection.execute(
                self._settle_and_claim,
                {
                    "outcomes": json.dumps(list(outcomes)),
                    "batch": most,
                    "kinds": list(self._kinds),
                    "first": self.first_pause,
                    "longest": LONGEST_PAUSE,
                },
            )

    @abstractmethod
    async def work_off(self, row: Row) -> Outcome:
        """Work off one row and return how it ended; a row that stays open is claimed
        again."""

    def _settling_and_claiming(self, contexts: Mapping[str, str]) -> TextClause:
        cases = [f"WHEN {literal(o)} THEN ({sql})" for o, sql in contexts.items()]
        context = f"CASE {self.owner} {' '.join(cases)} END" if cases else "NULL"
        # Claiming postpones the next try, so a crash in between only delays it.
        return text(
            f"""
            WITH done AS (
              SELECT * FROM jsonb_to_recordset(cast(:outcomes AS jsonb))
                AS d ({self.outcome})
            ), settled AS ({self.settle})
            UPDATE {self.table} SET attempts = attempts + 1,
              due_at = now() + least(cast(:longest AS interval),
                cast(:first AS interval) * power(2, least(attempts, 12)))
            WHERE ({self.key}) IN (
              SELECT {self.key} FROM {self.table}
              WHERE {self.open} AND due_at <= now()
                AND ({self.key}) NOT IN (SELECT {self.key} FROM done)
              ORDER BY due_at LIMIT :batch FOR UPDATE SKIP LOCKED)
            RETURNING {self.columns},
              {context} AS context
            """  # noqa: S608 - our own names
        )


def _ended(working: Sequence["asyncio.Task[Outcome]"]) -> list[Outcome]:
    return [
        task.result()
        for task in working
        if not task.cancelled() and task.exception() is None
    ]
