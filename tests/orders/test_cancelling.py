"""Cancelling an order, or lines of it, wherever it stands."""

import asyncio

import pytest
from shared.contracts.orders.states import MoneyStatus, OrderStatus, ShipmentStatus

from tests.support.shop import (
    SHIPPING,
    Refused,
    Shop,
    has_parcel,
    has_status,
)

AUTHORIZE = "POST /v1/payment_intents$"
CAPTURE = "POST /v1/payment_intents/.*/capture"
RELEASE = "POST /v1/payment_intents/.*/cancel"
REFUND = "POST /v1/refunds"


async def test_a_placed_order_is_cancelled_while_its_card_is_asked(shop: Shop) -> None:
    await shop.stock(TEA=1)
    with shop.payments.gate(AUTHORIZE, after_effect=True) as provider:
        order_id = await shop.place(TEA=1)
        await provider.reached.wait()
        await shop.cancel(order_id)
    order = await shop.ended(order_id)
    (book,) = await shop.payments.books()
    assert order.status is OrderStatus.CANCELLED
    assert book["status"] == "canceled"
    assert await shop.stock_of("TEA") == (1, 0)


async def test_a_card_that_is_declined_after_the_cancellation_asks_nobody(
    shop: Shop,
) -> None:
    await shop.stock(TEA=1)
    # Before it decides: else its webhook could tell of that before the cancellation.
    with shop.payments.gate(AUTHORIZE) as provider:
        order_id = await shop.place("pm_card_chargeDeclined", TEA=1)
        await provider.reached.wait()
        await shop.cancel(order_id)
    order = await shop.ended(order_id)
    assert order.status is OrderStatus.CANCELLED
    assert "hold.placed" not in await shop.events(order_id)


async def test_an_authorised_order_gives_the_authorisation_back(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=1)
    await shop.cancel(order_id)
    order = await shop.ended(order_id)
    (book,) = await shop.payments.books()
    assert order.status is OrderStatus.CANCELLED
    assert (book["capturable"], book["captured"]) == (0, 0)
    assert await shop.stock_of("TEA") == (1, 0)


async def test_a_parcel_that_is_ready_is_not_packed_any_more(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=1)
    ready = await shop.until(order_id, has_parcel(ShipmentStatus.READY))
    await shop.cancel(order_id)
    await shop.ended(order_id)
    (parcel,) = ready.shipments
    with pytest.raises(Refused) as refused:
        await shop.pack_parcel(parcel.id, {1: 1})
    assert refused.value.code == "wrong-state"


async def test_a_packed_order_is_refunded_and_its_label_voided(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=2)
    await shop.pack(order_id)
    done = await shop.cancel(order_id)
    order = await shop.ended(order_id)
    (book,) = await shop.payments.books()
    (label,) = await shop.carrier.books()
    assert order.refund(done["refund_id"]).status is MoneyStatus.SUCCEEDED
    assert book["refunded"] == book["captured"] == order.total
    assert label["voided"]
    assert await shop.stock_of("TEA") == (2, 0)


async def test_what_has_shipped_cannot_be_cancelled(shop: Shop) -> None:
    await shop.stock(at="berlin", TEA=2)
    await shop.stock(at="munich", TEA=1)
    order_id = await shop.place("pm_card_visa_multicapture", TEA=3)
    await shop.shipped(order_id, at="berlin")
    with pytest.raises(Refused) as refused:
        await shop.cancel(order_id, {1: 3})
    assert refused.value.code == "already-shipped"
    assert refused.value.problem["cancellable"] == [{"line": 1, "quantity": 1}]


async def test_what_has_not_shipped_is_cancelled_and_the_rest_delivered(
    shop: Shop,
) -> None:
    await shop.stock(at="berlin", TEA=2)
    await shop.stock(at="munich", TEA=1)
    order_id = await shop.place("pm_card_visa_multicapture", TEA=3)
    parcel = await shop.shipped(order_id, at="berlin")
    await shop.cancel(order_id)
    await shop.scan(order_id, parcel, "delivered")
    order = await shop.ended(order_id)
    (book,) = await shop.payments.books()
    assert order.status is OrderStatus.COMPLETED
    assert book["captured"] == 2 * 1290 + SHIPPING
    assert book["capturable"] == 0


@pytest.mark.parametrize("packed", [False, True])
async def test_cancelled_lines_are_not_paid_for(shop: Shop, packed: bool) -> None:
    order_id = await shop.confirmed("pm_card_visa", TEA=2, MUG=1)
    if packed:
        await shop.pack(order_id)
    await shop.cancel(order_id, {2: 1})
    await shop.delivered(order_id)
    order = await shop.ended(order_id)
    assert order.status is OrderStatus.COMPLETED
    assert order.captured - order.refunded == 2 * 1290 + SHIPPING
    assert await shop.stock_of("MUG") == (1, 0)


async def test_an_order_is_cancelled_while_its_parcel_is_paid_for(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=1)
    with shop.payments.gate(CAPTURE, after_effect=True) as provider:
        packing = asyncio.create_task(shop.pack(order_id))
        await provider.reached.wait()
        cancelling = await shop.begin_cancelling(order_id)
        provider.open()
        await cancelling.result()
    # It may have been packed a moment before, or refused a moment after.
    await asyncio.gather(packing, return_exceptions=True)
    order = await shop.ended(order_id)
    (book,) = await shop.payments.books()
    assert order.status is OrderStatus.CANCELLED
    assert book["captured"] == book["refunded"] == order.total


async def test_a_cancellation_during_the_undoing_loses_nothing(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=1)
    with shop.payments.gate(RELEASE) as provider:
        await shop.cancel(order_id)
        await provider.reached.wait()
        await shop.workflow(order_id).cancel()
        with pytest.raises(Refused) as refused:
            await shop.cancel(order_id)
    order = await shop.ended(order_id)
    (book,) = await shop.payments.books()
    assert refused.value.code == "already-cancelled"
    assert order.status is OrderStatus.CANCELLED
    assert book["status"] == "canceled"


async def test_a_cancelled_workflow_cancels_its_order(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=1)
    await shop.workflow(order_id).cancel()
    order = await shop.ended(order_id)
    (book,) = await shop.payments.books()
    assert (order.status, order.reason) == (OrderStatus.CANCELLED, "workflow-cancelled")
    assert book["status"] == "canceled"


async def test_a_cancelled_workflow_watches_over_what_has_shipped(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=1)
    parcel = await shop.shipped(order_id)
    await shop.workflow(order_id).cancel()
    await shop.scan(order_id, parcel, "delivered")
    order = await shop.ended(order_id)
    assert order.status is OrderStatus.COMPLETED


async def test_a_refund_survives_the_cancellation_of_its_workflow(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=1)
    await shop.pack(order_id)
    with shop.payments.gate(REFUND) as provider:
        done = await shop.cancel(order_id)
        await provider.reached.wait()
        await shop.workflow(order_id).cancel()
    order = await shop.ended(order_id)
    (book,) = await shop.payments.books()
    assert order.refund(done["refund_id"]).status is MoneyStatus.SUCCEEDED
    assert book["refunded"] == order.total


async def test_a_line_is_cancelled_at_most_once(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=3)
    wishes = (shop.cancel(order_id, {1: 1}) for _ in range(5))
    answers = await asyncio.gather(*wishes, return_exceptions=True)
    order = await shop.until(order_id, has_status(OrderStatus.CANCELLED))
    assert sum(isinstance(answer, Refused) for answer in answers) == 2
    assert order.lines[0].cancelled == 3
