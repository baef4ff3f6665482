"""A ledger row on its way to the provider and back."""

from datetime import datetime, timedelta

from shared.contracts.base import Payload
from shared.contracts.orders.states import MoneyKind, MoneyStatus
from shared.database.kernel.change import Change
from shared.database.orders.snapshot import LedgerRow, OrderSnapshot, Payment

from worker.orders.activities import ledger
from worker.orders.activities.store import Done
from worker.orders.facts import KEY_SPENT

KEY_LIVES = timedelta(hours=23)
"""Stripe may forget a key after 24 h; one hour is a margin for clocks and queues."""


class Asked(Payload):
    """What to ask the provider. `row_id` is the idempotency key; `repeat` says that it
    may have been asked before, at the earliest at `since`."""

    row_id: str
    payment_id: str
    amount: int
    since: datetime
    repeat: bool
    provider_ref: str | None = None


def again(payment: Payment, row: LedgerRow) -> Asked:
    """Resume a row that a crash or a lost answer left pending."""
    return Asked(
        row_id=row.id,
        payment_id=payment.id,
        amount=row.amount,
        since=row.created_at,
        repeat=True,
        provider_ref=row.provider_ref,
    )


async def ask(
    change: Change,
    payment_id: str,
    kind: MoneyKind,
    amount: int,
    ref: str,
    at: datetime,
) -> Asked:
    row_id = await ledger.begin(change, payment_id, kind, amount, ref)
    return Asked(
        row_id=row_id, payment_id=payment_id, amount=amount, since=at, repeat=False
    )


async def under_new_key(change: Change, order: OrderSnapshot, *, row_id: str) -> Done:
    """Give up a spent key and ask under a new one. The counters stay as they are."""
    payment, row = ledger.find_row(order, row_id)
    if row.status is MoneyStatus.PENDING:
        await ledger.settle(change, row.id, MoneyStatus.FAILED, failure=KEY_SPENT)
        await ledger.begin(
            change, payment.id, row.kind, row.amount, row.ref, attempt=row.attempt + 1
        )
    return Done()
