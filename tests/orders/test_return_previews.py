"""What the returns desk is told beforehand is what is paid back, to the last digit."""

import pytest
from shared.contracts.orders.states import MoneyStatus, OrderStatus, ShipmentStatus

from tests.support.returns import (
    arrived,
    decide,
    eur,
    give_back,
    paid_back,
    receipt,
    receive,
    refund_waits,
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
NOTHING_KEPT = {"deduction": eur(0)}


async def preview(
    shop: Shop,
    return_id: str,
    accepted: dict[int, int],
    deducted: dict[int, Json] | None = None,
) -> Json:
    body = receipt(accepted, "restock", deducted)
    return await shop.post(f"/v1/returns/{return_id}/refund-preview", body)


async def booked(
    shop: Shop,
    return_id: str,
    accepted: dict[int, int],
    deducted: dict[int, Json] | None = None,
) -> Json:
    received = await receive(shop, return_id, accepted, deducted=deducted)
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
    (line,) = whole["lines"]
    assert line == {"line": 1, "quantity": 2, "amount": eur(2 * TEA)} | NOTHING_KEPT
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


async def test_worn_goods_are_paid_back_less_what_is_deducted(shop: Shop) -> None:
    """To the cent, with its tax; and what is kept goes back with no other goods."""
    order_id = await arrived(shop, TEA=2, MUG=1)
    asked = await send_back(shop, order_id, {1: 2, 2: 1})
    kept = {1: eur(250)}
    said = await preview(shop, asked["id"], {1: 1}, kept)
    refund = await booked(shop, asked["id"], {1: 1}, kept)
    assert refund["amount"] == said["amount"] == eur(TEA - 250)
    (line,) = refund["lines"]
    assert (line["amount"], line["deduction"]) == (eur(TEA - 250), eur(250))
    assert refund["deduction"] == said["lines"][0]["deduction"] == eur(250)
    assert refund["tax"] == line["tax"] == refund["taxes"][0]["tax"]
    shown = await shop.get(f"/v1/returns/{asked['id']}")
    assert [line["deduction"] for line in shown["lines"]] == [eur(250), eur(0)]
    rest = await send_back(shop, order_id, {1: 1, 2: 1})
    whole = await booked(shop, rest["id"], {1: 1, 2: 1})
    assert whole["amount"] == eur(TEA + PRICES["MUG"] + SHIPPING)
    await refunded(shop, order_id, whole["id"], MoneyStatus.SUCCEEDED)
    assert await paid_back(shop) == 2 * TEA + PRICES["MUG"] + SHIPPING - 250


async def test_all_of_the_price_may_be_deducted_and_nothing_is_asked_for(
    shop: Shop,
) -> None:
    order_id = await arrived(shop, TEA=2)
    asked = await send_back(shop, order_id, {1: 1})
    received = await receive(shop, asked["id"], {1: 1}, deducted={1: eur(TEA)})
    assert received["refund_id"] is None
    order = await shop.order(order_id)
    assert (order.deducted, order.goodwill, order.line(1).credited) == (TEA, 0, 1)
    # A person may change their mind: that is a refund of its own.
    again = await give_back(shop, order_id, amount=TEA)
    await refunded(shop, order_id, again["id"], MoneyStatus.SUCCEEDED)
    assert await paid_back(shop) == TEA


async def test_of_a_refund_that_is_rejected_nothing_was_deducted(shop: Shop) -> None:
    """The customer's bank sends it back, and it is given up."""
    order_id = await arrived(shop, "pm_card_refundFail", TEA=2)
    asked = await send_back(shop, order_id, {1: 1})
    refund = await booked(shop, asked["id"], {1: 1}, {1: eur(250)})
    await refunded(shop, order_id, refund["id"], MoneyStatus.SUCCEEDED)
    await shop.payments.advance(3601)
    order = await shop.until(order_id, refund_waits(refund["id"]))
    assert order.deducted == 250
    await decide(shop, refund["id"], "reject")
    order = await shop.order(order_id)
    assert (order.deducted, order.goodwill, order.line(1).credited) == (0, 0, 0)


@pytest.mark.parametrize(
    ("accepted", "kept", "code"),
    [
        (1, eur(TEA + 1), "deduction-exceeds-value"),
        (1, {"amount": 1, "currency": "CHF"}, "deduction-in-other-currency"),
        (0, eur(1), "deduction-without-goods"),
    ],
)
async def test_what_cannot_be_deducted_is_refused_and_changes_nothing(
    shop: Shop, accepted: int, kept: Json, code: str
) -> None:
    order_id = await arrived(shop, TEA=1)
    asked = await send_back(shop, order_id, {1: 1})
    for doing in (
        preview(shop, asked["id"], {1: accepted}, {1: kept}),
        receive(shop, asked["id"], {1: accepted}, deducted={1: kept}),
    ):
        with pytest.raises(Refused) as refused:
            await doing
        assert refused.value.code == code
    assert (await shop.get(f"/v1/returns/{asked['id']}"))["status"] == "approved"
    assert (await shop.order(order_id)).refunds == ()


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
