"""What an order costs when it is placed, and from whom prices are taken. Pure.

Whoever has the scope `orders:price` says what they are. For everybody else they are
those of `products` and `shipping_methods`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.contracts.errors import Refusal
from shared.contracts.money import tax_included
from shared.database.orders.snapshot import Line

from api.http.problems import Problem, invalid
from api.orders.amounts import check_part
from api.orders.order.schemas import NewLine, NewOrder
from api.orders.shipping_method.rates import Rate, rate_for


@dataclass(frozen=True)
class Product:
    """What is sold, at today's price in the order's currency."""

    sku: str
    name: str
    price: int
    tax_bp: int


@dataclass(frozen=True)
class PricedShipping:
    amount: int
    name: str | None = None
    carrier: str | None = None
    service: str | None = None


@dataclass(frozen=True)
class PricedOrder:
    """What is frozen of an order. Minor units."""

    lines: Sequence[Line]
    shipping: PricedShipping

    @property
    def total(self) -> int:
        return sum(line.total for line in self.lines) + self.shipping.amount


def priced(
    wanted: NewOrder,
    products: Mapping[str, Product],
    rates: Sequence[Rate],
    *,
    trusted: bool,
) -> PricedOrder:
    """`trusted`: the caller sets prices. Raises `Problem` and `Refusal`; each names
    the line."""
    unknown = sorted({line.sku for line in wanted.lines} - products.keys())
    if unknown:
        raise Refusal(
            "unknown-sku", f"Not sold in {wanted.currency}.", skus=unknown[:50]
        )
    _check_currencies(wanted)
    if not trusted:
        _check_unit_prices(wanted, products)
    lines = [
        _line(number, line, products[line.sku])
        for number, line in enumerate(wanted.lines, start=1)
    ]
    goods = sum(line.total for line in lines)
    return PricedOrder(lines, _shipping(wanted, rates, goods, trusted=trusted))


# ── lines ───────────────────────────────────────────────────────────────────────


def _line(number: int, wanted: NewLine, product: Product) -> Line:
    price = product.price if wanted.unit_price is None else wanted.unit_price.amount
    total = price * wanted.quantity
    return Line(
        line=number,
        sku=product.sku,
        name=product.name,
        qty=wanted.quantity,
        total=total,
        tax=tax_included(total, product.tax_bp),
        **dict.fromkeys(_COUNTERS, 0),
    )


_COUNTERS = (
    "cancelled",
    "reserved",
    "captured",
    "shipped",
    "voided",
    "returned",
    "credited",
)


def _check_currencies(wanted: NewOrder) -> None:
    amounts = {
        "#/shipping/amount/currency": wanted.shipping.amount,
        "#/expected_total/currency": wanted.expected_total,
    }
    for index, line in enumerate(wanted.lines):
        amounts[f"#/lines/{index}/unit_price/currency"] = line.unit_price
    for pointer, money in amounts.items():
        if money is not None and money.currency != wanted.currency:
            raise invalid(pointer, "currency", "Must be the order's currency")


def _check_unit_prices(wanted: NewOrder, products: Mapping[str, Product]) -> None:
    changed = [
        (number, line.sku, products[line.sku].price)
        for number, line in enumerate(wanted.lines, start=1)
        if line.unit_price is not None
        and line.unit_price.amount != products[line.sku].price
    ]
    if changed:
        raise Problem(
            "price-changed",
            "The price of a product has changed.",
            prices=[
                {
                    "line": number,
                    "sku": sku,
                    "price": {"amount": price, "currency": wanted.currency},
                }
                for number, sku, price in changed
            ],
        )


# ── shipping ────────────────────────────────────────────────────────────────────


def _shipping(
    wanted: NewOrder, rates: Sequence[Rate], goods: int, *, trusted: bool
) -> PricedShipping:
    method, currency, asked = (
        wanted.shipping.method,
        wanted.currency,
        wanted.shipping.amount,
    )
    rate = rate_for(rates, method, wanted.ship_to.country, currency)
    if trusted and asked is not None:
        check_part("#/shipping/amount/amount", currency, asked.amount)
        return _promised(asked.amount, rate)
    if rate is None:
        elsewhere = any(other.currency != currency for other in rates)
        raise invalid(
            "#/shipping/method",
            "not-offered",
            f"Not offered to this country in {currency}"
            if elsewhere
            else "Not offered to this country",
        )
    price = rate.cost(goods)
    if asked is not None and asked.amount != price:
        raise Problem(
            "price-changed",
            "Shipping there has another price.",
            shipping={"amount": price, "currency": currency},
        )
    return _promised(price, rate)


def _promised(amount: int, rate: Rate | None) -> PricedShipping:
    if rate is None:
        return PricedShipping(amount)
    return PricedShipping(amount, rate.name, rate.carrier, rate.service)


def check_expected(wanted: NewOrder, total: int) -> None:
    """Raises `Problem` price-changed."""
    if wanted.expected_total is not None and wanted.expected_total.amount != total:
        raise Problem(
            "price-changed",
            "The total of the order is not the expected one.",
            total={"amount": total, "currency": wanted.currency},
        )
