"""A provider's no is the end of a step, or a person's: nothing is asked for ever."""

from datetime import timedelta
from typing import Any

import pytest
from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.states import OrderStatus, ShipmentStatus
from worker.orders.payment import requests
from worker.orders.shipment import labels

from tests.orders.test_provider_faults import AUTHORIZE, CAPTURE, CUSTOMER, REFUND
from tests.support.sampling import sampled
from tests.support.shop import Refused, Shop, has_status

RELEASE = "POST .*/cancel"
VOID = "POST .*/void"
LOOK = "GET /v1/refunds$"
NO = [
    {"status": 400, "code": "amount_too_large"},
    {"status": 400},
    {"status": 402, "code": "card_declined"},
    {"status": 404, "code": "resource_missing"},
    {"status": 400, "code": "a_word_of_next_year"},
    {"status": 418},
]


async def refused_parcel(shop: Shop, no: dict[str, Any]) -> tuple[str, str]:
    """An order whose parcel the provider does not let us pay for."""
    order_id = await shop.confirmed(TEA=1)
    await shop.payments.strike("refuse", CAPTURE, **no)
    with pytest.raises(Refused) as refused:
        await shop.pack(order_id)
    assert refused.value.code == "payment-failed"
    (parcel,) = (await shop.order(order_id)).shipments
    return order_id, parcel.id


# What each of them means is asked in test_error_tables.
@pytest.mark.parametrize("no", sampled(NO, {"status": 418}), ids=str)
async def test_an_order_whose_capture_is_refused_can_be_cancelled(
    shop: Shop, no: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "TRIES_OF_THE_UNKNOWN", 2)
    order_id, _ = await refused_parcel(shop, no)
    await shop.held(order_id, HoldReason.PAYMENT)
    await shop.payments.recover()
    await shop.cancel(order_id)
    order = await shop.ended(order_id)
    assert (order.status, order.captured) == (OrderStatus.CANCELLED, 0)
    (book,) = await shop.payments.books()
    assert (book["capturable"], book["captured"]) == (0, 0)


async def test_a_parcel_whose_capture_is_refused_can_be_cancelled(shop: Shop) -> None:
    order_id, parcel = await refused_parcel(shop, {"status": 400})
    await shop.post(f"/v1/shipments/{parcel}/cancel", {})
    order = await shop.order(order_id)
    assert order.shipment(parcel).status is ShipmentStatus.CANCELLED


async def test_a_hold_of_a_refused_capture_can_be_decided(shop: Shop) -> None:
    order_id, _ = await refused_parcel(shop, {"status": 400})
    await shop.payments.recover()
    await shop.decide(order_id, HoldReason.PAYMENT, "cancel")
    assert (await shop.ended(order_id)).status is OrderStatus.CANCELLED


@pytest.mark.parametrize("path", [CUSTOMER, AUTHORIZE])
async def test_an_authorisation_that_is_refused_waits_for_a_person(
    shop: Shop, path: str
) -> None:
    await shop.stock(TEA=1)
    await shop.payments.strike("refuse", path, status=400, code="amount_too_small")
    order_id = await shop.place(TEA=1)
    hold = await shop.held(order_id, HoldReason.PAYMENT)
    assert hold.detail["cause"] == "amount_too_small"
    await shop.payments.recover()
    await shop.decide(order_id, HoldReason.PAYMENT, "retry")
    await shop.until(order_id, has_status(OrderStatus.CONFIRMED))


async def test_what_is_not_given_back_is_asked_for_again_when_a_person_says_so(
    shop: Shop,
) -> None:
    order_id = await shop.confirmed(TEA=1)
    await shop.payments.strike("refuse", RELEASE, status=400, code="action_blocked")
    await shop.cancel(order_id)
    hold = await shop.held(order_id, HoldReason.PROVIDER)
    assert hold.detail["cause"] == "action_blocked"
    await shop.payments.recover()
    await shop.decide(order_id, HoldReason.PROVIDER, "retry")
    order = await shop.ended(order_id)
    assert order.payments[0].held == 0


