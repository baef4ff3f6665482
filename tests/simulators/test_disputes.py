"""Disputes: the bank takes the money first, and decides later."""

from typing import Any

import pytest
import stripe

from tests.simulators.shop import Shop

CARDS = {
    "pm_card_createDispute": ("fraudulent", "needs_response"),
    "pm_card_createDisputeProductNotReceived": (
        "product_not_received",
        "needs_response",
    ),
    "pm_card_createDisputeInquiry": ("general", "warning_needs_response"),
}


async def dispute_of(shop: Shop, intent: stripe.PaymentIntent) -> stripe.Dispute:
    listed = await shop.api.v1.disputes.list_async({"payment_intent": intent.id})
    (dispute,) = listed.data
    return dispute


@pytest.mark.parametrize("card", CARDS)
async def test_some_cards_dispute_what_they_paid(shop: Shop, card: str) -> None:
    intent = await shop.intent(card)
    assert (await shop.books(intent))["disputes"] == []
    await shop.capture(intent)
    dispute = await dispute_of(shop, intent)
    assert (dispute.reason, dispute.status) == CARDS[card]
    assert (dispute.amount, dispute.currency) == (5000, "eur")
    assert dispute.evidence_details.due_by


async def test_a_disputed_charge_cannot_be_refunded_until_it_is_won(
    shop: Shop,
) -> None:
    intent = await shop.captured("pm_card_createDispute")
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        await shop.refund(intent)
    assert refusal.value.code == "charge_disputed"
    evidence: Any = {"evidence": {"uncategorized_text": "winning_evidence"}}
    dispute = await dispute_of(shop, intent)
    won = await shop.api.v1.disputes.update_async(dispute.id, evidence)
    assert won.status == "won"
    assert (await shop.refund(intent)).status == "succeeded"


async def test_a_dispute_that_is_given_up_is_lost_for_good(shop: Shop) -> None:
    intent = await shop.captured("pm_card_createDispute")
    dispute = await dispute_of(shop, intent)
    assert (await shop.api.v1.disputes.close_async(dispute.id)).status == "lost"
    for again in (shop.api.v1.disputes.close_async(dispute.id), shop.refund(intent)):
        with pytest.raises(stripe.InvalidRequestError):
            await again


async def test_the_bank_tells_of_each_step(shop: Shop) -> None:
    intent = await shop.captured()
    path = f"/_sim/payment_intents/{intent.id}/dispute"
    (await shop.control.post(path, json={"amount": 1200})).raise_for_status()
    dispute = await dispute_of(shop, intent)
    path = f"/_sim/disputes/{dispute.id}/end"
    (await shop.control.post(path, json={"won": True})).raise_for_status()
    events = await shop.api.v1.events.list_async({"limit": 20})
    told = [e.type for e in events.data if e.data.object["id"] == dispute.id]
    assert told[::-1] == [
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.closed",
        "charge.dispute.funds_reinstated",
    ]
