"""Cancelling units of an order, wherever they are on their way: wanted, reserved, in
a parcel, or in a parcel that is paid for. What was paid is refunded."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.contracts.base import LineQuantity
from shared.contracts.errors import Refusal, StepInFlight, nothing_to_cancel
from shared.contracts.orders.holds import Decision, HoldReason
from shared.contracts.orders.payloads import Cancel, Cancelled
from shared.contracts.orders.states import MoneyKind, OrderStatus, RefundReason
from shared.database.kernel.holds import release_holds
from shared.database.kernel.unit_of_work import Done, UnitOfWork
from shared.database.orders.refund_breakdown import owed
from shared.database.orders.snapshot import Line, OrderSnapshot, Shipment
from shared.database.orders.tables import Order

from worker.orders.refund import changes as refunds
from worker.orders.shipment.changes import cancel_shipment, leave_out
from worker.orders.stock.changes import add_to_line, give_back, move_stock

ABOUT_MONEY = (HoldReason.REFUND, HoldReason.DIFFERENCE, HoldReason.DISPUTE)
"""Holds about money stay open after a cancellation: the money is still wrong."""


@dataclass
class Undone:
    """What cancelling some units releases, by line."""

    units: dict[int, int] = field(default_factory=dict)
    paid: dict[int, int] = field(default_factory=dict)
    moves: list[tuple[str, str, int, int]] = field(default_factory=list)
    taken: dict[str, dict[int, int]] = field(default_factory=dict)
    """By shipment, then by line: units taken out of parcels."""


def cancellable(order: OrderSnapshot) -> dict[int, int]:
    """Units of each line that have not left the house."""
    return {
        line.line: line.short + line.reserved
        for line in order.lines
        if line.short + line.reserved > 0
    }


async def cancel(
    change: UnitOfWork, order: OrderSnapshot, *, command: Cancel
) -> Cancelled:
    """Raises `Refusal` already-cancelled, already-shipped."""
    if order.status.final:
        raise nothing_to_cancel(cancelled=order.status is OrderStatus.CANCELLED)
    wanted = {item.line: item.quantity for item in command.lines}
    return await cancel_when_possible(
        change, order, wanted, key=command.key, reason=command.reason
    )


async def cancel_when_possible(
    change: UnitOfWork,
    order: OrderSnapshot,
    wanted: Mapping[int, int],
    *,
    key: str,
    reason: str,
) -> Cancelled:
    """Cancel `wanted` units of lines, or everything if none are given. While a capture
    is at the provider the wish is only written down; the order's workflow carries it
    out once the outcome is known. Raises `Refusal` already-shipped, and `StepInFlight`
    if another cancellation is waiting already."""
    _check(order, wanted or cancellable(order))
    if not _is_paying(order):
        return await cancel_units(
            *(change, order, wanted or cancellable(order)), key=key, reason=reason
        )
    if order.cancel_wanted is not None:
        raise StepInFlight("Another cancellation waits for a payment.")
    lines = [[line, units] for line, units in wanted.items()]
    wish = {"key": key, "actor": change.actor, "reason": reason, "lines": lines}
    await change.update(Order, order.id, cancel_wanted=wish)
    change.event("order.cancel_requested", reason=reason)
    return Cancelled(cancelled=(), pending=True)


async def carry_out(change: UnitOfWork, order: OrderSnapshot) -> Done:
    """Carry out a cancellation that waited for a capture, for the units that have not
    shipped since."""
    wish = order.cancel_wanted
    if wish is None or _is_paying(order):
        return Done()
    await change.update(Order, order.id, cancel_wanted=None)
    possible = {} if order.status.final else cancellable(order)
    wanted = {line: min(n, possible.get(line, 0)) for line, n in wish["lines"]}
    left = {line: n for line, n in wanted.items() if n} if wanted else possible
    if left:
        change.actor = wish["actor"]
        await cancel_units(change, order, left, key=wish["key"], reason=wish["reason"])
    return Done()


def _is_paying(order: OrderSnapshot) -> bool:
    return any(payment.pending(MoneyKind.CAPTURE) for payment in order.payments)


def _check(order: OrderSnapshot, wanted: Mapping[int, int]) -> None:
    possible = cancellable(order)
    if not wanted or any(n > possible.get(line, 0) for line, n in wanted.items()):
        raise Refusal(
            "already-shipped",
            "Part of this has left the warehouse, or was cancelled before.",
            cancellable=[
                {"line": line, "quantity": units} for line, units in possible.items()
            ],
        )


async def cancel_units(
    change: UnitOfWork,
    order: OrderSnapshot,
    wanted: Mapping[int, int],
    *,
    key: str,
    reason: str,
) -> Cancelled:
    """Cancel `wanted` units of lines, while nothing of them is being paid for."""
    _check(order, wanted)
    undone = Undone()
    for number, units in sorted(wanted.items()):
        await _cancel_line(change, order, order.line(number), units, undone)
    await move_stock(change, f"{order.id}:{key}", "release", undone.moves)
    for shipment_id, taken in undone.taken.items():
        await _take_out(change, order.shipment(shipment_id), taken)
    cancelled = tuple(
        LineQuantity(line=line, quantity=units) for line, units in undone.units.items()
    )
    change.event(
        "order.lines_cancelled",
        lines=[units.model_dump() for units in cancelled],
        reason=reason,
    )
    untouched = not any(line.shipped for line in order.lines)
    whole = untouched and wanted == cancellable(order)
    rest = _without(order, undone)
    if whole:
        await _cancel_order(change, order, reason)
    else:
        await _settle_stock_hold(change, order, wanted)
        await _settle_payment_hold(change, order, rest)
    due = owed(
        order,
        undone.paid,
        shipping=order.shipping_creditable if whole else 0,
        paid_too_much=rest.paid_too_much,
    )
    refund_id = await refunds.request(
        change, order, due, reason=RefundReason.CANCELLATION
    )
    return Cancelled(cancelled=cancelled, refund_id=refund_id)


async def _settle_stock_hold(
    change: UnitOfWork, order: OrderSnapshot, cancelled: Mapping[int, int]
) -> None:
    if all(line.short <= cancelled.get(line.line, 0) for line in order.lines):
        await release_holds(change, Decision.SETTLED, reason=HoldReason.STOCK)


async def _settle_payment_hold(
    change: UnitOfWork, order: OrderSnapshot, rest: OrderSnapshot
) -> None:
    """Nothing is left to pay. The hold's default decision would cancel what is paid
    for, so the hold is closed."""
    if order.to_capture and not rest.to_capture:
        await release_holds(change, Decision.SETTLED, reason=HoldReason.PAYMENT)


def _without(order: OrderSnapshot, undone: Undone) -> OrderSnapshot:
    """The order as it is once these units are cancelled."""
    lines = tuple(
        line.model_copy(
            update={
                "cancelled": line.cancelled + undone.units.get(line.line, 0),
                "voided": line.voided + undone.paid.get(line.line, 0),
            }
        )
        for line in order.lines
    )
    return order.model_copy(update={"lines": lines})


async def _cancel_order(change: UnitOfWork, order: OrderSnapshot, reason: str) -> None:
    await change.update(Order, order.id, status=OrderStatus.CANCELLED, reason=reason)
    for hold in order.holds:
        if hold.reason not in ABOUT_MONEY and hold.subject[:4] != "ref_":
            await release_holds(change, Decision.SETTLED, hold_id=hold.id)
    change.event("order.cancelled", reason=reason)


async def _cancel_line(
    change: UnitOfWork, order: OrderSnapshot, line: Line, units: int, undone: Undone
) -> None:
    """Undo the cheapest first: units not reserved, units in no parcel, units in an
    unpaid parcel, and last what is paid for."""
    left = units - min(units, line.short)
    for reservation, free in order.unplanned():
        if reservation.line == line.line:
            left -= await _release(
                change, order, line, reservation.location, min(left, free), undone
            )
    for shipment in sorted(
        (s for s in order.shipments if s.in_house),
        key=lambda s: (s.captured_at is not None, s.parcel is not None, s.id),
    ):
        taken = await _release(
            change,
            order,
            line,
            shipment.location,
            min(left, shipment.units(line.line)),
            undone,
        )
        left -= taken
        if taken:
            undone.taken.setdefault(shipment.id, {})[line.line] = taken
    paid = _paid_units(order, line, units)
    undone.units[line.line] = units
    if paid:
        undone.paid[line.line] = paid
    await add_to_line(change, order.id, line.line, cancelled=units, voided=paid)


def _paid_units(order: OrderSnapshot, line: Line, units: int) -> int:
    """How many of the `units` have to be paid ones, as too few unpaid ones are left."""
    unpaid = line.short + line.reserved - line.paid_in_house
    return max(0, units - unpaid)


async def _release(
    change: UnitOfWork,
    order: OrderSnapshot,
    line: Line,
    location: str,
    units: int,
    undone: Undone,
) -> int:
    if units > 0:
        await give_back(change, order.id, line, location, units)
        undone.moves.append((line.sku, location, 0, -units))
    return units


async def _take_out(
    change: UnitOfWork, shipment: Shipment, taken: Mapping[int, int]
) -> None:
    """Take units out of parcels. A parcel that was packed, or is left empty, is
    cancelled, and the rest of it is planned anew."""
    emptied = all(taken.get(item.line, 0) == item.qty for item in shipment.lines)
    if emptied or shipment.parcel is not None:
        await cancel_shipment(change, shipment)
        return
    for line, units in taken.items():
        await leave_out(change, shipment, line, units)