@pytest.mark.parametrize("status", sampled([400, 402, 404], 400))
async def test_a_refund_that_is_refused_waits_for_a_person(
    shop: Shop, status: int
) -> None:
    order_id = await shop.confirmed(TEA=1)
    await shop.pack(order_id)
    await shop.payments.strike("refuse", REFUND, status=status)
    await shop.cancel(order_id)
    order = await shop.order(order_id)
    hold = await shop.held(order_id, HoldReason.REFUND)
    await shop.payments.recover()
    await shop.decide(order_id, HoldReason.REFUND, "retry", by="finance")
    await shop.until(order_id, lambda order: order.refunded == order.total)
    assert hold.subject == order.refunds[0].id


async def test_who_decides_before_the_order_knows_of_it_is_heeded(shop: Shop) -> None:
    """The first of two parts is refused, and a person faster than the second one."""
    await shop.stock(TEA=1, backorder=True)
    order_id = await shop.place(TEA=2)
    await shop.pack(order_id)
    await shop.stock(TEA=1)
    await shop.pack(order_id)
    await shop.payments.strike("refuse", REFUND, status=400, count=1)
    with shop.payments.gate(LOOK) as after_the_refusal:
        await shop.cancel(order_id)
        await after_the_refusal.reached.wait()
        with shop.payments.gate(LOOK) as at_the_second:
            after_the_refusal.open()
            await at_the_second.reached.wait()
            await shop.decide(order_id, HoldReason.REFUND, "retry", by="finance")
    await shop.until(order_id, lambda order: order.refunded == order.total)


@pytest.mark.parametrize("fault", sampled(["error", "down", "rate_limit"], "down"))
async def test_a_provider_that_says_nothing_is_somebodys_business(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """The step goes on asking, and what it opened goes away with the answer."""
    monkeypatch.setattr(requests, "PATIENCE", timedelta())
    await shop.stock(TEA=1)
    await shop.payments.strike(fault, AUTHORIZE)
    order_id = await shop.place(TEA=1)
    hold = await shop.held(order_id, HoldReason.PROVIDER)
    assert hold.detail["asked_for"] == "authorize"
    await shop.payments.recover()
    order = await shop.until(order_id, has_status(OrderStatus.CONFIRMED))
    assert order.holds == ()


@pytest.mark.parametrize("decision", ["retry", "cancel"])
async def test_a_carrier_that_does_not_take_a_label_back_is_somebodys_business(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, decision: str
) -> None:
    monkeypatch.setattr(labels, "PATIENCE", timedelta())
    order_id = await shop.confirmed(TEA=1)
    await shop.pack(order_id)
    await shop.carrier.strike("down", VOID)
    await shop.cancel(order_id)
    hold = await shop.held(order_id, HoldReason.PROVIDER)
    assert hold.detail["asked_for"] == "void"
    if decision == "retry":
        await shop.carrier.recover()
    await shop.decide(order_id, HoldReason.PROVIDER, decision)
    order = await shop.ended(order_id)
    assert (order.holds, order.shipments[0].label_ref) == ((), None)
    found = await shop.fetch("SELECT kind FROM discrepancies")
    assert len(found) == (decision == "cancel")


async def test_a_shop_without_a_return_url_asks_its_customer_itself(
    shop: Shop,
) -> None:
    await shop.stock(TEA=1)
    order_id = await shop.place("pm_card_authenticationRequired", return_url=None)
    await shop.held(order_id, HoldReason.PAYMENT)
    order = (await shop.http.get(f"/v1/orders/{order_id}")).json()
    action = order["next_action"]
    assert action["type"] == "use_stripe_sdk"
    assert "_secret_" in action["client_secret"]
    await shop.payments.authenticate(succeed=True)
    await shop.until(order_id, has_status(OrderStatus.CONFIRMED))
