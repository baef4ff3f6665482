"""Giving an authorisation back."""

from datetime import datetime

from shared.contracts.base import Payload
from shared.contracts.orders.states import MoneyKind, MoneyStatus
from shared.database.kernel.unit_of_work import Done, UnitOfWork
from shared.database.orders.snapshot import LedgerRow, OrderSnapshot, Payment
from shared.database.orders.tables import Payment as PaymentTable

from worker.orders.hold.changes import ask_about_provider, settle_provider_hold
from worker.orders.payment import ledger
from worker.orders.payment.compare import (
    as_answered,
    as_booked,
    differences,
    released_as_asked,
)
from worker.orders.payment.difference import DIFFERS, stop_for_difference
from worker.orders.payment.requests import ProviderRequest, open_request, resume
from worker.orders.ports import ProviderPayment


class Begun(Payload):
    """The release to send. `abandoned`: the payment was never authorised and still
    waits for the customer."""

    request: ProviderRequest | None = None
    provider_ref: str = ""
    abandoned: bool = False


async def begin(
    change: UnitOfWork, order: OrderSnapshot, *, payment_id: str, now: datetime
) -> Begun:
    payment = order.payment(payment_id)
    ref = payment.provider_ref or ""
    pending = payment.pending(MoneyKind.RELEASE)
    if pending is not None:
        return Begun(request=resume(payment, pending), provider_ref=ref)
    waiting = payment.pending(MoneyKind.AUTHORIZE)
    if waiting is not None and payment.next_action is not None:
        return Begun(request=resume(payment, waiting), provider_ref=ref, abandoned=True)
    if payment.held == 0 or payment.capturing:
        return Begun()
    request = await open_request(
        change,
        payment.id,
        MoneyKind.RELEASE,
        payment.held,
        payment.id,
        now,
        attempt=len(payment.rows(MoneyKind.RELEASE)) + 1,
    )
    return Begun(request=request, provider_ref=ref)


async def settle(
    change: UnitOfWork, order: OrderSnapshot, *, row_id: str, answer: ProviderPayment
) -> Done:
    payment, row = ledger.find_row(order, row_id)
    if row.status is not MoneyStatus.PENDING:
        return Done()
    await settle_provider_hold(change, order)
    if row.kind is MoneyKind.AUTHORIZE:
        await _abandon(change, payment, row_id)
        return Done()
    if answer.status not in ("cancelled", "captured"):
        await _refused(change, payment, row, answer)
        return Done()
    if not released_as_asked(payment, answer):
        await ledger.settle(change, row.id, MoneyStatus.FAILED, failure=DIFFERS)
        found = differences(as_booked(payment), as_answered(answer))
        await stop_for_difference(change, order, payment.id, answer.ref, found)
        return Done()
    await ledger.settle(change, row.id, MoneyStatus.SUCCEEDED)
    await ledger.add(change, payment.id, released=row.amount)
    change.event("payment.released", payment_id=payment.id, amount=row.amount)
    return Done()


async def _refused(
    change: UnitOfWork, payment: Payment, row: LedgerRow, answer: ProviderPayment
) -> None:
    """Note the refusal. The payment is no surplus until a person decides to try
    again."""
    why = answer.failure or answer.status
    await ledger.settle(change, row.id, MoneyStatus.FAILED, failure=why)
    await ask_about_provider(change, why, asked_for=row.kind, payment_id=payment.id)


async def _abandon(change: UnitOfWork, payment: Payment, row_id: str) -> None:
    await ledger.settle(change, row_id, MoneyStatus.FAILED, failure="abandoned")
    await change.update(PaymentTable, payment.id, next_action=None)
    change.event("payment.abandoned", payment_id=payment.id)
