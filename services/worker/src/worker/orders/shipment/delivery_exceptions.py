"""Parcels that do not simply arrive: what a person is asked, and what decisions do.

A `delivery` hold carries the parcel and the cause. `settled` are units of the parcel
that the order owes nothing for: they were refunded, or sent once more.
"""

from collections.abc import Mapping
from types import MappingProxyType

from shared.contracts.errors import Refusal
from shared.contracts.orders.holds import Decision, HoldReason, due_of
from shared.contracts.orders.states import OrderStatus, RefundReason, ShipmentStatus
from shared.database.kernel.holds import place_hold, release_holds
from shared.database.kernel.unit_of_work import UnitOfWork
from shared.database.orders.refund_breakdown import owed, shipping_owed
from shared.database.orders.snapshot import Hold, OrderSnapshot, Shipment, read_order
from shared.database.orders.tables import Shipment as ShipmentTable
from sqlalchemy import text

from worker.orders.hold.changes import miss_stock
from worker.orders.hold.effects import decides
from worker.orders.refund import changes as refunds
from worker.orders.stock.changes import add_to_line, move_stock, reserve_missing

NO_SCAN = "no-scan"
ATTEMPT_FAILED = "attempt-failed"
BACK_TO_SENDER = "back-to-sender"
LOST = "lost"
NOT_ARRIVED = (ATTEMPT_FAILED, BACK_TO_SENDER, LOST)
"""A carrier's words for a parcel that has not arrived, also after it said that it
had."""
FOUND = "found"
SCAN_AFTER_CANCEL = "scan-after-cancel"

Units = Mapping[int, int]
"""By line."""


def as_lines(units: Units) -> list[dict[str, int]]:
    return [{"line": line, "quantity": n} for line, n in units.items() if n]


def as_units(lines: object) -> dict[int, int]:
    found = lines if isinstance(lines, list | tuple) else ()
    return {item["line"]: item["quantity"] for item in found}


async def ask(
    change: UnitOfWork,
    order: OrderSnapshot,
    shipment: Shipment,
    cause: str,
    *,
    settled: Units | None = None,
    about: Mapping[str, int] = MappingProxyType({}),
) -> bool:
    """Open a `delivery` hold; a new cause replaces an older one. `about` says what it
    concerns, such as the package. Returns whether there is something new to decide."""
    hold = order.hold(HoldReason.DELIVERY, shipment.id)
    if hold is not None and hold.detail.get("cause") == cause:
        return False
    detail: dict[str, object] = {"cause": cause, "shipment_id": shipment.id, **about}
    if settled:
        detail["settled"] = as_lines(settled)
    elif hold is not None and "settled" in hold.detail:
        detail["settled"] = hold.detail["settled"]
    await settle(change, shipment)
    await place_hold(
        change,
        HoldReason.DELIVERY,
        subject=shipment.id,
        due_in=due_of(HoldReason.DELIVERY),
        detail=detail,
    )
    return True


async def settle(change: UnitOfWork, shipment: Shipment) -> None:
    """Close the hold: the question has answered itself."""
    await release_holds(
        change, Decision.SETTLED, reason=HoldReason.DELIVERY, subject=shipment.id
    )


async def was_given_up(change: UnitOfWork, shipment: Shipment) -> bool:
    """Whether somebody had this parcel's goods sent again or paid back."""
    decided = await change.connection.scalar(_GIVEN_UP, {"shipment": shipment.id})
    return bool(decided)


_GIVEN_UP = text(
    "SELECT EXISTS (SELECT FROM holds WHERE subject = :shipment"
    " AND reason = 'delivery' AND decision IN ('reship', 'refund'))"
)


async def settled_units(change: UnitOfWork, shipment: Shipment) -> dict[int, int]:
    """All of a lost parcel, once its goods were paid back or sent again."""
    lost = shipment.status is ShipmentStatus.LOST
    if lost and await was_given_up(change, shipment):
        return {item.line: item.qty for item in shipment.lines}
    return {}


# ── decisions ───────────────────────────────────────────────────────────────────


