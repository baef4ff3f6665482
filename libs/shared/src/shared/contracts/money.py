"""Divides, limits and counts amounts. Minor units."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


def share(total: int, quantity: int, before: int, units: int, step: int = 1) -> int:
    """The price, in minor units, of `units` more of `quantity` after `before`: a
    multiple of `step`, as `total` is.

    Any way of splitting a line into parts sums to its total to the cent:
    `share(1000, 3, 0, 1) + share(1000, 3, 1, 2) == 1000`. docs/domain.md, M5.
    """
    steps = total // step
    return (steps * (before + units) // quantity - steps * before // quantity) * step


def spread(amount: int, over: Sequence[int], step: int = 1) -> list[int]:
    """`amount` divided in proportion to the sums `over`, by largest remainder: in
    multiples of `step`, as all of them are. The parts sum to `amount`, none is more
    than its sum, and of equal sums the first get what is left over.

    `spread(100, [200, 200, 200]) == [34, 33, 33]`. Raises `ValueError` for more than
    there is.
    """
    whole, steps = sum(over), amount // step
    if not 0 <= amount <= whole:
        raise ValueError(f"{amount} of {whole}")
    if not whole:
        return [0] * len(over)
    parts = [steps * each // whole for each in over]
    by_remainder = sorted(range(len(over)), key=lambda n: -(steps * over[n] % whole))
    for n in by_remainder[: steps - sum(parts)]:
        parts[n] += 1
    return [part * step for part in parts]


def tax_included(total: int, basis_points: int) -> int:
    """The tax within a gross `total` at a rate in basis points (1900 is 19 %), rounded
    half up: `tax_included(100, 1900) == 16`."""
    return half_up(total * basis_points, 10_000 + basis_points)


def half_up(dividend: int, divisor: int) -> int:
    """The quotient rounded to the nearest integer, halves up."""
    return (2 * dividend + divisor) // (2 * divisor)


_DECIMALS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}


def decimals(currency: str) -> int:
    """Decimal places of the minor unit by ISO 4217: `decimals("JPY") == 0`, and 2 for
    most. CLDR differs: it counts what people pay with (no para in Serbia, no qindarka
    in Albania)."""
    listed = (n for n, names in _DECIMALS.items() if currency in names.split())
    return next(listed, 2)


@dataclass(frozen=True)
class AmountLimit:
    """A limit in one currency. A currency that is not listed has `amount` in its own
    minor units, so that amounts in weak currencies are checked too early rather than
    too late."""

    amount: int
    by_currency: Mapping[str, int] = field(default_factory=dict)

    def of(self, currency: str) -> int:
        return self.by_currency.get(currency, self.amount)

    def __str__(self) -> str:
        listed = (f"{code}={amount}" for code, amount in self.by_currency.items())
        return " ".join([str(self.amount), *listed])


def parse_limit(text: str) -> AmountLimit:
    """`100000 HUF=40000000 JPY=150000`. Raises `ValueError`."""
    amount, *listed = text.split() or [""]
    entries = [_ENTRY.fullmatch(entry) for entry in listed]
    if not _AMOUNT.fullmatch(amount) or not all(entries):
        raise ValueError("must be an amount and entries such as HUF=40000000")
    by_currency = {entry[1]: int(entry[2]) for entry in entries if entry}
    if len(by_currency) < len(entries):
        raise ValueError("must name each currency once")
    return AmountLimit(int(amount), by_currency)


_AMOUNT = re.compile(r"\d{1,15}", re.ASCII)
_ENTRY = re.compile(rf"([A-Z]{{3}})=({_AMOUNT.pattern})", re.ASCII)
