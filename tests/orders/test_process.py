"""What an operator is told about an order that does not move."""

import asyncio

from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.names import order_workflow_id
from shared.contracts.orders.states import ShipmentStatus

from tests.support.peers import Json
from tests.support.shop import Shop, has_parcel


async def waits(shop: Shop, order_id: str) -> list[Json]:
    process = await shop.get(f"/v1/orders/{order_id}/process")
    waiting: list[Json] = process["waiting_for"]
    return waiting


async def test_a_hold_says_who_decides_what_and_what_silence_means(shop: Shop) -> None:
    await shop.stock(TEA=1)
    order_id = await shop.place(TEA=2)
    hold = await shop.held(order_id, HoldReason.STOCK)
    (waiting,) = await waits(shop, order_id)
    assert (waiting["what"], waiting["hold_id"]) == ("decision", hold.id)
    assert waiting["detail"].endswith("wait, ship_partial, cancel_lines.")
    assert waiting["then"] == "Decided as cancel_lines."
    assert waiting["due_at"] is not None


async def test_each_stage_says_whose_turn_it_is(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=1)
    await shop.until(order_id, has_parcel(ShipmentStatus.READY))
    seen = [(await waits(shop, order_id))[0]["what"]]
    shipment_id = await shop.pack(order_id)
    seen.append((await waits(shop, order_id))[0]["what"])
    await shop.ship(shipment_id)
    seen.append((await waits(shop, order_id))[0]["what"])
    await shop.scan(order_id, shipment_id, "delivered")
    await shop.ended(order_id)
    assert seen == ["packing", "handover", "delivery"]
    assert await waits(shop, order_id) == []


async def test_a_back_order_names_what_is_missing(shop: Shop) -> None:
    await shop.stock(TEA=0, backorder=True)
    order_id = await shop.place(TEA=3)
    await shop.until(order_id, lambda order: order.ship_partial)
    stock = [w for w in await waits(shop, order_id) if w["what"] == "stock"]
    assert [w["detail"] for w in stock] == ["Missing: 3 × TEA"]


async def test_a_dead_provider_is_seen_with_its_attempts_and_error(shop: Shop) -> None:
    await shop.payments.strike("down", "/v1/payment_intents")
    await shop.stock(TEA=1)
    order_id = await shop.place(TEA=1)
    process = await until_tried_again(shop, order_id)
    (pending,) = process["pending_activities"]
    assert (pending["type"], pending["workflow_id"]) == (
        "authorize",
        order_workflow_id(order_id),
    )
    assert pending["last_error"]
    assert process["running"]


async def until_tried_again(shop: Shop, order_id: str) -> Json:
    """Temporal announces no attempt to anybody."""
    async with asyncio.timeout(30):
        while True:
            process = await shop.get(f"/v1/orders/{order_id}/process")
            if any(one["attempt"] > 1 for one in process["pending_activities"]):
                return process
            await asyncio.sleep(0.1)


async def test_a_terminated_workflow_is_seen(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=1)
    assert (await shop.get(f"/v1/orders/{order_id}/process"))["running"] is True
    await shop.workflow(order_id).terminate()
    process = await shop.get(f"/v1/orders/{order_id}/process")
    assert process["running"] is False
    assert [w["what"] for w in process["waiting_for"]] == ["packing"]
