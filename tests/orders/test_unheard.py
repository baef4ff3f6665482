"""A command's facts are committed, and the server dies with the task that would have
gone on: nobody who works on the order hears of it, and nobody asks again. The sweep
finds it by the facts. docs/adr/0042."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from shared.contracts.base import LineQuantity, Payload
from shared.contracts.orders.holds import Decision, HoldReason
from shared.contracts.orders.names import ORDERS
from shared.contracts.orders.payloads import (
    Cancel,
    CancelShipment,
    Deliver,
    Pack,
    Parcel,
    ReceivedLine,
    ReceiveReturn,
    ReleaseHold,
    Ship,
)
from shared.contracts.orders.states import (
    Disposition,
    MoneyStatus,
    OrderStatus,
    ReturnStatus,
    ShipmentStatus,
)
from shared.contracts.orders.workflows import Sweep
from shared.contracts.search_attributes import WAITING
from shared.database.orders.snapshot import OrderSnapshot
from sqlalchemy import TextClause
from temporalio.client import Client
from worker.orders.registration import orders_process
from worker.orders.upkeep import unfinished

from tests.architecture.contracts import defined
from tests.conftest import MakeWorkerSettings, Work
from tests.orders.test_backorders import six_days_later
from tests.support.returns import (
    arrived,
    give_back,
    provider_let_go,
    refund_waits,
    refunded,
    send_back,
)
from tests.support.shop import PARCEL, Shop, has_parcel, has_status

Unheard = Callable[[str, Payload], Awaitable[Any]]


@pytest.fixture
async def unheard(
    worker_settings: MakeWorkerSettings, closed_shop: Shop, temporal: Client
) -> AsyncIterator[Unheard]:
    """Carries a command out as its workflow's step would, without the workflow."""
    process = orders_process(worker_settings(), closed_shop.engine, lambda: temporal)
    steps = {
        defined(step, "activity"): step
        for queue in process.queues
        for step in queue.activities
    }
    yield lambda name, command: steps[name](command)
    assert process.close is not None
    await process.close()


def cancellation(order_id: str) -> Cancel:
    return Cancel(
        order_id=order_id, key="cancel", actor="ada", reason="customer-request"
    )


def approval(order_id: str, hold_id: str, *, actor: str) -> ReleaseHold:
    return ReleaseHold(
        order_id=order_id,
        key="approve",
        actor=actor,
        hold_id=hold_id,
        decision=Decision.APPROVE,
    )


async def sweep_later(shop: Shop) -> None:
    await let_an_hour_pass(shop)
    await sweep(shop)


async def sweep(shop: Shop) -> None:
    await shop.client.execute_workflow(Sweep.run, id="sweep", task_queue=ORDERS)


async def let_an_hour_pass(shop: Shop) -> None:
    """Over all that has happened."""
    await shop.fetch("UPDATE orders SET updated_at = updated_at - interval '1 hour'")
    await shop.fetch("UPDATE ledger SET created_at = created_at - interval '1 hour'")


async def test_a_parcel_that_was_picked_is_paid_and_labelled(
    shop: Shop, unheard: Unheard
) -> None:
    order_id = await shop.confirmed(TEA=1)
    (parcel,) = (await shop.order(order_id)).shipments
    await unheard("pick", pick(order_id, parcel.id))
    await sweep_later(shop)
    order = await shop.until(order_id, has_parcel(ShipmentStatus.PACKED))
    assert order.captured == order.total


async def test_a_capture_that_was_tried_in_a_lost_workflow_task_is_asked_for_again(
    shop: Shop, unheard: Unheard
) -> None:
    """The try sent it, and its worker died with the task that would have told."""
    order_id = await shop.confirmed(TEA=1)
    (parcel,) = (await shop.order(order_id)).shipments
    await unheard("pick", pick(order_id, parcel.id))
    await sent_minutes_ago(shop)
    await sweep(shop)
    order = await shop.until(order_id, has_parcel(ShipmentStatus.PACKED))
    assert order.captured == order.total


async def sent_minutes_ago(shop: Shop) -> None:
    await shop.fetch("UPDATE orders SET updated_at = updated_at - interval '3 minutes'")
    await shop.fetch(
        "UPDATE ledger SET created_at = created_at - interval '3 minutes',"
        " sent_at = created_at WHERE status = 'pending'"
    )


def pick(order_id: str, shipment_id: str) -> Pack:
    return Pack(
        order_id=order_id,
        key="pick",
        actor="dock",
        shipment_id=shipment_id,
        lines=(LineQuantity(line=1, quantity=1),),
        parcel=Parcel(**PARCEL),
    )


async def test_the_money_of_a_cancelled_order_is_given_back(
    shop: Shop, unheard: Unheard
) -> None:
    order_id = await shop.confirmed(TEA=1)
    await unheard("cancel", cancellation(order_id))
    await sweep_later(shop)
    await shop.ended(order_id)
    assert await provider_let_go(shop)


