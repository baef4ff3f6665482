"""Compares the provider's books with the ledger (M6).

Wherever anything happened on either side, both are compared as they stand. A missed
answer is settled by looking again; money that we did not request is released;
everything else becomes a discrepancy for finance.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, cast

from shared.contracts.base import Payload
from shared.contracts.orders.activities import ReconcileSteps
from shared.contracts.orders.payloads import (
    PaymentRef,
    Reconciled,
    RefundRef,
    ShipmentRef,
    Window,
)
from shared.contracts.orders.states import MoneyKind, MoneyStatus
from shared.database.kernel.discrepancies import Finding, report
from shared.database.kernel.unit_of_work import UnitOfWork
from shared.database.orders.snapshot import LedgerRow, OrderSnapshot, Payment
from sqlalchemy import text
from temporalio import activity

from worker.orders.nudger import Nudger
from worker.orders.order.payments import PaymentActivities
from worker.orders.payment import ledger
from worker.orders.payment.compare import Difference
from worker.orders.payment.difference import DIFFERS, stop_for_difference
from worker.orders.ports import Booked, PaymentProvider
from worker.orders.refund.payments import RefundPaymentActivities
from worker.orders.store import OrderStore

log = logging.getLogger(__name__)

MOVED_HERE = text(
    """
    SELECT DISTINCT p.provider_ref FROM ledger l JOIN payments p ON p.id = l.payment_id
    WHERE p.provider_ref IS NOT NULL AND p.provider = :provider
      AND (l.created_at BETWEEN :since AND :until
        OR l.settled_at BETWEEN :since AND :until
        OR (l.status = 'pending' AND l.created_at < :until))
    """
)
WHOSE = text(
    """
    SELECT order_id, id FROM payments
    WHERE provider = :provider AND provider_ref = :ref
    UNION ALL
    SELECT order_id, id FROM payments WHERE id = :payment_id
    LIMIT 1
    """
)

Verdict = Literal["agrees", "healed", "moving"]


class _Stopped(Payload):
    new: int


@dataclass(frozen=True)
class Both:
    """One payment, in our books and in the provider's."""

    order: OrderSnapshot
    payment: Payment
    booked: Booked


