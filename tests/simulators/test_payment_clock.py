"""Simulated time: authorisations end by themselves."""

from tests.simulators.receiver import Receiver
from tests.simulators.shop import Shop, charge_of


async def test_an_authorisation_that_nobody_captures_ends(
    shop: Shop, receiver: Receiver
) -> None:
    intent = await shop.intent()
    await shop.advance(_seconds_left(intent.created, _capture_before(intent)))
    ended = await shop.current(intent)
    assert (ended.status, ended.amount_capturable) == ("canceled", 0)
    assert ended.cancellation_reason == "expired"
    await receiver.wait_for(
        lambda r: r.event["type"] == "payment_intent.canceled" and r.is_about(intent.id)
    )


async def test_some_authorisations_end_sooner(shop: Shop) -> None:
    usual, soon = await shop.intent(), await shop.intent("pm_card_expiring")
    await shop.advance(_seconds_left(soon.created, _capture_before(soon)))
    assert (await shop.current(soon)).status == "canceled"
    assert (await shop.current(usual)).status == "requires_capture"


async def test_what_was_captured_before_stays_paid(shop: Shop) -> None:
    paid = await shop.capture(await shop.intent("pm_card_expiring"))
    partly = await shop.intent(
        "pm_card_visa_multicapture",
        payment_method_options={"card": {"request_multicapture": "if_available"}},
    )
    await shop.capture(partly, 3000, final_capture=False)
    await shop.advance(30 * 24 * 3600)
    assert (await shop.current(paid)).status == "succeeded"
    ended = await shop.current(partly)
    assert (ended.status, ended.amount_received) == ("succeeded", 3000)
    assert ended.amount_capturable == 0


async def test_the_clock_can_be_read(shop: Shop) -> None:
    before = (await shop.control.get("/_sim/clock")).json()
    await shop.advance(100)
    after = (await shop.control.get("/_sim/clock")).json()
    assert after["ahead_seconds"] == before["ahead_seconds"] + 100
    assert after["now"] >= before["now"] + 100


def _capture_before(intent: object) -> int:
    details = charge_of(intent).payment_method_details  # type: ignore[arg-type]
    return int(details.card.capture_before)


def _seconds_left(created: int, capture_before: int) -> int:
    return capture_before - created + 1
