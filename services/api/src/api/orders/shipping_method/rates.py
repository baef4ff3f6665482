"""Works out what it costs to send an order. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Tariffs = Mapping[tuple[str, str, str], int]
"""`SHIPPING_TARIFFS`, by method, country (`*`: any other) and currency."""


@dataclass(frozen=True)
class Rate:
    """Minor units. Without `countries` it counts for all that no other rate of its
    method names. `price` includes its tax; without a rate of its own that is the
    goods'."""

    code: str
    currency: str
    price: int
    name: str | None = None
    countries: tuple[str, ...] = ()
    tax_bp: int | None = None
    free_from: int | None = None
    carrier: str | None = None
    service: str | None = None

    def cost(self, goods: int) -> int:
        """The price of sending goods that cost as much."""
        free = self.free_from is not None and goods >= self.free_from
        return 0 if free else self.price


def rates(rows: Iterable[Mapping[str, Any]], tariffs: Tariffs) -> list[Rate]:
    """The rows of `shipping_methods`, and what the settings say of methods and
    currencies that have none."""
    stored = [Rate(**{**row, "countries": tuple(row["countries"])}) for row in rows]
    known = {(rate.code, rate.currency) for rate in stored}
    return stored + [
        Rate(
            code=code,
            currency=currency,
            price=price,
            countries=() if country == "*" else (country,),
        )
        for (code, country, currency), price in tariffs.items()
        if (code, currency) not in known
    ]


def offered(rates: Iterable[Rate], country: str) -> list[Rate]:
    """The one rate of each method and currency that applies there."""
    found: dict[tuple[str, str], Rate] = {}
    for rate in rates:
        named = country in rate.countries
        of_method = (rate.code, rate.currency)
        if named or (not rate.countries and of_method not in found):
            found[of_method] = rate
    return list(found.values())


def rate_for(
    rates: Iterable[Rate], code: str, country: str, currency: str
) -> Rate | None:
    """`None` if the method is not offered."""
    wanted = (code, currency)
    here = offered((r for r in rates if (r.code, r.currency) == wanted), country)
    return here[0] if here else None
