"""Checks what the returns desk deducts for goods that came back worn."""

from shared.contracts.errors import Refusal

from api.orders.amounts import check_part
from api.orders.return_.schemas import ReturnReceipt


def deductions(receipt: ReturnReceipt, currency: str) -> dict[int, int]:
    """Minor units by line, of an order in `currency`. Raises `Refusal`
    deduction-in-other-currency, deduction-without-goods, and `Problem` invalid."""
    kept: dict[int, int] = {}
    for index, item in enumerate(receipt.lines):
        if item.deduction is None:
            continue
        if item.deduction.currency != currency:
            raise Refusal(
                "deduction-in-other-currency",
                f"The order is in {currency}, and so is what is kept of it.",
                line=item.line,
            )
        if item.deduction.amount and not item.accepted:
            raise Refusal(
                "deduction-without-goods",
                "Nothing is kept of units that are not accepted: they are not paid"
                " back at all.",
                line=item.line,
            )
        pointer = f"#/lines/{index}/deduction/amount"
        check_part(pointer, currency, item.deduction.amount)
        kept[item.line] = item.deduction.amount
    return kept
