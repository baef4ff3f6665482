"""Workers stop and workflows are terminated at the worst moments; nothing is lost, and
nothing happens twice."""

import asyncio
import itertools
from datetime import timedelta

import pytest
from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.names import ORDERS, order_workflow_id
from shared.contracts.orders.payloads import OrderRef
from shared.contracts.orders.states import OrderStatus, ShipmentStatus
from shared.contracts.orders.workflows import Order, Sweep
from shared.database.ids import new_id
from temporalio import workflow
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.worker import Worker

from tests.conftest import NOWHERE, OpenShop, Work
from tests.support.returns import provider_let_go
from tests.support.sampling import sampled
from tests.support.shop import Shop, has_hold, has_parcel, has_status

AUTHORIZE = "POST /v1/payment_intents$"
CAPTURE = "POST .*/capture"
RELEASE = "POST .*/cancel"
REFUND = "POST /v1/refunds"


# ── the worker stops ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("after_effect", [False, True])
async def test_a_fresh_worker_settles_what_a_dead_one_began(
    closed_shop: Shop, work: Work, after_effect: bool
) -> None:
    shop = closed_shop
    with shop.payments.gate(AUTHORIZE, after_effect=after_effect) as provider:
        async with work():
            await shop.stock(TEA=1)
            order_id = await shop.place(TEA=1)
            await provider.reached.wait()
    async with work():
        order = await shop.until(order_id, has_status(OrderStatus.CONFIRMED))
    (book,) = await shop.payments.books()
    assert book["authorized"] == order.payments[0].authorized == order.total


@pytest.mark.parametrize("after_effect", [False, True])
async def test_a_capture_that_a_worker_died_over_is_made_once(
    closed_shop: Shop, work: Work, after_effect: bool
) -> None:
    shop = closed_shop
    with shop.payments.gate(CAPTURE, after_effect=after_effect) as provider:
        async with work():
            order_id = await shop.confirmed(TEA=1)
            packing = asyncio.create_task(shop.pack(order_id))
            await provider.reached.wait()
    async with work():
        order = await shop.until(order_id, has_parcel(ShipmentStatus.PACKED))
        await packing
    (book,) = await shop.payments.books()
    assert [capture["amount"] for capture in book["captures"]] == [order.total]


# ── the workflow is terminated ──────────────────────────────────────────────────────


async def start_again(shop: Shop, order_id: str) -> None:
    await shop.client.start_workflow(
        Order.run,
        OrderRef(order_id=order_id),
        id=order_workflow_id(order_id),
        task_queue=ORDERS,
        # A command that was under way may have been faster.
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
    )


ASKED = list(itertools.product([AUTHORIZE, CAPTURE, RELEASE, REFUND], [False, True]))
"""What the provider is asked, and whether it has done it by then."""


@pytest.mark.parametrize(
    ("pattern", "after_effect"),
    sampled(ASKED, (AUTHORIZE, False), (CAPTURE, True), (REFUND, True)),
)
async def test_a_terminated_workflow_goes_on_where_it_was(
    shop: Shop, pattern: str, after_effect: bool
) -> None:
    """The same story, with the workflow terminated while the provider is asked."""
    with shop.payments.gate(pattern, after_effect=after_effect) as provider:
        story = asyncio.create_task(tell(shop, pattern))
        await provider.reached.wait()
        (order_id,) = [row.id for row in await shop.fetch("SELECT id FROM orders")]
        await shop.workflow(order_id).terminate()
        await start_again(shop, order_id)
    await asyncio.gather(story, return_exceptions=True)
    order = await shop.until(order_id, is_told(pattern))
    books = await shop.payments.books()
    assert [book["authorized"] for book in books] == [order.total]
    assert sum(book["captured"] for book in books) == order.captured
    assert sum(book["refunded"] for book in books) == order.refunded


async def tell(shop: Shop, pattern: str) -> None:
    order_id = await shop.confirmed(TEA=1)
    if pattern in (CAPTURE, REFUND):
        await shop.pack(order_id)
    if pattern in (RELEASE, REFUND):
        await shop.cancel(order_id)


