"""A product has a price in each currency that it is sold in."""

import pytest

from tests.api.shop import PRICE, SKU, Json, Shop, code, done, eur


def chf(amount: int) -> Json:
    return {"amount": amount, "currency": "CHF"}


async def test_further_prices_are_shown_and_stay(shop: Shop) -> None:
    await shop.sell(tax_bp=1900, prices=[{"price": chf(1500), "tax_bp": 810}])
    await shop.sell(tax_bp=1900, price=PRICE + 1)
    product = await shop.get(f"/v1/products/{SKU}")
    assert product["price"] == eur(PRICE + 1)
    assert product["prices"] == [{"price": chf(1500), "tax_bp": 810}]
    await shop.sell(prices=[])
    assert (await shop.get(f"/v1/products/{SKU}"))["prices"] == []


async def test_a_product_has_one_price_in_a_currency(shop: Shop) -> None:
    await shop.sell(prices=[{"price": chf(1500)}])
    body = {"name": "Tea", "price": chf(1600)}
    for price in (chf(1600), eur(PRICE)):
        changed = body | {"price": price}
        done(await shop.client.put(f"/v1/products/{SKU}", json=changed))
    product = await shop.get(f"/v1/products/{SKU}")
    assert (product["price"], product["prices"]) == (eur(PRICE), [])


async def test_a_price_without_a_tax_has_the_product_s(shop: Shop) -> None:
    await shop.sell(tax_bp=700, prices=[{"price": chf(1500)}])
    (listed,) = (await shop.get("/v1/products"))["data"]
    assert listed["prices"] == [{"price": chf(1500), "tax_bp": 700}]


async def test_a_changed_price_changes_the_tag(shop: Shop) -> None:
    await shop.sell(prices=[{"price": chf(1500)}])
    tag = (await shop.client.get(f"/v1/products/{SKU}")).headers["etag"]
    body = {"name": f"Product {SKU}", "price": eur(PRICE)}
    same = {"If-Match": tag}
    changed = body | {"prices": [{"price": chf(1600)}]}
    url = f"/v1/products/{SKU}"
    done(await shop.client.put(url, json=changed, headers=same))
    late = await shop.client.put(url, json=changed, headers=same)
    assert (late.status_code, code(late)) == (412, "version-mismatch")


@pytest.mark.parametrize(
    ("prices", "wrong"),
    [
        ([{"price": eur(1)}], "#/prices/0/price/currency"),
        ([{"price": chf(1)}, {"price": chf(2)}], "#/prices/1/price/currency"),
        (
            [{"price": {"amount": 1001, "currency": "KWD"}}],
            "#/prices/0/price/amount",
        ),
    ],
)
async def test_a_price_that_cannot_be_meant_is_named(
    shop: Shop, prices: list[Json], wrong: str
) -> None:
    body = {"name": "Tea", "price": eur(PRICE), "prices": prices}
    answer = await shop.client.put(f"/v1/products/{SKU}", json=body)
    assert (answer.status_code, code(answer)) == (422, "validation")
    assert [error["pointer"] for error in answer.json()["errors"]] == [wrong]