@decides(HoldReason.DELIVERY, Decision.WAIT)
async def wait(change: UnitOfWork, order: OrderSnapshot, hold: Hold) -> None:
    """Keep waiting: ask again after the same time."""
    await place_hold(
        change,
        HoldReason.DELIVERY,
        subject=hold.subject,
        due_in=due_of(HoldReason.DELIVERY),
        detail={**hold.detail, "waiting": True},
        placed_by=hold.placed_by,
    )


@decides(HoldReason.DELIVERY, Decision.RESHIP)
async def reship(change: UnitOfWork, order: OrderSnapshot, hold: Hold) -> None:
    """Send the goods once more, prepaid: the next parcel has nothing left to capture.
    Missing stock is treated as in a new order. Raises `Refusal`."""
    shipment = order.shipment(hold.subject)
    if order.status is not OrderStatus.CONFIRMED:
        raise Refusal("decision-not-allowed", f"The order is {order.status}.")
    if _has_arrived(shipment, hold):
        raise Refusal("decision-not-allowed", "The parcel has arrived.")
    units = _owed(order, shipment, hold)
    await _give_up(change, order, shipment, hold)
    for number, n in units.items():
        await add_to_line(change, order.id, number, shipped=-n)
    change.event("shipment.reshipped", shipment_id=shipment.id, lines=as_lines(units))
    now = await read_order(change.connection, order.id)
    reserved = await reserve_missing(change, now, f"{order.id}:{hold.id}")
    missing = now.short - reserved
    if reserved:
        change.event("stock.reserved", units=reserved, missing=missing)
    if missing:
        await miss_stock(change, order.id)


@decides(HoldReason.DELIVERY, Decision.REFUND)
async def refund(change: UnitOfWork, order: OrderSnapshot, hold: Hold) -> None:
    """Pay the goods back, and the shipping too if nothing else is left of them."""
    shipment = order.shipment(hold.subject)
    units = _owed(order, shipment, hold)
    back = hold.detail.get("cause") == BACK_TO_SENDER
    given_up = None if _has_arrived(shipment, hold) else shipment
    await _give_up(change, order, shipment, hold)
    if back:
        for number, n in units.items():
            await add_to_line(change, order.id, number, returned=n)
    due = owed(order, units, shipping=shipping_owed(order, given_up=given_up))
    await refunds.request(
        change,
        order,
        due,
        reason=RefundReason.RETURN if back else RefundReason.LOST,
    )


def _has_arrived(shipment: Shipment, hold: Hold) -> bool:
    """Whether it was delivered, and nothing has contradicted that since."""
    cause = hold.detail.get("cause")
    return shipment.status is ShipmentStatus.DELIVERED and cause not in NOT_ARRIVED


def _owed(order: OrderSnapshot, shipment: Shipment, hold: Hold) -> dict[int, int]:
    settled = as_units(hold.detail.get("settled"))
    there = _units(order, shipment)
    owed = {line: units - settled.get(line, 0) for line, units in there.items()}
    return {line: units for line, units in owed.items() if units > 0}


def _units(order: OrderSnapshot, shipment: Shipment) -> dict[int, int]:
    """The units in the parcel, without those that the customer received and has sent
    back or is about to: a return takes care of them."""
    units = {item.line: item.qty for item in shipment.lines}
    if shipment.status is not ShipmentStatus.DELIVERED:
        return units
    back = order.in_returns()
    return {
        line: max(0, min(n, order.line(line).shipped - back.get(line, 0)))
        for line, n in units.items()
    }


async def _give_up(
    change: UnitOfWork, order: OrderSnapshot, shipment: Shipment, hold: Hold
) -> None:
    """The parcel will not arrive. Goods that came back become stock again; the others
    were taken off the stock when they left."""
    back = hold.detail.get("cause") == BACK_TO_SENDER
    if back:
        await move_stock(
            change,
            f"{shipment.id}:{hold.id}",
            "return",
            [
                (order.line(line).sku, shipment.location, units, 0)
                for line, units in _units(order, shipment).items()
            ],
        )
    away = shipment.status in (ShipmentStatus.SHIPPED, ShipmentStatus.DELIVERED)
    if away and not _has_arrived(shipment, hold):
        end = ShipmentStatus.RETURNED if back else ShipmentStatus.LOST
        await change.update(ShipmentTable, shipment.id, status=end)
        change.event(f"shipment.{end}", shipment_id=shipment.id)