def is_told(pattern: str):  # type: ignore[no-untyped-def]
    return {
        AUTHORIZE: has_status(OrderStatus.CONFIRMED),
        CAPTURE: has_parcel(ShipmentStatus.PACKED),
        RELEASE: lambda o: o.payments[0].released == o.total,
        REFUND: lambda o: o.refunded == o.total,
    }[pattern]


async def test_an_order_ends_the_same_when_terminated_at_every_step(
    shop: Shop,
) -> None:
    order_id = await shop.place(TEA=1)
    await shop.until(order_id, has_hold(HoldReason.STOCK))
    await restart(shop, order_id)
    await shop.decide(order_id, HoldReason.STOCK, "ship_partial")
    await restart(shop, order_id)
    await shop.stock(TEA=1)
    await shop.until(order_id, has_parcel(ShipmentStatus.READY))
    await restart(shop, order_id)
    parcel = await shop.pack(order_id)
    await restart(shop, order_id)
    await shop.ship(parcel)
    await restart(shop, order_id)
    await shop.scan(order_id, parcel, "delivered")
    order = await shop.ended(order_id)
    (book,) = await shop.payments.books()
    assert order.status is OrderStatus.COMPLETED
    assert book["captured"] == order.captured == order.total
    assert await shop.stock_of("TEA") == (0, 0)


@pytest.mark.parametrize("after_effect", [False, True])
async def test_a_parcel_is_taken_apart_once_its_payment_is_known(
    shop: Shop, after_effect: bool
) -> None:
    order_id = await shop.confirmed(TEA=1)
    with shop.payments.gate(CAPTURE, after_effect=after_effect) as provider:
        packing = asyncio.create_task(shop.pack(order_id))
        await provider.reached.wait()
        (parcel,) = (await shop.order(order_id)).shipments
        await restart(shop, order_id)
        path = f"/v1/shipments/{parcel.id}/cancel"
        cancelling = asyncio.create_task(shop.post(path, {}))
    await cancelling
    await asyncio.gather(packing, return_exceptions=True)
    await shop.delivered(order_id)
    order = await shop.ended(order_id)
    (book,) = await shop.payments.books()
    assert order.status is OrderStatus.COMPLETED
    assert [capture["amount"] for capture in book["captures"]] == [order.total]


@pytest.mark.parametrize("cause", ["nobody decides", "workflow cancelled"])
async def test_an_order_is_cancelled_once_a_payment_left_half_made_is_known(
    closed_shop: Shop, work: Work, cause: str
) -> None:
    """Nothing can be cancelled before, and only its parcel finds that out."""
    shop = closed_shop
    with shop.payments.gate(CAPTURE, after_effect=True) as provider:
        async with work():
            order_id = await shop.confirmed(TEA=1)
            packing = asyncio.create_task(shop.pack(order_id))
            await provider.reached.wait()
    await shop.workflow(order_id).terminate()
    packing.cancel()
    if cause == "nobody decides":
        await overdue(shop, order_id, HoldReason.PAYMENT)
    await start_again(shop, order_id)
    if cause == "workflow cancelled":
        await shop.workflow(order_id).cancel()
    async with work():
        await shop.until(order_id, lambda order: order.refunded == order.total)
        order = await shop.ended(order_id)
    (book,) = await shop.payments.books()
    assert order.status is OrderStatus.CANCELLED
    assert book["captured"] == book["refunded"] == order.total


async def overdue(shop: Shop, order_id: str, reason: HoldReason) -> None:
    """A hold that nobody has decided in time."""
    await shop.fetch(
        "INSERT INTO holds (id, subject, root, reason, placed_by, due_at)"
        " VALUES (:hold, :id, :id, :reason, 'worker', now())",
        hold=new_id("hld"),
        id=order_id,
        reason=reason.value,
    )


async def restart(shop: Shop, order_id: str) -> None:
    await shop.workflow(order_id).terminate()
    await start_again(shop, order_id)


