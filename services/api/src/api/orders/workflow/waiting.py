"""Works out what an order waits for, since when, and what happens if nobody acts.

Everything is read from the facts, so a lost or stuck workflow hides nothing.
"""

from collections.abc import Iterator

from shared.contracts.orders.holds import HOLDS, HoldReason, silence_of
from shared.contracts.orders.states import (
    MoneyKind,
    MoneyStatus,
    ReturnStatus,
    ShipmentStatus,
)
from shared.database.orders.snapshot import (
    Hold,
    OrderSnapshot,
    Payment,
    Return,
    Shipment,
)

from api.orders.workflow.schemas import WaitingFor


def waiting_for(order: OrderSnapshot) -> list[WaitingFor]:
    """The oldest first. Empty: the workflow is at work, or nothing is left to do."""
    found = [
        *(_decision(hold) for hold in order.holds),
        *_stock(order),
        *(item for payment in order.payments for item in _provider(order, payment)),
        *(item for shipment in order.shipments for item in _parcel(order, shipment)),
        *(item for sent_back in order.returns for item in _return(sent_back)),
    ]
    return sorted(found, key=lambda item: (item.since, item.subject))


def _decision(hold: Hold) -> WaitingFor:
    decisions = ", ".join(HOLDS[hold.reason].decisions)
    return WaitingFor(
        what="decision",
        subject=hold.subject,
        reason=hold.reason,
        hold_id=hold.id,
        detail=f"A person decides about this {hold.reason} hold: {decisions}.",
        since=hold.placed_at,
        due_at=hold.due_at,
        then=_silence(hold),
    )


def _silence(hold: Hold) -> str:
    if hold.due_at is None:
        return "It waits for ever."
    if hold.escalated_at is not None:
        return "It has been escalated and waits for ever."
    meant = silence_of(hold.reason, hold.subject)
    return f"Decided as {meant}." if meant else "It is escalated."


def _stock(order: OrderSnapshot) -> Iterator[WaitingFor]:
    held = order.hold(HoldReason.STOCK) is not None
    if order.status.final or not order.allocated or held or not order.short:
        return
    missing = {line.sku: line.short for line in order.lines if line.short}
    yield WaitingFor(
        what="stock",
        subject=order.id,
        detail="Missing: " + ", ".join(f"{n} × {sku}" for sku, n in missing.items()),
        since=order.created_at,
        then="The next receipt serves the oldest order first.",
    )


def _provider(order: OrderSnapshot, payment: Payment) -> Iterator[WaitingFor]:
    for row in payment.ledger:
        if row.status is not MoneyStatus.PENDING:
            continue
        if row.kind is MoneyKind.AUTHORIZE and payment.next_action is not None:
            continue  # the hold shows it
        if order.hold(HoldReason.REFUND, row.ref) is not None:
            continue
        yield WaitingFor(
            what="provider",
            subject=payment.id,
            detail=f"The payment provider settles: {row.kind} of {row.amount}"
            f" {order.currency} (minor units).",
            since=row.created_at,
            then="It is asked again; after 15 minutes the sweep insists.",
        )


def _parcel(order: OrderSnapshot, shipment: Shipment) -> Iterator[WaitingFor]:
    held = any(hold.subject in (order.id, shipment.id) for hold in order.holds)
    match shipment.status:
        case ShipmentStatus.READY if not held:
            yield WaitingFor(
                what="packing",
                subject=shipment.id,
                detail=f"{shipment.location} packs it.",
                since=shipment.created_at,
                then="It waits for ever.",
            )
        case ShipmentStatus.PACKED if not held:
            yield WaitingFor(
                what="handover",
                subject=shipment.id,
                detail=f"{shipment.location} hands it to {shipment.carrier or 'a'}"
                " carrier.",
                since=shipment.captured_at or shipment.created_at,
                then="It waits for ever.",
            )
        case ShipmentStatus.SHIPPED if not (held or shipment.tracked):
            yield WaitingFor(
                what="delivery",
                subject=shipment.id,
                detail=f"{shipment.carrier or 'Somebody'} delivers"
                f" {shipment.tracking or 'it'}, and does not tell.",
                since=shipment.shipped_at or order.updated_at,
                then="It waits until somebody says that it has arrived.",
            )
        case ShipmentStatus.SHIPPED if not held:
            yield WaitingFor(
                what="delivery",
                subject=shipment.id,
                detail=f"{shipment.carrier or 'The carrier'} delivers"
                f" {shipment.tracking or 'it'}; last scan:"
                f" {shipment.tracking_status or 'none'}.",
                since=shipment.tracking_at or shipment.shipped_at or order.updated_at,
                then="Without a scan for two days a delivery hold opens.",
            )


def _return(sent_back: Return) -> Iterator[WaitingFor]:
    # A return that waits for approval has a hold, which shows it.
    if sent_back.status is ReturnStatus.APPROVED:
        yield WaitingFor(
            what="return",
            subject=sent_back.id,
            detail="The customer sends the goods back.",
            since=sent_back.created_at,
            due_at=sent_back.due_at,
            then="The return expires.",
        )
