"""The one kind of transaction in which facts change.

lock the subject → done under this key already? then the stored answer → change →
rows, events, version, and the answer under the key → commit → NOTIFY

So a repeat has no second effect, a subject's events have no gaps, and whoever listens
hears of a change once it is true. Four round trips, if the change reads nothing more:
BEGIN takes the lock along, one statement reads, one writes, and NOTIFY follows COMMIT.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.sql import Executable, TextClause

from shared.contracts.errors import NotFound
from shared.database.engine import Connection, Engine, literal, retry_serialization
from shared.database.kernel.tables import Base, Event, Message, ProcessedCommand
from shared.database.kernel.writes import Writes
from shared.database.rows import Row, Rows

R = TypeVar("R", bound=BaseModel)


class Done(BaseModel):
    """The answer of a change that has none to give."""


CHANNEL = "changes"
"""Where the id of every changed subject is announced."""
MESSAGES = "messages"
"""Where it is announced that there are messages to send."""


class UnitOfWork:
    """A transaction that holds its subject's lock: the events and rows that it will
    write, and a connection for queries in between."""

    def __init__(
        self,
        connection: Connection,
        subject: str,
        actor: str,
        process: str,
        snapshot: str | None = None,
    ) -> None:
        """`snapshot` is the subject as JSON, read under the lock."""
        self.connection: Connection = _WritesFirst(connection, self.flush)
        self.subject = subject
        self.actor = actor
        self.process = process
        self.snapshot = snapshot
        self.events: list[dict[str, Any]] = []
        self._plain = connection
        self._writes = Writes()

    def event(self, type: str, **data: object) -> None:
        """Append to the timeline. `data` holds ids, quantities and amounts only."""
        self.events.append({"type": type, "data": data})

    async def insert(
        self,
        table: type[Base],
        *rows: Mapping[str, object],
        or_add: str | None = None,
    ) -> None:
        """Rows by their columns; where a row is there already, its counter `or_add` is
        raised instead. Raises `LookupError` where the table has no such column."""
        if self._writes.need_sending_before(table, None):
            await self.flush()
        for row in rows:
            self._writes.insert(table, row, or_add)

    async def update(
        self,
        table: type[Base],
        row: str | Mapping[str, object],
        *,
        add: Mapping[str, int] | None = None,
        **columns: object,
    ) -> None:
        """Set `columns` of one row, and add to its counters. `row` is the row's id, or
        its key by columns. Raises `LookupError` where the table has no such column."""
        key = {"id": row} if isinstance(row, str) else row
        amounts = {name: amount for name, amount in (add or {}).items() if amount}
        if not amounts and not columns:
            return
        if self._writes.need_sending_before(table, key):
            await self.flush()
        if not self._writes.update(table, key, columns, amounts):
            await self.flush()
            self._writes.update(table, key, columns, amounts)

    async def ask(self, statement: Executable, values: Mapping[str, Any]) -> Rows:
        """Query what this change does not write. Nothing collected is sent before, so
        it stays one statement."""
        return await self._plain.execute(statement, values)

    async def flush(self) -> None:
        """Send the collected rows, so that later queries see them."""
        if self._writes:
            statement, arguments = self._writes.take()
            await self._plain.run(statement, arguments)


class _WritesFirst(Connection):
    """A connection that sends collected rows before it runs a statement."""

    def __init__(
        self, connection: Connection, flush: Callable[[], Awaitable[None]]
    ) -> None:
        super().__init__(connection.driver)
        self._flush = flush

    async def execute(
        self, statement: Executable, values: Mapping[str, Any] | None = None
    ) -> Rows:
        await self._flush()
        return await super().execute(statement, values)

    async def count(
        self, statement: Executable, values: Mapping[str, Any] | None = None
    ) -> int:
        await self._flush()
        return await super().count(statement, values)


async def change(
    engine: Engine,
    subjects: type[Base],
    subject: str,
    *,
    key: str | None,
    actor: str,
    apply: Callable[[UnitOfWork], Awaitable[R]],
    result: type[R],
    snapshot: str = "NULL",
    afterwards: Callable[[UnitOfWork], Awaitable[None]] | None = None,
) -> R:
    """Apply a change to `subject`, a row of `subjects`, once for `key`. `snapshot` is
    SQL that reads what `UnitOfWork.snapshot` is of `:subject`. `afterwards` sees what
    has changed, before it is committed; not where the key was applied before.

    Safe to repeat: the same `key` returns the first answer; with `None` it is `apply`
    that finds out whether it is done. Raises `NotFound`, and what `apply` raises; then
    nothing has changed.
    """

    async def once() -> R:
        lock = _locking(subjects.__tablename__, subject)
        async with (
            engine.connect() as connection,
            connection.transaction(lock) as announced,
        ):
            # A statement of its own: only now, with the lock held, does a new
            # snapshot show what the previous holder of the lock committed.
            known = await _read(connection, subjects, subject, key, snapshot)
            if known.answer is not None:
                return result.model_validate_json(known.answer)
            work = UnitOfWork(
                connection, subject, actor, subjects.owner, known.snapshot
            )
            answer = await apply(work)
            if work.events or key is not None:
                await _record(work, subjects, known, key, answer)
            await work.flush()
            if afterwards is not None:
                await afterwards(work)
            if work.events:
                announced.extend(_announcements(work, subjects))
        if work.events:
            subjects.committed(work.events, known.age)
        return answer

    return await retry_serialization(once)


def _locking(table: str, subject: str) -> str:
    return f"BEGIN; SELECT FROM {table} WHERE id = {literal(subject)} FOR UPDATE"


async def _read(
    connection: Connection,
    subjects: type[Base],
    subject: str,
    key: str | None,
    snapshot: str,
) -> Row:
    """Read the snapshot and any stored answer, under the lock. Raises `NotFound`."""
    reading = _reading(subjects.__tablename__, snapshot)
    rows = await connection.execute(reading, {"subject": subject, "key": key})
    if not rows:
        raise NotFound(subject)
    return rows.one()


@cache
def _reading(table: str, snapshot: str) -> TextClause:
    return text(
        f"""
        SELECT t.version, now() AS now,
          greatest(
            cast(cast(pg_current_xact_id() AS text) AS bigint),
            (SELECT transaction_id FROM events
             WHERE subject = t.id AND seq = t.version
               -- Not one that came with a dump of another server.
               AND transaction_id < cast(cast(
                 pg_snapshot_xmax(pg_current_snapshot()) AS text) AS bigint))
          ) AS transaction_id,
          cast(extract(epoch FROM now() - t.created_at) AS float8) AS age,
          (SELECT result::text FROM applied WHERE key = cast(:key AS text)) AS answer,
          ({snapshot}) AS snapshot
        FROM {table} t WHERE t.id = :subject
        """  # noqa: S608 - our own words
    )


async def _record(
    work: UnitOfWork,
    subjects: type[Base],
    known: Row,
    key: str | None,
    answer: BaseModel,
) -> None:
    numbered = [
        {"subject": work.subject, "seq": seq, "type": event["type"]}
        for seq, event in enumerate(work.events, known.version + 1)
    ]
    # Whoever waits for the lock may have begun before the one who held it, and comes
    # after it in the feed all the same.
    told = {"actor": work.actor, "transaction_id": known.transaction_id}
    about = zip(numbered, work.events, strict=True)
    await work.insert(Event, *({**n, **told, "data": e["data"]} for n, e in about))
    owner = {"process": work.process}
    notified = [n for n in numbered if n["type"] in subjects.notified_events]
    await work.insert(Message, *({**n, **owner} for n in notified))
    if key is not None:
        result = answer.model_dump(mode="json")
        done = {"key": key, "subject": work.subject, "result": result}
        await work.insert(ProcessedCommand, {**done, **owner})
    if numbered:
        # Otherwise nothing has happened to the subject, and it stays as it was read.
        await work.update(
            subjects,
            work.subject,
            version=known.version + len(numbered),
            updated_at=known.now,
        )


def _announcements(work: UnitOfWork, subjects: type[Base]) -> list[str]:
    """After the commit and not within it: a commit with NOTIFY in it takes a lock that
    all such commits queue for."""
    types = {event["type"] for event in work.events}
    channels = [CHANNEL]
    if not types.isdisjoint(subjects.notified_events):
        channels.append(MESSAGES)
    return [f"NOTIFY {channel}, {literal(work.subject)}" for channel in channels]
