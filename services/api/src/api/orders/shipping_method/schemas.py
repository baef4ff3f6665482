"""Shipping methods over HTTP."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from api.http.schemas import (
    Amount,
    Category,
    Country,
    Currency,
    Line,
    Money,
    Request,
    View,
    Word,
    examples,
)


class NewRate(Request):
    """Without `countries` the rate applies to every country that no other rate names.
    `price` includes tax at `tax_bp` hundredths of a percent, by default at the rate of
    most of the goods. Goods of `free_from` or more ship free. Parcels take over
    `carrier` and `service`."""

    countries: Annotated[
        list[Country], Field(default_factory=list, max_length=250, fail_fast=True)
    ]
    price: Money
    tax_bp: Annotated[int, Field(ge=0, le=10_000)] | None = None
    free_from: Money | None = None
    carrier: Word | None = None
    service: Word | None = None


class ShippingMethodBody(Request):
    """All rates of a method; without rates the method is no longer offered."""

    name: Line
    rates: Annotated[list[NewRate], Field(max_length=500, fail_fast=True)]

    model_config = examples(
        {
            "name": "Standard",
            "rates": [
                {
                    "countries": ["DE", "AT"],
                    "price": {"amount": 490, "currency": "EUR"},
                    "tax_bp": 1900,
                    "free_from": {"amount": 5000, "currency": "EUR"},
                    "carrier": "dhl",
                },
                {"price": {"amount": 990, "currency": "EUR"}},
            ],
        }
    )


class ShippingQuery(BaseModel):
    """With a `country`: what is offered there, at the price for goods that cost
    `goods`, in minor units."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    country: Country | None = None
    currency: Currency | None = None
    goods: Amount = 0


class ShippingRate(View):
    """`amount` is the current price. A rate without a `name` comes from the
    settings."""

    code: Category
    name: str | None
    countries: list[str]
    amount: Money
    price: Money
    tax_bp: int | None
    free_from: Money | None
    carrier: str | None
    service: str | None


class ShippingMethod(View):
    code: str
    name: str
    rates: list[ShippingRate]
