"""Works out what an order costs when it is placed, and whose prices count. Pure.

Callers with the scope `orders:price` set prices. For everybody else those of `products`
and `shipping_methods` count.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from shared.contracts.errors import Refusal
from shared.contracts.money import spread
from shared.contracts.orders.charging import charging
from shared.contracts.orders.tax import main_rate
from shared.database.orders.snapshot import Discount, Line

from api.http.problems import Problem, invalid
from api.http.schemas import Money
from api.orders.amounts import check_part
from api.orders.order.schemas import NewDiscount, NewLine, NewOrder, NewTax
from api.orders.order.taxing import Taxed, TaxRules
from api.orders.shipping_method.rates import Rate, rate_for

T = TypeVar("T")


@dataclass(frozen=True)
class Product:
    """A product at its current price in the order's currency."""

    sku: str
    name: str
    price: int
    tax_bp: int
    returnable: bool


@dataclass(frozen=True)
class PricedShipping:
    taxed: Taxed
    name: str | None = None
    carrier: str | None = None
    service: str | None = None


@dataclass(frozen=True)
class PricedOrder:
    """The frozen prices of an order. Minor units."""

    lines: Sequence[Line]
    shipping: PricedShipping

    @property
    def total(self) -> int:
        return sum(line.total for line in self.lines) + self.shipping.taxed.total


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
    if not trusted:
        _check_sets_nothing(wanted)
    _check_amounts(wanted)
    if wanted.tax_treatment != "included":
        _check_all_priced(wanted)
    if not trusted:
        _check_unit_prices(wanted, products)
    taxes = TaxRules(wanted.tax_treatment, wanted.currency)
    lines = _lines(wanted, products, taxes)
    return PricedOrder(lines, _shipping(wanted, rates, lines, taxes, trusted=trusted))


def _check_amounts(wanted: NewOrder) -> None:
    """All amounts must be in the order's currency, and the provider must be able to
    charge them."""
    for pointer, money in _amounts(wanted):
        if money.currency != wanted.currency:
            raise invalid(
                f"{pointer}/currency", "currency", "Must be the order's currency"
            )
        if "/taxes/" not in pointer and "expected" not in pointer:
            check_part(f"{pointer}/amount", wanted.currency, money.amount)


def _amounts(wanted: NewOrder) -> Iterator[tuple[str, Money]]:
    if wanted.shipping.amount is not None:
        yield "#/shipping/amount", wanted.shipping.amount
    if wanted.expected_total is not None:
        yield "#/expected_total", wanted.expected_total
    for index, line in enumerate(wanted.lines):
        if line.unit_price is not None:
            yield f"#/lines/{index}/unit_price", line.unit_price
    for pointer, given in _discounts_and_taxes(wanted):
        yield f"{pointer}/amount", given.amount


def _discounts_and_taxes(
    wanted: NewOrder,
) -> Iterator[tuple[str, NewDiscount | NewTax]]:
    for index, line in enumerate(wanted.lines):
        yield from _numbered(f"#/lines/{index}/discounts", line.discounts)
        yield from _numbered(f"#/lines/{index}/taxes", line.taxes or ())
    yield from _numbered("#/discounts", wanted.discounts)
    yield from _numbered("#/shipping/taxes", wanted.shipping.taxes or ())


def _numbered(pointer: str, given: Iterable[T]) -> Iterator[tuple[str, T]]:
    for number, one in enumerate(given):
        yield f"{pointer}/{number}", one


def _check_sets_nothing(wanted: NewOrder) -> None:
    named = [pointer for pointer, _ in _discounts_and_taxes(wanted)]
    if wanted.tax_treatment != "included":
        named.append("#/tax_treatment")
    if named:
        raise Problem(
            "insufficient-scope", f"Only who sets prices may give {named[0]}."
        )


def _check_all_priced(wanted: NewOrder) -> None:
    """The shop's own prices include their tax."""
    prices = {
        f"#/lines/{index}/unit_price": line.unit_price
        for index, line in enumerate(wanted.lines)
    } | {"#/shipping/amount": wanted.shipping.amount}
    for pointer, price in prices.items():
        if price is None:
            raise invalid(
                pointer, "missing", f"Taxes are {wanted.tax_treatment}: give the price"
            )


# ── lines ───────────────────────────────────────────────────────────────────────


def _lines(
    wanted: NewOrder, products: Mapping[str, Product], taxes: TaxRules
) -> list[Line]:
    rule = charging(wanted.currency)
    step = rule.step if rule else 1
    prices = [_price(line, products[line.sku]) for line in wanted.lines]
    totals = [
        _own_total(f"#/lines/{index}", line, price)
        for index, (line, price) in enumerate(zip(wanted.lines, prices, strict=True))
    ]
    shares = _shares(wanted.discounts, totals, step)
    return [
        _line(number, line, products[line.sku], price, total, of_order, step, taxes)
        for number, (line, price, total, of_order) in enumerate(
            zip(wanted.lines, prices, totals, shares, strict=True), start=1
        )
    ]