class ReconcileActivities(ReconcileSteps):
    def __init__(
        self,
        store: OrderStore,
        provider: PaymentProvider,
        payments: PaymentActivities,
        refunds: RefundPaymentActivities,
        nudger: Nudger,
    ) -> None:
        self._store = store
        self._provider = provider
        self._payments = payments
        self._refunds = refunds
        self._nudge = nudger

    async def reconcile(self, window: Window) -> Reconciled:
        """Compare everything in the window. The counts are those of the last attempt;
        what earlier attempts healed stays healed."""
        done = next(iter(activity.info().heartbeat_details), "")
        refs = sorted(ref for ref in await self._moved(window) if ref > done)
        healed = found = 0
        for ref in refs:
            outcome = await self._compare(ref, window)
            if isinstance(outcome, Finding):
                found += await self._report(outcome)
            elif outcome == "healed":
                healed += 1
            activity.heartbeat(ref)
        if found or healed:
            log.warning("reconciled: %d healed, %d new discrepancies", healed, found)
        return Reconciled(
            until=window.until, checked=len(refs), healed=healed, found=found
        )

    async def _moved(self, window: Window) -> set[str]:
        """References of payments that anything happened to, here or there."""
        async with self._store.engine.connect() as connection:
            moved = set(
                await connection.scalars(
                    MOVED_HERE, {"provider": self._provider.name, **dict(window)}
                )
            )
        # No heartbeat of our own: it would forget how far an attempt before this one
        # came, and the worker's go on until there is one (`runtime.heartbeats`).
        async for ref in self._provider.changed_payments(window.since, window.until):
            moved.add(ref)
        return moved

    async def _compare(self, ref: str, window: Window) -> Verdict | Finding:
        booked = await self._provider.booked(ref)
        known = await self._whose(ref, booked)
        if known is None:
            return _unknown(booked) if booked else "agrees"
        order_id, payment_id = known
        if booked is None:
            return Finding("payment-missing", payment_id, {"provider_ref": ref})
        order = await self._store.read(order_id)
        both = Both(order, order.payment(payment_id), booked)
        if both.payment.provider_ref not in (None, ref):
            if booked.captured > booked.refunded:
                return _unknown(booked)
            return await self._give_back(both)
        if rows := [r for r in both.payment.ledger if _is_pending(r)]:
            return await self._settle(both, [r for r in rows if _is_due(r, window)])
        return await self._judge(both)

    async def _whose(self, ref: str, booked: Booked | None) -> tuple[str, str] | None:
        async with self._store.engine.connect() as connection:
            row = (
                await connection.execute(
                    WHOSE,
                    {
                        "provider": self._provider.name,
                        "ref": ref,
                        "payment_id": booked.payment_id if booked else None,
                    },
                )
            ).first()
        return None if row is None else (row.order_id, row.id)

    # ── healing ─────────────────────────────────────────────────────────────────

    async def _settle(self, both: Both, rows: list[LedgerRow]) -> Verdict:
        """Fetch answers that never came, and nudge the order."""
        for row in rows:
            await self._look_again(both.order.id, both.payment.id, row)
        if not rows:
            return "moving"
        after = (await self._store.read(both.order.id)).payment(both.payment.id)
        await self._nudge.order(both.order.id)
        still = {row.id for row in after.ledger if _is_pending(row)}
        return "moving" if still.issuperset(row.id for row in rows) else "healed"

    async def _look_again(self, order_id: str, payment_id: str, row: LedgerRow) -> None:
        payment = PaymentRef(order_id=order_id, payment_id=payment_id)
        match row.kind:
            case MoneyKind.AUTHORIZE:
                await self._payments.authorize_payment(order_id, payment_id)
            case MoneyKind.CAPTURE:
                await self._payments.capture(
                    ShipmentRef(order_id=order_id, shipment_id=row.ref)
                )
            case MoneyKind.RELEASE:
                await self._payments.release(payment)
            case MoneyKind.REFUND:
                await self._refunds.refund(
                    RefundRef(order_id=order_id, refund_id=row.ref)
                )
                await self._nudge.refund(row.ref)

    async def _give_back(self, both: Both) -> Verdict:
        """Release an authorisation that no order here needs."""
        booked = both.booked
        if not booked.held:
            return "agrees"
        log.warning("gave back an authorisation that nobody asked for: %s", booked.ref)
        await self._provider.release(booked.ref, f"orphan:{booked.ref}")
        return "healed"

    async def _judge(self, both: Both) -> Verdict | Finding:
        """Nothing is under way, so both sides must agree."""
        differing = {name: sums for name, *sums in _differences(both)}
        order = await self._store.read(both.order.id)
        if not differing:
            return "agrees"
        if order.version != both.order.version:
            return "moving"  # it changed meanwhile; the next run sees it again
        if list(differing) == ["held"]:
            if both.payment.held == 0:
                return await self._give_back(both)
            if both.booked.held == 0 and both.booked.cancelled:
                await self._payments.release(
                    PaymentRef(order_id=order.id, payment_id=both.payment.id)
                )
                await self._nudge.order(order.id)
                return "healed"
        return Finding(
            DIFFERS,
            both.payment.id,
            {
                "order_id": order.id,
                "provider_ref": both.booked.ref,
                **{
                    name: {"ledger": ours, "provider": theirs}
                    for name, (ours, theirs) in differing.items()
                },
            },
        )

    async def _report(self, finding: Finding) -> int:
        if finding.kind == DIFFERS:
            return await self._stop(finding)
        async with self._store.engine.begin() as connection:
            return await report(connection, "orders", [finding])

    async def _stop(self, finding: Finding) -> int:
        """Stop the order until a person decides; it may have ended long ago."""
        detail = dict(finding.detail)
        order_id, ref = str(detail.pop("order_id")), str(detail.pop("provider_ref"))

        async def stop(change: UnitOfWork, order: OrderSnapshot) -> _Stopped:
            new = await stop_for_difference(
                change, order, finding.subject, ref, cast(Difference, detail)
            )
            return _Stopped(new=new)

        stopped = await self._store.change(order_id, stop, _Stopped)
        await self._nudge.start_order(order_id)
        await self._nudge.order(order_id)
        return stopped.new


def _differences(both: Both) -> Iterator[tuple[str, int, int]]:
    ours, theirs = both.payment, both.booked
    sums = (
        ("held", ours.held, theirs.held),
        ("captured", ours.captured, theirs.captured),
        ("refunded", ours.refunded - _paid_otherwise(ours), theirs.refunded),
    )
    return (difference for difference in sums if difference[1] != difference[2])


def _paid_otherwise(payment: Payment) -> int:
    rows = payment.rows(MoneyKind.REFUND)
    return sum(row.amount for row in rows if ledger.went_otherwise(row))


def _unknown(booked: Booked) -> Verdict | Finding:
    """An unknown payment may belong to another system on the same account: a person
    decides."""
    if not booked.held and booked.captured == booked.refunded:
        return "agrees"
    return Finding(
        "payment-unknown",
        booked.ref,
        {
            "held": booked.held,
            "captured": booked.captured,
            "refunded": booked.refunded,
        },
    )


def _is_pending(row: LedgerRow) -> bool:
    return row.status is MoneyStatus.PENDING


def _is_due(row: LedgerRow, window: Window) -> bool:
    """Whether it is so old that its step has stopped waiting."""
    return row.created_at < window.until
