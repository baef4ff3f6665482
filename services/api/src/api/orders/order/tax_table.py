"""Taxes of an order or of a refund, told by name and rate."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from shared.contracts.money import spread
from shared.contracts.orders.tax import Rate, by_rate
from shared.database.orders.snapshot import Line, OrderSnapshot, Tax

from api.http.schemas import Money
from api.orders.order.schemas import TaxOfRate

Named = tuple[str | None, str | None, Rate]
"""A tax by the name and rate that it was given with, or by its rate alone."""


@dataclass(frozen=True)
class Taxable:
    """A gross amount, the tax in it, and what that is: given taxes, or a rate."""

    amount: int
    tax: int
    tax_bp: Rate
    taxes: Sequence[Tax]

    def named(self) -> Iterator[tuple[Named, int, int]]:
        """Taxes by name. For a part of a line each given tax has its share of the
        part's tax."""
        if not self.taxes:
            yield (None, None, self.tax_bp), self.amount, self.tax
            return
        shares = spread(self.tax, [given.amount for given in self.taxes])
        for given, share in zip(self.taxes, shares, strict=True):
            yield (given.name, given.rate, None), self.amount, share


def of_line(line: Line, amount: int, tax: int) -> Taxable:
    return Taxable(amount, tax, line.tax_bp, line.taxes)


def of_shipping(order: OrderSnapshot, amount: int, tax: int) -> Taxable:
    return Taxable(amount, tax, order.shipping_tax_bp, order.shipping_taxes)


def tax_table(parts: Iterable[Taxable], currency: str) -> list[TaxOfRate]:
    sums = by_rate(named for part in parts if part.amount for named in part.named())
    return [
        TaxOfRate(
            tax_bp=tax_bp,
            name=name,
            rate=rate,
            amount=Money(amount=amount, currency=currency),
            tax=Money(amount=tax, currency=currency),
        )
        for (name, rate, tax_bp), (amount, tax) in sums.items()
    ]
