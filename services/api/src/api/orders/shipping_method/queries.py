"""Reads of shipping methods."""

from shared.database.engine import Connection
from sqlalchemy import text

from api.orders.shipping_method.rates import Rate, Tariffs, rates


async def read_rates(
    connection: Connection, tariffs: Tariffs, code: str | None = None
) -> list[Rate]:
    """All of them, or those of one method."""
    rows = await connection.execute(_RATES, {"code": code})
    here = {key: n for key, n in tariffs.items() if code in (None, key[0])}
    return rates(map(dict, rows), here)


_RATES = text(
    """
    SELECT code, name, countries, currency, price, tax_bp, free_from, carrier, service
    FROM shipping_methods WHERE code = coalesce(:code, code)
    ORDER BY code, currency, countries
    """
)
