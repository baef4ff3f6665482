"""What a caller may not choose, though it fits its description."""

import pytest
from api.app import create_app

from tests.api.conftest import MakeSettings, running
from tests.api.shop import Shop, an_order, code, key

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
