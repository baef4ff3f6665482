"""The deliverer's reads and writes. Every write needs the lease."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.database.engine import Engine
from shared.database.rows import Row
from sqlalchemy import text

from api.kernel.delivery.attempts import Health
from api.kernel.delivery.message import Message, message_of, test_event
from api.kernel.feed.queries import Position

LEASE = timedelta(seconds=30)
MOST_ENDPOINTS_LEASED = 100
"""Endpoints that one deliverer leases; others are left to another one."""


class LeaseLost(Exception):
    """The endpoint is another deliverer's, disabled or deleted."""


@dataclass(frozen=True)
class Pending:
    """A delivery that has a row: it failed, waits behind one, or was asked for."""

    message: Message | None
    """`None` if the event was deleted."""
    position: Position
    type: str
    subject: str
    first_attempt_at: datetime | None
    attempts: int
    is_first: bool
    """Whether it was never delivered before, so that its lag counts."""


@dataclass(frozen=True)
class Look:
    """An endpoint as it is now, and what has a row and is due."""

    url: str
    types: Sequence[str]
    secrets: Sequence[str]
    position: Position
    health: Health
    pending: int
    """How many rows wait."""
    due: Sequence[Pending]
    blocked: frozenset[str]
    """Subjects with a waiting row, which delays their later events."""
    next_due: datetime | None


@dataclass(frozen=True)
class Outcome:
    """How a delivery stands after this round."""

    position: Position
    type: str
    subject: str
    status: str
    attempted: bool
    due_at: datetime | None = None
    response_status: int | None = None
    response_head: str | None = None
    latency_ms: int | None = None
    error: str | None = None


class Store:
    def __init__(self, engine: Engine, me: str, hrefs: Mapping[str, str]) -> None:
        self.engine = engine
        self._me = me
        self._hrefs = hrefs

    async def lease(self) -> frozenset[str]:
        """Lease endpoints for half a minute: those that this deliverer had, and
        unleased ones."""
        values = {"me": self._me, "lease": LEASE, "most": MOST_ENDPOINTS_LEASED}
        async with self.engine.connect() as connection:
            return frozenset(await connection.scalars(_LEASE, values))

    async def release(self) -> None:
        """End the leases, so that another deliverer need not wait."""
        async with self.engine.connect() as connection:
            await connection.execute(_RELEASE, {"me": self._me})

    async def look(self, endpoint: str, limit: int) -> Look:
        """Raises `LeaseLost`."""
        values = {"id": endpoint, "me": self._me, "limit": limit}
        async with self.engine.connect() as connection:
            row = (await connection.execute(_LOOK, values)).one_or_none()
        if row is None:
            raise LeaseLost(endpoint)
        return Look(
            url=row.url,
            types=row.types,
            secrets=[row.secret, *filter(None, [row.previous])],
            position=Position(row.transaction_id, row.event_id),
            health=Health(row.failures, row.failing_since, row.rests_until),
            pending=row.pending,
            due=[self._pending(endpoint, one) for one in row.due],
            blocked=frozenset(row.blocked or ()),
            next_due=row.next_due,
        )

    def _pending(self, endpoint: str, row: Mapping[str, Any]) -> Pending:
        position = Position(row["transaction_id"], row["event_id"])
        first = row["first_attempt_at"]
        event = row["event"]
        if position.id == 0:
            event = test_event(endpoint, position, datetime.now(UTC))
        return Pending(
            message=event and message_of(event, self._hrefs),
            position=position,
            type=row["type"],
            subject=row["subject"],
            first_attempt_at=first and datetime.fromisoformat(first),
            attempts=row["attempts"],
            is_first=row["last_attempt_at"] is None,
        )

    async def settle(
        self,
        endpoint: str,
        outcomes: Sequence[Outcome],
        health: Health,
        moved: tuple[Position, Position],
        *,
        recovered: bool,
    ) -> None:
        """Store the outcome of a round, and the new position in the feed, unless
        somebody has moved the endpoint back meanwhile. Raises `LeaseLost` and stores
        nothing."""
        begin, end = moved
        values = {
            "id": endpoint,
            "me": self._me,
            "outcomes": json.dumps(list(map(_written, outcomes))),
            "failures": health.failures,
            "failing_since": health.failing_since,
            "rests_until": health.rests_until,
            "from_transaction": begin.transaction_id,
            "from_event": begin.id,
            "to_transaction": end.transaction_id,
            "to_event": end.id,
            "now": datetime.now(UTC),
        }
        async with self.engine.begin() as connection:
            if not await connection.scalar(_SETTLE, values):
                raise LeaseLost(endpoint)
            if recovered:
                await connection.execute(_ALL_DUE, {"id": endpoint})

    async def forget(self, endpoint: Row, ages: Mapping[str, timedelta]) -> int:
        """Delete old rows, a batch at a time. Returns how many."""
        statement = _FORGET_OLD if endpoint.exists else _FORGET_ALL
        values = {"endpoint": endpoint.endpoint, **(ages if endpoint.exists else {})}
        async with self.engine.connect() as connection:
            return await connection.count(statement, values)

    async def with_deliveries(self) -> Sequence[Row]:
        """Endpoints that have deliveries, also deleted ones."""
        async with self.engine.connect() as connection:
            return await connection.execute(_WITH_DELIVERIES)