async def test_a_card_is_not_asked_after_the_cancellation(
    closed_shop: Shop, work: Work, unheard: Unheard
) -> None:
    shop = closed_shop
    await shop.stock(TEA=1)
    order_id = await shop.place(TEA=1)
    await shop.started(order_id)
    await unheard("cancel", cancellation(order_id))
    async with work():
        order = await shop.ended(order_id)
    assert await shop.payments.books() == []
    assert order.payments[0].ledger[0].failure == "never-sent"


async def test_an_authorisation_that_nobody_sent_is_sent(shop: Shop) -> None:
    """Its start was lost, and so was the workflow that a worker then started."""
    await shop.stock(TEA=1)
    with shop.payments.gate("POST /v1/payment_intents$", after_effect=False):
        order_id = await shop.place(TEA=1)
        await shop.lose(await shop.started(order_id))
    await shop.fetch("UPDATE orders SET created_at = created_at - interval '1 hour'")
    await sweep_later(shop)
    await shop.until(order_id, has_status(OrderStatus.CONFIRMED))


async def test_the_label_of_a_cancelled_parcel_is_given_back(
    shop: Shop, unheard: Unheard
) -> None:
    order_id = await shop.confirmed(TEA=1)
    await shop.pack(order_id)
    await unheard("cancel", cancellation(order_id))
    await sweep_later(shop)
    order = await shop.ended(order_id)
    assert [parcel.label_ref for parcel in order.shipments] == [None]


async def test_goods_of_a_parcel_that_was_taken_apart_are_planned_anew(
    shop: Shop, unheard: Unheard
) -> None:
    order_id = await shop.confirmed(TEA=1)
    (parcel,) = (await shop.order(order_id)).shipments
    await unheard(
        "cancel_shipment",
        CancelShipment(
            order_id=order_id, key="apart", actor="dock", shipment_id=parcel.id
        ),
    )
    await sweep_later(shop)
    await shop.until(order_id, has_parcel(ShipmentStatus.READY))


async def test_a_parcel_that_has_left_is_missed_all_the_same(
    shop: Shop, unheard: Unheard
) -> None:
    order_id = await shop.confirmed(TEA=1)
    parcel = await shop.pack(order_id)
    await unheard(
        "ship", Ship(order_id=order_id, key="off", actor="dock", shipment_id=parcel)
    )
    await shop.fetch("UPDATE shipments SET shipped_at = now() - interval '3 days'")
    await sweep_later(shop)
    await shop.held(order_id, HoldReason.DELIVERY)


async def test_an_order_is_over_that_did_not_hear_of_its_last_parcel(
    shop: Shop, unheard: Unheard
) -> None:
    order_id = await shop.confirmed(TEA=1)
    parcel = await shop.shipped(order_id)
    await unheard(
        "deliver",
        Deliver(order_id=order_id, key="arrived", actor="dock", shipment_id=parcel),
    )
    await sweep_later(shop)
    order = await shop.ended(order_id)
    assert order.status is OrderStatus.COMPLETED


async def waits_for(shop: Shop, order_id: str, reason: HoldReason) -> None:
    """The workflow has seen the hold and sleeps."""
    workflow = shop.workflow(order_id)
    # Nothing tells of it.
    while reason not in (await workflow.describe()).typed_search_attributes.get(  # noqa: ASYNC110
        WAITING, ()
    ):
        await asyncio.sleep(0.05)


async def test_an_order_that_may_go_in_parts_is_confirmed(
    shop: Shop, unheard: Unheard
) -> None:
    await shop.stock(TEA=1)
    order_id = await shop.place(TEA=2)
    hold = await shop.held(order_id, HoldReason.STOCK)
    await waits_for(shop, order_id, HoldReason.STOCK)
    decided = approval(order_id, hold.id, actor="clerk")
    await unheard(
        "release_hold",
        decided.model_copy(update={"decision": Decision.SHIP_PARTIAL}),
    )
    await sweep_later(shop)
    await shop.until(order_id, has_status(OrderStatus.CONFIRMED))


async def test_another_method_that_was_given_is_charged(
    shop: Shop, unheard: Unheard
) -> None:
    await shop.stock(TEA=0, backorder=True)
    order_id = await shop.place("pm_card_declineOffSession", TEA=1)
    await shop.until(order_id, has_status(OrderStatus.CONFIRMED))
    await six_days_later(shop, order_id)
    hold = await shop.held(order_id, HoldReason.PAYMENT)
    again = approval(order_id, hold.id, actor="clerk")
    await unheard("release_hold", again.model_copy(update={"decision": Decision.RETRY}))
    await sweep_later(shop)
    await shop.held(order_id, HoldReason.PAYMENT)


async def test_an_order_without_money_hears_that_it_is_over(
    shop: Shop, unheard: Unheard
) -> None:
    order_id = await shop.place("pm_card_chargeDeclined", TEA=1)
    await shop.held(order_id, HoldReason.STOCK)
    await unheard("cancel", cancellation(order_id))
    await sweep_later(shop)
    await shop.ended(order_id)


