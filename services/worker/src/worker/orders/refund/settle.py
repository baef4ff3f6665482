"""A refund at the provider: its parts are requested one by one and settled."""

from dataclasses import replace

from shared.contracts.base import Payload
from shared.contracts.orders.holds import Decision, HoldReason, due_of
from shared.contracts.orders.states import MoneyKind, MoneyStatus
from shared.database.kernel.holds import place_hold, release_holds
from shared.database.kernel.unit_of_work import Done, UnitOfWork
from shared.database.orders.snapshot import LedgerRow, OrderSnapshot, Payment
from shared.database.orders.tables import LedgerRow as LedgerTable
from shared.database.orders.tables import Refund as RefundTable

from worker.orders.hold.changes import settle_provider_hold
from worker.orders.payment import ledger
from worker.orders.payment.amounts import pending_refunds
from worker.orders.payment.compare import Sums, differences, refunded_as_asked
from worker.orders.payment.difference import DIFFERS, report_difference
from worker.orders.payment.requests import ProviderRequest, resume
from worker.orders.ports import ProviderRefund


class Part(Payload):
    request: ProviderRequest
    payment_ref: str


def open_parts(order: OrderSnapshot, refund_id: str) -> list[Part]:
    """The parts of a refund that are not settled. They are written when the refund is
    requested, so any of them may have been sent before."""
    return [_part(payment, row) for payment, row in pending_refunds(order, refund_id)]


def part_at_provider(
    order: OrderSnapshot, refund_id: str, provider_ref: str
) -> Part | None:
    """The part with this reference, unless it was given up."""
    for payment in order.payments:
        for row in payment.rows(MoneyKind.REFUND):
            known = row.ref == refund_id and row.provider_ref == provider_ref
            if known and row.status is not MoneyStatus.FAILED:
                return _part(payment, row)
    return None


def _part(payment: Payment, row: LedgerRow) -> Part:
    return Part(request=resume(payment, row), payment_ref=payment.provider_ref or "")


async def settle(
    change: UnitOfWork,
    order: OrderSnapshot,
    *,
    refund_id: str,
    row_id: str,
    answer: ProviderRefund,
    refunded: int | None = None,
) -> Done:
    """`refunded` is what the provider has given back of the payment in all, if it was
    asked: a refund that is refused may have been made by hand before."""
    payment, row = ledger.find_row(order, row_id)
    if row.status is MoneyStatus.SUCCEEDED and answer.status == "failed":
        # The customer's bank sent it back after all: it is owed again.
        await ledger.add(change, payment.id, refunding=row.amount, refunded=-row.amount)
        await _fail(change, order, refund_id, row_id, answer)
        return Done()
    if row.status is not MoneyStatus.PENDING:
        return Done()
    await settle_provider_hold(change, order, refund_id)
    if answer.status != "failed" and not refunded_as_asked(row, order.currency, answer):
        answer = replace(answer, status="failed", failure=DIFFERS)
    match answer.status:
        case "pending":
            await change.update(LedgerTable, row_id, provider_ref=answer.ref)
        case "succeeded":
            await _succeed(change, order, refund_id, payment, row, answer)
        case "failed":
            await _fail(change, order, refund_id, row_id, answer)
            found = differences(_paid_back(payment), Sums(refunded=refunded))
            if found:
                ref = payment.provider_ref or ""
                await report_difference(change, order, payment.id, ref, found)
    return Done()


async def _succeed(
    change: UnitOfWork,
    order: OrderSnapshot,
    refund_id: str,
    payment: Payment,
    row: LedgerRow,
    answer: ProviderRefund,
) -> None:
    await ledger.settle(change, row.id, MoneyStatus.SUCCEEDED, provider_ref=answer.ref)
    await ledger.add(change, payment.id, refunding=-row.amount, refunded=row.amount)
    if len(open_parts(order, refund_id)) > 1:
        change.event(
            "refund.part_succeeded",
            refund_id=refund_id,
            payment_id=payment.id,
            amount=row.amount,
        )
        return
    await finish(change, order, refund_id, MoneyStatus.SUCCEEDED)
    await release_holds(
        change, Decision.SETTLED, reason=HoldReason.REFUND, subject=refund_id
    )


def _paid_back(payment: Payment) -> Sums:
    """What the provider should have refunded, or be about to refund."""
    rows = payment.rows(MoneyKind.REFUND)
    on_its_way = sum(
        row.amount
        for row in rows
        if row.status is MoneyStatus.PENDING and row.provider_ref
    )
    otherwise = sum(row.amount for row in rows if ledger.went_otherwise(row))
    return Sums(refunded=payment.refunded + on_its_way - otherwise)


async def _fail(
    change: UnitOfWork,
    order: OrderSnapshot,
    refund_id: str,
    row_id: str,
    answer: ProviderRefund,
) -> None:
    """The money is still owed, so the counters stay. The next attempt is written down,
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
    await finish(change, order, refund_id, MoneyStatus.FAILED)
    await place_hold(
        change,
        HoldReason.REFUND,
        subject=refund_id,
        due_in=due_of(HoldReason.REFUND),
        placed_by=order.refund(refund_id).requested_by,
        detail={"refund_id": refund_id, "cause": answer.failure or "failed"},
    )


async def finish(
    change: UnitOfWork, order: OrderSnapshot, refund_id: str, status: MoneyStatus
) -> None:
    await change.update(RefundTable, refund_id, status=status)
    change.event(
        f"refund.{status}",
        refund_id=refund_id,
        amount=order.refund(refund_id).amount,
    )
