"""Disputes over HTTP."""

from datetime import datetime

from shared.contracts.orders.states import DisputeStatus

from api.http.paging import ListQuery
from api.http.schemas import Money, View, Word


class DisputeQuery(ListQuery):
    """All of them, newest first; `open` those that the bank has not decided."""

    order: Word | None = None
    open: bool | None = None


class Dispute(View):
    """`withdrawn` is what the provider has taken from us until the bank decides;
    `evidence_due_at` is when our answer is due."""

    id: str
    order_id: str
    payment_id: str
    status: DisputeStatus
    reason: str
    amount: Money
    withdrawn: Money
    evidence_due_at: datetime | None
    opened_at: datetime
