"""The states and reasons of docs/domain.md, in the words of order management."""

from enum import StrEnum


class OrderStatus(StrEnum):
    """`placed → confirmed → completed`, or `cancelled`; both ends are final."""

    PLACED = "placed"
    CONFIRMED = "confirmed"
    COMPLETED = "completed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        return self in (OrderStatus.COMPLETED, OrderStatus.CANCELLED)


class ShipmentStatus(StrEnum):
    """`packed` means packed *and paid*: captured, and the label exists."""

    READY = "ready"
    PACKED = "packed"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    RETURNED = "returned"
    LOST = "lost"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        return self in (
            ShipmentStatus.DELIVERED,
            ShipmentStatus.RETURNED,
            ShipmentStatus.LOST,
            ShipmentStatus.CANCELLED,
        )


class ReturnStatus(StrEnum):
    REQUESTED = "requested"
    APPROVED = "approved"
    RECEIVED = "received"
    CLOSED = "closed"
    REJECTED = "rejected"
    EXPIRED = "expired"

    @property
    def final(self) -> bool:
        return self in (
            ReturnStatus.CLOSED,
            ReturnStatus.REJECTED,
            ReturnStatus.EXPIRED,
        )


class Disposition(StrEnum):
    """Where the warehouse puts returned goods."""

    RESTOCK = "restock"
    QUARANTINE = "quarantine"
    DISCARD = "discard"


class RefundReason(StrEnum):
    CANCELLATION = "cancellation"
    RETURN = "return"
    LOST = "lost"
    DAMAGED = "damaged"
    GOODWILL = "goodwill"
    PRICE = "price"

    @property
    def run_by_order(self) -> bool:
        """Whether the order's workflow carries the refund out. Any other refund may
        begin after the order has ended, and has a workflow of its own."""
        return self is RefundReason.CANCELLATION


class MoneyStatus(StrEnum):
    """The status of a ledger row or a refund: `pending` until the provider has
    answered."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class MoneyKind(StrEnum):
    AUTHORIZE = "authorize"
    CAPTURE = "capture"
    RELEASE = "release"
    REFUND = "refund"


class DisputeStatus(StrEnum):
    """Stripe's words. A warning is an inquiry: the money is still here."""

    NEW = "new"
    """Ours: we have no word of the provider's yet."""
    WARNING_NEEDS_RESPONSE = "warning_needs_response"
    WARNING_UNDER_REVIEW = "warning_under_review"
    WARNING_CLOSED = "warning_closed"
    NEEDS_RESPONSE = "needs_response"
    UNDER_REVIEW = "under_review"
    PREVENTED = "prevented"
    WON = "won"
    LOST = "lost"

    @property
    def ended(self) -> bool:
        return self in (
            DisputeStatus.WARNING_CLOSED,
            DisputeStatus.PREVENTED,
            DisputeStatus.WON,
            DisputeStatus.LOST,
        )

    @property
    def undecided(self) -> bool:
        """The bank knows of the dispute, and has not decided."""
        return not self.ended and self is not DisputeStatus.NEW

    @property
    def needs_response(self) -> bool:
        return self.endswith("needs_response")

    @property
    def withdrawn(self) -> bool:
        """The provider has taken the money from us until the bank decides."""
        return self in (DisputeStatus.NEEDS_RESPONSE, DisputeStatus.UNDER_REVIEW)
