"""What a caller may not choose, though it fits its description."""

from typing import Any

import httpx2
import pytest
from api.app import create_app

from tests.api.conftest import MakeSettings, running
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

ADA = as_user("ada", "orders:own")
STOREFRONT = as_user("storefront", "orders:write", "orders:read")
PRICING = as_user("cart", "orders:write", "orders:price")
ABROAD = ADDRESS | {"country": "FR", "postal_code": "75001", "city": "Paris"}

ELSEWHERE = [
    *("https://evil.example/pay-now", "https://shop.example.com.evil.example/"),
    *("http://shop.example.com/", "https://shop.example.com:444/"),
    *("https://shop.example.com@evil.example/", "https://me@shop.example.com/"),
    *("https://shop.example.com\\@evil.example/", "https://169.254.169.254/latest"),
    *("https://shop.example.com%2f@evil.example/", "https://10.0.0.1/"),
    *("https://evil.example/https://shop.example.com/", "https://localhost/"),
]


@pytest.mark.parametrize("url", ELSEWHERE)
async def test_a_buyer_is_led_back_to_the_shop_alone(shop: Shop, url: str) -> None:
    await shop.sell()
    order = await shop.order()
    card = {"method": "pm_card_visa", "return_url": url}
    for path, body, pointer in (
        ("/v1/orders", an_order(payment=card), "#/payment/return_url"),
        (f"/v1/orders/{order['id']}/payments", card, "#/return_url"),
    ):
        answer = await shop.client.post(path, json=body, headers=key())
        assert (answer.status_code, code(answer)) == (422, "validation")
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize("end", ["", "/", "/paid?order=1", "?paid", "#paid"])
async def test_the_shop_s_pages_are_told_by_their_origin(shop: Shop, end: str) -> None:
    await shop.sell()
    url = f"https://shop.example.com{end}"
    assert await shop.order(payment={"method": "pm_card_visa", "return_url": url})


async def test_without_a_shop_nobody_is_led_anywhere(
    make_settings: MakeSettings,
) -> None:
    card = {"method": "pm_card_visa", "return_url": "https://shop.example.com/"}
    async with running(create_app(make_settings(shop_origins=()))) as client:
        await Shop(client).sell()
        answer = await client.post(
            "/v1/orders", json=an_order(payment=card), headers=key()
        )
    assert (answer.status_code, code(answer)) == (422, "validation")


def sent_by(method: str, amount: int, **changed: Any) -> Json:
    shipping = {"method": method, "amount": eur(amount)}
    total = eur(2 * PRICE + amount)
    return an_order(shipping=shipping, expected_total=total, **changed)


@pytest.mark.parametrize(
    ("order", "problem"),
    [
        (sent_by("standard", 0), "price-changed"),
        (sent_by("standard", 489), "price-changed"),
        (sent_by("standard", 490, ship_to=ABROAD), "price-changed"),
        (sent_by("express-overnight", 0), "validation"),
        (sent_by("Standard", 490), "validation"),
        (sent_by("standard", 490, metadata={"discount": 100}), "insufficient-scope"),
        (sent_by("standard", 490, external_ref="web-8"), "insufficient-scope"),
    ],
)
async def test_a_customer_neither_sets_prices_nor_speaks_for_the_shop(
    shop: Shop, order: Json, problem: str
) -> None:
    await shop.sell()
    answer = await shop.client.post("/v1/orders", json=order, headers=ADA | key())
    assert code(answer) == problem
    of_the_shop = await shop.client.post(
        "/v1/orders", json=order, headers=PRICING | key()
    )
    assert of_the_shop.status_code == 201


async def test_a_customer_is_told_what_shipping_costs(shop: Shop) -> None:
    await shop.sell()
    free = sent_by("standard", 0, ship_to=ABROAD)
    answer = await shop.client.post("/v1/orders", json=free, headers=ADA | key())
    assert answer.json()["shipping"] == eur(990)
    for price, where in ((990, ABROAD), (490, ADDRESS)):
        order = sent_by("standard", price, ship_to=where)
        done(await shop.client.post("/v1/orders", json=order, headers=ADA | key()))


async def test_an_order_does_not_take_its_price_abroad(shop: Shop) -> None:
    await shop.sell()
    order = await shop.order()
    path = f"/v1/orders/{order['id']}/contact"

    async def move(who: dict[str, str], where: Json) -> httpx2.Response:
        headers = who | {"If-Match": "*"}
        return await shop.client.patch(path, json={"ship_to": where}, headers=headers)

    assert code(await move(ADA, ABROAD)) == "price-changed"
    assert done(await move(ADA, ADDRESS | {"city": "Bonn", "postal_code": "53111"}))
    assert done(await move(as_user("grace", "orders:operate"), ABROAD))


async def test_a_reference_is_one_of_its_caller_s(shop: Shop) -> None:
    await shop.sell()

    async def place(service: str) -> httpx2.Response:
        headers = as_user(service, "orders:write") | key()
        order = an_order(external_ref="web-9")
        return await shop.client.post("/v1/orders", json=order, headers=headers)

    assert done(await place("web"))["external_ref"] == "web-9"
    assert done(await place("telephone"))
    assert code(await place("web")) == "duplicate-reference"
