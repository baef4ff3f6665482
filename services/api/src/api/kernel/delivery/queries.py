"""Reads of deliveries."""

from typing import Any

from shared.contracts.errors import NotFound
from shared.database.engine import Connection
from sqlalchemy import text

from api.kernel.delivery import schemas as shown
from api.kernel.feed.queries import Position


def known_position(delivery_id: str) -> Position:
    """Raises `NotFound`."""
    try:
        return Position.parse(delivery_id)
    except ValueError:
        raise NotFound("such delivery") from None


async def read_delivery(
    connection: Connection, endpoint_id: str, delivery_id: str
) -> shown.Delivery:
    """Raises `NotFound`."""
    position = known_position(delivery_id)
    values = {
        "endpoint": endpoint_id,
        "transaction_id": position.transaction_id,
        "id": position.id,
    }
    row = (await connection.execute(_ONE, values)).one_or_none()
    if row is None:
        raise NotFound(f"delivery {delivery_id} of {endpoint_id}")
    return show_delivery(row)


def show_delivery(row: Any) -> shown.Delivery:
    return shown.Delivery(
        **{name: row[name] for name in _AS_THEY_ARE},
        id=str(Position(row.transaction_id, row.event_id)),
        next_attempt_at=row.due_at if row.status == "pending" else None,
    )


_AS_THEY_ARE = (
    *("type", "subject", "status", "attempts", "first_attempt_at", "last_attempt_at"),
    *("response_status", "response_head", "latency_ms", "error"),
)
_SHOWN = f"""
SELECT transaction_id, event_id, due_at, {", ".join(_AS_THEY_ARE)}
FROM webhook_deliveries
"""  # noqa: S608 - our own names
_ONE = text(
    _SHOWN
    + """
    WHERE endpoint = :endpoint AND transaction_id = :transaction_id AND event_id = :id
    """
)
_FILTERED = """
    WHERE endpoint = :endpoint
      AND (cast(:type AS text) IS NULL OR type LIKE :type)
      AND (cast(:subject AS text) IS NULL OR subject = :subject)
      AND (cast(:transaction_id AS bigint) IS NULL
           OR (transaction_id, event_id) < (:transaction_id, :id))
"""
_NEWEST_FIRST = "ORDER BY transaction_id DESC, event_id DESC LIMIT :rows"
PAGE = text(f"{_SHOWN} {_FILTERED} {_NEWEST_FIRST}")
# Without the first condition the index of the few that are not done would not serve.
PAGE_OF_STATUS = {
    "succeeded": text(f"{_SHOWN} {_FILTERED} AND status = 'succeeded' {_NEWEST_FIRST}"),
    **{
        status: text(
            f"{_SHOWN} {_FILTERED} AND status <> 'succeeded' AND status = '{status}'"
            f" {_NEWEST_FIRST}"
        )
        for status in ("pending", "failed")
    },
}
