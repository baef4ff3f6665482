"""Covering an order: which payment is charged next, and what its answer means."""

from datetime import datetime

from shared.contracts.base import Payload
from shared.contracts.orders.charging import chargeable
from shared.contracts.orders.holds import TOO_MANY_ATTEMPTS, Decision, HoldReason
from shared.contracts.orders.states import MoneyKind, MoneyStatus
from shared.database.ids import new_id
from shared.database.kernel.holds import release_holds
from shared.database.kernel.unit_of_work import UnitOfWork
from shared.database.orders.payments import NEVER_SENT, REMEMBERED
from shared.database.orders.snapshot import LedgerRow, OrderSnapshot, Payment
from shared.database.orders.tables import Payment as PaymentTable
from sqlalchemy import text

from worker.orders.hold.changes import ask_for_payment, settle_provider_hold
from worker.orders.payment import ledger
from worker.orders.payment.amounts import uncovered, unsettled
from worker.orders.payment.attempts import AttemptLimits, too_many
from worker.orders.payment.compare import (
    as_answered,
    as_booked,
    authorized_as_asked,
    differences,
)
from worker.orders.payment.difference import DIFFERS, stop_for_difference
from worker.orders.payment.requests import ProviderRequest, open_request, resume
from worker.orders.ports import ProviderPayment

AMOUNT_NOT_CHARGEABLE = "amount-not-chargeable"
"""Why an attempt failed: the provider does not charge so little, or so much, at
once."""


class Begun(Payload):
    """The authorisation to request; nothing when there is nothing to do."""

    request: ProviderRequest | None = None
    currency: str = ""
    customer: str = ""
    method_ref: str = ""
    customer_ref: str | None = None
    off_session: bool = False
    return_url: str | None = None


async def begin(
    change: UnitOfWork,
    order: OrderSnapshot,
    *,
    now: datetime,
    payment_id: str | None,
    attempts: AttemptLimits,
) -> Begun:
    """Resume what is under way, or take the newest untried method, or the saved one;
    else ask the customer. `payment_id` asks about this payment only."""
    under_way = resumed(order, payment_id)
    if under_way is not None and order.status.final and not was_sent(under_way):
        await _leave(change, under_way)
        return Begun()
    if under_way is not None:
        return under_way
    amount = uncovered(order, now)
    if payment_id is not None or amount == 0 or order.status.final:
        return Begun()
    if not chargeable(order.currency, amount):
        await ask_for_payment(change, AMOUNT_NOT_CHARGEABLE, amount=amount)
        return Begun()
    payment = _untried(order) or await _saved(change, order)
    if payment is None:
        waiting = _waits_for_customer(order)
        await ask_for_payment(
            change, "authentication-required" if waiting else "no-payment-method"
        )
        return Begun()
    if await too_many(change, order, attempts):
        await ask_for_payment(change, TOO_MANY_ATTEMPTS)
        change.event("payment.stopped", payment_id=payment.id)
        return Begun()
    customer_ref = payment.customer_ref or await _remembered(change, order)
    payment = payment.model_copy(update={"customer_ref": customer_ref})
    request = await open_request(
        change, payment.id, MoneyKind.AUTHORIZE, amount, order.id, now
    )
    return _begun(order, payment, request)


def resumed(
    order: OrderSnapshot, payment_id: str | None = None, *, sent: bool = False
) -> Begun | None:
    """The authorisation that is under way, of `payment_id` only if that is given."""
    payment = _under_way(order, payment_id)
    row = payment and payment.pending(MoneyKind.AUTHORIZE)
    if not payment or not row:
        return None
    return _begun(order, payment, resume(payment, row, sent=sent))


def was_sent(begun: Begun) -> bool:
    return begun.request is not None and begun.request.sent


async def _leave(change: UnitOfWork, begun: Begun) -> None:
    if begun.request is not None:
        await ledger.settle(
            change, begun.request.row_id, MoneyStatus.FAILED, failure=NEVER_SENT
        )
        change.event("payment.abandoned", payment_id=begun.request.payment_id)


def _begun(order: OrderSnapshot, payment: Payment, request: ProviderRequest) -> Begun:
    return Begun(
        request=request,
        currency=order.currency,
        customer=order.customer,
        method_ref=payment.method_ref,
        customer_ref=payment.customer_ref,
        off_session=payment.off_session,
        return_url=payment.return_url,
    )


async def _remembered(change: UnitOfWork, order: OrderSnapshot) -> str | None:
    """The provider's customer of an earlier order: it has the saved cards."""
    found = await change.connection.scalar(_REMEMBERED, {"customer": order.customer})
    return None if found is None else str(found)


_REMEMBERED = text(REMEMBERED)


def _under_way(order: OrderSnapshot, payment_id: str | None) -> Payment | None:
    if payment_id is not None:
        return order.payment(payment_id)
    return next((p for p in order.payments if unsettled(p)), None)


def _untried(order: OrderSnapshot) -> Payment | None:
    return next((p for p in reversed(order.payments) if not p.ledger), None)


def _waits_for_customer(order: OrderSnapshot) -> bool:
    return any(payment.next_action for payment in order.payments)


async def _saved(change: UnitOfWork, order: OrderSnapshot) -> Payment | None:
    """Another authorisation on a method that has worked and was saved."""
    for payment in reversed(order.payments):
        if payment.authorized and payment.customer_ref:
            copy = payment.model_copy(
                update={"id": new_id("pay"), "off_session": True, "ledger": ()}
            )
            await change.insert(
                PaymentTable,
                {
                    "id": copy.id,
                    "order_id": order.id,
                    "provider": copy.provider,
                    "method_ref": copy.method_ref,
                    "customer_ref": copy.customer_ref,
                    "off_session": True,
                },
            )
            return copy
    return None


