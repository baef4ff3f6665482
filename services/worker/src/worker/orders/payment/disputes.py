"""A customer disputes a payment at their bank: the money is gone until that decides.

docs.stripe.com/disputes. The goods that have not left stay until a person has decided;
a loss is booked as money that went back, though not as a refund of the provider's.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.contracts.orders.holds import Decision, HoldReason
from shared.contracts.orders.states import DisputeStatus, MoneyKind, MoneyStatus
from shared.database.kernel.discrepancies import Finding, report
from shared.database.kernel.holds import place_hold, release_holds
from shared.database.kernel.tables import Hold as HoldTable
from shared.database.kernel.unit_of_work import Done, UnitOfWork
from shared.database.orders.snapshot import OrderSnapshot, Payment
from shared.database.orders.tables import Dispute as DisputeTable
from shared.database.orders.tables import Order
from sqlalchemy import text

from worker.orders.payment import ledger
from worker.orders.ports import ProviderDispute

EXCEEDS_PAYMENT = "dispute-exceeds-payment"
"""The kind of a discrepancy: the bank has taken more than the customer had paid."""


@dataclass(frozen=True)
class _Known:
    status: DisputeStatus
    withdrawn: int


_NEW = _Known(DisputeStatus.NEW, 0)


async def record(
    change: UnitOfWork, order: OrderSnapshot, *, payment_id: str, said: ProviderDispute
) -> Done:
    """Book the dispute as the provider has it now. Safe to repeat, in any order."""
    known = await _known(change, said.ref)
    if known.status is said.status or known.status.ended:
        return Done()
    payment = order.payment(payment_id)
    claimed = _claimed(payment, said, order.currency)
    withdrawn = claimed if said.status.withdrawn else 0
    await _write(change, payment_id, said, withdrawn, known)
    await ledger.add(change, payment_id, disputed=withdrawn - known.withdrawn)
    event = "opened" if known is _NEW else "changed"
    change.event(
        f"dispute.{said.status if said.status.ended else event}",
        dispute=said.ref,
        payment_id=payment_id,
        amount=said.amount,
        status=said.status,
    )
    if said.status is DisputeStatus.LOST:
        await _lose(change, order, payment, said, min(claimed, _left(payment)))
    await _hold(change, order, payment_id, said)
    return Done()


async def _write(
    change: UnitOfWork,
    payment_id: str,
    said: ProviderDispute,
    withdrawn: int,
    known: _Known,
) -> None:
    facts: dict[str, Any] = {
        "status": said.status,
        "withdrawn": withdrawn,
        "due_at": said.due_at,
    }
    if known is not _NEW:
        await change.update(DisputeTable, said.ref, **facts)
        return
    await change.insert(
        DisputeTable,
        {
            "id": said.ref,
            "payment_id": payment_id,
            "amount": said.amount,
            "reason": said.reason,
            **facts,
        },
    )


def _claimed(payment: Payment, said: ProviderDispute, currency: str) -> int:
    """The disputed amount in the order's currency. A dispute in another currency counts
    as all that was captured."""
    same = said.currency.upper() == currency.upper()
    return said.amount if same else payment.captured


def _left(payment: Payment) -> int:
    """What was captured and neither refunded nor about to be."""
    return max(0, payment.captured - payment.refunded - payment.refunding)


async def _lose(
    change: UnitOfWork,
    order: OrderSnapshot,
    payment: Payment,
    said: ProviderDispute,
    lost: int,
) -> None:
    """The bank has paid the customer back: beyond the price of what came back (M1).
    What it took beyond `lost` had already been refunded, so it was paid twice: finance
    decides about that."""
    if said.amount != lost or said.currency.upper() != order.currency:
        detail = {
            "order_id": order.id,
            "dispute": said.ref,
            "amount": said.amount,
            "currency": said.currency,
            "booked": lost,
        }
        found = Finding(EXCEEDS_PAYMENT, payment.id, detail)
        await report(change.connection, "orders", [found])
    if not lost:
        return
    row = await ledger.begin(change, payment.id, MoneyKind.REFUND, lost, said.ref)
    await ledger.settle(
        change,
        row,
        MoneyStatus.SUCCEEDED,
        provider_ref=f"{ledger.LOST_DISPUTE}{said.ref}",
    )
    await ledger.add(change, payment.id, refunded=lost)
    await change.update(Order, order.id, add={"goodwill": lost})


async def _hold(
    change: UnitOfWork, order: OrderSnapshot, payment_id: str, said: ProviderDispute
) -> None:
    """The hold is due when the evidence is, and has no due time once that is sent. A
    dispute that was won needs nobody; a lost one needs a person while goods are still
    in the warehouse."""
    hold = order.hold(HoldReason.DISPUTE)
    over = said.status.ended and (
        said.status is not DisputeStatus.LOST or not order.open_units
    )
    if over:
        await release_holds(change, Decision.SETTLED, reason=HoldReason.DISPUTE)
    elif hold is not None:
        due = _due(said)
        await change.update(HoldTable, hold.id, due_at=due, escalated_at=None)
    elif said.status is not DisputeStatus.UNDER_REVIEW or order.open_units:
        await place_hold(
            change,
            HoldReason.DISPUTE,
            due_at=_due(said),
            detail={
                "dispute": said.ref,
                "payment_id": payment_id,
                "amount": said.amount,
                "cause": said.reason,
                "status": said.status,
            },
        )


def _due(said: ProviderDispute) -> datetime | None:
    return said.due_at if said.status.needs_response else None


async def _known(change: UnitOfWork, ref: str) -> _Known:
    rows = await change.connection.execute(_KNOWN, {"ref": ref})
    row = rows.first()
    return _Known(DisputeStatus(row.status), row.withdrawn) if row else _NEW


_KNOWN = text("SELECT status, withdrawn FROM disputes WHERE id = :ref")
