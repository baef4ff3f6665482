"""What the returns desk is told beforehand is what is paid back, to the last digit."""

import pytest
from shared.contracts.orders.states import MoneyStatus, OrderStatus, ShipmentStatus

from tests.support.returns import (
    arrived,
    eur,
    give_back,
    receive,
    refunded,
    send_back,
)
from tests.support.shop import (
    ADDRESS,
    PRICES,
    SHIPPING,
    Json,
    Refused,
    Shop,
    has_parcel,
    has_status,
)

TEA = PRICES["TEA"]


async def preview(shop: Shop, return_id: str, accepted: dict[int, int]) -> Json:
    lines = [
        {"line": n, "accepted": units, "disposition": "restock"}
        for n, units in accepted.items()
    ]
    return await shop.post(f"/v1/returns/{return_id}/refund-preview", {"lines": lines})


async def booked(shop: Shop, return_id: str, accepted: dict[int, int]) -> Json:
    received = await receive(shop, return_id, accepted)
    return await shop.get(f"/v1/refunds/{received['refund_id']}")


async def test_a_part_is_worth_its_goods_and_all_of_it_the_shipping_too(
    shop: Shop,
) -> None:
    order_id = await arrived(shop, TEA=2)
    asked = await send_back(shop, order_id, {1: 2})
    part = await preview(shop, asked["id"], {1: 1})
    assert (part["amount"], part["shipping"]) == (eur(TEA), eur(0))
    whole = await preview(shop, asked["id"], {1: 2})
    assert whole["shipping"] == eur(SHIPPING)
    assert whole["lines"] == [{"line": 1, "quantity": 2, "amount": eur(2 * TEA)}]
    refund = await booked(shop, asked["id"], {1: 2})
    assert refund["amount"] == whole["amount"] == eur(2 * TEA + SHIPPING)


async def test_what_was_paid_back_before_is_taken_off(shop: Shop) -> None:
    order_id = await arrived(shop, TEA=1)
    before = await give_back(shop, order_id, amount=500)
    await refunded(shop, order_id, before["id"], MoneyStatus.SUCCEEDED)
    asked = await send_back(shop, order_id, {1: 1})
    said = await preview(shop, asked["id"], {1: 1})
    refund = await booked(shop, asked["id"], {1: 1})
    assert refund["amount"] == said["amount"] == eur(TEA + SHIPPING - 500)


async def test_of_three_decimals_networks_take_two(shop: Shop) -> None:
    """1.000 dinar for three: a part is 0.330 or 0.340, and never 0.333."""
    order_id = await in_dinar(shop)
    await shop.delivered(order_id)
    await shop.until(order_id, has_parcel(ShipmentStatus.DELIVERED))
    asked = await send_back(shop, order_id, {1: 1})
    said = await preview(shop, asked["id"], {1: 1})
    refund = await booked(shop, asked["id"], {1: 1})
    assert said["amount"] == {"amount": 330, "currency": "KWD"} == refund["amount"]


async def test_nothing_accepted_is_worth_nothing_and_changes_nothing(
    shop: Shop,
) -> None:
    order_id = await arrived(shop, TEA=1)
    asked = await send_back(shop, order_id, {1: 1})
    said = await preview(shop, asked["id"], {1: 0})
    assert (said["amount"], said["lines"]) == (eur(0), [])
    assert (await shop.get(f"/v1/returns/{asked['id']}"))["status"] == "approved"


async def test_what_cannot_be_received_has_no_preview(shop: Shop) -> None:
    order_id = await arrived(shop, TEA=1)
    asked = await send_back(shop, order_id, {1: 1})
    with pytest.raises(Refused) as refused:
        await preview(shop, asked["id"], {1: 2})
    assert refused.value.code == "quantity-exceeded"
    await receive(shop, asked["id"], {1: 1})
    with pytest.raises(Refused) as refused:
        await preview(shop, asked["id"], {1: 1})
    assert refused.value.code == "wrong-state"


async def in_dinar(shop: Shop) -> str:
    def dinar(amount: int) -> Json:
        return {"amount": amount, "currency": "KWD"}

    body = {"name": "Oud", "price": dinar(340)}
    assert (await shop.http.put("/v1/products/OUD", json=body)).is_success
    shop._known.add("OUD")
    await shop.stock(OUD=3)
    order = {
        "customer_id": "somebody",
        "currency": "KWD",
        "lines": [{"sku": "OUD", "quantity": 3}],
        "discounts": [{"code": "TWENTY", "amount": dinar(20)}],
        "shipping": {"method": "standard", "amount": dinar(0)},
        "contact": {"name": "Some Body", "email": "somebody@example.com"},
        "ship_to": ADDRESS,
        "payment": {"method": "pm_card_visa"},
    }
    order_id = str((await shop.post("/v1/orders", order))["id"])
    await shop.until(order_id, has_status(OrderStatus.CONFIRMED))
    return order_id
