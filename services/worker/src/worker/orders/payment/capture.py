"""Taking the money for one parcel, once."""

from collections.abc import Mapping
from datetime import datetime

from shared.contracts.base import Payload
from shared.contracts.errors import Refusal, StepInFlight
from shared.contracts.orders.states import MoneyKind, MoneyStatus, ShipmentStatus
from shared.database.kernel.unit_of_work import UnitOfWork
from shared.database.orders.snapshot import OrderSnapshot, Shipment
from shared.database.orders.tables import Order
from shared.database.orders.tables import Shipment as ShipmentTable

from worker.orders.hold.changes import ask_for_payment, settle_provider_hold
from worker.orders.payment import ledger
from worker.orders.payment.amounts import capturable, capture_price, unpaid_units
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
from worker.orders.store import Done, utc_now


class Begun(Payload):
    """Either an outcome, or what to ask of the provider."""

    outcome: str | None = None
    request: ProviderRequest | None = None
    provider_ref: str = ""
    multicapture: bool = False
    captured_before: int = 0


async def begin(
    change: UnitOfWork, order: OrderSnapshot, *, shipment_id: str, now: datetime
) -> Begun:
    """Raises `Refusal` wrong-state, on-hold; `StepInFlight` while another parcel of
    the order is being paid for, since its price depends on what came before."""
    shipment = order.shipment(shipment_id)
    if shipment.captured_at is not None:
        return Begun(outcome="captured")
    for payment in order.payments:
        row = payment.pending(MoneyKind.CAPTURE)
        if row is not None and row.ref != shipment_id:
            raise StepInFlight("Another parcel of this order is being paid for.")
        if row is not None:
            return Begun(
                request=resume(payment, row),
                provider_ref=payment.provider_ref or "",
                multicapture=payment.multicapture,
                captured_before=payment.captured,
            )
    _check_may_be_paid(order, shipment)
    units = unpaid_units(order, shipment)
    amount = max(0, _due(order, units) - order.paid_ahead)
    if amount == 0:
        await _mark_paid(change, order, shipment, units, None, 0)
        return Begun(outcome="captured")
    able = [p for p in order.payments if capturable(p, now) >= amount]
    if not able:
        return Begun(outcome="uncovered")
    payment = able[-1]
    request = await open_request(
        change, payment.id, MoneyKind.CAPTURE, amount, shipment_id, now
    )
    await ledger.add(change, payment.id, capturing=amount)
    return Begun(
        request=request,
        provider_ref=payment.provider_ref or "",
        multicapture=payment.multicapture,
        captured_before=payment.captured,
    )


def _due(order: OrderSnapshot, units: Mapping[int, int]) -> int:
    return capture_price(order, units) + order.shipping_due


def _check_may_be_paid(order: OrderSnapshot, shipment: Shipment) -> None:
    if shipment.status is not ShipmentStatus.READY:
        raise Refusal("wrong-state", f"The shipment is {shipment.status}.")
    held = [h.reason for h in order.holds if h.subject in (order.id, shipment.id)]
    if held:
        raise Refusal("on-hold", f"On hold: {', '.join(held)}.", holds=held)


async def settle(
    change: UnitOfWork, order: OrderSnapshot, *, row_id: str, answer: ProviderPayment
) -> Done:
    payment, row = ledger.find_row(order, row_id)
    if row.status is not MoneyStatus.PENDING:
        return Done()
    await settle_provider_hold(change, order)
    shipment = order.shipment(row.ref)
    if answer.status not in ("captured", "authorized"):
        await ledger.settle(
            change, row.id, MoneyStatus.FAILED, failure=answer.failure or answer.status
        )
        await ledger.add(change, payment.id, capturing=-row.amount)
        change.event(
            "payment.capture_failed",
            payment_id=payment.id,
            shipment_id=shipment.id,
            code=answer.failure or answer.status,
        )
        await ask_for_payment(change, "capture-failed", payment_id=payment.id)
        return Done()
    if not captured_as_asked(payment, row, order.currency, answer):
        await ledger.settle(change, row.id, MoneyStatus.FAILED, failure=DIFFERS)
        await ledger.add(change, payment.id, capturing=-row.amount)
        found = differences(as_booked(payment), as_answered(answer))
        await stop_for_difference(change, order, payment.id, answer.ref, found)
        return Done()
    await ledger.settle(change, row.id, MoneyStatus.SUCCEEDED, provider_ref=answer.ref)
    await ledger.add(change, payment.id, capturing=-row.amount, captured=row.amount)
    rest = payment.held - row.amount
    if rest and not payment.multicapture:
        # The provider gives the rest of a part capture back by itself.
        released = await ledger.begin(
            change, payment.id, MoneyKind.RELEASE, rest, row.id
        )
        await ledger.settle(change, released, MoneyStatus.SUCCEEDED)
        await ledger.add(change, payment.id, released=rest)
    units = unpaid_units(order, shipment)
    await _mark_paid(change, order, shipment, units, row.id, row.amount)
    change.event(
        "payment.captured",
        payment_id=payment.id,
        shipment_id=shipment.id,
        amount=row.amount,
    )
    return Done()


async def _mark_paid(
    change: UnitOfWork,
    order: OrderSnapshot,
    shipment: Shipment,
    units: Mapping[int, int],
    capture_id: str | None,
    taken: int,
) -> None:
    """What its price exceeds `taken` by was paid ahead (`goodwill` below zero)."""
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
