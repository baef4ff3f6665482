"""Changes of webhook endpoints, each with an event that says who made it."""

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from shared.contracts.errors import Refusal
from shared.database.engine import Connection, Engine
from shared.database.kernel.tables import WebhookEndpoint
from shared.database.kernel.unit_of_work import CHANNEL, Done, UnitOfWork, change
from sqlalchemy import text

from api.http.problems import Problem
from api.kernel.feed.queries import Position
from api.kernel.standard_webhooks import TEST, new_secret
from api.kernel.webhook_endpoint import schemas as wanted

MOST_ENDPOINTS = 100
"""Each endpoint is a series of several metrics, and a task of the deliverer."""
A_MOMENT = timedelta(minutes=1)
"""A transaction may commit after a younger one, so redelivery begins a little
earlier."""


async def create_endpoint(
    connection: Connection,
    endpoint_id: str,
    new: wanted.NewWebhookEndpoint,
    position: Position,
    actor: str,
) -> None:
    """Raises a `Problem`."""
    created = await connection.count(
        _CREATE,
        {
            **new.model_dump(include={"url", "owner_email", "description"}),
            "id": endpoint_id,
            "types": json.dumps(new.types),
            "secret": new.secret or new_secret(),
            "transaction_id": position.transaction_id,
            "event_id": position.id,
            "most": MOST_ENDPOINTS,
        },
    )
    if not created:
        raise Problem("too-many-endpoints", f"There may be {MOST_ENDPOINTS} of them.")
    told = {"id": endpoint_id, "actor": actor, "types": json.dumps(new.types)}
    await connection.execute(_TELL_CREATED, told)
    await wake(connection, endpoint_id)


async def change_endpoint(
    engine: Engine,
    endpoint_id: str,
    patch: Mapping[str, Any],
    actor: str,
) -> None:
    """Raises `NotFound`. Safe to repeat."""

    async def apply(work: UnitOfWork) -> Done:
        await work.update(WebhookEndpoint, endpoint_id, **patch)
        work.event("webhook_endpoint.changed", changed=sorted(patch))
        return Done()

    await _apply(engine, endpoint_id, None, actor, apply)


async def disable_endpoint(
    engine: Engine, endpoint_id: str, key: str, actor: str
) -> None:
    async def apply(work: UnitOfWork) -> Done:
        await work.update(WebhookEndpoint, endpoint_id, status="disabled")
        work.event("webhook_endpoint.disabled")
        return Done()

    await _apply(engine, endpoint_id, key, actor, apply)


async def enable_endpoint(
    engine: Engine, endpoint_id: str, key: str, actor: str
) -> None:
    """Enable it: deliveries continue where they stopped, and retries run for another
    three days."""

    async def apply(work: UnitOfWork) -> Done:
        await work.update(
            WebhookEndpoint,
            endpoint_id,
            status="enabled",
            failures=0,
            failing_since=None,
            rests_until=None,
        )
        await work.connection.execute(_TRY_PENDING_NOW, {"id": endpoint_id})
        work.event("webhook_endpoint.enabled")
        return Done()

    await _apply(engine, endpoint_id, key, actor, apply)


async def rotate_secret(
    engine: Engine, endpoint_id: str, rotation: wanted.Rotation, key: str, actor: str
) -> None:
    async def apply(work: UnitOfWork) -> Done:
        values = {
            "id": endpoint_id,
            "secret": rotation.secret or new_secret(),
            "overlap": timedelta(hours=rotation.overlap_hours),
        }
        await work.connection.execute(_ROTATE, values)
        work.event(
            "webhook_endpoint.secret_rotated", overlap_hours=rotation.overlap_hours
        )
        return Done()

    await _apply(engine, endpoint_id, key, actor, apply)


async def delete_endpoint(engine: Engine, endpoint_id: str, actor: str) -> None:
    """Raises `NotFound`. The deliverer deletes its deliveries later, bit by bit."""

    async def apply(work: UnitOfWork) -> Done:
        await work.connection.execute(_DELETE, {"id": endpoint_id})
        work.event("webhook_endpoint.deleted")
        return Done()

    await _apply(engine, endpoint_id, None, actor, apply)


