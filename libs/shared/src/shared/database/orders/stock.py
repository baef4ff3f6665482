"""SQL and rules of who gets stock, how much and from where, for placing and for the
worker."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from shared.contracts.orders.sourcing import Supply, source
from shared.database.orders.snapshot import Line

SUPPLY = """
    SELECT s.sku, s.location, s.on_hand - s.reserved - p.safety_stock AS units,
      p.priority, p.address->>'country' IS DISTINCT FROM {country} AS abroad
    FROM {stock} s JOIN locations p ON p.code = s.location
    WHERE p.active AND s.on_hand - s.reserved > p.safety_stock
"""
"""SQL: what active locations can give to an order for `country`, as `Supply`."""
IS_SUPPLIED = """
    EXISTS (SELECT FROM stock s JOIN locations p ON p.code = s.location
            WHERE s.sku = {sku} AND p.active
              AND s.on_hand - s.reserved > p.safety_stock)
"""
"""SQL: whether any location can give a unit of a SKU."""

# An order waits for stock if it has a hold, or may be sent in parts.
WAITS_FOR_STOCK = """
    o.status IN ('placed', 'confirmed') AND (o.ship_partial OR EXISTS (
      SELECT FROM holds h WHERE h.subject = o.id AND h.reason = 'stock'
        AND h.released_at IS NULL))
"""
COVERED = """
    (o.total = 0 OR EXISTS (SELECT FROM payments p WHERE p.order_id = o.id
                            AND p.authorized > p.captured + p.released))
"""
"""SQL: some of its money is held, or it costs nothing."""
# It lost its stock for lack of payment (`worker/orders/stock/unpaid.py`).
_LAPSED = f"""
    o.status = 'placed' AND NOT {COVERED} AND EXISTS (
      SELECT FROM events e WHERE e.subject = o.id AND e.type = 'stock.released')
"""
CLAIMED = f"""
    SELECT l.sku,
      cast(sum(l.qty - l.cancelled - l.reserved - l.shipped) AS int) AS units
    FROM order_lines l JOIN orders o ON o.id = l.order_id
    WHERE l.sku = ANY(:skus) AND l.cancelled + l.reserved + l.shipped < l.qty
      AND o.id <> :order_id AND {WAITS_FOR_STOCK} AND NOT ({_LAPSED})
      AND ((o.created_at, o.id) < (:placed_at, :order_id) AND NOT :covered
           OR {COVERED} AND (NOT :covered
                             OR (o.created_at, o.id) < (:placed_at, :order_id)))
    GROUP BY l.sku
"""  # noqa: S608 - our own condition
"""SQL: units, by SKU, that other orders wait for and get first: covered orders, then
older ones."""


class Taken(NamedTuple):
    """Units of a line that are reserved at a location."""

    line: Line
    location: str
    units: int


def allocate(
    lines: Sequence[Line],
    supply: Sequence[Supply],
    claimed: Mapping[str, int],
    begun: Collection[str] = (),
) -> list[Taken]:
    """Choose stock for what the lines are short of, as far as there is and no other
    order comes first, from the locations that `shared.contracts.orders.sourcing` picks.
    `begun` are locations that send a parcel of the order anyway."""
    short, there = Counter[str](), Counter[str]()
    for line in lines:
        short[line.sku] += line.short
    for offer in supply:
        there[offer.sku] += offer.units
    demand = {
        sku: min(units, there[sku] - claimed.get(sku, 0))
        for sku, units in short.items()
    }
    given: dict[str, dict[str, int]] = {}
    for sku, location, units in source(demand, supply, begun):
        given.setdefault(sku, {})[location] = units
    return [
        Taken(line, location, units)
        for line in lines
        for location, units in _shared_out(given.get(line.sku, {}), line.short)
    ]


def _shared_out(given: dict[str, int], units: int) -> list[tuple[str, int]]:
    """Take up to `units` from the locations' supply, and remove them from it."""
    taken = []
    for location, there in given.items():
        part = min(units, there)
        if part:
            taken.append((location, part))
            given[location] -= part
            units -= part
    return taken