def _price(line: NewLine, product: Product) -> int:
    return product.price if line.unit_price is None else line.unit_price.amount


def _own_total(pointer: str, line: NewLine, price: int) -> int:
    """After the line's own discounts."""
    total = price * line.quantity
    for index, discount in enumerate(line.discounts):
        total = _reduced(total, discount, f"{pointer}/discounts/{index}")
    return total


def _shares(
    discounts: Sequence[NewDiscount], totals: Sequence[int], step: int
) -> list[list[Discount]]:
    """Each line's share of the discounts of the whole order, which are spread one after
    the other over what the lines still cost."""
    left = list(totals)
    shares: list[list[Discount]] = [[] for _ in totals]
    for index, discount in enumerate(discounts):
        _reduced(sum(left), discount, f"#/discounts/{index}")
        parts = spread(discount.amount.amount, left, step)
        for n, part in enumerate(parts):
            left[n] -= part
            if part:
                shares[n].append(_taken(discount, part, whole=True))
    return shares


def _reduced(total: int, discount: NewDiscount, pointer: str) -> int:
    left = total - discount.amount.amount
    if left < 0:
        raise invalid(
            f"{pointer}/amount/amount",
            "less_than_equal",
            f"{discount.code} takes more off than the {total} that are left",
        )
    return left


def _taken(discount: NewDiscount, amount: int, *, whole: bool = False) -> Discount:
    return Discount(
        code=discount.code, reason=discount.reason, amount=amount, whole=whole
    )


def _line(
    number: int,
    wanted: NewLine,
    product: Product,
    price: int,
    own_total: int,
    of_order: Sequence[Discount],
    step: int,
    taxes: TaxRules,
) -> Line:
    own = [_taken(discount, discount.amount.amount) for discount in wanted.discounts]
    left = own_total - sum(discount.amount for discount in of_order)
    taxed = taxes.taxed(f"#/lines/{number - 1}", left, wanted.taxes, product.tax_bp)
    return Line(
        line=number,
        sku=product.sku,
        name=product.name,
        qty=wanted.quantity,
        total=taxed.total,
        tax=taxed.tax,
        price=price,
        discounts=(*own, *of_order),
        step=step,
        tax_bp=taxed.tax_bp,
        taxes=taxed.taxes,
        returnable=product.returnable,
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
    wanted: NewOrder,
    rates: Sequence[Rate],
    lines: Sequence[Line],
    taxes: TaxRules,
    *,
    trusted: bool,
) -> PricedShipping:
    asked = wanted.shipping
    rate = rate_for(rates, asked.method, wanted.ship_to.country, wanted.currency)
    if trusted and asked.amount is not None:
        amount = asked.amount.amount
    else:
        amount = _rated(wanted, rates, rate, sum(line.total for line in lines))
    # Sending goods is taxed as its method says, or else as most of them.
    tax_bp = None if rate is None else rate.tax_bp
    if tax_bp is None:
        tax_bp = main_rate((line.tax_bp, line.total) for line in lines)
    taxed = taxes.taxed("#/shipping", amount, asked.taxes, tax_bp)
    if rate is None:
        return PricedShipping(taxed)
    return PricedShipping(taxed, rate.name, rate.carrier, rate.service)


def _rated(
    wanted: NewOrder, rates: Sequence[Rate], rate: Rate | None, goods: int
) -> int:
    """The price by the shop's own rates. Raises `Problem`."""
    currency, asked = wanted.currency, wanted.shipping.amount
    if rate is None:
        elsewhere = any(other.currency != currency for other in rates)
        where = f"to this country in {currency}" if elsewhere else "to this country"
        raise invalid("#/shipping/method", "not-offered", f"Not offered {where}")
    price = rate.cost(goods)
    if asked is not None and asked.amount != price:
        raise Problem(
            "price-changed",
            "Shipping there has another price.",
            shipping={"amount": price, "currency": currency},
        )
    return price


def check_expected(wanted: NewOrder, price: PricedOrder) -> None:
    """Raises `Problem` price-changed, which tells what each line costs."""

    def money(amount: int) -> dict[str, object]:
        return {"amount": amount, "currency": wanted.currency}

    if wanted.expected_total is None or wanted.expected_total.amount == price.total:
        return
    raise Problem(
        "price-changed",
        "The total of the order is not the expected one.",
        total=money(price.total),
        shipping=money(price.shipping.taxed.total),
        lines=[
            {"line": line.line, "sku": line.sku, "total": money(line.total)}
            for line in price.lines
        ],
    )
