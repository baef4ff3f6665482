"""Handles webhooks of the payment provider and the carrier.

A webhook says only that something changed: the object's current state is fetched, so
that repeated, late and reordered webhooks have one effect.
"""

from datetime import datetime
from functools import partial

from shared.contracts.orders.payloads import PaymentRef, RefundRef
from shared.contracts.orders.states import MoneyKind
from shared.contracts.orders.webhooks import (
    AUTHORIZATION_EVENTS,
    CANCELED,
    DISPUTE_EVENTS,
    PAYMENT_EVENTS,
    REFUND_EVENTS,
)
from shared.database.kernel.unit_of_work import UnitOfWork
from shared.database.orders.payments import AWAITED
from shared.database.orders.snapshot import OrderSnapshot, read_order
from shared.database.rows import Row
from sqlalchemy import TextClause, text

from worker.orders.nudger import Nudger
from worker.orders.order.changes import complete
from worker.orders.order.payments import PaymentActivities
from worker.orders.order.policy import is_completable
from worker.orders.order.state import order_state
from worker.orders.payment.amounts import unsettled
from worker.orders.ports import Carrier, Tracking
from worker.orders.refund.payments import RefundPaymentActivities
from worker.orders.refund.state import refund_state
from worker.orders.shipment import tracking
from worker.orders.shipment.policy import DELIVERED
from worker.orders.shipment.tracking import Moved
from worker.orders.store import OrderStore, utc_now
from worker.runtime.registry import InboxEvent


class OrderWebhooks:
    def __init__(
        self,
        store: OrderStore,
        payments: PaymentActivities,
        refunds: RefundPaymentActivities,
        carrier: Carrier,
        nudger: Nudger,
    ) -> None:
        self._store = store
        self._payments = payments
        self._refunds = refunds
        self._carrier = carrier
        self._nudge = nudger

    async def stripe(self, event: InboxEvent) -> bool:
        if event.type in PAYMENT_EVENTS:
            return await self._payment_changed(event)
        if event.type in REFUND_EVENTS:
            return await self._refund_changed(str(event.payload["object_id"]))
        if event.type in DISPUTE_EVENTS:
            return await self._disputed(str(event.payload["object_id"]))
        return True  # ignored: we read this state elsewhere

    async def _payment_changed(self, event: InboxEvent) -> bool:
        if event.context is None:
            return False
        intent = str(event.payload["object_id"])
        order_id, payment_id = event.context["order_id"], event.context["id"]
        if event.type in AUTHORIZATION_EVENTS and not event.context["awaited"]:
            return True  # ignored: the order knows this already
        order = await self._store.read(order_id)
        payment = order.payment(payment_id)
        if unsettled(payment):
            # The order's own step is at the provider. What a customer does comes later.
            return True
        if payment.pending(MoneyKind.AUTHORIZE) is not None:
            await self._payments.authorize_payment(order_id, payment_id)
            await self._nudge.order(order_id)
        elif (
            event.type == CANCELED
            and payment.held
            and await self._payments.is_cancelled(intent)
        ):
            await self._payments.release(
                PaymentRef(order_id=order_id, payment_id=payment_id)
            )
            await self._nudge.order(order_id)
        return True

    async def _refund_changed(self, refund: str) -> bool:
        known = await self._find(REFUND, refund)
        if known is None:
            return False
        order_id, refund_id = known.order_id, known.ref
        ref = RefundRef(order_id=order_id, refund_id=refund_id)
        await self._refunds.recheck_refund(ref, refund)
        order = await self._store.read(order_id)
        if refund_state(order, refund_id).to_settle:
            # It may have ended long ago, and is owed again now.
            await self._nudge.revive_refund(order.refund(refund_id).reason, ref)
        else:
            await self._nudge.whoever_refunds(order.refund(refund_id).reason, ref)
        return True

    async def _disputed(self, dispute: str) -> bool:
        said = await self._payments.dispute(dispute)
        known = await self._find(DISPUTED, said.payment_ref)
        if known is None:
            return False
        await self._payments.hear_of_dispute(known.order_id, known.id, said)
        # Most disputes come long after the order has ended.
        await self._nudge.start_order(known.order_id)
        await self._nudge.order(known.order_id)
        return True

    async def carrier(self, event: InboxEvent) -> bool:
        number = str(event.payload["tracking"])
        if event.context is None:
            return await self._needs_no_tracking(number)
        order_id = event.context["order_id"]
        # This carrier cannot be queried: the webhook is all there is.
        now = await self._carrier.track(number) or _parse_tracking(event)
        move = partial(
            _move,
            shipment_id=event.context["id"],
            package=event.context["package"],
            scan=now,
        )
        moved = await self._store.change(order_id, move, Moved)
        if moved.asks:
            # It may have ended before its parcel was seen.
            await self._nudge.start_order(order_id)
        if moved.wakes:
            await self._nudge.order(order_id)
        return True

    async def _needs_no_tracking(self, number: str) -> bool:
        """Ignore parcels on their way back, which count when they are received, and
        labels that were voided."""
        return await self._find(RETURN_OR_SPOILT, number) is not None

    async def _find(self, query: TextClause, ref: str) -> Row | None:
        async with self._store.reads.connect() as connection:
            return (await connection.execute(query, {"ref": ref})).first()


