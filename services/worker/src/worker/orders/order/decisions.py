"""The effects of decisions about an order's holds."""

from collections.abc import Mapping

from shared.contracts.errors import Refusal
from shared.contracts.orders.holds import Decision, HoldReason, due_of
from shared.database.ids import new_id
from shared.database.kernel.holds import place_hold
from shared.database.kernel.unit_of_work import UnitOfWork
from shared.database.orders.snapshot import Hold, OrderSnapshot, read_order
from shared.database.orders.tables import Payment

from worker.orders.hold.changes import allow_partial
from worker.orders.hold.effects import decides, decides_lines
from worker.orders.order.cancel import cancel_when_possible, cancellable
from worker.orders.refund.book import book
from worker.orders.shipment.changes import cancel_shipment
from worker.orders.shipment.labels import give_label_up


@decides(HoldReason.APPROVAL, Decision.REJECT)
@decides(HoldReason.PAYMENT, Decision.CANCEL)
@decides(HoldReason.ADDRESS, Decision.CANCEL)
@decides(HoldReason.MANUAL, Decision.CANCEL)
@decides(HoldReason.DISPUTE, Decision.CANCEL)
async def _cancel_all(change: UnitOfWork, order: OrderSnapshot, hold: Hold) -> None:
    await _cancel(change, order, hold, dict(cancellable(order)))


@decides(HoldReason.DIFFERENCE, Decision.CANCEL)
async def _book_and_cancel(
    change: UnitOfWork, order: OrderSnapshot, hold: Hold
) -> None:
    """Book the provider's amounts, then cancel: only booked money can be refunded."""
    await book(change, order, hold)
    await change.flush()
    now = await read_order(change.connection, order.id)
    await _cancel_all(change, now, hold)


@decides(HoldReason.PROVIDER, Decision.CANCEL)
async def _cancel_what_is_refused(
    change: UnitOfWork, order: OrderSnapshot, hold: Hold
) -> None:
    """Cancel the parcel alone if its label was refused; else the order."""
    parcel = next((s for s in order.shipments if s.id == hold.subject), None)
    if parcel is None:
        await _cancel_all(change, order, hold)
        return
    if not parcel.in_house or hold.detail.get("asked_for") == "void":
        # It needs no label, or another one: this carrier refuses to take it back.
        await give_label_up(change, order, parcel.id, str(hold.detail["cause"]))
        return
    await cancel_shipment(change, parcel)
    now = await read_order(change.connection, order.id)
    await _cancel(change, now, hold, {item.line: item.qty for item in parcel.lines})


@decides(HoldReason.STOCK, Decision.CANCEL_LINES)
async def _cancel_short(change: UnitOfWork, order: OrderSnapshot, hold: Hold) -> None:
    short = {line.line: line.short for line in order.lines if line.short}
    await _cancel(change, order, hold, short)


@decides_lines(HoldReason.STOCK, Decision.CANCEL_LINES)
async def _cancel_some(
    change: UnitOfWork, order: OrderSnapshot, hold: Hold, wanted: Mapping[int, int]
) -> None:
    """Any remaining shortage opens a new stock hold."""
    await _cancel(change, order, hold, wanted)
    if any(line.short > wanted.get(line.line, 0) for line in order.lines):
        await _wait_for_stock(change, order, hold)


async def _cancel(
    change: UnitOfWork, order: OrderSnapshot, hold: Hold, wanted: Mapping[int, int]
) -> None:
    if wanted:
        await cancel_when_possible(
            change, order, wanted, key=hold.id, reason=f"{hold.reason}-hold"
        )


@decides(HoldReason.STOCK, Decision.WAIT)
async def _wait_for_stock(change: UnitOfWork, order: OrderSnapshot, hold: Hold) -> None:
    await place_hold(
        change,
        HoldReason.STOCK,
        due_in=due_of(HoldReason.STOCK),
        detail={"waiting": True},
        placed_by=hold.placed_by,
    )


@decides(HoldReason.STOCK, Decision.SHIP_PARTIAL)
async def _ship_partial(change: UnitOfWork, order: OrderSnapshot, hold: Hold) -> None:
    await allow_partial(change)


@decides(HoldReason.PAYMENT, Decision.RETRY)
async def _try_card_again(change: UnitOfWork, order: OrderSnapshot, hold: Hold) -> None:
    last = order.payments[-1]
    await change.insert(
        Payment,
        {
            "id": new_id("pay"),
            "order_id": order.id,
            "provider": last.provider,
            "method_ref": last.method_ref,
            "customer_ref": last.customer_ref,
            "off_session": last.off_session,
            "return_url": last.return_url,
        },
    )


@decides(HoldReason.PAYMENT, Decision.NEW_METHOD)
async def _needs_new_method(
    change: UnitOfWork, order: OrderSnapshot, hold: Hold
) -> None:
    if not any(not payment.ledger for payment in order.payments):
        raise Refusal(
            "decision-not-allowed", "Give the new method with POST …/payments first."
        )