async def settle(
    change: UnitOfWork,
    order: OrderSnapshot,
    *,
    row_id: str,
    customer_ref: str | None,
    answer: ProviderPayment,
) -> OrderSnapshot | None:
    """Returns the order as it is now, where that is known without reading it."""
    payment, row = ledger.find_row(order, row_id)
    if row.status is not MoneyStatus.PENDING:
        return order
    await settle_provider_hold(change, order)
    match answer.status:
        case "authorized" | "captured" if not authorized_as_asked(
            row, order.currency, answer
        ):
            await _differs(change, order, payment, row, customer_ref, answer)
        case "authorized" | "captured":
            await _authorized(change, order, payment, row, customer_ref, answer)
            return None if order.holds else _covered(order, payment, row, answer)
        case "requires_action":
            await _action_required(change, payment, customer_ref, answer)
        case "declined" | "cancelled":
            await _declined(change, payment, row_id, customer_ref, answer)
            # Cancelled meanwhile: nothing is left to pay for.
            if not order.status.final:
                await ask_for_payment(change, _why(answer), payment_id=payment.id)
    return None


def _covered(
    order: OrderSnapshot, payment: Payment, row: LedgerRow, answer: ProviderPayment
) -> OrderSnapshot:
    """The order as `_authorized` leaves it, as far as later decisions depend on it."""
    settled = row.model_copy(
        update={"status": MoneyStatus.SUCCEEDED, "provider_ref": answer.ref}
    )
    covered = payment.model_copy(
        update={
            "authorized": payment.authorized + row.amount,
            "capture_before": answer.capture_before,
            "multicapture": answer.multicapture,
            "next_action": None,
            "provider_ref": answer.ref,
            "ledger": tuple(settled if r is row else r for r in payment.ledger),
        }
    )
    payments = tuple(covered if p is payment else p for p in order.payments)
    return order.model_copy(update={"payments": payments})


async def _differs(
    change: UnitOfWork,
    order: OrderSnapshot,
    payment: Payment,
    row: LedgerRow,
    customer_ref: str | None,
    answer: ProviderPayment,
) -> None:
    """Somebody else has changed the payment meanwhile. It covers nothing until it is
    booked."""
    await ledger.settle(
        change, row.id, MoneyStatus.FAILED, provider_ref=answer.ref, failure=DIFFERS
    )
    await _note_answer(change, payment, customer_ref, answer)
    found = differences(as_booked(payment), as_answered(answer))
    await stop_for_difference(change, order, payment.id, answer.ref, found)


async def _authorized(
    change: UnitOfWork,
    order: OrderSnapshot,
    payment: Payment,
    row: LedgerRow,
    customer_ref: str | None,
    answer: ProviderPayment,
) -> None:
    await ledger.settle(change, row.id, MoneyStatus.SUCCEEDED, provider_ref=answer.ref)
    await _note_answer(change, payment, customer_ref, answer, authorized=row.amount)
    if order.hold(HoldReason.PAYMENT) is not None:
        await release_holds(change, Decision.SETTLED, reason=HoldReason.PAYMENT)
    change.event("payment.authorized", payment_id=payment.id, amount=row.amount)


async def _note_answer(
    change: UnitOfWork,
    payment: Payment,
    customer_ref: str | None,
    answer: ProviderPayment,
    *,
    authorized: int = 0,
) -> None:
    await change.update(
        PaymentTable,
        payment.id,
        add={"authorized": authorized},
        capture_before=answer.capture_before,
        multicapture=answer.multicapture,
        next_action=None,
        provider_ref=answer.ref,
        customer_ref=customer_ref,
    )


async def _action_required(
    change: UnitOfWork,
    payment: Payment,
    customer_ref: str | None,
    answer: ProviderPayment,
) -> None:
    if payment.next_action is not None:
        return
    await change.update(
        PaymentTable,
        payment.id,
        provider_ref=answer.ref,
        customer_ref=customer_ref,
        next_action=_action(answer),
    )
    change.event("payment.action_required", payment_id=payment.id)
    await ask_for_payment(change, "authentication-required", payment_id=payment.id)


def _action(answer: ProviderPayment) -> dict[str, str | None]:
    """What the customer does next: without a `return_url` the shop's own page asks
    them, by the provider's script and this secret."""
    if answer.redirect_url is None and answer.client_secret is not None:
        return {"type": "use_stripe_sdk", "client_secret": answer.client_secret}
    return {"type": "redirect", "url": answer.redirect_url}


async def _declined(
    change: UnitOfWork,
    payment: Payment,
    row_id: str,
    customer_ref: str | None,
    answer: ProviderPayment,
) -> None:
    # References are unique, so an empty one is stored as NULL.
    ref = answer.ref or None
    await ledger.settle(
        change,
        row_id,
        MoneyStatus.FAILED,
        provider_ref=ref,
        failure=_why(answer),
    )
    await change.update(
        PaymentTable,
        payment.id,
        provider_ref=ref,
        customer_ref=customer_ref,
        next_action=None,
    )
    change.event("payment.declined", payment_id=payment.id, code=_why(answer))


def _why(answer: ProviderPayment) -> str:
    return answer.failure or answer.status