async def _move(
    change: UnitOfWork,
    order: OrderSnapshot,
    *,
    shipment_id: str,
    package: int,
    scan: Tracking,
) -> Moved:
    """Book a scan. An arrival may be the last thing that the order waited for."""
    moved = await tracking.move(
        change, order, shipment_id=shipment_id, package=package, scan=scan
    )
    if moved.wakes and scan.status == DELIVERED:
        arrived = tracking.arrived(order, shipment_id)
        after = arrived or await read_order(change.connection, order.id)
        await complete(change, after)
        if arrived is not None and not is_completable(order_state(after, utc_now())):
            # Other parcels are under way, and this scan needs no step.
            return Moved()
    return moved


# Finds the owner by the other side's id.
_PAYMENT = f"""
    SELECT json_build_object('order_id', p.order_id, 'id', p.id, 'awaited', {AWAITED})
    FROM payments p WHERE p.provider_ref = inbox.payload ->> 'object_id'
"""  # noqa: S608 - our own words
_SHIPMENT = """
    SELECT json_build_object('order_id', s.order_id, 'id', s.id, 'package', s.package)
    FROM (
      SELECT order_id, id, 1 AS package FROM shipments
      WHERE tracking = inbox.payload ->> 'tracking'
      UNION ALL
      SELECT s.order_id, s.id, k.number FROM packages k
      JOIN shipments s ON s.id = k.shipment_id
      WHERE k.tracking = inbox.payload ->> 'tracking') s
    LIMIT 1
"""
CONTEXTS = {"stripe": _PAYMENT, "carrier": _SHIPMENT, "easypost": _SHIPMENT}
"""By source, SQL over a row of `inbox`."""
DISPUTED = text("SELECT order_id, id FROM payments WHERE provider_ref = :ref")
REFUND = text(
    """
    SELECT p.order_id, l.ref FROM ledger l JOIN payments p ON p.id = l.payment_id
    WHERE l.kind = 'refund' AND l.provider_ref = :ref
    """
)
RETURN_OR_SPOILT = text(
    """
    SELECT order_id FROM returns WHERE tracking = :ref
    UNION ALL
    SELECT order_id FROM shipments
    WHERE spoilt_labels <> '[]'
      AND spoilt_labels @> jsonb_build_array(jsonb_build_object('tracking', :ref))
    """
)


def _parse_tracking(event: InboxEvent) -> Tracking:
    return Tracking(
        tracking=str(event.payload["tracking"]),
        status=str(event.payload["status"]),
        at=datetime.fromisoformat(str(event.payload["occurred_at"])),
    )
