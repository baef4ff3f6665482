"""Money back: never more than came in."""

import asyncio

import pytest
import stripe

from tests.simulators.shop import Shop, charge_of, metadata_of


async def test_a_refund_gives_back_a_part_and_then_the_rest(shop: Shop) -> None:
    intent = await shop.captured(amount=5000)
    part = await shop.refund(intent, 1500)
    rest = await shop.refund(intent)
    assert [(r.status, r.amount) for r in (part, rest)] == [
        ("succeeded", 1500),
        ("succeeded", 3500),
    ]
    assert charge_of(await shop.current(intent)).refunded


async def test_no_more_is_refunded_than_is_left(shop: Shop) -> None:
    intent = await shop.captured(amount=5000)
    await shop.refund(intent, 1500)
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        await shop.refund(intent, 3501)
    assert (refusal.value.param, refusal.value.code) == ("amount", None)
    assert (await shop.books(intent))["refunded"] == 1500


async def test_what_is_refunded_already_is_said_so(shop: Shop) -> None:
    intent = await shop.captured()
    await shop.refund(intent)
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        await shop.refund(intent, 1)
    assert refusal.value.code == "charge_already_refunded"


async def test_of_twenty_refunds_at_once_as_many_succeed_as_fit(shop: Shop) -> None:
    intent = await shop.captured(amount=5000)
    tries = await asyncio.gather(
        *(shop.refund(intent, 800) for _ in range(20)), return_exceptions=True
    )
    assert sum(isinstance(t, stripe.Refund) for t in tries) == 6
    assert (await shop.books(intent))["refunded"] == 4800


async def test_what_was_not_captured_cannot_be_refunded(shop: Shop) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        await shop.refund(await shop.intent())


async def test_only_the_captured_part_can_be_refunded(shop: Shop) -> None:
    intent = await shop.capture(await shop.intent(amount=5000), 2000)
    assert (await shop.refund(intent)).amount == 2000


async def test_the_refunds_of_an_intent_are_found_by_their_metadata(
    shop: Shop,
) -> None:
    intent = await shop.captured()
    wanted = await shop.refund(intent, 100, metadata={"refund": "ref_1"})
    await shop.refund(intent, 200, metadata={"refund": "ref_2"})
    listed = await shop.api.v1.refunds.list_async({"payment_intent": intent.id})
    found = [r.id for r in listed.data if metadata_of(r) == {"refund": "ref_1"}]
    assert found == [wanted.id]
    assert len(listed.data) == 2


async def test_a_refunds_metadata_can_be_changed(shop: Shop) -> None:
    refund = await shop.refund(await shop.captured())
    await shop.api.v1.refunds.update_async(refund.id, {"metadata": {"note": "late"}})
    seen = await shop.api.v1.refunds.retrieve_async(refund.id)
    assert metadata_of(seen) == {"note": "late"}


async def test_a_pending_refund_succeeds_later(shop: Shop) -> None:
    refund = await shop.refund(await shop.captured("pm_card_pendingRefund"))
    assert refund.status == "pending"
    await shop.advance(3600)
    seen = await shop.api.v1.refunds.retrieve_async(refund.id)
    assert seen.status == "succeeded"


async def test_a_refund_that_fails_later_can_be_tried_again(shop: Shop) -> None:
    intent = await shop.captured("pm_card_refundFail")
    refund = await shop.refund(intent)
    assert refund.status == "succeeded"
    await shop.advance(3600)
    seen = await shop.api.v1.refunds.retrieve_async(refund.id)
    assert (seen.status, seen.failure_reason) == ("failed", "expired_or_canceled_card")
    assert (await shop.books(intent))["refunded"] == 0
    assert (await shop.refund(intent)).amount == 5000
