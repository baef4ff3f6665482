"""Previews the refund for goods before they are received."""

from collections.abc import Mapping

from shared.contracts.errors import Refusal
from shared.contracts.orders.states import ReturnStatus
from shared.database.orders.refund_breakdown import (
    credited_line,
    owed,
    shipping_owed,
)
from shared.database.orders.snapshot import OrderSnapshot

from api.http.schemas import Money
from api.orders.return_ import schemas as shown
from api.orders.return_.deductions import deductions
from api.orders.return_.queries import Return

_TO_COME = (ReturnStatus.REQUESTED, ReturnStatus.APPROVED, ReturnStatus.EXPIRED)


def preview(
    order: OrderSnapshot, return_: Return, receipt: shown.ReturnReceipt
) -> shown.RefundPreview:
    """Apply the rule that receiving books by. Raises `Refusal` wrong-state,
    quantity-exceeded, or about a deduction."""
    if return_.status not in _TO_COME:
        raise Refusal("wrong-state", f"The return is {return_.status}.")
    accepted = {item.line: item.accepted for item in receipt.lines if item.accepted}
    _check(return_, accepted)
    due = owed(
        order,
        accepted,
        shipping=shipping_owed(order, accepted),
        deductions=deductions(receipt, order.currency),
    )

    def money(amount: int) -> Money:
        return Money(amount=amount, currency=order.currency)

    return shown.RefundPreview(
        lines=[
            shown.RefundedLine(
                line=number,
                quantity=units,
                amount=money(credited_line(order, due, number)["amount"]),
                deduction=money(due.deductions.get(number, 0)),
            )
            for number, units in due.lines.items()
        ],
        shipping=money(due.shipping),
        amount=money(due.amount),
    )


def _check(return_: Return, accepted: Mapping[int, int]) -> None:
    expected = {line.line: line.quantity for line in return_.lines}
    if any(units > expected.get(line, 0) for line, units in accepted.items()):
        raise Refusal("quantity-exceeded", "More came back than this return is for.")
