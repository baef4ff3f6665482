"""A refund at the provider: its parts are asked for one by one and settled."""

from shared.contracts.base import Payload
from shared.contracts.orders.states import HoldReason, MoneyKind, MoneyStatus
from shared.database.kernel.change import Change
from shared.database.kernel.holds import place_hold
from shared.database.orders.snapshot import OrderSnapshot
from shared.database.orders.tables import LedgerRow as LedgerTable
from shared.database.orders.tables import Refund as RefundTable
from sqlalchemy import update

from worker.orders import policy
from worker.orders.activities import ledger
from worker.orders.activities.asking import Asked, again
from worker.orders.activities.store import Done
from worker.orders.ports import ProviderRefund


class Part(Payload):
    asked: Asked
    payment_ref: str


def open_parts(order: OrderSnapshot, refund_id: str) -> list[Part]:
    """The parts of a refund that are not settled. They were written when the refund
    was requested, so any of them may have been asked for before."""
    return [
        Part(asked=again(payment, row), payment_ref=payment.provider_ref or "")
        for payment in order.payments
        for row in payment.rows(MoneyKind.REFUND)
        if row.ref == refund_id and row.status is MoneyStatus.PENDING
    ]


async def settle(
    change: Change,
    order: OrderSnapshot,
    *,
    refund_id: str,
    row_id: str,
    answer: ProviderRefund,
) -> Done:
    payment, row = ledger.find_row(order, row_id)
    if row.status is not MoneyStatus.PENDING:
        return Done()
    match answer.status:
        case "pending":
            await change.connection.execute(
                update(LedgerTable)
                .where(LedgerTable.id == row_id)
                .values(provider_ref=answer.ref)
            )
        case "succeeded":
            await ledger.settle(
                change, row_id, MoneyStatus.SUCCEEDED, provider_ref=answer.ref
            )
            await ledger.add(
                change, payment.id, refunding=-row.amount, refunded=row.amount
            )
            if len(open_parts(order, refund_id)) == 1:
                await _finish(change, order, refund_id, MoneyStatus.SUCCEEDED)
        case "failed":
            await _fail(change, order, refund_id, row_id, answer)
    return Done()


async def _fail(
    change: Change,
    order: OrderSnapshot,
    refund_id: str,
    row_id: str,
    answer: ProviderRefund,
) -> None:
    """The money is still owed: the counters stay, the next attempt is written down,
    and a person decides whether it is made."""
    payment, row = ledger.find_row(order, row_id)
    await ledger.settle(
        change,
        row_id,
        MoneyStatus.FAILED,
        provider_ref=answer.ref,
        failure=answer.failure or "failed",
    )
    await ledger.begin(
        change,
        payment.id,
        MoneyKind.REFUND,
        row.amount,
        refund_id,
        attempt=row.attempt + 1,
    )
    await _finish(change, order, refund_id, MoneyStatus.FAILED)
    await place_hold(
        change,
        HoldReason.REFUND,
        subject=refund_id,
        due_in=policy.REFUND_DUE,
        placed_by=order.refund(refund_id).requested_by,
        detail={"refund_id": refund_id, "cause": answer.failure or "failed"},
    )


async def _finish(
    change: Change, order: OrderSnapshot, refund_id: str, status: MoneyStatus
) -> None:
    await change.connection.execute(
        update(RefundTable).where(RefundTable.id == refund_id).values(status=status)
    )
    change.event(
        f"refund.{status}",
        refund_id=refund_id,
        amount=order.refund(refund_id).amount,
    )
