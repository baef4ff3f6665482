"""Products over HTTP."""

from typing import Annotated

from pydantic import ConfigDict, Field

from api.http.schemas import Line, Money, Request, View

# So that the price of a line of a million units still fits its column.
HIGHEST_PRICE = 10**10


class ProductBody(Request):
    """`price` includes the tax of `tax_bp` hundredths of a percent (1900 is 19 %)."""

    name: Line
    price: Money
    tax_bp: Annotated[int, Field(ge=0, le=10_000)] = 0
    backorder: bool = False
    returnable: bool = True
    active: bool = True

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Assam tea, 250 g",
                    "price": {"amount": 1290, "currency": "EUR"},
                    "tax_bp": 700,
                    "backorder": False,
                    "returnable": True,
                    "active": True,
                }
            ]
        }
    )


class Product(View):
    sku: str
    name: str
    price: Money
    tax_bp: int
    backorder: bool
    returnable: bool
    active: bool
