"""Taking the money for one parcel, once."""

from collections.abc import Mapping
from datetime import datetime

from shared.contracts.base import Payload
from shared.contracts.orders.states import MoneyKind, MoneyStatus
from shared.database.kernel.unit_of_work import Done, UnitOfWork
from shared.database.orders.snapshot import (
    LedgerRow,
    OrderSnapshot,
    Payment,
    Shipment,
)
from shared.database.orders.tables import Order
from shared.database.orders.tables import Shipment as ShipmentTable

from worker.orders.hold.changes import ask_for_payment, settle_provider_hold
from worker.orders.payment import ledger
from worker.orders.payment.amounts import (
    amount_due,
    amount_to_take,
    capturable,
    capture_price,
    unpaid_units,
)
from worker.orders.payment.compare import (
    as_answered,
    as_booked,
    captured_as_asked,
    differences,
)
from worker.orders.payment.difference import DIFFERS, stop_for_difference
from worker.orders.payment.requests import ProviderRequest, open_request, resume
from worker.orders.ports import ProviderPayment
from worker.orders.stock.changes import add_to_line
from worker.orders.store import utc_now


class Begun(Payload):
    """The capture to send; nothing if there is nothing to capture yet."""

    request: ProviderRequest | None = None
    provider_ref: str = ""
    multicapture: bool = False
    captured_before: int = 0


def resumed(
    order: OrderSnapshot, shipment_id: str, *, sent: bool = False
) -> Begun | None:
    """The capture of this parcel that is already under way."""
    for payment in order.payments:
        row = payment.pending(MoneyKind.CAPTURE)
        if row is not None and row.ref == shipment_id:
            return _begun(payment, resume(payment, row, sent=sent))
    return None


async def begin(
    change: UnitOfWork,
    order: OrderSnapshot,
    *,
    shipment_id: str,
    now: datetime,
    sent: bool = True,
) -> Begun:
    """Open the capture of a parcel. Does nothing while another parcel of the order is
    being captured, because the amount depends on earlier captures; nor if no
    authorisation holds enough, nor if the parcel does not need to be paid."""
    shipment = order.shipment(shipment_id)
    under_way = resumed(order, shipment_id)
    if under_way is not None:
        return under_way
    if shipment.captured_at is not None or not may_pay(order):
        return Begun()
    amount = amount_due(order, shipment)
    if amount == 0:
        units = unpaid_units(order, shipment)
        await _mark_paid(change, order, shipment, units, None, 0)
        return Begun()
    able = [p for p in order.payments if capturable(p, now) >= amount]
    if not able:
        return Begun()
    payment = able[-1]
    amount = amount_to_take(order, payment, amount, now)
    request = await open_request(
        *(change, payment.id, MoneyKind.CAPTURE, amount, shipment_id, now), sent=sent
    )
    await ledger.add(change, payment.id, capturing=amount)
    return _begun(payment, request)


def may_pay(order: OrderSnapshot) -> bool:
    """No capture of the order is under way, and no cancellation waits for one."""
    under_way = any(payment.pending(MoneyKind.CAPTURE) for payment in order.payments)
    return not under_way and order.cancel_wanted is None


def _begun(payment: Payment, request: ProviderRequest) -> Begun:
    return Begun(
        request=request,
        provider_ref=payment.provider_ref or "",
        multicapture=payment.multicapture,
        captured_before=payment.captured,
    )


def _due(order: OrderSnapshot, units: Mapping[int, int]) -> int:
    return capture_price(order, units) + order.shipping_due


def is_taken(found: ProviderPayment, begun: Begun, shipment_id: str) -> bool:
    """Whether the provider has carried out this very capture. Captures sent by older
    builds do not say what they were for; then the amount decides."""
    if found.captured_for is not None:
        return found.captured_for == shipment_id
    amount = begun.request.amount if begun.request else 0
    return found.captured >= begun.captured_before + amount


async def settle(
    change: UnitOfWork, order: OrderSnapshot, *, row_id: str, answer: ProviderPayment
) -> Done:
    payment, row = ledger.find_row(order, row_id)
    if row.status is not MoneyStatus.PENDING:
        return Done()
    await settle_provider_hold(change, order)
    if answer.status not in ("captured", "authorized"):
        await _fail(change, payment, row, answer)
        return Done()
    if not captured_as_asked(payment, row, order.currency, answer):
        await _close(change, payment, row, DIFFERS)
        found = differences(as_booked(payment), as_answered(answer))
        await stop_for_difference(change, order, payment.id, answer.ref, found)
        return Done()
    await ledger.settle(change, row.id, MoneyStatus.SUCCEEDED, provider_ref=answer.ref)
    await ledger.add(change, payment.id, capturing=-row.amount, captured=row.amount)
    await _release_rest(change, payment, row)
    shipment = order.shipment(row.ref)
    units = unpaid_units(order, shipment)
    await _mark_paid(change, order, shipment, units, row.id, row.amount)
    change.event(
        "payment.captured",
        payment_id=payment.id,
        shipment_id=shipment.id,
        amount=row.amount,
    )
    return Done()


async def _fail(
    change: UnitOfWork, payment: Payment, row: LedgerRow, answer: ProviderPayment
) -> None:
    why = answer.failure or answer.status
    await _close(change, payment, row, why)
    change.event(
        "payment.capture_failed", payment_id=payment.id, shipment_id=row.ref, code=why
    )
    await ask_for_payment(change, "capture-failed", payment_id=payment.id)


async def _close(
    change: UnitOfWork, payment: Payment, row: LedgerRow, failure: str
) -> None:
    await ledger.settle(change, row.id, MoneyStatus.FAILED, failure=failure)
    await ledger.add(change, payment.id, capturing=-row.amount)


async def _release_rest(change: UnitOfWork, payment: Payment, row: LedgerRow) -> None:
    """After a part capture the provider releases the rest by itself."""
    rest = payment.held - row.amount
    if rest and not payment.multicapture:
        released = await ledger.begin(
            change, payment.id, MoneyKind.RELEASE, rest, row.id
        )
        await ledger.settle(change, released, MoneyStatus.SUCCEEDED)
        await ledger.add(change, payment.id, released=rest)


async def _mark_paid(
    change: UnitOfWork,
    order: OrderSnapshot,
    shipment: Shipment,
    units: Mapping[int, int],
    capture_id: str | None,
    taken: int,
) -> None:
    """Where the price exceeds `taken`, an earlier capture has paid the difference
    ahead: `goodwill`, which is below zero then, rises by it."""
    due = _due(order, units)
    for line, n in units.items():
        await add_to_line(change, order.id, line, captured=n)
    await change.update(
        Order,
        order.id,
        add={"shipping_captured": order.shipping_due, "goodwill": due - taken},
    )
    await change.update(
        ShipmentTable,
        shipment.id,
        captured_at=utc_now(),
        capture_id=capture_id,
        amount=taken,
    )
