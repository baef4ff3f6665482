"""Books amounts of the provider that we did not request.

A correction is a ledger row with the difference, positive or negative, and the
discrepancy's id as its `ref`. What was captured or refunded beyond the price of goods
moves `goodwill` (M1): money that was captured too early pays for the next capture.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.contracts.errors import Refusal, StepInFlight
from shared.contracts.orders.holds import Decision, HoldReason
from shared.contracts.orders.states import MoneyKind, MoneyStatus
from shared.database.kernel.holds import release_holds
from shared.database.kernel.unit_of_work import UnitOfWork
from shared.database.orders.snapshot import Hold, LedgerRow, OrderSnapshot, Payment
from shared.database.orders.tables import Order
from shared.database.orders.tables import Refund as RefundTable
from sqlalchemy import text

from worker.orders.hold.effects import decides
from worker.orders.payment import ledger
from worker.orders.payment.difference import DIFFERS
from worker.orders.refund.settle import finish


@dataclass(frozen=True)
class _Open:
    """A discrepancy that is not resolved, of a payment."""

    id: str
    payment_id: str
    detail: Mapping[str, Any]

    def theirs(self, name: str, ours: int) -> int:
        """The provider's sum; ours where it did not differ."""
        return int(self.detail[name]["provider"]) if name in self.detail else ours


@decides(HoldReason.DIFFERENCE, Decision.BOOK)
@decides(HoldReason.REFUND, Decision.BOOK)
async def book(change: UnitOfWork, order: OrderSnapshot, hold: Hold) -> None:
    """Take over the provider's amounts of every payment of the order that differs.
    Raises `StepInFlight` while a request about one of them is open."""
    found_open = await _open_discrepancies(change, order)
    if hold.reason is HoldReason.REFUND and not found_open:
        raise Refusal("decision-not-allowed", "The provider's books do not differ.")
    # Another finding, or a refund by hand, may have stopped the order twice.
    await release_holds(change, Decision.SETTLED, reason=HoldReason.DIFFERENCE)
    for found in found_open:
        await _book(change, order, order.payment(found.payment_id), found)
        await change.connection.execute(
            _RESOLVE, {"id": found.id, "actor": change.actor}
        )


async def _book(
    change: UnitOfWork, order: OrderSnapshot, payment: Payment, found: _Open
) -> None:
    if payment.capturing:
        raise StepInFlight("A parcel of this order is being paid for.")
    captured = found.theirs("captured", payment.captured)
    held = found.theirs("held", payment.held)
    paid_otherwise = _not_through_provider(payment)
    refunded = found.theirs("refunded", payment.refunded - paid_otherwise)
    authorized = max(payment.authorized, captured + held)
    taken = captured - payment.captured
    given = refunded + paid_otherwise - payment.refunded
    settled = await _settle_refunds(change, order, payment, given, found)
    sums = {
        MoneyKind.AUTHORIZE: authorized - payment.authorized,
        MoneyKind.CAPTURE: taken,
        MoneyKind.RELEASE: authorized - captured - held - payment.released,
        MoneyKind.REFUND: given - settled,
    }
    for kind, amount in sums.items():
        if amount:
            row = await ledger.begin(change, payment.id, kind, amount, found.id)
            await ledger.settle(change, row, MoneyStatus.SUCCEEDED)
    await ledger.add(
        change,
        payment.id,
        **{ledger.COUNTERS[kind]: amount for kind, amount in sums.items()},
    )
    goodwill = given - settled - taken
    await change.update(Order, order.id, add={"goodwill": goodwill})
    change.event(
        "payment.booked",
        payment_id=payment.id,
        discrepancy_id=found.id,
        captured=captured,
        refunded=refunded,
    )


def _not_through_provider(payment: Payment) -> int:
    rows = payment.rows(MoneyKind.REFUND)
    return sum(row.amount for row in rows if ledger.went_otherwise(row))


async def _settle_refunds(
    change: UnitOfWork,
    order: OrderSnapshot,
    payment: Payment,
    given: int,
    found: _Open,
) -> int:
    """Let money that was refunded by hand settle the refunds that are owed, oldest
    first. Returns how much of it was owed."""
    left = max(0, given)
    for row in payment.rows(MoneyKind.REFUND):
        part = min(left, row.amount)
        if row.status is MoneyStatus.PENDING and not row.provider_ref and part:
            left -= part
            await _settle_part(change, order, payment, row, part, found)
    return max(0, given) - left


async def _settle_part(
    change: UnitOfWork,
    order: OrderSnapshot,
    payment: Payment,
    row: LedgerRow,
    part: int,
    found: _Open,
) -> None:
    rest = row.amount - part
    status = MoneyStatus.FAILED if rest else MoneyStatus.SUCCEEDED
    await ledger.settle(change, row.id, status, failure="booked" if rest else None)
    await ledger.add(change, payment.id, refunding=-part, refunded=part)
    if not rest:
        await _end(change, order, row)
        return
    await change.update(RefundTable, row.ref, status=MoneyStatus.PENDING)
    await ledger.begin(
        change, payment.id, row.kind, rest, row.ref, attempt=row.attempt + 1
    )
    booked = await ledger.begin(
        change, payment.id, row.kind, part, f"{found.id}:{row.id}"
    )
    await ledger.settle(change, booked, MoneyStatus.SUCCEEDED)


async def _end(change: UnitOfWork, order: OrderSnapshot, row: LedgerRow) -> None:
    """Finish the refund if this was its last part."""
    open_rows = [
        other
        for payment in order.payments
        for other in payment.rows(MoneyKind.REFUND)
        if other.ref == row.ref and other.status is MoneyStatus.PENDING
    ]
    if open_rows == [row]:
        await finish(change, order, row.ref, MoneyStatus.SUCCEEDED)
        await release_holds(
            change, Decision.SETTLED, reason=HoldReason.REFUND, subject=row.ref
        )


async def _open_discrepancies(change: UnitOfWork, order: OrderSnapshot) -> list[_Open]:
    rows = await change.connection.execute(
        _OPEN, {"kind": DIFFERS, "payments": [payment.id for payment in order.payments]}
    )
    return [_Open(row.id, row.subject, json.loads(row.detail)) for row in rows]


_OPEN = text(
    """
    SELECT id, subject, detail::text AS detail FROM discrepancies
    WHERE kind = :kind AND subject = ANY(cast(:payments AS text[]))
      AND resolved_at IS NULL
    """
)
_RESOLVE = text(
    "UPDATE discrepancies SET resolved_at = now(), resolved_by = :actor WHERE id = :id"
)
