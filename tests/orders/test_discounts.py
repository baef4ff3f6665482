"""Whatever is paid, cancelled and given back of a reduced line adds up to what it was
sold at."""

from typing import Any

from shared.contracts.orders.states import (
    MoneyKind,
    OrderStatus,
    ReturnStatus,
    ShipmentStatus,
)

from tests.support.shop import ADDRESS, PERSONAL, Shop, has_parcel, has_status


async def place(
    shop: Shop,
    *lines: tuple[str, int, int],
    of_order: int = 0,
    currency: str = "EUR",
    shipping: int = 490,
    card: str | None = "pm_card_visa_multicapture",
) -> str:
    """Each line is a SKU, units, and what is taken off."""

    def money(amount: int) -> dict[str, Any]:
        return {"amount": amount, "currency": currency}

    def off(amount: int) -> list[dict[str, Any]]:
        return [{"code": "SPRING", "amount": money(amount)}] if amount else []

    order = {
        "customer_id": "customer-7",
        "currency": currency,
        "lines": [
            {"sku": sku, "quantity": units, "discounts": off(amount)}
            for sku, units, amount in lines
        ],
        "discounts": off(of_order),
        "shipping": {"method": "standard", "amount": money(shipping)},
        "contact": {name: PERSONAL[name] for name in ("name", "email", "phone")},
        "ship_to": ADDRESS,
    }
    if card is not None:
        order["payment"] = {"method": card}
    placed = await shop.post("/v1/orders", order)
    await shop.until(placed["id"], has_status(OrderStatus.CONFIRMED))
    return str(placed["id"])


async def test_a_reduced_line_is_cancelled_sent_and_returned_to_the_cent(
    shop: Shop,
) -> None:
    await shop.stock(TEA=3)
    # 3 x 12.90 less 1.00, and 0.10 of the order: 37.60, 12.53 or 12.54 a unit.
    order_id = await place(shop, ("TEA", 3, 100), of_order=10)
    await shop.cancel(order_id, {1: 1})
    await shop.delivered(order_id)
    sent = await shop.until(order_id, has_parcel(ShipmentStatus.DELIVERED))
    assert sent.captured == 3760 * 2 // 3 + 490
    back = {"lines": [{"line": 1, "quantity": 1, "reason": "does-not-fit"}]}
    return_ = await shop.post(f"/v1/orders/{order_id}/returns", back)
    await shop.until(
        order_id,
        lambda order: order.return_(return_["id"]).status is ReturnStatus.APPROVED,
    )
    accepted = [{"line": 1, "accepted": 1, "disposition": "restock"}]
    await shop.post(f"/v1/returns/{return_['id']}/receive", {"lines": accepted})
    order = await shop.until(order_id, lambda order: order.refunded)
    assert order.refunded == 3760 // 3
    kept = order.captured - order.refunded - order.shipping
    assert kept == order.line(1).price_after(1, 1)


async def test_dinars_are_captured_in_parts_that_a_network_takes(shop: Shop) -> None:
    await shop.stock(TEA=1)
    price = {"amount": 1000, "currency": "KWD"}
    body = {"name": "Tea", "price": price, "backorder": True}
    (await shop.http.put("/v1/products/TEA", json=body)).raise_for_status()
    order_id = await place(
        shop, ("TEA", 3, 10), currency="KWD", shipping=0, card="pm_card_visa"
    )
    await shop.cancel(order_id, {1: 1})
    await shop.cancel(order_id, {1: 1})
    await shop.delivered(order_id)
    order = await shop.ended(order_id)
    (payment,) = order.payments
    (capture,) = payment.rows(MoneyKind.CAPTURE)
    assert (capture.amount, order.line(1).total) == (990, 2990)


async def test_a_free_order_is_sent_without_a_payment(shop: Shop) -> None:
    await shop.stock(TEA=1)
    order_id = await place(shop, ("TEA", 1, 1290), shipping=0, card=None)
    await shop.delivered(order_id)
    order = await shop.ended(order_id)
    assert order.status is OrderStatus.COMPLETED
    assert order.payments == ()


async def test_goods_that_cost_nothing_come_back_for_nothing(shop: Shop) -> None:
    await shop.stock(TEA=1)
    order_id = await place(shop, ("TEA", 1, 1290), shipping=0, card=None)
    await shop.delivered(order_id)
    await shop.until(order_id, has_parcel(ShipmentStatus.DELIVERED))
    back = {"lines": [{"line": 1, "quantity": 1, "reason": "does-not-fit"}]}
    return_ = await shop.post(f"/v1/orders/{order_id}/returns", back)
    await shop.until(
        order_id,
        lambda order: order.return_(return_["id"]).status is ReturnStatus.APPROVED,
    )
    accepted = [{"line": 1, "accepted": 1, "disposition": "restock"}]
    await shop.post(f"/v1/returns/{return_['id']}/receive", {"lines": accepted})
    await shop.return_(return_["id"]).result()
    order = await shop.order(order_id)
    assert order.return_(return_["id"]).status is ReturnStatus.CLOSED
    assert order.refunds == ()


async def test_a_free_order_is_cancelled_without_a_refund(shop: Shop) -> None:
    await shop.stock(TEA=1)
    order_id = await place(shop, ("TEA", 1, 1290), shipping=0, card=None)
    answer = await shop.cancel(order_id)
    order = await shop.ended(order_id)
    assert answer["refund_id"] is None
    assert order.status is OrderStatus.CANCELLED
    assert await shop.stock_of("TEA") == (1, 0)


async def test_taxes_that_came_on_top_are_given_back_by_name(shop: Shop) -> None:
    await shop.stock(TEA=3)

    def eur(amount: int) -> dict[str, Any]:
        return {"amount": amount, "currency": "EUR"}

    taxes = [{"name": "STATE", "amount": eur(100)}, {"name": "CITY", "amount": eur(51)}]
    line = {"sku": "TEA", "quantity": 3, "unit_price": eur(1000), "taxes": taxes}
    sent = {"name": "STATE", "amount": eur(20)}
    order = {
        "customer_id": "customer-8",
        "currency": "EUR",
        "tax_treatment": "added",
        "lines": [line],
        "shipping": {"method": "standard", "amount": eur(490), "taxes": [sent]},
        "contact": {name: PERSONAL[name] for name in ("name", "email", "phone")},
        "ship_to": ADDRESS,
        "payment": {"method": "pm_card_visa"},
    }
    order_id = (await shop.post("/v1/orders", order))["id"]
    await shop.until(order_id, has_status(OrderStatus.CONFIRMED))
    await shop.pack(order_id)
    assert (await shop.order(order_id)).captured == 3151 + 510
    given_back = 0
    for units, shipping, by_name in (
        (1, False, {"STATE": 33, "CITY": 17}),
        (2, True, {"STATE": 67 + 20, "CITY": 34}),
    ):
        body = {"reason": "lost", "note": "", "shipping": shipping}
        lines = [{"line": 1, "quantity": units}]
        body |= {"lines": lines, "note": PERSONAL["note"]}
        refund = await shop.post(f"/v1/orders/{order_id}/refunds", body)
        given_back += refund["amount"]["amount"]
        named = {tax["name"]: tax["tax"]["amount"] for tax in refund["taxes"]}
        assert named == by_name
        assert refund["tax"]["amount"] == sum(by_name.values())
    assert given_back == 3151 + 510
