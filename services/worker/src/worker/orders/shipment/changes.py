"""The transactions of a parcel: picked, moved, shipped, cancelled, missed."""

from collections.abc import Mapping
from datetime import datetime

from shared.contracts.errors import Refusal
from shared.contracts.orders.holds import Decision, HoldReason
from shared.contracts.orders.payloads import CancelShipment, Move, Pack, Ship
from shared.contracts.orders.states import ShipmentStatus
from shared.database.kernel.holds import release_holds
from shared.database.kernel.unit_of_work import Done, UnitOfWork
from shared.database.orders.locations import check_location
from shared.database.orders.snapshot import OrderSnapshot, Shipment
from shared.database.orders.tables import Shipment as ShipmentTable
from shared.database.orders.tables import ShipmentLine

from worker.orders.hold.changes import miss_stock
from worker.orders.options import CLOCKS_APART
from worker.orders.payment import capture
from worker.orders.payment.amounts import paying
from worker.orders.shipment import delivery_exceptions
from worker.orders.shipment.packages import (
    check_is_its_own,
    label_by_hand,
    measure,
)
from worker.orders.shipment.state import held_for, is_ready, watch_until
from worker.orders.stock.changes import give_back, move_stock, reserve_elsewhere
from worker.orders.store import utc_now

# ── packing ─────────────────────────────────────────────────────────────────────


async def pick(change: UnitOfWork, order: OrderSnapshot, *, command: Pack) -> Done:
    """Record what was picked. Opens the capture too, if nothing stops it; else the
    order's workflow opens it later."""
    shipment = order.shipment(command.shipment_id)
    expect(shipment, ShipmentStatus.READY)
    held = held_for(order, shipment)
    if held:
        raise Refusal("on-hold", f"On hold: {', '.join(held)}.", holds=held)
    if order.unscreened:
        raise Refusal("on-hold", "Its contact has changed: it is screened again.")
    picked = {item.line: item.quantity for item in command.lines}
    later = {item.line: item.quantity for item in command.later}
    missing = _missing(shipment, picked, later)
    as_planned = not (missing or later)
    if not as_planned and (shipment.captured_at or paying(order, shipment.id)):
        raise Refusal("wrong-state", "The parcel is paid for as it was planned.")
    if missing:
        await _pick_short(change, order, shipment, missing, command.key)
    if later:
        await _leave_for_later(change, shipment, later)
    if not picked:
        await cancel_shipment(change, shipment)
        return Done()
    await measure(change, shipment, (command.parcel, *command.further))
    change.event(
        "shipment.picked",
        shipment_id=shipment.id,
        lines=[item.model_dump() for item in command.lines],
    )
    if as_planned:
        await capture.begin(
            *(change, order), shipment_id=shipment.id, now=utc_now(), sent=False
        )
    return Done()


async def begin_capture(
    change: UnitOfWork, order: OrderSnapshot, *, shipment_id: str, now: datetime
) -> capture.Begun:
    if not is_ready(order, order.shipment(shipment_id)):
        return capture.Begun()
    return await capture.begin(change, order, shipment_id=shipment_id, now=now)


def expect(shipment: Shipment, *statuses: ShipmentStatus) -> None:
    """Raises `Refusal` wrong-state."""
    if shipment.status not in statuses:
        raise Refusal("wrong-state", f"The shipment is {shipment.status}.")


def _missing(
    shipment: Shipment, picked: Mapping[int, int], later: Mapping[int, int]
) -> dict[int, int]:
    """Units that were planned and not found, by line."""
    planned = {item.line: item.qty for item in shipment.lines if item.qty}
    found = {
        line: picked.get(line, 0) + later.get(line, 0)
        for line in picked.keys() | later.keys()
    }
    if any(units > planned.get(line, 0) for line, units in found.items()):
        raise Refusal(
            "quantity-exceeded",
            "More was picked than belongs in this parcel.",
            planned=[{"line": n, "quantity": units} for n, units in planned.items()],
        )
    return {
        line: units - found.get(line, 0)
        for line, units in planned.items()
        if units > found.get(line, 0)
    }


async def _leave_for_later(
    change: UnitOfWork, shipment: Shipment, later: Mapping[int, int]
) -> None:
    """The units exist and stay reserved: the next parcel is planned for them."""
    for number, units in later.items():
        await leave_out(change, shipment, number, units)
    change.event(
        "shipment.left_for_later",
        shipment_id=shipment.id,
        lines=[{"line": n, "quantity": units} for n, units in later.items()],
    )


async def _pick_short(
    change: UnitOfWork,
    order: OrderSnapshot,
    shipment: Shipment,
    missing: Mapping[int, int],
    key: str,
) -> None:
    """Take units that were not found off the stock, else the next order would be
    promised the same missing units."""
    moves = []
    for number, units in missing.items():
        line = order.line(number)
        await give_back(change, order.id, line, shipment.location, units)
        await leave_out(change, shipment, number, units)
        moves.append((line.sku, shipment.location, -units, -units))
    await move_stock(change, f"{order.id}:{key}", "short_pick", moves)
    change.event(
        "shipment.short_pick",
        shipment_id=shipment.id,
        lines=[{"line": n, "quantity": units} for n, units in missing.items()],
    )
    await miss_stock(change, order.id)


# ── moving ──────────────────────────────────────────────────────────────────────