async def _apply(
    engine: Engine,
    endpoint_id: str,
    key: str | None,
    actor: str,
    apply: Callable[[UnitOfWork], Awaitable[Done]],
) -> None:
    await change(
        engine,
        WebhookEndpoint,
        endpoint_id,
        key=key,
        actor=actor,
        apply=apply,
        result=Done,
    )


async def send_test(connection: Connection, endpoint_id: str) -> str:
    """Queue a test before all pending deliveries. Returns the delivery's id. Raises
    `Refusal` wrong-state."""
    row = (
        await connection.execute(_TEST, {"id": endpoint_id, "type": TEST})
    ).one_or_none()
    if row is None:
        raise not_enabled()
    await wake(connection, endpoint_id)
    return str(Position(row.transaction_id, 0))


async def redeliver_since(
    connection: Connection, endpoint_id: str, since: datetime
) -> None:
    """Move the endpoint back to that time in the feed. Raises `Refusal` wrong-state."""
    values = {"id": endpoint_id, "since": since - A_MOMENT}
    if not await connection.count(_REWIND, values):
        raise not_enabled()
    await wake(connection, endpoint_id)


def not_enabled() -> Refusal:
    return Refusal("wrong-state", "Enable the endpoint first: nothing is sent to it.")


async def wake(connection: Connection, endpoint_id: str) -> None:
    """Wake the deliverer after the commit."""
    await connection.execute(_WAKE, {"channel": CHANNEL, "id": endpoint_id})


_WAKE = text("SELECT pg_notify(:channel, :id)")
_CREATE = text(
    """
    INSERT INTO webhook_endpoints (id, url, owner_email, description, types, secret,
      transaction_id, event_id)
    SELECT :id, :url, :owner_email, :description, cast(:types AS jsonb), :secret,
      :transaction_id, :event_id
    WHERE (SELECT count(*) FROM webhook_endpoints) < :most
    """
)
_TELL_CREATED = text(
    """
    INSERT INTO events (subject, seq, type, actor, data)
    VALUES (:id, 1, 'webhook_endpoint.created', :actor,
      jsonb_build_object('types', cast(:types AS jsonb)))
    """
)
_TRY_PENDING_NOW = text(
    """
    UPDATE webhook_deliveries SET due_at = now(), first_attempt_at = NULL, attempts = 0
    WHERE endpoint = :id AND status = 'pending'
    """
)
_ROTATE = text(
    """
    UPDATE webhook_endpoints SET secret = :secret, previous_secret = secret,
      previous_secret_until = now() + cast(:overlap AS interval)
    WHERE id = :id
    """
)
_DELETE = text("DELETE FROM webhook_endpoints WHERE id = :id")
_TEST = text(
    """
    INSERT INTO webhook_deliveries
      (endpoint, transaction_id, event_id, subject, type, status, due_at)
    SELECT id, (pg_current_xact_id()::text)::bigint, 0, id, :type, 'pending', now()
    FROM webhook_endpoints WHERE id = :id AND status = 'enabled'
    RETURNING transaction_id
    """
)
_REWIND = text(
    """
    UPDATE webhook_endpoints w SET
      transaction_id = CASE WHEN is_back THEN t ELSE transaction_id END,
      event_id = CASE WHEN is_back THEN i ELSE event_id END
    FROM (
      SELECT n.id, t, i, (t, i) < (n.transaction_id, n.event_id) AS is_back
      FROM webhook_endpoints n, (
        SELECT coalesce(max(transaction_id), 0) AS t, coalesce(max(id), 0) AS i FROM (
          SELECT e.transaction_id, e.id FROM events e
          WHERE e.at < cast(:since AS timestamptz)
          ORDER BY e.transaction_id DESC, e.id DESC LIMIT 1) AS last) AS found
      WHERE n.id = :id AND n.status = 'enabled' FOR UPDATE OF n) AS back
    WHERE w.id = back.id
    """
)
