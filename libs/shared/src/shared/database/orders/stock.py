"""Who gets stock, and how much of it: what placing and the worker both go by."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from shared.database.orders.snapshot import Line

Free = dict[tuple[str, str], int]
"""Units that nobody has reserved, by SKU and location."""

# An order that waits for stock has a hold, or may be sent in parts.
WAITS_FOR_STOCK = """
    o.status IN ('placed', 'confirmed') AND (o.ship_partial OR EXISTS (
      SELECT FROM holds h WHERE h.subject = o.id AND h.reason = 'stock'
        AND h.released_at IS NULL))
"""
COVERED = """
    (o.total = 0 OR EXISTS (SELECT FROM payments p WHERE p.order_id = o.id
                            AND p.authorized > p.captured + p.released))
"""
"""Some of its money is held, or it costs nothing."""
# It had its stock, and did not pay in time (`worker/orders/stock/unpaid.py`).
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
"""Units, by SKU, that others wait for who are served before this order: the covered
ones first, and then the older ones."""


class Taken(NamedTuple):
    """Units of a line that are reserved at a location."""

    line: Line
    location: str
    units: int


def allocate(
    lines: Iterable[Line], free: Free, claimed: Mapping[str, int]
) -> Iterable[Taken]:
    """What the lines are short of, as far as there is and nobody else comes first.
    Fullest location first, so that an order splits as little as it must."""
    free = dict(free)
    for line in lines:
        there = sum(units for (sku, _), units in free.items() if sku == line.sku)
        missing = min(line.short, there - claimed.get(line.sku, 0))
        places = sorted(
            (place for place in free if place[0] == line.sku),
            key=lambda place: (-free[place], place[1]),
        )
        for place in places:
            units = min(missing, free[place])
            if units > 0:
                free[place] -= units
                missing -= units
                yield Taken(line, place[1], units)
