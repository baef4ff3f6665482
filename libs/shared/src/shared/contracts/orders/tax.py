"""The tax that prices include. Pure; minor units.

One rule: tax is rounded half up once for each line, and once for what it costs to send
them. A part of either has its share of that, as it has of the price; what is given back
or taken beyond the price of goods has the share that tax has of the whole order.
"""

from collections.abc import Hashable, Iterable, Mapping
from typing import TypeVar

from shared.contracts.money import half_up

K = TypeVar("K", bound=Hashable)
Rate = int | None
"""Hundredths of a percent; `None` is one that an older order has not kept."""


def main_rate(lines: Iterable[tuple[Rate, int]]) -> Rate:
    """The rate of most of the goods by their total, the higher of two: what sending
    them has, unless the shipping method has a rate of its own."""
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
