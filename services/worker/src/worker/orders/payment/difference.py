"""Writes down a difference from the provider's books, and stops the order for it."""

from shared.contracts.orders.holds import HoldReason, due_of
from shared.database.kernel.discrepancies import Finding, report
from shared.database.kernel.holds import place_hold
from shared.database.kernel.unit_of_work import UnitOfWork
from shared.database.orders.snapshot import OrderSnapshot

from worker.orders.payment.compare import Difference

DIFFERS = "money-differs"
"""The kind of a discrepancy that can be booked; also the failure of its ledger row."""


async def report_difference(
    change: UnitOfWork,
    order: OrderSnapshot,
    payment_id: str,
    ref: str,
    difference: Difference,
) -> int:
    """Returns 1 if the difference is new, else 0."""
    detail = {"order_id": order.id, "provider_ref": ref, **difference}
    return await report(
        change.connection, "orders", [Finding(DIFFERS, payment_id, detail)]
    )


async def stop_for_difference(
    change: UnitOfWork,
    order: OrderSnapshot,
    payment_id: str,
    ref: str,
    difference: Difference,
) -> int:
    """Report the difference, and open a hold that stops the order until somebody
    decides."""
    new = await report_difference(change, order, payment_id, ref, difference)
    await place_hold(
        change,
        HoldReason.DIFFERENCE,
        due_in=due_of(HoldReason.DIFFERENCE),
        detail={"payment_id": payment_id, **difference},
    )
    return new
