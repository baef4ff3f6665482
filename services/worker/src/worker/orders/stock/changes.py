"""Reserving stock and giving it back.

Rows are locked in one fixed order, SKU then location, with the demand of an order
summed up first, so that two orders never wait for each other in a circle (S1).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from shared.contracts.errors import Refusal
from shared.contracts.orders.sourcing import Supply
from shared.contracts.orders.states import OrderStatus
from shared.database.kernel.unit_of_work import UnitOfWork
from shared.database.orders import stock
from shared.database.orders.snapshot import Line, OrderSnapshot
from shared.database.orders.stock import SUPPLY, allocate
from shared.database.orders.tables import (
    OrderLine,
    Reservation,
    Stock,
    StockMovement,
)
from sqlalchemy import text

CLAIMED = text(stock.CLAIMED)


def is_covered(order: OrderSnapshot) -> bool:
    """Whether some of its money is held, or it costs nothing. Any other order may never
    be paid."""
    return order.total == 0 or any(payment.held for payment in order.payments)


async def is_lapsed(change: UnitOfWork, order: OrderSnapshot) -> bool:
    """Whether it lost its stock for lack of payment, and is still unpaid."""
    if order.status is not OrderStatus.PLACED or is_covered(order):
        return False
    return bool(await change.connection.scalar(_IS_LAPSED, {"order_id": order.id}))


_IS_LAPSED = text(
    "SELECT EXISTS (SELECT FROM events WHERE subject = :order_id"
    " AND type = 'stock.released')"
)


async def note_allocated(change: UnitOfWork) -> bool:
    """Note that the first attempt to reserve is made. Returns `False` if it was."""
    noted = await change.connection.count(
        _ALLOCATED, {"key": f"{change.subject}:reserve", "subject": change.subject}
    )
    return noted == 1


_ALLOCATED = text(
    "INSERT INTO applied (key, subject, result) VALUES (:key, :subject, '{}')"
    " ON CONFLICT DO NOTHING"
)


async def reserve_missing(change: UnitOfWork, order: OrderSnapshot, key: str) -> int:
    """Reserve what the order's short lines need, as far as stock is free and no earlier
    order waits for it. Returns the units reserved."""
    wanted = [line for line in order.lines if line.short > 0]
    if not wanted:
        return 0
    skus = {line.sku for line in wanted}
    supply = await _lock_supply(change, order.id, skus)
    claimed = await _claimed_before(change, order, skus)
    begun = {reservation.location for reservation, _ in order.unplanned()}
    taken = allocate(wanted, supply, claimed, begun)
    reserved = sum(units for _, _, units in taken)
    if reserved < order.short and await is_lapsed(change, order):
        return 0  # all or nothing: an unpaid order must not hold a part
    for line, location, units in taken:
        await _take(change, order.id, line, location, units)
    await move_stock(
        change,
        key,
        "reserve",
        ((line.sku, location, 0, units) for line, location, units in taken),
    )
    return reserved


async def _lock_supply(
    change: UnitOfWork, order_id: str, skus: set[str]
) -> list[Supply]:
    """Lock all rows of these SKUs, also those without free units, since later
    statements lock some of them again."""
    values = {"order_id": order_id, "skus": sorted(skus)}
    return [
        Supply(**dict(row))
        for row in await change.connection.execute(_LOCK_SUPPLY, values)
    ]


_TO = "(SELECT ship_to->>'country' FROM contacts WHERE order_id = :order_id)"
_LOCK_SUPPLY = text(
    f"""
    WITH locked AS (
      SELECT sku, location, on_hand, reserved FROM stock
      WHERE sku = ANY(:skus) ORDER BY sku, location FOR UPDATE)
    {SUPPLY.format(stock="locked", country=_TO)}
    """  # noqa: S608 - our own words
)


async def _lock_free_stock(
    change: UnitOfWork, skus: set[str]
) -> dict[tuple[str, str], int]:
    """Units that nobody has reserved, by SKU and location."""
    rows = await change.connection.execute(_LOCK_STOCK, {"skus": sorted(skus)})
    return {(row.sku, row.location): row.units for row in rows}


_LOCK_STOCK = text(
    "SELECT sku, location, on_hand - reserved AS units FROM stock"
    " WHERE sku = ANY(:skus) ORDER BY sku, location FOR UPDATE"
)


async def _claimed_before(
    change: UnitOfWork, order: OrderSnapshot, skus: set[str]
) -> Mapping[str, int]:
    """Units, by SKU, that other orders wait for and get first: covered orders, then
    older ones."""
    rows = await change.connection.execute(
        CLAIMED,
        {
            "skus": sorted(skus),
            "placed_at": order.created_at,
            "order_id": order.id,
            "covered": is_covered(order),
        },
    )
    return {row.sku: row.units for row in rows}


async def _take(
    change: UnitOfWork, order_id: str, line: Line, location: str, units: int
) -> None:
    row = {
        "order_id": order_id,
        "line": line.line,
        "location": location,
        "sku": line.sku,
        "qty": units,
    }
    await change.insert(Reservation, row, or_add="qty")
    await add_to_line(change, order_id, line.line, reserved=units)


async def give_back(
    change: UnitOfWork,
    order_id: str,
    line: Line,
    location: str,
    units: int,
    *,
    shipped: int = 0,
) -> None:
    """Take `units` out of a reservation, of which `shipped` have left the house. The
    caller moves the stock itself."""
    reservation = {
        "order_id": order_id,
        "line": line.line,
        "location": location,
        "units": units,
    }
    await change.connection.execute(_TAKE_OUT, reservation)
    await add_to_line(change, order_id, line.line, reserved=-units, shipped=shipped)


_TAKE_OUT = text(
    """
    WITH gone AS (
      DELETE FROM reservations WHERE order_id = :order_id
        AND line = :line AND location = :location AND qty <= :units)
    UPDATE reservations SET qty = qty - :units WHERE order_id = :order_id
      AND line = :line AND location = :location AND qty > :units
    """
)


async def reserve_elsewhere(
    change: UnitOfWork,
    key: str,
    order_id: str,
    units: Sequence[tuple[Line, int]],
    here: str,
    there: str,
) -> None:
    """Reserve units of lines at another location instead. Orders that wait for stock
    lose and gain nothing. Raises `Refusal` quantity-exceeded."""
    wanted: Counter[str] = Counter()
    for line, n in units:
        wanted[line.sku] += n
    free = await _lock_free_stock(change, {*wanted})
    missing = {sku: n - free.get((sku, there), 0) for sku, n in wanted.items()}
    lacking = [(sku, n) for sku, n in sorted(missing.items()) if n > 0]
    if lacking:
        named = ", ".join(f"{n} × {sku}" for sku, n in lacking)
        raise Refusal(
            "quantity-exceeded",
            f"Too few units are free at {there}: {named} missing. Receive them there"
            " first, or choose another location.",
            missing=[{"sku": sku, "quantity": n} for sku, n in lacking],
        )
    for line, n in units:
        await give_back(change, order_id, line, here, n)
        await _take(change, order_id, line, there, n)
    moves = [
        (sku, place, 0, sign * n)
        for place, sign in ((here, -1), (there, 1))
        for sku, n in wanted.items()
    ]
    await move_stock(change, key, "move", moves)


async def add_to_line(
    change: UnitOfWork, order_id: str, line: int, **units: int
) -> None:
    """Add to counters of an order line, by their column names."""
    await change.update(OrderLine, {"order_id": order_id, "line": line}, add=units)


async def move_stock(
    change: UnitOfWork,
    key: str,
    reason: str,
    moves: Iterable[tuple[str, str, int, int]],
) -> None:
    """Change stock, with a movement for each change. `moves` are (sku, location, on
    hand, reserved)."""
    sums: Counter[tuple[str, str, str]] = Counter()
    for sku, location, on_hand, reserved in moves:
        sums[sku, location, "on_hand"] += on_hand
        sums[sku, location, "reserved"] += reserved
    places = sorted({(sku, location) for sku, location, _ in sums})
    if len(places) > 1:
        await _lock_free_stock(change, {sku for sku, _ in places})
    for sku, location in places:
        units = {
            "on_hand": sums[sku, location, "on_hand"],
            "reserved": sums[sku, location, "reserved"],
        }
        if any(units.values()):
            why = {
                "key": f"{key}:{reason}:{sku}:{location}",
                "reason": reason,
                "ref": change.subject,
                "actor": change.actor,
            }
            place = {"sku": sku, "location": location}
            await change.insert(StockMovement, {**why, **place, **units})
            await change.update(Stock, place, add=units)
