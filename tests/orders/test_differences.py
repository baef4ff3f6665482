"""The provider's word against ours: what differs is a hold before the goods leave, and
a person can book it."""

from collections.abc import AsyncIterator

import pytest
from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.states import OrderStatus, ShipmentStatus
from worker.orders.adapters.stripe import StripePayments
from worker.orders.upkeep.reconcile import ReconcileActivities

from tests.orders.test_reconcile import books, reconcile  # noqa: F401 - a fixture
from tests.support.returns import arrived, receive, send_back
from tests.support.shop import Refused, Shop, has_parcel


@pytest.fixture
async def provider(shop: Shop) -> AsyncIterator[StripePayments]:
    """Somebody at the provider's dashboard."""
    provider = StripePayments("sk_test_core", shop.payments.url)
    yield provider
    await provider.close()


async def by_hand(provider: StripePayments, shop: Shop, captured: int) -> str:
    """An order of which somebody has captured a part in the dashboard."""
    order_id = await shop.confirmed(TEA=1)
    (payment,) = (await shop.order(order_id)).payments
    ref = payment.provider_ref or ""
    await provider.capture(ref, captured, final=True, what="by-hand", key="by-hand")
    await shop.pack(order_id)
    return order_id


async def owed_and_refunded_by_hand(shop: Shop, provider: StripePayments) -> str:
    """A cancelled order whose money somebody has sent back in the dashboard."""
    order_id = await shop.confirmed(TEA=1)
    await shop.pack(order_id)
    order = await shop.order(order_id)
    ref = order.payments[0].provider_ref or ""
    await provider.refund(ref, order.total, refund_id="", key="by-hand")
    await shop.cancel(order_id)
    await shop.held(order_id, HoldReason.REFUND)
    return order_id


async def test_what_was_captured_by_hand_stops_the_parcel(
    shop: Shop, provider: StripePayments
) -> None:
    order_id = await by_hand(provider, shop, 100)
    hold = await shop.held(order_id, HoldReason.DIFFERENCE)
    assert hold.detail["captured"] == {"ledger": 0, "provider": 100}
    order = await shop.order(order_id)
    assert (order.captured, order.shipments[0].status) == (0, ShipmentStatus.READY)


async def test_what_was_captured_by_hand_is_booked_and_the_rest_is_taken(
    shop: Shop, provider: StripePayments
) -> None:
    order_id = await by_hand(provider, shop, 100)
    await shop.decide(order_id, HoldReason.DIFFERENCE, "book", by="finance")
    await shop.until(order_id, has_parcel(ShipmentStatus.PACKED))
    order = await shop.order(order_id)
    taken = sorted(book["captured"] for book in await shop.payments.books())
    assert taken == [100, order.total - 100]
    assert order.captured == order.total


async def test_what_was_captured_by_hand_goes_back_with_the_order(
    shop: Shop, provider: StripePayments
) -> None:
    order_id = await by_hand(provider, shop, 100)
    await shop.decide(order_id, HoldReason.DIFFERENCE, "cancel", by="finance")
    order = await shop.ended(order_id)
    (book,) = await shop.payments.books()
    assert order.status is OrderStatus.CANCELLED
    assert (book["captured"], book["refunded"]) == (100, 100)


async def test_a_refund_by_hand_settles_the_refund_that_is_owed(
    shop: Shop,
    provider: StripePayments,
    books: ReconcileActivities,  # noqa: F811
) -> None:
    order_id = await owed_and_refunded_by_hand(shop, provider)
    await shop.decide(order_id, HoldReason.REFUND, "book", by="finance")
    after = await shop.ended(order_id)
    assert [refund.status for refund in after.refunds] == ["succeeded"]
    assert (await reconcile(books)).found == 0