def _written(outcome: Outcome) -> Mapping[str, object]:
    return {
        "transaction_id": outcome.position.transaction_id,
        "event_id": outcome.position.id,
        "type": outcome.type,
        "subject": outcome.subject,
        "status": outcome.status,
        "attempts": int(outcome.attempted),
        "due_at": outcome.due_at and outcome.due_at.isoformat(),
        "response_status": outcome.response_status,
        "response_head": outcome.response_head,
        "latency_ms": outcome.latency_ms,
        "error": outcome.error,
    }


# What is renewed and what is claimed are never the same rows.
_LEASE = text(
    """
    WITH renewed AS (
      UPDATE webhook_endpoints SET leased_until = now() + cast(:lease AS interval)
      WHERE leased_by = :me AND status = 'enabled' AND leased_until > now()
        AND leased_until < now() + cast(:lease AS interval) / 2
    ), claimed AS (
      UPDATE webhook_endpoints
      SET leased_by = :me, leased_until = now() + cast(:lease AS interval)
      WHERE id IN (
        SELECT id FROM webhook_endpoints
        WHERE status = 'enabled' AND (leased_until IS NULL OR leased_until <= now())
        ORDER BY id
        LIMIT greatest(0, :most - (SELECT count(*) FROM webhook_endpoints
          WHERE leased_by = :me AND leased_until > now()))
        FOR UPDATE SKIP LOCKED)
      RETURNING id
    )
    SELECT id FROM webhook_endpoints
    WHERE leased_by = :me AND leased_until > now() AND status = 'enabled'
    UNION SELECT id FROM claimed
    """
)
_RELEASE = text(
    "UPDATE webhook_endpoints SET leased_until = NULL WHERE leased_by = :me"
)
_LOOK = text(
    """
    WITH waiting AS MATERIALIZED (
      SELECT * FROM webhook_deliveries
      WHERE endpoint = :id AND status <> 'succeeded' AND status = 'pending'
    ), heads AS MATERIALIZED (
      SELECT DISTINCT ON (subject) subject, due_at FROM waiting
      ORDER BY subject, transaction_id, event_id
    ), due AS (
      SELECT w.transaction_id, w.event_id, w.type, w.subject, w.first_attempt_at,
        w.last_attempt_at, w.attempts, to_jsonb(e) AS event
      FROM waiting w JOIN heads h ON h.subject = w.subject AND h.due_at <= now()
      LEFT JOIN events e ON e.id = w.event_id
      -- Somebody waits for a test.
      ORDER BY w.event_id = 0 DESC, w.transaction_id, w.event_id LIMIT :limit
    )
    SELECT url, types, secret, transaction_id, event_id, failures, failing_since,
      rests_until,
      CASE WHEN previous_secret_until > now() THEN previous_secret END AS previous,
      (SELECT count(*) FROM waiting) AS pending,
      (SELECT array_agg(subject) FROM heads) AS blocked,
      (SELECT min(due_at) FROM heads) AS next_due,
      coalesce((SELECT jsonb_agg(d ORDER BY d.transaction_id, d.event_id) FROM due d),
        '[]') AS due
    FROM webhook_endpoints
    WHERE id = :id AND leased_by = :me AND leased_until > now() AND status = 'enabled'
    """
)
_SETTLE = text(
    """
    WITH held AS (
      UPDATE webhook_endpoints SET
        transaction_id = CASE
          WHEN (transaction_id, event_id) = (:from_transaction, :from_event)
          THEN :to_transaction ELSE transaction_id END,
        event_id = CASE
          WHEN (transaction_id, event_id) = (:from_transaction, :from_event)
          THEN :to_event ELSE event_id END,
        failures = :failures, failing_since = :failing_since, rests_until = :rests_until
      WHERE id = :id AND leased_by = :me
      RETURNING id
    ), noted AS (
      INSERT INTO webhook_deliveries AS w (endpoint, transaction_id, event_id, type,
        subject, status, attempts, due_at, first_attempt_at, last_attempt_at,
        response_status, response_head, latency_ms, error)
      SELECT held.id, d.transaction_id, d.event_id, d.type, d.subject, d.status,
        d.attempts, d.due_at, at, at, d.response_status, d.response_head, d.latency_ms,
        d.error
      FROM held, jsonb_to_recordset(cast(:outcomes AS jsonb)) AS d (
        transaction_id bigint, event_id bigint, type text, subject text, status text,
        attempts int, due_at timestamptz, response_status smallint, response_head text,
        latency_ms int, error text),
        LATERAL (SELECT CASE WHEN d.attempts > 0 THEN cast(:now AS timestamptz) END
          AS at) AS attempt
      ON CONFLICT (endpoint, transaction_id, event_id) DO UPDATE SET
        status = excluded.status, attempts = w.attempts + excluded.attempts,
        due_at = excluded.due_at,
        first_attempt_at = coalesce(w.first_attempt_at, excluded.first_attempt_at),
        last_attempt_at = coalesce(excluded.last_attempt_at, w.last_attempt_at),
        response_status = excluded.response_status,
        response_head = excluded.response_head, latency_ms = excluded.latency_ms,
        error = excluded.error
    )
    SELECT count(*) FROM held
    """
)
_ALL_DUE = text(
    """
    UPDATE webhook_deliveries SET due_at = now()
    WHERE endpoint = :id AND status <> 'succeeded' AND status = 'pending'
    """
)
_WITH_DELIVERIES = text(
    """
    WITH RECURSIVE each AS (
      SELECT min(endpoint) AS endpoint FROM webhook_deliveries
      UNION ALL
      SELECT (SELECT min(d.endpoint) FROM webhook_deliveries d
              WHERE d.endpoint > each.endpoint)
      FROM each WHERE each.endpoint IS NOT NULL
    )
    SELECT endpoint, EXISTS (SELECT FROM webhook_endpoints e WHERE e.id = endpoint)
      AS exists
    FROM each WHERE endpoint IS NOT NULL
    """
)
_FORGET_ALL = text(
    """
    DELETE FROM webhook_deliveries WHERE (endpoint, transaction_id, event_id) IN (
      SELECT endpoint, transaction_id, event_id FROM webhook_deliveries
      WHERE endpoint = :endpoint LIMIT 1000)
    """
)
# The oldest come first; looking at a few of them finds out whether any is old enough.
_FORGET_OLD = text(
    """
    DELETE FROM webhook_deliveries WHERE (endpoint, transaction_id, event_id) IN (
      SELECT endpoint, transaction_id, event_id FROM (
        SELECT * FROM webhook_deliveries WHERE endpoint = :endpoint
        ORDER BY transaction_id, event_id LIMIT 5000) AS oldest
      WHERE status <> 'pending' AND last_attempt_at < now() -
        CASE status WHEN 'succeeded' THEN cast(:succeeded AS interval)
          ELSE cast(:failed AS interval) END)
    """
)
