"""Open holds as workflows are told of them."""

from shared.contracts.orders.payloads import OpenHold
from shared.database.orders.snapshot import Hold, OrderSnapshot


def open_hold(hold: Hold) -> OpenHold:
    return OpenHold(
        hold_id=hold.id,
        reason=hold.reason,
        subject=hold.subject,
        remind_at=hold.remind_at,
        due_at=hold.due_at,
        reminded=hold.reminded_at is not None,
        escalated=hold.escalated_at is not None,
    )


def holds_of(order: OrderSnapshot, subject: str) -> tuple[OpenHold, ...]:
    return tuple(open_hold(hold) for hold in order.holds if hold.subject == subject)
