"""Turns a stored refund into what callers see."""

from shared.contracts.orders.holds import HoldReason
from shared.database.orders.snapshot import Hold, OrderSnapshot, Refund

from api.http.schemas import Money
from api.orders.order.schemas import OrderHold, TaxOfRate
from api.orders.order.tax_table import of_line, of_shipping, tax_table
from api.orders.refund import schemas as shown


def show_refund(order: OrderSnapshot, refund_id: str) -> shown.Refund:
    def sum_of(amount: int) -> Money:
        return Money(amount=amount, currency=order.currency)

    def money(amount: int | None) -> Money | None:
        return None if amount is None else sum_of(amount)

    refund = order.refund(refund_id)
    return shown.Refund(
        id=refund.id,
        order_id=order.id,
        return_id=refund.return_id,
        status=refund.status,
        reason=refund.reason,
        amount=sum_of(refund.amount),
        shipping=sum_of(refund.shipping),
        shipping_tax=money(refund.shipping_tax),
        tax=money(refund.tax),
        taxes=_taxes(order, refund),
        deduction=sum_of(sum(refund.deductions.values())),
        lines=[
            shown.RefundLine(
                line=item["line"],
                quantity=item["quantity"],
                amount=money(item.get("amount")),
                tax=money(item.get("tax")),
                deduction=sum_of(item.get("deduction", 0)),
            )
            for item in refund.lines
        ],
        hold=show_hold(order.hold(HoldReason.REFUND, refund_id)),
        created_at=refund.created_at,
    )


def _taxes(order: OrderSnapshot, refund: Refund) -> list[TaxOfRate]:
    """Those of its goods and shipping; older refunds do not tell."""
    goods = [
        of_line(order.line(item["line"]), item["amount"], item["tax"])
        for item in refund.lines
        if "amount" in item
    ]
    sent = of_shipping(order, refund.shipping, refund.shipping_tax or 0)
    known = refund.shipping_tax is not None
    return tax_table([*goods, *([sent] if known else [])], order.currency)


def show_hold(hold: Hold | None) -> OrderHold | None:
    if hold is None:
        return None
    return OrderHold(id=hold.id, reason=hold.reason, due_at=hold.due_at)