async def move(change: UnitOfWork, order: OrderSnapshot, *, command: Move) -> Done:
    """Send the whole parcel from another location. Raises `Refusal` wrong-state,
    unknown-location, inactive-location, quantity-exceeded."""
    shipment = order.shipment(command.shipment_id)
    expect(shipment, ShipmentStatus.READY)
    if shipment.parcel is not None:
        raise Refusal("wrong-state", "It is picked: cancel it, and move the next one.")
    here, there = shipment.location, command.location
    if here == there:
        raise Refusal("wrong-state", f"It is at {there} already.")
    await check_location(change.connection, there)
    units = [(order.line(item.line), item.qty) for item in shipment.lines if item.qty]
    key = f"{order.id}:{command.key}"
    await reserve_elsewhere(change, key, order.id, units, here, there)
    await change.update(ShipmentTable, shipment.id, location=there)
    change.event(
        "shipment.moved",
        shipment_id=shipment.id,
        lines=[{"line": line.line, "quantity": n} for line, n in units],
        **{"from": here, "to": there},
    )
    return Done()


# ── shipping ────────────────────────────────────────────────────────────────────


async def ship(change: UnitOfWork, order: OrderSnapshot, *, command: Ship) -> Done:
    """Raises `Refusal` wrong-state, duplicate-reference."""
    shipment = order.shipment(command.shipment_id)
    expect(shipment, ShipmentStatus.PACKED)
    _check_money_is_ours(order)
    typed = command.carrier is not None or command.tracking is not None
    carrier = command.carrier or shipment.carrier
    tracking = command.tracking or shipment.tracking
    if typed and (carrier, tracking) != (shipment.carrier, shipment.tracking):
        await check_is_its_own(change, shipment, 1, command.tracking)
        if shipment.tracked:
            # It goes without the label that was bought, so not under its number either.
            tracking = command.tracking
            await label_by_hand(
                *(change, shipment, shipment.packages[0]),
                carrier=carrier,
                tracking=tracking,
            )
    await send_off(change, order, shipment, carrier=carrier, tracking=tracking)
    return Done()


def _check_money_is_ours(order: OrderSnapshot) -> None:
    """Raises `Refusal` on-hold if the payment is disputed, or differs from the
    provider's books."""
    held = [h.reason for h in order.holds if h.reason in _ABOUT_MONEY]
    if held:
        raise Refusal("on-hold", f"On hold: {', '.join(held)}.", holds=held)


_ABOUT_MONEY = (HoldReason.DISPUTE, HoldReason.DIFFERENCE)


async def send_off(
    change: UnitOfWork,
    order: OrderSnapshot,
    shipment: Shipment,
    *,
    carrier: str | None,
    tracking: str | None,
) -> None:
    """The goods leave the warehouse: update reservation, stock and line counters."""
    moves = []
    for item in shipment.lines:
        if item.qty == 0:
            continue
        line = order.line(item.line)
        await give_back(
            change, order.id, line, shipment.location, item.qty, shipped=item.qty
        )
        moves.append((line.sku, shipment.location, -item.qty, -item.qty))
    await move_stock(change, shipment.id, "ship", moves)
    await change.update(
        ShipmentTable,
        shipment.id,
        status=ShipmentStatus.SHIPPED,
        carrier=carrier,
        tracking=tracking,
        shipped_at=utc_now(),
    )
    change.event(
        "shipment.shipped", shipment_id=shipment.id, carrier=carrier, tracking=tracking
    )


async def cancel(
    change: UnitOfWork, order: OrderSnapshot, *, command: CancelShipment
) -> Done:
    """Take the parcel apart; its units are planned anew. While its capture is at the
    provider the wish is written down, and carried out once the outcome is known."""
    shipment = order.shipment(command.shipment_id)
    expect(shipment, ShipmentStatus.READY, ShipmentStatus.PACKED)
    if paying(order, shipment.id):
        wish = {"actor": change.actor}
        await change.update(ShipmentTable, shipment.id, cancel_wanted=wish)
    else:
        await cancel_shipment(change, shipment)
    return Done()


async def take_apart(
    change: UnitOfWork, order: OrderSnapshot, *, shipment_id: str
) -> Done:
    shipment = order.shipment(shipment_id)
    if shipment.cancel_wanted is None or paying(order, shipment_id):
        return Done()
    await change.update(ShipmentTable, shipment_id, cancel_wanted=None)
    if shipment.in_house:
        change.actor = shipment.cancel_wanted["actor"]
        await cancel_shipment(change, shipment)
    return Done()


async def miss_scan(
    change: UnitOfWork, order: OrderSnapshot, *, shipment_id: str
) -> Done:
    shipment = order.shipment(shipment_id)
    until = watch_until(order, shipment)
    if until is None or until > utc_now() + CLOCKS_APART:
        return Done()  # it was seen meanwhile
    if order.hold(HoldReason.DELIVERY, shipment_id) is None:
        await delivery_exceptions.ask(
            change, order, shipment, delivery_exceptions.NO_SCAN
        )
        return Done()
    await change.update(ShipmentTable, shipment.id, status=ShipmentStatus.LOST)
    change.event("shipment.lost", shipment_id=shipment_id)
    await delivery_exceptions.ask(change, order, shipment, delivery_exceptions.LOST)
    return Done()


async def leave_out(
    change: UnitOfWork, shipment: Shipment, line: int, units: int
) -> None:
    """Leave `units` of a line out of a parcel."""
    where = {"shipment_id": shipment.id, "line": line}
    await change.update(ShipmentLine, where, add={"qty": -units})


async def cancel_shipment(change: UnitOfWork, shipment: Shipment) -> None:
    await change.update(ShipmentTable, shipment.id, status=ShipmentStatus.CANCELLED)
    await release_holds(change, Decision.SETTLED, subject=shipment.id)
    change.event("shipment.cancelled", shipment_id=shipment.id)
