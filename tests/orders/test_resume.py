"""A workflow that is lost is started again, wherever it was, with the same outcome."""

import pytest
from shared.contracts.orders.names import return_workflow_id
from shared.contracts.orders.states import OrderStatus, ReturnStatus, ShipmentStatus
from temporalio.client import WorkflowExecutionStatus

from tests.support.returns import arrived, receive, returned, send_back
from tests.support.shop import Shop, has_parcel

TO_THE_DOOR = (
    "order.placed",
    "stock.reserved",
    "payment.authorized",
    "order.confirmed",
    "shipment.ready",
    "shipment.picked",
    "payment.captured",
    "shipment.packed",
    "shipment.shipped",
    "shipment.delivered",
    "order.completed",
)


async def lose_and_resume(shop: Shop, order_id: str) -> None:
    """An operator terminates the workflow, with its children, and thinks better."""
    await shop.workflow(order_id).terminate()
    await shop.post(f"/v1/orders/{order_id}/resume", {})


async def test_a_happy_path_survives_a_loss_at_every_stage(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=2)
    await lose_and_resume(shop, order_id)
    await shop.until(order_id, has_parcel(ShipmentStatus.READY))
    await lose_and_resume(shop, order_id)
    shipment_id = await shop.pack(order_id)
    await lose_and_resume(shop, order_id)
    await shop.ship(shipment_id)
    await lose_and_resume(shop, order_id)
    await shop.scan(order_id, shipment_id, "delivered")
    order = await shop.ended(order_id)
    (book,) = await shop.payments.books()
    assert (order.status, order.captured) == (OrderStatus.COMPLETED, order.total)
    assert tuple(await shop.events(order_id)) == TO_THE_DOOR
    assert book["captured"] == order.total


@pytest.mark.parametrize("after_effect", [False, True])
async def test_a_loss_while_the_card_is_asked_charges_once(
    shop: Shop, after_effect: bool
) -> None:
    await shop.stock(TEA=1)
    with shop.payments.gate(
        "POST /v1/payment_intents$", after_effect=after_effect
    ) as provider:
        order_id = await shop.place(TEA=1)
        await provider.reached.wait()
        await lose_and_resume(shop, order_id)
    await shop.delivered(order_id)
    await shop.ended(order_id)
    assert tuple(await shop.events(order_id)) == TO_THE_DOOR
    assert len(await shop.payments.books()) == 1


@pytest.mark.parametrize("packed", [False, True])
async def test_a_cancellation_survives_a_loss_at_every_step(
    shop: Shop, packed: bool
) -> None:
    order_id = await shop.confirmed(TEA=1)
    if packed:
        await shop.pack(order_id)
    undo = "POST /v1/refunds" if packed else "POST /v1/payment_intents/.*/cancel"
    with shop.payments.gate(undo, after_effect=True) as provider:
        await shop.cancel(order_id)
        await provider.reached.wait()
        await lose_and_resume(shop, order_id)
    order = await shop.ended(order_id)
    (book,) = await shop.payments.books()
    assert order.status is OrderStatus.CANCELLED
    assert book["captured"] == book["refunded"]
    assert book["capturable"] == 0
    assert await shop.stock_of("TEA") == (1, 0)


async def test_resuming_what_runs_or_is_over_changes_nothing(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=1)
    await shop.post(f"/v1/orders/{order_id}/resume", {})
    await shop.delivered(order_id)
    before = await shop.ended(order_id)
    await shop.post(f"/v1/orders/{order_id}/resume", {})
    assert (await shop.ended(order_id)).version == before.version


async def test_a_return_that_is_lost_is_resumed_with_its_order(shop: Shop) -> None:
    order_id = await arrived(shop, TEA=2)
    asked = await send_back(shop, order_id, {1: 1})
    await shop.until(order_id, lambda o: o.return_(asked["id"]).due_at is not None)
    lost = shop.client.get_workflow_handle(return_workflow_id(asked["id"]))
    await lost.terminate()
    await shop.post(f"/v1/orders/{order_id}/resume", {})
    assert (await lost.describe()).status is WorkflowExecutionStatus.RUNNING
    await receive(shop, asked["id"], {1: 1})
    await returned(shop, order_id, asked["id"], ReturnStatus.CLOSED)
