"""Turns a stored order into what callers see."""

from collections.abc import Sequence
from functools import lru_cache

from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.states import MoneyKind, MoneyStatus
from shared.database.orders import snapshot as stored

from api.http.schemas import Money
from api.orders.order import schemas as shown
from api.orders.order.tax_table import of_line, of_shipping, tax_table


def show_order(order: stored.OrderSnapshot) -> shown.Order:
    """Without references of the provider and details of holds, because customers read
    this too."""
    return shown.Order(
        id=order.id,
        number=order.number,
        external_ref=order.external_ref,
        customer_id=order.customer,
        status=order.status,
        reason=order.reason,
        payment_status=order.payment_status,
        fulfillment_status=order.fulfillment_status,
        version=order.version,
        currency=order.currency,
        tax_treatment=order.tax_treatment,
        shipping=shown.OrderShipping(
            method=order.shipping_method,
            name=order.shipping_name,
            carrier=order.shipping_carrier,
            service=order.shipping_service,
            amount=_money(order.shipping, order.currency),
            tax=_money(order.shipping_tax, order.currency),
            tax_bp=order.shipping_tax_bp,
            taxes=_taxes(order.shipping_taxes, order.currency),
        ),
        totals=_totals(order),
        lines=[_line(line, order.currency) for line in order.lines],
        holds=[
            shown.OrderHold(id=hold.id, reason=hold.reason, due_at=hold.due_at)
            for hold in order.holds
        ],
        shipments=[_shipment(shipment) for shipment in order.shipments],
        payments=[_payment(payment, order.currency) for payment in order.payments],
        returns=[_return(item) for item in order.returns],
        refunds=[_refund(refund, order.currency) for refund in order.refunds],
        next_action=_next_action(order),
        metadata=order.metadata,
        created_at=order.created_at,
        updated_at=order.updated_at,
    )


def show_attempt(payment: stored.Payment) -> shown.PaymentAttempt:
    """The outcome of one attempt to pay."""
    rows = payment.rows(MoneyKind.AUTHORIZE)
    latest = rows[-1].status if rows else MoneyStatus.PENDING
    if latest is MoneyStatus.SUCCEEDED:
        return shown.PaymentAttempt(id=payment.id, status="succeeded")
    if payment.next_action:
        return shown.PaymentAttempt(
            id=payment.id, status="requires_action", next_action=payment.next_action
        )
    return shown.PaymentAttempt(
        id=payment.id, status="failed" if latest is MoneyStatus.FAILED else "pending"
    )


@lru_cache(1024)
def _money(amount: int, currency: str) -> Money:
    """Cached, because the same few amounts appear in all parts of an order."""
    return Money(amount=amount, currency=currency)


def _totals(order: stored.OrderSnapshot) -> shown.Totals:
    def money(amount: int) -> Money:
        return _money(amount, order.currency)

    return shown.Totals(
        goods=money(order.total - order.shipping),
        discount=money(order.discount),
        shipping=money(order.shipping),
        total=money(order.total),
        net=money(order.total - order.tax),
        tax=money(order.tax),
        taxes=_tax_table(order),
        wanted=money(order.wanted),
        to_pay=money(order.to_capture),
        captured=money(order.captured),
        refunded=money(order.refunded),
        refundable=money(order.refundable),
    )


def _tax_table(order: stored.OrderSnapshot) -> list[shown.TaxOfRate]:
    goods = [of_line(line, line.total, line.tax) for line in order.lines]
    sent = of_shipping(order, order.shipping, order.shipping_tax)
    return tax_table([*goods, sent], order.currency)


def _taxes(taxes: Sequence[stored.Tax], currency: str) -> list[shown.OrderTax]:
    return [
        shown.OrderTax(
            name=tax.name, rate=tax.rate, amount=_money(tax.amount, currency)
        )
        for tax in taxes
    ]


def _line(line: stored.Line, currency: str) -> shown.OrderLine:
    return shown.OrderLine(
        line=line.line,
        sku=line.sku,
        name=line.name,
        quantity=line.qty,
        unit_price=None if line.price is None else _money(line.price, currency),
        discounts=[_discount(discount, currency) for discount in line.discounts],
        total=_money(line.total, currency),
        tax=_money(line.tax, currency),
        tax_bp=line.tax_bp,
        taxes=_taxes(line.taxes, currency),
        cancelled=line.cancelled,
        reserved=line.reserved,
        shipped=line.shipped,
        returned=line.returned,
        credited=line.credited,
    )


def _discount(discount: stored.Discount, currency: str) -> shown.OrderDiscount:
    return shown.OrderDiscount(
        code=discount.code,
        reason=discount.reason,
        amount=_money(discount.amount, currency),
        of="order" if discount.whole else "line",
    )


def _shipment(shipment: stored.Shipment) -> shown.OrderShipment:
    return shown.OrderShipment(
        id=shipment.id,
        status=shipment.status,
        location=shipment.location,
        carrier=shipment.carrier,
        tracking=shipment.tracking,
        tracking_status=shipment.tracking_status,
        eta=shipment.eta,
        lines=[
            shown.LineUnits(line=line.line, quantity=line.qty)
            for line in shipment.lines
            if line.qty  # what was cancelled, nobody packs
        ],
    )


def _payment(payment: stored.Payment, currency: str) -> shown.OrderPayment:
    def money(amount: int) -> Money:
        return _money(amount, currency)

    return shown.OrderPayment(
        id=payment.id,
        authorized=money(payment.authorized),
        captured=money(payment.captured),
        refunded=money(payment.refunded),
        capture_before=payment.capture_before,
    )


def _return(item: stored.Return) -> shown.OrderReturn:
    lines = [shown.LineUnits(line=line.line, quantity=line.qty) for line in item.lines]
    return shown.OrderReturn(id=item.id, status=item.status, lines=lines)


def _refund(refund: stored.Refund, currency: str) -> shown.OrderRefund:
    return shown.OrderRefund(
        id=refund.id,
        status=refund.status,
        reason=refund.reason,
        amount=_money(refund.amount, currency),
        tax=None if refund.tax is None else _money(refund.tax, currency),
    )


def _next_action(order: stored.OrderSnapshot) -> dict[str, object] | None:
    """Only while the payment waits for it: an old challenge leads nowhere."""
    if order.hold(HoldReason.PAYMENT) is None or not order.payments:
        return None
    return order.payments[-1].next_action
