"""The tax that prices include. Pure; minor units.

Tax is rounded half up once for each line, and once for the shipping. A part of either
has its share of that tax, as it has of the price. An amount beyond the price of goods
has the share that tax has of the whole order.
"""

from collections.abc import Hashable, Iterable, Mapping
from typing import TypeVar

from shared.contracts.money import half_up

K = TypeVar("K", bound=Hashable)
Rate = int | None
"""Hundredths of a percent; `None` if an older order did not store it."""


def main_rate(lines: Iterable[tuple[Rate, int]]) -> Rate:
    """The rate of most of the goods by their total; of two equal shares the higher
    rate. Shipping has it, unless the shipping method has a rate of its own."""
    totals: dict[int, int] = {}
    for rate, total in lines:
        if rate is not None:
            totals[rate] = totals.get(rate, 0) + total
    return max(totals, key=lambda rate: (totals[rate], rate), default=None)


def by_rate(parts: Iterable[tuple[K, int, int]]) -> Mapping[K, tuple[int, int]]:
    """Gross amounts and their tax, summed by their rate, or whatever names a tax."""
    sums: dict[K, tuple[int, int]] = {}
    for rate, amount, tax in parts:
        before = sums.get(rate, (0, 0))
        sums[rate] = (before[0] + amount, before[1] + tax)
    return sums


def of_goodwill(amount: int, before: int, tax: int, total: int) -> int:
    """The tax within `amount` that is given back (below zero: taken) beyond the price
    of goods, after `before`: of an order of `total` with `tax` in it."""
    if not total:
        return 0
    return half_up((before + amount) * tax, total) - half_up(before * tax, total)
