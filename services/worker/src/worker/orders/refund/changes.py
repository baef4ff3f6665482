"""Owes a refund, and takes it back. The goods are credited and the money is set aside
in one transaction, so that the books agree from the first moment (M1)."""

from shared.contracts.errors import Refusal
from shared.contracts.orders.holds import Decision, HoldReason
from shared.contracts.orders.states import MoneyKind, MoneyStatus, RefundReason
from shared.database.ids import new_id
from shared.database.kernel.unit_of_work import UnitOfWork
from shared.database.orders.refund_breakdown import (
    RefundBreakdown,
    credited_line,
    shipping_tax_of,
    tax_of,
    undone,
)
from shared.database.orders.snapshot import (
    Hold,
    LedgerRow,
    OrderSnapshot,
    Payment,
)
from shared.database.orders.tables import Order
from shared.database.orders.tables import Refund as RefundTable

from worker.orders.hold.effects import decides
from worker.orders.payment import ledger
from worker.orders.payment.amounts import pending_refunds
from worker.orders.stock.changes import add_to_line


async def request(
    change: UnitOfWork,
    order: OrderSnapshot,
    due: RefundBreakdown,
    *,
    reason: RefundReason,
    refund_id: str | None = None,
    return_id: str | None = None,
) -> str | None:
    """Owe the customer what is `due`. Returns the refund's id, or `None` if the amount
    is zero. The refund's workflow then sends it to the provider."""
    await _add(change, order, due, sign=1)
    if due.amount == 0:
        return None
    refund_id = refund_id or new_id("ref")
    await change.insert(
        RefundTable,
        {
            "id": refund_id,
            "order_id": order.id,
            "return_id": return_id,
            "reason": reason,
            "amount": due.amount,
            "shipping": due.shipping,
            "goodwill": due.goodwill,
            "tax": tax_of(order, due),
            "shipping_tax": shipping_tax_of(order, due),
            "status": MoneyStatus.PENDING,
            "lines": [credited_line(order, due, number) for number in due.lines],
            "requested_by": change.actor,
        },
    )
    await _set_aside(change, order, due.amount, refund_id)
    kept = {"deducted": due.deducted} if due.deducted else {}
    change.event(
        "refund.requested",
        refund_id=refund_id,
        amount=due.amount,
        reason=reason,
        **kept,
    )
    return refund_id


async def _set_aside(
    change: UnitOfWork, order: OrderSnapshot, amount: int, refund_id: str
) -> None:
    """Spread the amount over the payments that can still pay it, oldest first."""
    for payment in order.payments:
        part = min(amount, payment.refundable)
        if part > 0:
            amount -= part
            await ledger.add(change, payment.id, refunding=part)
            await ledger.begin(change, payment.id, MoneyKind.REFUND, part, refund_id)


@decides(HoldReason.REFUND, Decision.REJECT)
async def reject(change: UnitOfWork, order: OrderSnapshot, hold: Hold) -> None:
    """Take a refund back: nothing more of it is paid out. Raises `Refusal` wrong-state
    while part of it is at the provider."""
    refund = order.refund(hold.subject)
    given_up = 0
    for payment, row in _open_rows(order, refund.id):
        given_up += row.amount
        await ledger.settle(change, row.id, MoneyStatus.FAILED, failure="rejected")
        await ledger.add(change, payment.id, refunding=-row.amount)
    await _add(change, order, undone(order, refund, given_up), sign=-1)
    await change.update(RefundTable, refund.id, status=MoneyStatus.FAILED)
    change.event("refund.rejected", refund_id=refund.id, amount=given_up)


@decides(HoldReason.REFUND, Decision.PAID_OTHERWISE)
async def pay_otherwise(change: UnitOfWork, order: OrderSnapshot, hold: Hold) -> None:
    """The customer got the money another way. Raises like `reject`."""
    refund = order.refund(hold.subject)
    for payment, row in _open_rows(order, refund.id):
        await ledger.settle(
            change, row.id, MoneyStatus.SUCCEEDED, provider_ref=ledger.PAID_OTHERWISE
        )
        await ledger.add(change, payment.id, refunding=-row.amount, refunded=row.amount)
    await change.update(RefundTable, refund.id, status=MoneyStatus.SUCCEEDED)
    change.event("refund.succeeded", refund_id=refund.id, amount=refund.amount)


@decides(HoldReason.REFUND, Decision.APPROVE, Decision.RETRY)
async def go_on(change: UnitOfWork, order: OrderSnapshot, hold: Hold) -> None:
    """A second person has decided: the provider is asked, or asked again."""
    refund = order.refund(hold.subject)
    await change.update(
        RefundTable,
        refund.id,
        status=MoneyStatus.PENDING,
        approved_by=refund.approved_by or change.actor,
    )


def _open_rows(order: OrderSnapshot, refund_id: str) -> list[tuple[Payment, LedgerRow]]:
    """What is set aside for a refund and not yet at a provider. Raises `Refusal`."""
    rows = pending_refunds(order, refund_id)
    if any(row.provider_ref for _, row in rows):
        raise Refusal("wrong-state", "A part of it is at the provider: wait for that.")
    return rows


async def _add(
    change: UnitOfWork, order: OrderSnapshot, due: RefundBreakdown, *, sign: int
) -> None:
    for number, units in due.lines.items():
        await add_to_line(change, order.id, number, credited=sign * units)
    await change.update(
        Order,
        order.id,
        add={
            "shipping_credited": sign * due.shipping,
            "goodwill": sign * due.goodwill,
            "deducted": sign * due.deducted,
        },
    )
