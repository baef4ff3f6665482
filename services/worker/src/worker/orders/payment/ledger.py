"""Money in PostgreSQL: ledger rows and the counters that sum them up (M2, M3)."""

from datetime import UTC, datetime

from shared.contracts.orders.states import MoneyKind, MoneyStatus
from shared.database.ids import new_id
from shared.database.kernel.unit_of_work import UnitOfWork
from shared.database.orders.snapshot import LedgerRow, OrderSnapshot, Payment
from shared.database.orders.tables import LedgerRow as LedgerTable
from shared.database.orders.tables import Payment as PaymentTable

PAID_OTHERWISE = "paid-otherwise"
"""Stands in place of the provider's reference: the money went another way, which the
provider's books do not know."""
LOST_DISPUTE = "lost-dispute:"
"""Prefix of a dispute's reference in the same place: the bank has paid the customer
back."""

COUNTERS = {
    MoneyKind.AUTHORIZE: "authorized",
    MoneyKind.CAPTURE: "captured",
    MoneyKind.RELEASE: "released",
    MoneyKind.REFUND: "refunded",
}
"""The counter of a payment that sums up the settled rows of a kind."""


def went_otherwise(row: LedgerRow) -> bool:
    """The customer got this money, but not as a refund in the provider's books."""
    ref = row.provider_ref or ""
    return ref == PAID_OTHERWISE or ref.startswith(LOST_DISPUTE)


async def begin(
    change: UnitOfWork,
    payment_id: str,
    kind: MoneyKind,
    amount: int,
    ref: str,
    *,
    attempt: int = 1,
    sent: bool = False,
) -> str:
    """Write down a request before it is sent. Returns the row's id, which is the
    provider's idempotency key. `sent`: the caller also sends it."""
    row_id = new_id("led")
    await change.insert(
        LedgerTable,
        {
            "id": row_id,
            "payment_id": payment_id,
            "kind": kind,
            "amount": amount,
            "status": MoneyStatus.PENDING,
            "ref": ref,
            "attempt": attempt,
            "sent_at": datetime.now(UTC) if sent else None,
        },
    )
    return row_id


async def settle(
    change: UnitOfWork,
    row_id: str,
    status: MoneyStatus,
    *,
    provider_ref: str | None = None,
    failure: str | None = None,
) -> None:
    await change.update(
        LedgerTable,
        row_id,
        status=status,
        provider_ref=provider_ref,
        failure=failure,
        settled_at=datetime.now(UTC),
    )


async def add(change: UnitOfWork, payment_id: str, **amounts: int) -> None:
    """Add to counters of a payment, by their column names."""
    await change.update(PaymentTable, payment_id, add=amounts)


def find_row(order: OrderSnapshot, row_id: str) -> tuple[Payment, LedgerRow]:
    for payment in order.payments:
        for row in payment.ledger:
            if row.id == row_id:
                return payment, row
    raise LookupError(row_id)
