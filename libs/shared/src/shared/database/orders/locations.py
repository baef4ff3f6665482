"""Checks locations that commands name."""

from sqlalchemy import text

from shared.contracts.errors import Refusal
from shared.database.engine import Connection

_SHOWN = 20


async def check_location(connection: Connection, code: str) -> None:
    """Check that stock may be booked at a location. Raises `Refusal` unknown-location,
    inactive-location; both list the usable locations."""
    active = await connection.scalar(_ACTIVE, {"code": code})
    if active:
        return
    usable = await usable_locations(connection, code)
    instead = f"Use one of: {', '.join(usable)}. Else" if usable else "First"
    if active is None:
        raise Refusal(
            "unknown-location",
            f"There is no location {code}. {instead} create it: {_PUT}",
            locations=usable,
        )
    raise Refusal(
        "inactive-location",
        f"{code} is not active. {instead} activate it: {_PUT}",
        locations=usable,
    )


async def usable_locations(connection: Connection, code: str) -> list[str]:
    """The usable locations; one that differs from `code` by capitals alone comes
    first."""
    values = {"code": code, "shown": _SHOWN}
    return list(await connection.scalars(_USABLE, values))


_PUT = "PUT /v1/locations/…, or `orders locations put`."
_ACTIVE = text("SELECT active FROM locations WHERE code = :code")
_USABLE = text(
    """
    SELECT code FROM locations WHERE active
    ORDER BY lower(code) <> lower(:code), priority, code LIMIT :shown
    """
)
