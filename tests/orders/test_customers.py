"""The provider's customer of a customer: made once, remembered, or the shop's own."""

from typing import Any

from shared.contracts.orders.states import OrderStatus

from tests.support.shop import Shop, has_status

CONFIRMED = has_status(OrderStatus.CONFIRMED)
TWO_DAYS = 2 * 24 * 3600
KEY = {"Authorization": "Bearer sk_test_core"}


async def saved_card(shop: Shop, customer_ref: str | None) -> str:
    answer = await shop.payments.http.get(
        "/v1/payment_methods", params={"customer": customer_ref or ""}, headers=KEY
    )
    (method,) = answer.json()["data"]
    return str(method["id"])


async def test_a_saved_card_works_after_the_provider_forgot_the_key(shop: Shop) -> None:
    await shop.stock(TEA=2)
    first = await shop.until(await shop.place(customer="kim"), CONFIRMED)
    card = await saved_card(shop, first.payments[0].customer_ref)
    await shop.payments.advance(TWO_DAYS)
    second = await shop.until(await shop.place(card, customer="kim"), CONFIRMED)
    assert second.payments[0].customer_ref == first.payments[0].customer_ref


async def test_a_customer_whom_the_provider_knows_is_found_there(shop: Shop) -> None:
    """As after a restore, or where another system of the shop has made them."""
    body: Any = {"metadata[customer_id]": "o'hara"}
    made = await shop.payments.http.post("/v1/customers", data=body, headers=KEY)
    await shop.stock(TEA=1)
    order = await shop.until(await shop.place(customer="o'hara"), CONFIRMED)
    assert order.payments[0].customer_ref == made.json()["id"]


async def test_the_shop_names_its_own_customer_at_the_provider(shop: Shop) -> None:
    made = await shop.payments.http.post("/v1/customers", headers=KEY)
    ref = made.json()["id"]
    await shop.stock(TEA=1)
    order_id = await shop.place(provider_customer=ref)
    order = await shop.until(order_id, CONFIRMED)
    assert order.payments[0].customer_ref == ref
