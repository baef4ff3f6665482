"""The one kind of transaction in which facts change.

lock the subject → done under this key already? then the stored answer → change →
events and version → answer stored under the key → commit → NOTIFY

So a repeat has no second effect, a subject's events have no gaps, and whoever listens
hears of a change once it is true.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel
from sqlalchemy import Insert, Update, bindparam, insert, text, update
from sqlalchemy.sql import TextClause

from shared.contracts.errors import NotFound
from shared.database.engine import Connection, Engine, retry_serialization
from shared.database.kernel.tables import Base

R = TypeVar("R", bound=BaseModel)

CHANNEL = "changes"
"""Where the id of every changed subject is announced."""
MESSAGES = "messages"
"""Where it is announced that there are messages to send."""


class UnitOfWork:
    """A transaction that holds its subject's lock: its connection and its events."""

    def __init__(self, connection: Connection, subject: str, actor: str) -> None:
        self.connection = connection
        self.subject = subject
        self.actor = actor
        self.events: list[dict[str, Any]] = []

    def event(self, type: str, **data: object) -> None:
        """Append to the timeline. `data` holds ids, quantities and amounts only."""
        self.events.append({"type": type, "data": data})

    async def insert(self, table: type[Base], *rows: Mapping[str, object]) -> None:
        """Rows by their columns; all must have the same ones. Raises `LookupError`
        where the table has no such column."""
        for row in rows:
            await self.connection.execute(_inserting(table, tuple(row)), row)

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
        await self.connection.execute(
            _updating(table, tuple(key), tuple(columns), tuple(amounts)),
            {
                **columns,
                **{f"the_{name}": value for name, value in key.items()},
                **{f"more_{name}": amount for name, amount in amounts.items()},
            },
        )


async def change(
    engine: Engine,
    subjects: type[Base],
    subject: str,
    *,
    key: str | None,
    actor: str,
    apply: Callable[[UnitOfWork], Awaitable[R]],
    result: type[R],
) -> R:
    """Apply a change to `subject`, a row of `subjects`, once for `key`.

    Safe to repeat: the same `key` returns the first answer; with `None` it is `apply`
    that finds out whether it is done. Raises `NotFound`, and what `apply` raises; then
    nothing has changed.
    """

    async def once() -> R:
        async with engine.begin() as connection:
            version, age_seconds = await _lock(connection, subjects, subject)
            # A statement of its own: only now, with the lock held, does a new
            # snapshot show what the previous holder of the lock committed.
            stored = await _answer(connection, key)
            if stored is not None:
                return result.model_validate_json(stored)
            work = UnitOfWork(connection, subject, actor)
            answer = await apply(work)
            if work.events or key is not None:
                await _record(work, subjects, version, key, answer)
        if work.events:
            subjects.committed(work.events, age_seconds)
            types = {event["type"] for event in work.events}
            notify = not types.isdisjoint(subjects.notified_events)
            await announce(engine, subject, notify=notify)
        return answer

    return await retry_serialization(once)


# SQLAlchemy analyses a statement where it is made: once, not with every step, which
# took a tenth of the worker's time.
_ANSWER = text("SELECT result::text FROM applied WHERE key = :key")
_ANNOUNCE = text(
    "SELECT pg_notify(channel, :subject)"
    " FROM unnest(cast(:channels AS text[])) AS channel"
)


@cache
def _inserting(table: type[Base], columns: tuple[str, ...]) -> Insert:
    _check_columns(table, columns)
    values: dict[str, Any] = {name: bindparam(name) for name in columns}
    return insert(table.__table__).values(values)  # type: ignore[arg-type]


@cache
def _updating(
    table: type[Base],
    key: tuple[str, ...],
    columns: tuple[str, ...],
    added: tuple[str, ...],
) -> Update:
    _check_columns(table, (*key, *columns, *added))
    column = table.__table__.c
    statement = update(table.__table__).where(  # type: ignore[arg-type]
        *(column[name] == bindparam(f"the_{name}") for name in key)
    )
    return statement.values(
        {name: bindparam(name) for name in columns}
        | {name: column[name] + bindparam(f"more_{name}") for name in added}
    )


def _check_columns(table: type[Base], names: tuple[str, ...]) -> None:
    """SQLAlchemy takes the columns from the parameters, and silently leaves out those
    it does not know."""
    unknown = set(names) - set(table.__table__.c.keys())
    if unknown:
        raise LookupError(f"{table.__tablename__} has no {', '.join(sorted(unknown))}")


@cache
def _locking(table: str) -> TextClause:
    return text(
        f"""
        SELECT version, cast(extract(epoch FROM now() - created_at) AS float8) AS age
        FROM {table} WHERE id = :subject FOR UPDATE
        """  # noqa: S608 - our own name
    )


@cache
def _recording(table: str) -> TextClause:
    return text(
        f"""
        WITH event AS (
            INSERT INTO events (subject, seq, type, actor, data)
            SELECT :subject, :version + e.n, e.event ->> 'type', :actor,
                   e.event -> 'data'
            FROM jsonb_array_elements(cast(:events AS jsonb))
                 WITH ORDINALITY AS e (event, n)
        ), message AS (
            INSERT INTO messages (subject, seq, type)
            SELECT :subject, :version + e.n, e.event ->> 'type'
            FROM jsonb_array_elements(cast(:events AS jsonb))
                 WITH ORDINALITY AS e (event, n)
            WHERE e.event ->> 'type' = ANY(cast(:notified_types AS text[]))
        ), done AS (
            INSERT INTO applied (key, subject, result)
            SELECT :key, :subject, cast(:result AS jsonb)
            WHERE cast(:key AS text) IS NOT NULL
        )
        UPDATE {table}
        SET version = :version + :count, updated_at = now() WHERE id = :subject
        """  # noqa: S608 - our own name
    )


async def _lock(
    connection: Connection, subjects: type[Base], subject: str
) -> tuple[int, float]:
    """The subject's version, and its age in seconds."""
    locked = await connection.execute(
        _locking(subjects.__tablename__), {"subject": subject}
    )
    row = locked.one_or_none()
    if row is None:
        raise NotFound(subject)
    return row.version, row.age


async def _answer(connection: Connection, key: str | None) -> str | None:
    if key is None:
        return None
    stored = await connection.scalar(_ANSWER, {"key": key})
    return None if stored is None else str(stored)


async def _record(
    work: UnitOfWork,
    subjects: type[Base],
    version: int,
    key: str | None,
    answer: BaseModel,
) -> None:
    await work.connection.execute(
        _recording(subjects.__tablename__),
        {
            "subject": work.subject,
            "version": version,
            "actor": work.actor,
            "events": json.dumps(work.events),
            "count": len(work.events),
            "notified_types": sorted(subjects.notified_events),
            "key": key,
            "result": answer.model_dump_json(),
        },
    )


async def announce(engine: Engine, subject: str, *, notify: bool = False) -> None:
    """Wake whoever waits for `subject`, and with `notify` whoever sends messages. Not
    within the change's own transaction: a commit with NOTIFY in it takes a lock that
    all such commits queue for."""
    async with engine.connect() as connection:
        await connection.execute(
            _ANNOUNCE,
            {
                "channels": [CHANNEL, MESSAGES] if notify else [CHANNEL],
                "subject": subject,
            },
        )
