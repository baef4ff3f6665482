"""What the provider does not take is refused where it comes in, and not at the card."""

import pytest
from shared.contracts.orders.charging import charging

from tests.api.shop import SKU, Json, Shop, an_order, code, key


def price(currency: str, amount: int) -> Json:
    return {"name": "Tea", "price": {"amount": amount, "currency": currency}}


@pytest.mark.parametrize(
    ("currency", "amount", "wrong"),
    [
        ("ZZZ", 1000, "#/price/currency"),
        ("XAU", 1000, "#/price/currency"),
        # Counted in another unit by the provider.
        ("ISK", 1000, "#/price/currency"),
        ("UGX", 1000, "#/price/currency"),
        ("MGA", 1000, "#/price/currency"),
        ("KWD", 1001, "#/price/amount"),
        ("TND", 1005, "#/price/amount"),
    ],
)
async def test_a_price_that_cannot_be_charged_is_refused(
    shop: Shop, currency: str, amount: int, wrong: str
) -> None:
    answer = await shop.client.put("/v1/products/X", json=price(currency, amount))
    assert (answer.status_code, code(answer)) == (422, "validation")
    assert [error["pointer"] for error in answer.json()["errors"]] == [wrong]


@pytest.mark.parametrize("currency", ["EUR", "JPY", "KWD", "HUF", "XOF"])
async def test_a_price_that_can_be_charged_is_taken(shop: Shop, currency: str) -> None:
    answer = await shop.client.put("/v1/products/X", json=price(currency, 1000))
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("currency", "amount"), [("EUR", 49), ("HUF", 17_499), ("JPY", 49)]
)
async def test_an_order_below_what_can_be_charged_is_refused(
    shop: Shop, currency: str, amount: int
) -> None:
    await shop.client.put(f"/v1/products/{SKU}", json=price(currency, amount))
    total = {"amount": amount, "currency": currency}
    nothing = {"amount": 0, "currency": currency}
    order = an_order(
        1,
        currency=currency,
        expected_total=total,
        shipping={"method": "standard", "amount": nothing},
    )
    answer = await shop.client.post("/v1/orders", json=order, headers=key())
    assert (answer.status_code, code(answer)) == (422, "validation")
    assert answer.json()["errors"][0]["pointer"] == "#/expected_total/amount"


def test_what_the_provider_takes_of_a_currency() -> None:
    kwd, jpy = charging("KWD"), charging("JPY")
    assert kwd is not None
    assert jpy is not None
    assert (kwd.step, jpy.smallest, jpy.largest) == (10, 50, 9_999_999_999)
