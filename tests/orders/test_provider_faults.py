"""The provider on a bad day: whatever it answers, or does not, money moves once."""

import asyncio

import pytest
from shared.contracts.orders.states import MoneyKind, MoneyStatus, OrderStatus
from worker.orders.adapters.stripe import StripePayments
from worker.orders.ports import Authorization, Unavailable

from tests.support.sampling import sampled
from tests.support.shop import Shop

CUSTOMER = "POST /v1/customers"
AUTHORIZE = "POST /v1/payment_intents$"
CAPTURE = "POST .*/capture"
RELEASE = "POST .*/cancel"
REFUND = "POST /v1/refunds"
FAULTS = [
    "down",
    "error",
    "rate_limit",
    "drop_answer",
    "stored_error",
    "stored_error_after_effect",
]
LOST = "drop_answer"
"""The provider has done it, and says nothing."""
UNTOLD = "stored_error_after_effect"
"""The provider has done it, and says for ever that it has not."""


@pytest.mark.parametrize("fault", sampled(FAULTS, LOST, UNTOLD))
async def test_an_authorisation_is_made_once(shop: Shop, fault: str) -> None:
    await shop.payments.strike(fault, AUTHORIZE, count=1)
    order_id = await shop.confirmed(TEA=1)
    order = await shop.order(order_id)
    (book,) = await shop.payments.books()
    assert book["authorized"] == order.total
    assert [payment.authorized for payment in order.payments] == [order.total]


@pytest.mark.parametrize("fault", sampled(FAULTS, LOST))
async def test_a_customer_whom_the_provider_did_not_take_at_first_can_pay(
    shop: Shop, fault: str
) -> None:
    await shop.payments.strike(fault, CUSTOMER, count=1)
    order = await shop.order(await shop.confirmed(TEA=1))
    assert [payment.authorized for payment in order.payments] == [order.total]


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_parcel_is_paid_for_once(shop: Shop, fault: str) -> None:
    order_id = await shop.confirmed(TEA=1)
    await shop.payments.strike(fault, CAPTURE, count=1)
    await shop.delivered(order_id)
    order = await shop.ended(order_id)
    (book,) = await shop.payments.books()
    assert order.status is OrderStatus.COMPLETED
    assert [capture["amount"] for capture in book["captures"]] == [order.total]


@pytest.mark.parametrize("fault", sampled(FAULTS, LOST))
async def test_an_authorisation_is_given_back(shop: Shop, fault: str) -> None:
    order_id = await shop.confirmed(TEA=1)
    await shop.payments.strike(fault, RELEASE, count=1)
    await shop.cancel(order_id)
    order = await shop.ended(order_id)
    (book,) = await shop.payments.books()
    assert book["status"] == "canceled"
    assert order.payments[0].released == order.total


@pytest.mark.parametrize("fault", sampled(FAULTS, LOST, UNTOLD))
async def test_a_refund_is_made_once(shop: Shop, fault: str) -> None:
    order_id = await shop.confirmed(TEA=1)
    await shop.pack(order_id)
    await shop.payments.strike(fault, REFUND, count=1)
    await shop.cancel(order_id)
    order = await shop.ended(order_id)
    (book,) = await shop.payments.books()
    assert order.refunded == order.total
    assert [refund["amount"] for refund in book["refunds"]] == [order.total]


async def test_a_key_that_answers_an_error_for_ever_is_replaced(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=1)
    await shop.payments.strike("stored_error", CAPTURE, count=1)
    await shop.pack(order_id)
    order = await shop.order(order_id)
    rows = order.payments[0].rows(MoneyKind.CAPTURE)
    assert [(row.attempt, row.status) for row in rows] == [
        (1, MoneyStatus.FAILED),
        (2, MoneyStatus.SUCCEEDED),
    ]


async def test_an_amount_that_the_provider_counts_otherwise_is_not_charged(
    shop: Shop,
) -> None:
    """Its 500 krónur are five."""
    provider = StripePayments("sk_test_core", shop.payments.url)
    krona = Authorization(
        order_id="",
        payment_id="pay_1",
        amount=500,
        currency="ISK",
        method_ref="pm_card_visa",
        customer_ref=await provider.customer("somebody"),
        off_session=False,
        return_url=None,
    )
    answer = await provider.authorize(krona, "key")
    await provider.close()
    assert (answer.status, answer.failure) == ("declined", "currency-not-supported")
    assert await shop.payments.books() == []


@pytest.mark.parametrize("fault", sampled(["down", "error", "rate_limit", LOST], LOST))
async def test_a_label_is_bought_once(shop: Shop, fault: str) -> None:
    order_id = await shop.confirmed(TEA=1)
    await shop.carrier.strike(fault, "POST /v1/labels", count=1)
    await shop.pack(order_id)
    assert len(await shop.carrier.books()) == 1


async def test_what_is_asked_for_meanwhile_waits_its_turn(shop: Shop) -> None:
    """A webhook asks about a payment that a step asks for at the same moment."""
    await shop.stock(TEA=1)
    await shop.payments.strike("slow", AUTHORIZE, count=1, delay_ms=100)
    await shop.payments.strike("webhook_thrice")
    order_id = await shop.confirmed(TEA=1)
    order = await shop.order(order_id)
    assert len(await shop.payments.books()) == 1
    assert order.payments[0].authorized == order.total


async def test_an_answer_that_breaks_off_is_asked_for_again() -> None:
    async def break_off(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(break_off, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        provider = StripePayments("sk_test_core", f"http://{host}:{port}")
        with pytest.raises(Unavailable):
            await provider.payment("pi_1")
        await provider.close()