async def test_an_order_that_was_approved_is_confirmed(
    closed_shop: Shop, work: Work, unheard: Unheard
) -> None:
    shop = closed_shop
    async with work(approval_limit=1):
        await shop.stock(TEA=1)
        order_id = await shop.place(TEA=1)
        hold = await shop.held(order_id, HoldReason.APPROVAL)
        await unheard("release_hold", approval(order_id, hold.id, actor="boss"))
        await sweep_later(shop)
        await shop.until(order_id, has_status(OrderStatus.CONFIRMED))


async def completed(shop: Shop, *, tea: int) -> str:
    """An order that is over: completing after it was made old would be news again, and
    leave it out of the sweep."""
    order_id = await arrived(shop, TEA=tea)
    await shop.until(order_id, has_status(OrderStatus.COMPLETED))
    return order_id


async def test_a_return_that_was_received_is_paid_back(
    shop: Shop, unheard: Unheard
) -> None:
    order_id = await completed(shop, tea=1)
    return_id = (await send_back(shop, order_id, {1: 1}))["id"]
    await shop.until(
        order_id, lambda order: order.return_(return_id).due_at is not None
    )
    received = ReceiveReturn(
        order_id=order_id,
        key="receive",
        actor="dock",
        return_id=return_id,
        lines=(ReceivedLine(line=1, accepted=1, disposition=Disposition.RESTOCK),),
    )
    await unheard("receive_return", received)
    await sent_minutes_ago(shop)
    await sweep(shop)
    order = await shop.until(
        order_id, lambda order: order.return_(return_id).status is ReturnStatus.CLOSED
    )
    assert order.refunded > 0


async def test_a_refund_that_was_approved_is_made(shop: Shop, unheard: Unheard) -> None:
    order_id = await completed(shop, tea=10)
    asked = await give_back(shop, order_id, amount=11_000)
    refund_id = asked["id"]
    await shop.until(order_id, refund_waits(refund_id))
    hold = (await shop.order(order_id)).hold(HoldReason.REFUND, refund_id)
    assert hold is not None
    await unheard("release_hold", approval(order_id, hold.id, actor="finance"))
    await sent_minutes_ago(shop)
    await sweep(shop)
    await refunded(shop, order_id, refund_id, MoneyStatus.SUCCEEDED)


async def paid_by_a_second_card(shop: Shop) -> str:
    """The first one still waits for the customer to confirm it."""
    await shop.stock(TEA=1)
    order_id = await shop.place("pm_card_authenticationRequired", TEA=1)
    await shop.held(order_id, HoldReason.PAYMENT)
    await shop.pay(order_id, "pm_card_visa")
    await shop.until(order_id, has_parcel(ShipmentStatus.READY))
    return order_id


async def test_a_card_that_nobody_confirms_hides_nothing(
    shop: Shop, unheard: Unheard
) -> None:
    order_id = await paid_by_a_second_card(shop)
    (parcel,) = (await shop.order(order_id)).shipments
    await unheard(
        "cancel_shipment",
        CancelShipment(
            order_id=order_id, key="apart", actor="dock", shipment_id=parcel.id
        ),
    )
    await sweep_later(shop)
    await shop.until(order_id, has_parcel(ShipmentStatus.READY))


async def test_a_card_that_nobody_confirms_is_given_up_after_a_termination(
    shop: Shop, unheard: Unheard
) -> None:
    await shop.stock(TEA=1)
    order_id = await shop.place("pm_card_authenticationRequired", TEA=1)
    await shop.held(order_id, HoldReason.PAYMENT)
    await shop.lose(shop.workflow(order_id))
    await unheard("cancel", cancellation(order_id))
    await shop.fetch("UPDATE orders SET created_at = created_at - interval '1 hour'")
    await sweep_later(shop)
    order = await shop.until(order_id, is_settled)
    assert order.payments[0].ledger[0].failure == "abandoned"


def is_settled(order: OrderSnapshot) -> bool:
    rows = [row for payment in order.payments for row in payment.ledger]
    return all(row.status is not MoneyStatus.PENDING for row in rows)


QUESTIONS = (
    unfinished.NEEDS_A_NUDGE,
    unfinished.UNSENT,
    unfinished.UNHEARD_ORDERS,
    unfinished.UNHEARD_PARCELS,
    unfinished.UNHEARD_RETURNS,
    unfinished.UNHEARD_REFUNDS,
)


async def test_an_order_that_waits_gets_no_nudge(shop: Shop) -> None:
    """To be packed, for a customer, for stock, for goods to come back: a nudge every
    five minutes would only fill histories."""
    await shop.confirmed(TEA=1)
    await paid_by_a_second_card(shop)
    short = await shop.place(MUG=1)
    await shop.held(short, HoldReason.STOCK)
    delivered = await completed(shop, tea=1)
    await send_back(shop, delivered, {1: 1})
    await shop.until(delivered, lambda order: order.returns[0].due_at is not None)
    await let_an_hour_pass(shop)
    for question in QUESTIONS:
        assert await shop.fetch(str(question), **grace_of(question)) == []


def grace_of(question: TextClause) -> dict[str, timedelta]:
    return {"grace": unfinished.GRACE} if ":grace" in str(question) else {}
