"""Reads of locations."""

from shared.contracts.errors import Refusal
from shared.database.engine import Connection
from shared.database.orders.locations import usable_locations
from sqlalchemy import text

from api.orders.location.schemas import Location, LocationQuery


async def read_location(connection: Connection, code: str) -> Location:
    """Raises `Refusal` not-found, which lists the locations that exist."""
    row = (await connection.execute(_ONE, {"code": code})).one_or_none()
    if row is None:
        known = await usable_locations(connection, code)
        use = f" Use one of: {', '.join(known)}." if known else ""
        raise Refusal(
            "not-found", f"There is no location {code}.{use}", locations=known
        )
    return Location.model_validate(dict(row))


async def page_of_locations(
    connection: Connection, query: LocationQuery, after: str | None
) -> list[Location]:
    """One more than the page holds."""
    values = {"active": query.active, "after": after, "rows": query.limit + 1}
    rows = await connection.execute(_LIST, values)
    return [Location.model_validate(dict(row)) for row in rows]


async def skus_waited_for(connection: Connection, code: str) -> list[str]:
    """SKUs at a location that live orders lack units of."""
    return list(await connection.scalars(_WAITED_FOR, {"code": code}))


_COLUMNS = "SELECT code, name, address, active, priority, safety_stock FROM locations"
_ONE = text(f"{_COLUMNS} WHERE code = :code")
_LIST = text(
    f"""
    {_COLUMNS}
    WHERE (cast(:active AS boolean) IS NULL OR active = :active)
      AND (cast(:after AS text) IS NULL OR code > :after)
    ORDER BY code LIMIT :rows
    """
)
_WAITED_FOR = text(
    """
    SELECT DISTINCT l.sku FROM order_lines l JOIN orders o ON o.id = l.order_id
      JOIN stock s ON s.sku = l.sku AND s.location = :code AND s.on_hand > s.reserved
    WHERE o.status IN ('placed', 'confirmed')
      AND l.cancelled + l.reserved + l.shipped < l.qty
    """
)
