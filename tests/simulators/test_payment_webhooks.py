"""What the provider tells the shop, and how it can be trusted."""

from pathlib import Path

import pytest
import stripe

from tests.simulators.conftest import WEBHOOK_SECRET
from tests.simulators.process import running
from tests.simulators.receiver import Received, Receiver
from tests.simulators.shop import Shop, metadata_of


async def test_a_webhook_is_signed_and_carries_the_object(
    shop: Shop, receiver: Receiver
) -> None:
    intent = await shop.intent(metadata={"order": "ord_1"})
    (got,) = await receiver.wait_for(
        lambda r: (
            r.event["type"] == "payment_intent.amount_capturable_updated"
            and r.is_about(intent.id)
        )
    )
    event = shop.api.construct_event(
        got.body, got.headers["stripe-signature"], WEBHOOK_SECRET
    )
    assert event.data.object["id"] == intent.id
    assert metadata_of(event.data.object) == {"order": "ord_1"}


async def test_a_forged_webhook_is_recognised(shop: Shop, receiver: Receiver) -> None:
    intent = await shop.intent()
    (got,) = await receiver.wait_for(lambda r: r.is_about(intent.id))
    with pytest.raises(stripe.SignatureVerificationError):
        shop.api.construct_event(
            got.body + b" ", got.headers["stripe-signature"], WEBHOOK_SECRET
        )


async def test_an_order_that_is_paid_and_refunded_tells_its_story(
    shop: Shop, receiver: Receiver
) -> None:
    intent = await shop.intent()
    await shop.capture(intent)
    await shop.refund(intent, 100)
    story = [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.amount_capturable_updated",
        "charge.updated",
        "payment_intent.amount_capturable_updated",
        "charge.captured",
        "payment_intent.succeeded",
        "refund.created",
        "charge.refunded",
    ]
    got = await receiver.wait_for(lambda r: r.is_about(intent.id), count=len(story))
    assert [_type(r) for r in got] == story


async def test_only_what_was_subscribed_to_is_sent(
    receiver: Receiver, tmp_path: Path
) -> None:
    async with (
        running(
            *("payments", tmp_path / "payments.sqlite"),
            *("--webhook-url", receiver.url, "--webhook-secret", WEBHOOK_SECRET),
            *("--enabled-events", "charge.succeeded", "charge.captured"),
        ) as simulator,
        Shop.open(simulator.url) as shop,
    ):
        intent = await shop.intent()
        await shop.capture(intent)
        got = await receiver.wait_for(lambda r: r.is_about(intent.id), count=2)
    assert [_type(r) for r in got] == ["charge.succeeded", "charge.captured"]


async def test_a_webhook_that_is_not_taken_comes_again(
    shop: Shop, receiver: Receiver
) -> None:
    receiver.refusals = 2
    intent = await shop.intent(method=None)
    (got,) = await receiver.wait_for(lambda r: r.is_about(intent.id))
    assert _type(got) == "payment_intent.created"


async def test_a_failed_refund_is_told(shop: Shop, receiver: Receiver) -> None:
    refund = await shop.refund(await shop.captured("pm_card_refundFail"))
    await shop.advance(3600)
    got = await receiver.wait_for(
        lambda r: r.event["data"].get("object", {}).get("id") == refund.id, count=4
    )
    assert [_type(r) for r in got] == [
        "refund.created",
        "refund.failed",
        "refund.updated",
        "charge.refund.updated",
    ]


async def test_events_can_be_read_by_who_missed_the_webhooks(
    shop: Shop, receiver: Receiver
) -> None:
    await shop.switch_on("webhook_off", "^payment_intent.succeeded$", count=1)
    intent = await shop.captured()
    listed = await shop.api.v1.events.list_async({"type": "payment_intent.succeeded"})
    event = next(e for e in listed.data if e.data.object["id"] == intent.id)
    again = await shop.api.v1.events.retrieve_async(event.id)
    assert again.data.object["id"] == intent.id


async def test_a_webhook_may_come_three_times(shop: Shop, receiver: Receiver) -> None:
    await shop.switch_on("webhook_thrice", "^payment_intent.created$", count=1)
    intent = await shop.intent(method=None)
    got = await receiver.wait_for(lambda r: r.is_about(intent.id), count=3)
    assert len({r.event["id"] for r in got}) == 1


async def test_webhooks_may_come_in_reversed_order(
    shop: Shop, receiver: Receiver
) -> None:
    await shop.switch_on("webhook_reversed", delay_ms=300)
    intent = await shop.captured()
    got = await receiver.wait_for(lambda r: r.is_about(intent.id), count=3)
    assert [_type(r) for r in got] == [
        "payment_intent.succeeded",
        "charge.succeeded",
        "payment_intent.created",
    ]


async def test_a_webhook_may_come_late(shop: Shop, receiver: Receiver) -> None:
    await shop.switch_on("webhook_late", "^payment_intent.created$", delay_ms=1500)
    late = await shop.intent(method=None)
    await shop.control.delete("/_sim/faults")
    prompt = await shop.intent(method=None)
    got = await receiver.wait_for(
        lambda r: r.is_about(late.id) or r.is_about(prompt.id), count=2
    )
    assert got[-1].is_about(late.id)


async def test_a_webhook_may_be_lost(shop: Shop, receiver: Receiver) -> None:
    await shop.switch_on("webhook_off", count=1)
    lost = await shop.intent(method=None)
    told = await shop.intent(method=None)
    await shop.settled()
    about = [r for r in receiver.received if r.is_about(lost.id) or r.is_about(told.id)]
    assert [r.event["data"]["object"]["id"] for r in about] == [told.id]


def _type(got: Received) -> str:
    return str(got.event["type"])
