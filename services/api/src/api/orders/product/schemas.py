"""Products over HTTP."""

from typing import Annotated

from pydantic import Field

from api.http.forms import written_as
from api.http.schemas import Country, Line, Money, Request, View, examples

# So that the price of a line of a million units fits its column.
HIGHEST_PRICE = 10**10


HsCode = Annotated[
    str, written_as(r"^[0-9]{6,10}$", "a tariff number of 6 to 10 digits")
]
TaxRate = Annotated[int, Field(ge=0, le=10_000)]


class NewPrice(Request):
    """`tax_bp` defaults to the product's."""

    price: Money
    tax_bp: TaxRate | None = None


class ProductBody(Request):
    """`price` includes the tax of `tax_bp` hundredths of a percent (1900 is 19 %).
    `prices` are those in further currencies. Customs ask for `hs_code`, the tariff
    number, and `origin`, the country of make. Left out, they stay as they are."""

    name: Line
    price: Money
    prices: Annotated[list[NewPrice], Field(max_length=200, fail_fast=True)] | None = (
        None
    )
    tax_bp: TaxRate = 0
    backorder: bool = False
    returnable: bool = True
    active: bool = True
    hs_code: HsCode | None = None
    origin: Country | None = None

    model_config = examples(
        {
            "name": "Assam tea, 250 g",
            "price": {"amount": 1290, "currency": "EUR"},
            "prices": [{"price": {"amount": 1390, "currency": "CHF"}, "tax_bp": 260}],
            "tax_bp": 700,
            "backorder": False,
            "returnable": True,
            "active": True,
            "hs_code": "090240",
            "origin": "IN",
        }
    )


class ProductPrice(View):
    price: Money
    tax_bp: int


class Product(View):
    """`prices` are those in currencies other than that of `price`."""

    sku: str
    name: str
    price: Money
    prices: list[ProductPrice]
    tax_bp: int
    backorder: bool
    returnable: bool
    active: bool
    hs_code: str | None
    origin: str | None