# ── the sweep ───────────────────────────────────────────────────────────────────────


async def age(shop: Shop) -> None:
    """Let an hour pass over the orders: a moment ago, the API itself starts them."""
    await shop.fetch("UPDATE orders SET created_at = created_at - interval '1 hour'")


async def sweep(client: Client) -> None:
    await client.execute_workflow(Sweep.run, id="sweep", task_queue=ORDERS)


async def test_the_sweep_starts_an_order_that_came_while_temporal_was_down(
    open_shop: OpenShop, temporal: Client, work: Work
) -> None:
    async with open_shop(temporal, at=NOWHERE) as shop:
        await shop.stock(TEA=1)
        order_id = await shop.place(TEA=1)
        await age(shop)
        async with work():
            await sweep(temporal)
            order = await shop.until(order_id, has_status(OrderStatus.CONFIRMED))
    assert order.captured == 0


@workflow.defn(name="Order", sandboxed=False)
class OtherSteps:
    """Begins otherwise than ours, which cannot go on with such a history."""

    @workflow.run
    async def run(self, ref: OrderRef) -> None:
        await workflow.sleep(timedelta(days=1))

    @workflow.query
    def has_begun(self) -> bool:
        return True


async def test_the_sweep_restarts_an_order_whose_history_cannot_be_followed(
    closed_shop: Shop, temporal: Client, work: Work
) -> None:
    """Seen where a worker was frozen for nine seconds: the SDK replays what happened
    then in another order."""
    shop = closed_shop
    await shop.stock(TEA=1)
    async with Worker(temporal, task_queue=ORDERS, workflows=[OtherSteps]):
        order_id = await shop.place(TEA=1)
        await start_again(shop, order_id)
        assert await shop.workflow(order_id).query("has_begun")
    await age(shop)
    async with work():
        await shop.workflow(order_id).signal("nudge")
        with pytest.raises(WorkflowFailureError):
            await shop.workflow(order_id).result()
        await sweep(temporal)
        await shop.until(order_id, has_status(OrderStatus.CONFIRMED))
    assert len(await shop.payments.books()) == 1


async def test_the_sweep_restarts_an_order_whose_workflow_was_terminated(
    shop: Shop, temporal: Client
) -> None:
    order_id = await shop.place(TEA=1)
    await shop.until(order_id, has_hold(HoldReason.STOCK))
    await shop.lose(shop.workflow(order_id))
    await age(shop)
    await sweep(temporal)
    await shop.decide(order_id, HoldReason.STOCK, "cancel_lines")
    order = await shop.ended(order_id)
    assert order.status is OrderStatus.CANCELLED


async def test_the_sweep_leaves_a_newcomer_to_the_api(
    open_shop: OpenShop, temporal: Client, work: Work
) -> None:
    async with open_shop(temporal, at=NOWHERE) as shop, work():
        order_id = await shop.place(TEA=1)
        await sweep(temporal)
        assert await shop.events(order_id) == ["order.placed"]


async def test_the_sweep_gives_back_what_a_finished_order_still_holds(
    shop: Shop, temporal: Client
) -> None:
    order_id = await shop.confirmed(TEA=1)
    with shop.payments.gate(RELEASE) as provider:
        await shop.cancel(order_id)
        await provider.reached.wait()
        await shop.lose(shop.workflow(order_id))
        await age(shop)
        await sweep(temporal)
    await shop.ended(order_id)
    assert await provider_let_go(shop)


async def test_the_sweep_tells_of_books_that_disagree(
    shop: Shop, temporal: Client
) -> None:
    await shop.stock(TEA=1)
    await shop.fetch("UPDATE stock SET on_hand = 7")
    await sweep(temporal)
    await sweep(temporal)
    found = await shop.fetch("SELECT kind, subject FROM discrepancies")
    await shop.fetch("UPDATE stock SET on_hand = 1")
    assert [(row.kind, row.subject) for row in found] == [("audit_stock", "TEA@berlin")]
