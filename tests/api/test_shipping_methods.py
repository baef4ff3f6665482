"""What shipping costs: rows that staff put, and that customers cannot choose."""

from typing import Any

import httpx2
import pytest

from tests.api.shop import (
    ADDRESS,
    PRICE,
    Json,
    Shop,
    an_order,
    as_user,
    code,
    done,
    eur,
    key,
)

STOREFRONT = as_user("storefront", "orders:write")
CART = as_user("cart", "orders:write", "orders:price")
PARIS = ADDRESS | {"country": "FR", "postal_code": "75001", "city": "Paris"}
ZURICH = ADDRESS | {"country": "CH", "postal_code": "8001", "city": "Zürich"}

HOME = {"countries": ["DE", "AT"], "price": eur(390), "free_from": eur(3 * PRICE)}
ABROAD = {"price": eur(890), "carrier": "dpd", "service": "classic"}


def chf(amount: int) -> Json:
    return {"amount": amount, "currency": "CHF"}


async def put(shop: Shop, *rates: Json, method: str = "standard") -> httpx2.Response:
    body = {"name": "Standard", "rates": [*rates]}
    return await shop.client.put(f"/v1/shipping-methods/{method}", json=body)


async def place(
    shop: Shop, amount: int | None, quantity: int = 1, **changed: Any
) -> httpx2.Response:
    shipping: Json = {"method": "standard"}
    if amount is not None:
        shipping["amount"] = eur(amount)
    order = an_order(quantity, shipping=shipping, expected_total=None, **changed)
    return await shop.client.post("/v1/orders", json=order, headers=STOREFRONT | key())


@pytest.mark.parametrize(
    ("country", "goods", "costs"),
    [("DE", 0, 390), ("AT", 0, 390), ("DE", 3 * PRICE, 0), ("FR", 10**6, 890)],
)
async def test_a_storefront_asks_what_shipping_costs(
    shop: Shop, country: str, goods: int, costs: int
) -> None:
    done(await put(shop, HOME, ABROAD))
    page = await shop.get(
        "/v1/shipping-methods", country=country, currency="EUR", goods=goods
    )
    assert [(one["code"], one["amount"]) for one in page["data"]] == [
        ("standard", eur(costs))
    ]


async def test_the_settings_count_where_there_are_no_rows(shop: Shop) -> None:
    before = await shop.get("/v1/shipping-methods", country="FR")
    assert [one["amount"] for one in before["data"]] == [eur(990)]
    done(await put(shop, {"price": chf(1200)}))
    other = await shop.get("/v1/shipping-methods", country="FR", currency="EUR")
    assert [one["amount"] for one in other["data"]] == [eur(990)]
    done(await put(shop, HOME))
    after = await shop.get("/v1/shipping-methods", country="FR", currency="EUR")
    assert after["data"] == []


async def test_whoever_does_not_set_prices_pays_what_shipping_costs(shop: Shop) -> None:
    await shop.sell()
    done(await put(shop, HOME, ABROAD))
    assert code(await place(shop, 100)) == "price-changed"
    assert done(await place(shop, 390))["totals"]["shipping"] == eur(390)
    assert done(await place(shop, None))["totals"]["shipping"] == eur(390)
    assert done(await place(shop, None, 3))["totals"]["shipping"] == eur(0)
    assert code(await place(shop, 390, ship_to=PARIS)) == "price-changed"


async def test_whoever_sets_prices_says_what_it_costs(shop: Shop) -> None:
    await shop.sell()
    shipping = {"method": "standard", "amount": eur(1)}
    order = an_order(1, shipping=shipping, expected_total=eur(PRICE + 1))
    placed = await shop.client.post("/v1/orders", json=order, headers=CART | key())
    assert done(placed)["totals"]["total"] == eur(PRICE + 1)


async def test_an_order_keeps_what_it_was_promised(shop: Shop) -> None:
    await shop.sell()
    done(await put(shop, ABROAD))
    order = done(await place(shop, None))
    done(await put(shop, ABROAD | {"carrier": "ups"}))
    again = await shop.get(f"/v1/orders/{order['id']}")
    assert again["shipping"] == {
        "method": "standard",
        "name": "Standard",
        "carrier": "dpd",
        "service": "classic",
        "tax": eur(0),
        "taxes": [],
        "tax_bp": 0,
        "amount": eur(890),
    }


async def test_who_carries_an_order_depends_on_where_it_goes(shop: Shop) -> None:
    await shop.sell()
    done(await put(shop, HOME, ABROAD))
    order = done(await place(shop, None))
    path = f"/v1/orders/{order['id']}/contact"
    moved = await shop.client.patch(
        path,
        json={"ship_to": PARIS},
        headers=as_user("grace", "orders:operate") | {"If-Match": "*"},
    )
    assert order["shipping"]["carrier"] is None
    assert done(moved)["shipping"]["carrier"] == "dpd"
    assert done(moved)["shipping"]["amount"] == eur(390)


async def test_a_method_is_not_offered_in_another_currency(shop: Shop) -> None:
    await shop.sell(prices=[{"price": chf(1500)}])
    done(await put(shop, HOME))
    order = an_order(
        1,
        currency="CHF",
        shipping={"method": "standard"},
        expected_total=None,
        ship_to=ADDRESS,
    )
    answer = await shop.client.post(
        "/v1/orders", json=order, headers=STOREFRONT | key()
    )
    assert (answer.status_code, code(answer)) == (422, "validation")
    assert answer.json()["errors"][0]["pointer"] == "#/shipping/method"
    assert "CHF" in answer.json()["detail"]


async def test_an_order_in_francs_of_a_product_sold_in_euros(shop: Shop) -> None:
    await shop.sell(tax_bp=700, prices=[{"price": chf(1500), "tax_bp": 260}])
    done(await put(shop, {"countries": ["CH"], "price": chf(900)}, HOME))
    order = an_order(
        2,
        currency="CHF",
        shipping={"method": "standard"},
        expected_total=chf(3900),
        ship_to=ZURICH,
    )
    answer = await shop.client.post(
        "/v1/orders", json=order, headers=STOREFRONT | key()
    )
    totals = done(answer)["totals"]
    assert (totals["goods"], totals["total"]) == (chf(3000), chf(3900))
    assert totals["tax"]["amount"] > 0


async def test_a_replaced_method_has_the_rates_of_the_last_request(shop: Shop) -> None:
    done(await put(shop, HOME, ABROAD))
    done(await put(shop, ABROAD))
    shown = await shop.get("/v1/shipping-methods/standard")
    assert [rate["countries"] for rate in shown["rates"]] == [[]]
    done(await put(shop))
    gone = await shop.client.get("/v1/shipping-methods/standard")
    assert code(gone) == "not-found"


@pytest.mark.parametrize(
    ("rates", "wrong"),
    [
        ([HOME, HOME], "#/rates/1/countries"),
        ([ABROAD, HOME, ABROAD], "#/rates/2/countries"),
        ([HOME | {"free_from": chf(1)}], "#/rates/0/free_from/currency"),
        (
            [HOME | {"price": {"amount": 1, "currency": "XAU"}}],
            "#/rates/0/price/currency",
        ),
        (
            [{"price": {"amount": 1001, "currency": "KWD"}}],
            "#/rates/0/price/amount",
        ),
    ],
)
async def test_a_rate_that_cannot_be_meant_is_named(
    shop: Shop, rates: list[Json], wrong: str
) -> None:
    answer = await put(shop, *rates)
    assert (answer.status_code, code(answer)) == (422, "validation")
    assert [error["pointer"] for error in answer.json()["errors"]] == [wrong]
