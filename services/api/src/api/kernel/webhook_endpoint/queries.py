"""Reads of webhook endpoints."""

from datetime import UTC, datetime
from typing import Any

from shared.contracts.errors import NotFound
from shared.database.engine import Connection
from sqlalchemy import text

from api.http.dependencies import Dependencies
from api.kernel.feed.queries import Position
from api.kernel.webhook_endpoint import schemas as shown


async def read_endpoint(deps: Dependencies, endpoint_id: str) -> shown.WebhookEndpoint:
    """Raises `NotFound`."""
    async with deps.engine.connect() as connection:
        return await read_endpoint_by(connection, endpoint_id)


async def read_endpoint_by(
    connection: Connection, endpoint_id: str
) -> shown.WebhookEndpoint:
    """Raises `NotFound`."""
    row = (await connection.execute(ONE, {"id": endpoint_id})).one_or_none()
    if row is None:
        raise NotFound(f"webhook endpoint {endpoint_id}")
    return show_endpoint(row)


async def read_secret(deps: Dependencies, endpoint_id: str) -> shown.WebhookSecret:
    """Raises `NotFound`."""
    async with deps.engine.connect() as connection:
        row = (await connection.execute(_SECRET, {"id": endpoint_id})).one_or_none()
    if row is None:
        raise NotFound(f"webhook endpoint {endpoint_id}")
    return shown.WebhookSecret(
        secret=row.secret,
        previous=row.previous_secret,
        previous_until=row.previous_secret_until,
    )


def show_endpoint(row: Any) -> shown.WebhookEndpoint:
    until: datetime | None = row.previous_secret_until
    return shown.WebhookEndpoint(
        **{name: row[name] for name in _AS_THEY_ARE},
        position=str(Position(row.transaction_id, row.event_id)),
        previous_secret_until=until if until and until > datetime.now(UTC) else None,
    )


_AS_THEY_ARE = (
    *("id", "url", "description", "owner_email", "types", "status", "failures"),
    *("failing_since", "rests_until", "created_at", "updated_at"),
)
SHOWN = f"""
SELECT {", ".join(_AS_THEY_ARE)}, transaction_id, event_id, previous_secret_until
FROM webhook_endpoints
"""  # noqa: S608 - our own names
ONE = text(SHOWN + " WHERE id = :id")
PAGE = text(
    SHOWN
    + """
    WHERE cast(:after AS text) IS NULL OR id > :after
    ORDER BY id LIMIT :rows
    """
)
_SECRET = text(
    """
    SELECT secret,
      CASE WHEN previous_secret_until > now() THEN previous_secret END
        AS previous_secret,
      CASE WHEN previous_secret_until > now() THEN previous_secret_until END
        AS previous_secret_until
    FROM webhook_endpoints WHERE id = :id
    """
)
