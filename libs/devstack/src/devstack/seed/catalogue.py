"""Two hundred products in three locations: what a shop for tea and what goes with it
sells. Prices in cents, tax in hundredths of a percent."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

HOME = "berlin"
SECOND = "leipzig"
THIRD = "hamburg"
LOCATIONS = (HOME, SECOND, THIRD)

CURRENCY = "EUR"
REDUCED_TAX, FULL_TAX = 700, 1900


@dataclass(frozen=True)
class Kind:
    """Things of one kind, each of which comes in all `variants` of it."""

    code: str
    names: tuple[str, ...]
    variants: dict[str, tuple[str, int]]
    """By the end of their SKU: what they are called, and their price."""
    tax_bp: int
    hs_code: str
    origin: str


_TEAS = Kind(
    "TEA",
    (
        *("Assam", "Ceylon", "Darjeeling", "Earl Grey", "Keemun", "Lapsang"),
        *("Nilgiri", "Yunnan", "Sencha", "Gyokuro", "Matcha", "Bancha", "Genmaicha"),
        *("Jasmine", "Gunpowder", "Oolong", "Pu-erh", "White Peony", "Silver Needle"),
        *("Rooibos", "Honeybush", "Chamomile", "Peppermint", "Verbena", "Ginger"),
    ),
    {
        "50": ("tea, 50 g", 590),
        "100": ("tea, 100 g", 990),
        "250": ("tea, 250 g", 1990),
        "500": ("tea, 500 g", 3490),
    },
    REDUCED_TAX,
    "090240",
    "IN",
)
_CUPS = Kind(
    "CUP",
    ("Blue", "White", "Sand", "Moss", "Slate", "Rust", "Ochre", "Ink", "Plum", "Sky"),
    {
        "S": ("cup, 0.2 l", 890),
        "M": ("mug, 0.3 l", 1190),
        "L": ("mug, 0.5 l", 1490),
        "SET": ("mugs, set of four", 3990),
    },
    FULL_TAX,
    "691200",
    "DE",
)
_POTS = Kind(
    "POT",
    ("Glass", "Iron", "Clay", "Steel", "Porcelain", "Copper"),
    {
        "06": ("teapot, 0.6 l", 3490),
        "10": ("teapot, 1 l", 4990),
        "15": ("teapot, 1.5 l", 6490),
        "GIFT": ("teapot with two cups", 7990),
    },
    FULL_TAX,
    "691110",
    "JP",
)
_THINGS = Kind(
    "SET",
    ("Filter", "Whisk", "Scale", "Timer", "Tin", "Tray", "Kettle"),
    {
        "1": ("for one", 790),
        "2": ("for two", 1290),
        "6": ("for six", 2490),
        "PRO": ("for professionals", 15_900),
    },
    FULL_TAX,
    "732393",
    "DE",
)
_SAMOVARS = Kind(
    "SAMOVAR",
    ("Brass", "Silver"),
    {
        "3": ("samovar, 3 l", 64_900),
        "5": ("samovar, 5 l", 89_900),
        "8": ("samovar, 8 l", 129_900),
        "12": ("samovar, 12 l", 189_900),
    },
    FULL_TAX,
    "851671",
    "TR",
)


@dataclass(frozen=True)
class Product:
    """`home` is where most of it lies; `units` none where it is sold out."""

    sku: str
    body: dict[str, Any]
    home: str
    units: int

    @property
    def price(self) -> int:
        amount: int = self.body["price"]["amount"]
        return amount


def _products() -> Iterator[Product]:
    kinds = (_TEAS, _CUPS, _POTS, _THINGS, _SAMOVARS)
    named = ((k, name, end) for k in kinds for name in k.names for end in k.variants)
    for number, (kind, name, end) in enumerate(named):
        title, price = kind.variants[end]
        body = {
            "name": f"{name} {title}",
            "price": {"amount": price, "currency": CURRENCY},
            "tax_bp": kind.tax_bp,
            "hs_code": kind.hs_code,
            "origin": kind.origin,
        }
        sold_out = number % 40 == 39
        yield Product(
            sku=f"{kind.code}-{name.upper().replace(' ', '-')}-{end}",
            body=body,
            # By name, so that a shop's own people find a kind in one place.
            home=LOCATIONS[kind.names.index(name) % 3],
            units=0 if sold_out else 900 - 4 * number,
        )


PRODUCTS = tuple(_products())
SOLD_OUT = tuple(product for product in PRODUCTS if not product.units)


def in_stock(home: str, *, from_price: int = 0, below: int = 10_000) -> list[Product]:
    """What lies there, with a price in these bounds."""
    return [
        product
        for product in PRODUCTS
        if product.units
        and product.home == home
        and from_price <= product.price < below
    ]


def deliveries() -> dict[str, dict[str, int]]:
    """Units by location and SKU."""
    received: dict[str, dict[str, int]] = {location: {} for location in LOCATIONS}
    for product in PRODUCTS:
        if product.units:
            received[product.home][product.sku] = product.units
    return received