async def test_a_refund_by_hand_settles_what_is_owed_for_a_return(
    shop: Shop,
    provider: StripePayments,
    books: ReconcileActivities,  # noqa: F811
) -> None:
    order_id = await arrived(shop, TEA=1)
    order = await shop.order(order_id)
    ref = order.payments[0].provider_ref or ""
    await provider.refund(ref, order.total, refund_id="", key="by-hand")
    asked = await send_back(shop, order_id, {1: 1})
    await receive(shop, asked["id"], {1: 1})
    hold = await shop.held(order_id, HoldReason.REFUND)
    await shop.decide(order_id, HoldReason.REFUND, "book", by="finance")
    after = await shop.until(order_id, lambda order: not order.holds)
    assert after.refund(hold.subject).status == "succeeded"
    assert (after.refunded, after.refundable) == (order.total, 0)
    assert (await reconcile(books)).found == 0


async def test_a_refund_by_hand_is_booked_after_the_order_has_ended(
    shop: Shop,
    provider: StripePayments,
    books: ReconcileActivities,  # noqa: F811
) -> None:
    order_id = await shop.confirmed(TEA=1)
    await shop.delivered(order_id)
    order = await shop.ended(order_id)
    ref = order.payments[0].provider_ref or ""
    await provider.refund(ref, 300, refund_id="", key="by-hand")
    assert (await reconcile(books)).found == 1
    await shop.decide(order_id, HoldReason.DIFFERENCE, "book", by="finance")
    await shop.ended(order_id)
    after = await shop.order(order_id)
    assert (after.refunded, after.refundable) == (300, order.total - 300)
    assert (await reconcile(books)).found == 0


async def test_finance_books_a_finding_and_the_parcel_is_packed_for_nothing_more(
    shop: Shop, provider: StripePayments
) -> None:
    order_id = await by_hand(provider, shop, 100)
    (found,) = (await shop.get("/v1/discrepancies"))["data"]
    path = f"/v1/discrepancies/{found['id']}/book"
    finance = {"X-Dev-User": "finance", "Idempotency-Key": "book-it"}
    booked = await shop.post(path, {"note": "by hand"}, **finance)
    again = await shop.post(path, {"note": "by hand"}, **finance)
    assert (booked["resolved_by"], booked["note"]) == ("finance", "by hand")
    assert again == booked
    await shop.until(order_id, has_parcel(ShipmentStatus.PACKED))
    with pytest.raises(Refused) as refused:
        await shop.post(path, {"note": "again"}, **{"X-Dev-User": "finance"})
    assert refused.value.code == "wrong-state"


async def test_a_finding_whose_hold_is_gone_is_booked_all_the_same(
    shop: Shop,
    provider: StripePayments,
    books: ReconcileActivities,  # noqa: F811
) -> None:
    order_id = await shop.confirmed(TEA=1)
    await shop.delivered(order_id)
    order = await shop.ended(order_id)
    ref = order.payments[0].provider_ref or ""
    await provider.refund(ref, 300, refund_id="", key="by-hand")
    await reconcile(books)
    await shop.fetch(
        "UPDATE holds SET released_at = now(), decision = 'settled'"
        " WHERE reason = 'difference'"
    )
    (found,) = (await shop.get("/v1/discrepancies"))["data"]
    path = f"/v1/discrepancies/{found['id']}/book"
    await shop.post(path, {"note": "by hand"}, **{"X-Dev-User": "finance"})
    after = await shop.ended(order_id)
    assert (after.refunded, after.holds) == (300, ())


async def test_booking_ends_the_hold_of_the_refund_that_it_settles(
    shop: Shop,
    provider: StripePayments,
    books: ReconcileActivities,  # noqa: F811
) -> None:
    order_id = await owed_and_refunded_by_hand(shop, provider)
    (found,) = (await shop.get("/v1/discrepancies"))["data"]
    path = f"/v1/discrepancies/{found['id']}/book"
    await shop.post(path, {"note": "by hand"}, **{"X-Dev-User": "finance"})
    after = await shop.ended(order_id)
    assert [refund.status for refund in after.refunds] == ["succeeded"]
    assert after.holds == ()
