"""Orders' lives that are recorded: tests/histories holds what each left behind."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.names import ORDERS, allocation_workflow_id
from shared.contracts.orders.states import OrderStatus, ShipmentStatus
from shared.contracts.orders.workflows import (
    Order,
    Reconcile,
    Retention,
    Return,
    Sweep,
)
from shared.database.orders.snapshot import Return as Goods
from sqlalchemy import text

from tests.orders.test_backorders import has_renewed, six_days_later
from tests.support.returns import (
    FINANCE,
    arrived,
    decide,
    give_back,
    receive,
    send_back,
)
from tests.support.shop import Shop, has_parcel, has_status

CAPTURE = "POST .*/capture$"


async def delivered(shop: Shop) -> str:
    order_id = await shop.confirmed(TEA=2, MUG=1)
    await shop.delivered(order_id)
    return order_id


async def cancelled(shop: Shop) -> str:
    order_id = await shop.confirmed(TEA=2)
    await shop.pack(order_id)
    await shop.cancel(order_id)
    return order_id


async def declined(shop: Shop) -> str:
    await shop.stock(TEA=1)
    order_id = await shop.place("pm_card_chargeDeclined", TEA=1)
    await shop.held(order_id, HoldReason.PAYMENT)
    await shop.pay(order_id, "pm_card_visa")
    await shop.delivered(order_id)
    return order_id


async def split(shop: Shop) -> str:
    await shop.stock(at="berlin", TEA=2)
    await shop.stock(at="munich", TEA=1)
    order_id = await shop.place(TEA=3)
    await shop.delivered(order_id, at="berlin")
    await shop.delivered(order_id, at="munich")
    return order_id


async def approved(shop: Shop) -> str:
    await shop.stock(GONG=2)
    order_id = await shop.place(GONG=2)
    await shop.decide(order_id, HoldReason.APPROVAL, "approve")
    await shop.delivered(order_id)
    return order_id


# ── what is missing, and money that is held for long ────────────────────────────────


async def backordered(shop: Shop) -> str:
    await shop.stock(TEA=1, backorder=True)
    order_id = await shop.place(TEA=2)
    await shop.delivered(order_id)
    await shop.stock(TEA=1)
    await shop.delivered(order_id)
    await shop.client.get_workflow_handle(allocation_workflow_id("TEA")).result()
    return order_id


async def renewed(shop: Shop) -> str:
    await shop.stock(TEA=0, backorder=True)
    order_id = await shop.place(TEA=1)
    await shop.until(order_id, has_status(OrderStatus.CONFIRMED))
    await six_days_later(shop, order_id)
    await shop.until(order_id, has_renewed)
    await shop.stock(TEA=1)
    await shop.delivered(order_id)
    return order_id


async def expired(shop: Shop) -> str:
    await shop.stock(TEA=1)
    order_id = await shop.place(TEA=2)
    await shop.held(order_id, HoldReason.STOCK)
    await shop.fetch("UPDATE holds SET remind_at = now()")
    await shop.workflow(order_id).signal(Order.nudge)
    await shop.until(order_id, lambda order: order.holds[0].reminded_at)
    await shop.fetch("UPDATE holds SET due_at = now()")
    await shop.workflow(order_id).signal(Order.nudge)
    await shop.delivered(order_id)
    return order_id


# ── people and parcels ──────────────────────────────────────────────────────────────


async def held(shop: Shop) -> str:
    order_id = await shop.confirmed(TEA=2)
    await shop.hold_up(order_id, by="ann")
    await shop.decide(order_id, HoldReason.MANUAL, "release", by="bob")
    await shop.cancel(order_id, lines={1: 1})
    shipment_id = await shop.shipped(order_id)
    await shop.hold_up(order_id, by="ann")
    await shop.scan(order_id, shipment_id, "delivered")
    await shop.until(order_id, has_parcel(ShipmentStatus.DELIVERED))
    await shop.decide(order_id, HoldReason.MANUAL, "release", by="bob")
    return order_id


async def stopped(shop: Shop) -> str:
    order_id = await shop.confirmed(TEA=1)
    await shop.workflow(order_id).cancel()
    return order_id


async def repacked(shop: Shop) -> str:
    order_id = await shop.confirmed(TEA=2)
    shipment_id = await shop.pack(order_id)
    await shop.stock(at="hamburg", TEA=2)
    await shop.post(f"/v1/shipments/{shipment_id}/cancel", {})
    order = await shop.until(order_id, has_parcel(ShipmentStatus.READY))
    (next_one,) = (s.id for s in order.shipments if s.status is ShipmentStatus.READY)
    await shop.post(f"/v1/shipments/{next_one}/move", {"location": "hamburg"})
    again = await shop.pack(order_id, at="hamburg")
    await shop.post(f"/v1/shipments/{again}/relabel", {})
    await shop.until(order_id, has_parcel(ShipmentStatus.PACKED))
    await shop.ship(again)
    await shop.scan(order_id, again, "delivered")
    return order_id


async def overtaken(shop: Shop) -> str:
    """Cancelled while its parcel is being paid for."""
    order_id = await shop.confirmed(TEA=1)
    with shop.payments.gate(CAPTURE) as provider:
        packing = asyncio.create_task(shop.pack(order_id))
        await provider.reached.wait()
        await shop.cancel(order_id)
    await asyncio.gather(packing, return_exceptions=True)
    return order_id


async def unpacked(shop: Shop) -> str:
    """Its parcel is cancelled while it is being paid for, and packed anew."""
    order_id = await shop.confirmed(TEA=1)
    (parcel,) = (await shop.order(order_id)).shipments
    with shop.payments.gate(CAPTURE) as provider:
        packing = asyncio.create_task(shop.pack(order_id))
        await provider.reached.wait()
        # It is answered once the payment is known.
        path = f"/v1/shipments/{parcel.id}/cancel"
        cancelling = asyncio.create_task(shop.post(path, {}))
        await shop.until(order_id, lambda o: o.shipment(parcel.id).cancel_wanted)
    await asyncio.gather(packing, cancelling, return_exceptions=True)
    await shop.until(order_id, has_parcel(ShipmentStatus.CANCELLED))
    await shop.delivered(order_id)
    return order_id


async def resumed(shop: Shop) -> str:
    """Begun anew while a parcel is being paid for, and the carrier is away."""
    order_id = await shop.confirmed(TEA=1)
    await shop.carrier.strike("down", "POST /v1/labels")
    with shop.payments.gate(CAPTURE, after_effect=True) as provider:
        packing = asyncio.create_task(shop.pack(order_id))
        await provider.reached.wait()
        await shop.lose(shop.workflow(order_id))
        await shop.fetch("UPDATE orders SET created_at = now() - interval '1 hour'")
        await shop.client.execute_workflow(Sweep.run, id="sweep", task_queue=ORDERS)
    await shop.until(order_id, lambda order: order.shipments[0].captured_at)
    await shop.carrier.recover()
    await asyncio.gather(packing, return_exceptions=True)
    order = await shop.until(order_id, has_parcel(ShipmentStatus.PACKED))
    await shop.ship(order.shipments[0].id)
    await shop.scan(order_id, order.shipments[0].id, "delivered")
    return order_id


async def stalled(shop: Shop) -> str:
    """What a try got of its provider waits for the database longer than a try may."""
    order_id = await shop.confirmed(TEA=1)
    workflow = shop.workflow(order_id)
    async with shop.engine.begin() as others:
        with shop.payments.gate(CAPTURE, after_effect=True) as provider:
            packing = asyncio.create_task(shop.pack(order_id))
            await provider.reached.wait()
            await others.execute(text("SELECT FROM orders FOR UPDATE"))
        async for event in workflow.fetch_history_events(wait_new_event=True):
            if event.HasField("activity_task_scheduled_event_attributes"):
                break
    shipment_id = await packing
    await shop.ship(shipment_id)
    await shop.scan(order_id, shipment_id, "delivered")
    return order_id


async def unseen(shop: Shop) -> str:
    order_id = await shop.confirmed(TEA=1)
    shipment_id = await shop.shipped(order_id)
    await shop.fetch("UPDATE shipments SET shipped_at = now() - interval '3 days'")
    await shop.workflow(order_id).signal(Order.nudge)
    await shop.held(order_id, HoldReason.DELIVERY)
    await shop.deliver(shipment_id)
    return order_id


# ── goods and money that go back ────────────────────────────────────────────────────


async def returned(shop: Shop) -> str:
    order_id = await arrived(shop, TEA=2)
    asked = await send_back(shop, order_id, {1: 1})
    await until_return(shop, order_id, asked["id"], awaited)
    await shop.fetch("UPDATE returns SET remind_at = now()")
    await nudge_return(shop, asked["id"])
    await until_return(shop, order_id, asked["id"], reminded)
    await receive(shop, asked["id"], {1: 1})
    return order_id


async def allowed(shop: Shop) -> str:
    """Two returns that a person decides about, of goods that never come."""
    await shop.stock(GONG=2)
    order_id = await shop.place(GONG=2)
    await shop.decide(order_id, HoldReason.APPROVAL, "approve")
    await shop.delivered(order_id)
    await shop.until(order_id, has_parcel(ShipmentStatus.DELIVERED))
    refused, allowed = [
        (await send_back(shop, order_id, {1: 1}))["id"] for _ in range(2)
    ]
    await shop.post(f"/v1/returns/{refused}/reject", {}, **FINANCE)
    await shop.fetch("UPDATE holds SET due_at = now()")
    await nudge_return(shop, allowed)
    await shop.until(order_id, lambda o: o.holds and o.holds[0].escalated_at)
    await decide(shop, allowed, "approve")
    await until_return(shop, order_id, allowed, awaited)
    await shop.fetch("UPDATE returns SET due_at = now()")
    await nudge_return(shop, allowed)
    return order_id


async def refunded(shop: Shop) -> str:
    """A refund that waits for a second person, and then for the provider."""
    order_id = await arrived(shop, "pm_card_pendingRefund", MUG=11)
    refund = await give_back(shop, order_id, amount=10_001)
    await decide(shop, refund["id"], "approve")
    await shop.until(order_id, lambda order: order.payments[0].ledger[-1].provider_ref)
    await shop.payments.advance(2 * 3600)
    return order_id


async def owed(shop: Shop) -> str:
    """A refund that the provider takes two hours for."""
    order_id = await shop.confirmed("pm_card_pendingRefund", TEA=1)
    await shop.pack(order_id)
    await shop.cancel(order_id)
    await shop.until(order_id, lambda order: order.payments[0].ledger[-1].provider_ref)
    await shop.payments.advance(2 * 3600)
    return order_id


# ── by the clock ────────────────────────────────────────────────────────────────────


async def routine(shop: Shop) -> str:
    order_id = await shop.confirmed(TEA=1)
    await shop.delivered(order_id)
    for workflow in (Sweep, Reconcile, Retention):
        await shop.client.execute_workflow(
            workflow.run, id=workflow.__name__.lower(), task_queue=ORDERS
        )
    return order_id


async def exported(shop: Shop) -> str:
    order_id = await shop.confirmed(TEA=1)
    await shop.delivered(order_id)
    asked = await shop.post("/v1/exports", {"kind": "lines", "format": "jsonl"})
    url = f"/v1/exports/{asked['id']}"
    while (await shop.get(url))["status"] == "running":  # noqa: ASYNC110 - is asked
        await asyncio.sleep(0.05)
    await shop.http.delete(url)
    return order_id


STORIES: dict[str, Callable[[Shop], Awaitable[str]]] = {
    story.__name__: story
    for story in (
        *(delivered, cancelled, declined, split, approved),
        *(backordered, renewed, expired),
        *(held, stopped, repacked, overtaken, unpacked, resumed, stalled, unseen),
        *(returned, allowed, refunded, owed, routine, exported),
    )
}
ALSO = {
    "backordered": {"allocation": allocation_workflow_id("TEA")},
    "routine": {name: name for name in ("sweep", "reconcile", "retention")},
}
"""Workflows of a story that are not its order's."""


# ── small steps ─────────────────────────────────────────────────────────────────────


async def nudge_return(shop: Shop, return_id: str) -> None:
    await shop.return_(return_id).signal(Return.nudge)


async def until_return(
    shop: Shop, order_id: str, return_id: str, when: Callable[[Goods], bool]
) -> None:
    await shop.until(order_id, lambda order: when(order.return_(return_id)))


def awaited(goods: Goods) -> bool:
    return goods.due_at is not None


def reminded(goods: Goods) -> bool:
    return goods.remind_at is not None and goods.remind_at > datetime.now(UTC)
