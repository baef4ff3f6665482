"""The API's enumerations, which the terminal completes and checks before it calls."""

import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import typer

ORDER_STATUS = ("placed", "confirmed", "completed", "cancelled")
PAYMENT_STATUS = (
    *("unpaid", "authorized", "voided", "partially_captured", "captured"),
    *("partially_refunded", "refunded"),
)
FULFILLMENT_STATUS = (
    *("unfulfilled", "partially_fulfilled", "fulfilled", "delivered"),
    *("partially_returned", "returned"),
)
SHIPMENT_STATUS = (
    *("ready", "packed", "shipped", "delivered"),
    *("returned", "lost", "cancelled"),
)
RETURN_STATUS = ("requested", "approved", "received", "closed", "rejected", "expired")


class HoldReason(StrEnum):
    approval = "approval"
    stock = "stock"
    payment = "payment"
    address = "address"
    delivery = "delivery"
    refund = "refund"
    manual = "manual"
    dispute = "dispute"
    difference = "difference"
    provider = "provider"


class Decision(StrEnum):
    approve = "approve"
    reject = "reject"
    wait = "wait"
    ship_partial = "ship_partial"
    cancel_lines = "cancel_lines"
    retry = "retry"
    new_method = "new_method"
    cancel = "cancel"
    correct = "correct"
    override = "override"
    reship = "reship"
    refund = "refund"
    delivered = "delivered"
    paid_otherwise = "paid_otherwise"
    book = "book"
    release = "release"


class DeliveryStatus(StrEnum):
    pending = "pending"
    succeeded = "succeeded"
    failed = "failed"


class OrderSort(StrEnum):
    placed = "created_at"
    changed = "updated_at"
    number = "number"


class ExportKind(StrEnum):
    orders = "orders"
    lines = "lines"
    refunds = "refunds"
    movements = "movements"


class ExportFormat(StrEnum):
    csv = "csv"
    jsonl = "jsonl"


class StockReason(StrEnum):
    adjust = "adjust"
    write_off = "write_off"


DISPOSITION = ("restock", "quarantine", "discard")


def several(known: tuple[str, ...]) -> str:
    """The help of an option that `some_of` reads."""
    return f"{', '.join(known)}; several with commas."


def some_of(text: str | None, known: tuple[str, ...]) -> list[str] | None:
    """`placed,confirmed`. Raises `BadParameter` for what is none of them."""
    words = [word.strip() for word in (text or "").split(",") if word.strip()]
    for word in words:
        if word not in known:
            raise typer.BadParameter(f"{word!r} is none of {', '.join(known)}")
    return words or None


def since(text: str | None) -> str | None:
    """`2h`, `3d`, `2026-11-30` or a whole time, as the API takes it."""
    if text is None:
        return None
    if ago := re.fullmatch(r"(\d{1,4})([hd])", text):
        hours = int(ago[1]) * (24 if ago[2] == "d" else 1)
        return (datetime.now(UTC) - timedelta(hours=hours)).isoformat()
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no time such as 2h, 3d or 2026-11-30"
        ) from None
    # A time without a zone is local time.
    return (at if at.tzinfo else at.astimezone()).isoformat()
