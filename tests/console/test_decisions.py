"""Every kind of hold, decided in a browser: the order goes where the page said."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from playwright.async_api import Page
from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.states import OrderStatus, ShipmentStatus
from worker.orders.adapters.stripe import StripePayments
from worker.orders.shipment import labels

from tests.console.conftest import Browse, Seen
from tests.console.test_pages import forget
from tests.orders.test_refusals import RELEASE, VOID
from tests.support.returns import arrived, give_back
from tests.support.shop import (
    ADDRESS,
    Shop,
    When,
    has_hold,
    has_no_hold,
    has_parcel,
    has_status,
)

pytestmark = pytest.mark.slow

NOTE = "Why, for whoever reads this later"


async def decide(page: Page, title: str) -> None:
    await page.get_by_text(title, exact=True).click()
    await page.get_by_label(NOTE).fill("Looked at it.")
    await page.get_by_role("button", name="Decide").click()


async def decided(
    seen: Seen, shop: Shop, order_id: str, reason: HoldReason, title: str
) -> str:
    """Decides the order's hold on its page, and returns what was decided."""
    hold = await shop.held(order_id, reason)
    page = await seen.go(f"/holds/{hold.id}")
    await decide(page, title)
    await seen.reads(f"{title}: done.")
    known = await shop.get(f"/v1/holds/{hold.id}")
    assert known["decided_by"] == "ada"
    assert known["note"] == "Looked at it."
    return str(known["decision"])


# ── before it is packed ─────────────────────────────────────────────────────────────


async def test_an_approval_is_refused(browse: Browse, shop: Shop) -> None:
    await shop.stock(GONG=2)
    order_id = await shop.place(GONG=2)
    ada = await browse("ada")
    said = await decided(ada, shop, order_id, HoldReason.APPROVAL, "Reject")
    assert said == "reject"
    assert (await shop.ended(order_id)).status is OrderStatus.CANCELLED


@pytest.mark.parametrize(
    ("title", "decision", "then"),
    [
        ("Wait for stock", "wait", has_hold(HoldReason.STOCK)),
        ("Ship what is there", "ship_partial", has_parcel(ShipmentStatus.READY)),
        ("Cancel what is missing", "cancel_lines", has_no_hold),
    ],
)
async def test_missing_stock(
    browse: Browse, shop: Shop, title: str, decision: str, then: When
) -> None:
    await shop.stock(MUG=1)
    order_id = await shop.place(MUG=3)
    ada = await browse("ada")
    assert await decided(ada, shop, order_id, HoldReason.STOCK, title) == decision
    await shop.until(order_id, then)


@pytest.mark.parametrize(
    ("title", "decision"),
    [
        ("Try the card again", "retry"),
        ("Cancel the order", "cancel"),
    ],
)
async def test_a_payment(browse: Browse, shop: Shop, title: str, decision: str) -> None:
    await shop.stock(TEA=1)
    order_id = await shop.place("pm_card_chargeDeclined", TEA=1)
    ada = await browse("ada")
    assert await decided(ada, shop, order_id, HoldReason.PAYMENT, title) == decision


async def test_a_card_that_nobody_gave_is_not_taken(browse: Browse, shop: Shop) -> None:
    await shop.stock(TEA=1)
    order_id = await shop.place("pm_card_chargeDeclined", TEA=1)
    hold = await shop.held(order_id, HoldReason.PAYMENT)
    ada = await browse("ada")
    page = await ada.go(f"/holds/{hold.id}")
    await decide(page, "Take the other card")
    await ada.reads("As things are, only another decision fits.")
    assert await page.get_by_label(NOTE).input_value() == "Looked at it."
    forget(ada, "422 (Unprocessable")


@pytest.mark.parametrize(
    ("title", "decision", "status"),
    [
        ("Ship to it as it is", "override", OrderStatus.CONFIRMED),
        ("Cancel the order", "cancel", OrderStatus.CANCELLED),
    ],
)
async def test_an_address(
    browse: Browse, shop: Shop, title: str, decision: str, status: OrderStatus
) -> None:
    await shop.stock(TEA=1)
    order_id = await shop.place(ship_to=ADDRESS | {"postal_code": "1"}, TEA=1)
    ada = await browse("ada")
    assert await decided(ada, shop, order_id, HoldReason.ADDRESS, title) == decision
    await shop.until(order_id, has_status(status))


@pytest.mark.parametrize(
    ("title", "decision", "then"),
    [
        ("Let it go on", "release", has_no_hold),
        ("Cancel the order", "cancel", has_status(OrderStatus.CANCELLED)),
    ],
)
async def test_what_a_colleague_stopped(
    browse: Browse, shop: Shop, title: str, decision: str, then: When
) -> None:
    order_id = await shop.confirmed(TEA=1)
    await shop.hold_up(order_id, by="grace")
    ada = await browse("ada")
    assert await decided(ada, shop, order_id, HoldReason.MANUAL, title) == decision
    await shop.until(order_id, then)


# ── on its way ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("title", "decision", "then"),
    [
        ("Send it again", "reship", lambda order: len(order.shipments) == 2),
        ("Refund it", "refund", lambda order: order.refunds),
        ("Wait", "wait", lambda order: order),
        ("It has arrived", "delivered", has_parcel(ShipmentStatus.DELIVERED)),
    ],
)
async def test_a_parcel_that_could_not_be_delivered(
    browse: Browse, shop: Shop, title: str, decision: str, then: When
) -> None:
    order_id = await shop.confirmed(TEA=1)
    await shop.stock(TEA=1)
    parcel = await shop.shipped(order_id)
    await shop.scan(order_id, parcel, "failure")
    ada = await browse("ada")
    hold = await shop.held(order_id, HoldReason.DELIVERY)
    await ada.go(f"/holds/{hold.id}")
    await ada.reads("The carrier could not deliver it.")
    await ada.reads("The parcel")
    assert await decided(ada, shop, order_id, HoldReason.DELIVERY, title) == decision
    await shop.until(order_id, then)


# ── money ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("title", "decision", "paid"),
    [("Approve the refund", "approve", 10_001), ("Reject the refund", "reject", 0)],
)
async def test_a_large_refund_is_for_a_second_person(
    browse: Browse, shop: Shop, title: str, decision: str, paid: int
) -> None:
    order_id = await arrived(shop, MUG=11)
    await give_back(shop, order_id, amount=10_001)
    ada = await browse("ada")
    assert await decided(ada, shop, order_id, HoldReason.REFUND, title) == decision
    await shop.until(order_id, lambda order: order.refunded == paid)


@pytest.mark.parametrize(
    ("title", "decision"),
    [("Try again", "retry"), ("It was paid otherwise", "paid_otherwise")],
)
async def test_a_refund_that_the_provider_refuses(
    browse: Browse, shop: Shop, title: str, decision: str
) -> None:
    order_id = await shop.confirmed(TEA=1)
    await shop.pack(order_id)
    await shop.payments.strike("refuse", "POST /v1/refunds", status=400)
    await shop.cancel(order_id)
    ada = await browse("ada")
    await shop.held(order_id, HoldReason.REFUND)
    await shop.payments.recover()
    assert await decided(ada, shop, order_id, HoldReason.REFUND, title) == decision
    await shop.until(order_id, has_no_hold)


async def test_a_refund_by_hand_is_booked(
    browse: Browse, shop: Shop, provider: StripePayments
) -> None:
    order_id = await shop.confirmed(TEA=1)
    await shop.pack(order_id)
    order = await shop.order(order_id)
    ref = order.payments[0].provider_ref or ""
    await provider.refund(ref, order.total, refund_id="", key="by-hand")
    await shop.cancel(order_id)
    ada = await browse("ada")
    title = "Book the provider's sums"
    assert await decided(ada, shop, order_id, HoldReason.REFUND, title) == "book"
    await shop.until(order_id, has_no_hold)


@pytest.mark.parametrize(
    ("title", "decision"), [("Let it go on", "release"), ("Cancel the order", "cancel")]
)
async def test_a_dispute(browse: Browse, shop: Shop, title: str, decision: str) -> None:
    order_id = await shop.confirmed("pm_card_createDispute", TEA=1)
    await shop.pack(order_id)
    hold = await shop.held(order_id, HoldReason.DISPUTE)
    if decision == "cancel":
        await shop.payments.decide_dispute(hold.detail["dispute"], won=False)
        await shop.until(order_id, lambda order: order.refunded)
    ada = await browse("ada")
    assert await decided(ada, shop, order_id, HoldReason.DISPUTE, title) == decision


@pytest.mark.parametrize(
    ("title", "decision", "then"),
    [
        ("Book the provider's sums", "book", has_parcel(ShipmentStatus.PACKED)),
        ("Cancel the order", "cancel", has_status(OrderStatus.CANCELLED)),
    ],
)
async def test_a_difference_shows_both_sides(
    browse: Browse,
    shop: Shop,
    provider: StripePayments,
    title: str,
    decision: str,
    then: When,
) -> None:
    order_id = await shop.confirmed(TEA=1)
    (payment,) = (await shop.order(order_id)).payments
    ref = payment.provider_ref or ""
    await provider.capture(ref, 100, final=True, what="by-hand", key="by-hand")
    await shop.pack(order_id)
    hold = await shop.held(order_id, HoldReason.DIFFERENCE)
    ada = await browse("ada")
    page = await ada.go(f"/holds/{hold.id}")
    row = page.get_by_role("row").filter(has_text="Captured")
    assert await row.get_by_role("cell").all_inner_texts() == ["€0.00", "€1.00"]
    assert await decided(ada, shop, order_id, HoldReason.DIFFERENCE, title) == decision
    await shop.until(order_id, then)


async def test_a_provider_that_takes_nothing_back_is_asked_again(
    browse: Browse, shop: Shop
) -> None:
    order_id = await shop.confirmed(TEA=1)
    await shop.payments.strike("refuse", RELEASE, status=400, code="action_blocked")
    await shop.cancel(order_id)
    await shop.held(order_id, HoldReason.PROVIDER)
    await shop.payments.recover()
    ada = await browse("ada")
    said = await decided(ada, shop, order_id, HoldReason.PROVIDER, "Try again")
    assert said == "retry"
    assert (await shop.ended(order_id)).payments[0].held == 0


async def test_a_carrier_that_does_not_answer_is_given_up(
    browse: Browse, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labels, "PATIENCE", timedelta())
    order_id = await shop.confirmed(TEA=1)
    await shop.pack(order_id)
    await shop.carrier.strike("down", VOID)
    await shop.cancel(order_id)
    ada = await browse("ada")
    title = "Cancel the order"
    assert await decided(ada, shop, order_id, HoldReason.PROVIDER, title) == "cancel"
    assert (await shop.ended(order_id)).holds == ()


# ── two people, four eyes ───────────────────────────────────────────────────────────


async def test_two_people_on_one_hold_hear_of_each_other(
    browse: Browse, shop: Shop
) -> None:
    order_id = await shop.confirmed(TEA=1)
    await shop.hold_up(order_id, by="somebody")
    hold = await shop.held(order_id, HoldReason.MANUAL)
    first, second = await browse("grace"), await browse("ada")
    for seen in (first, second):
        await seen.go(f"/holds/{hold.id}")
    await decide(first.page, "Let it go on")
    await first.reads("Let it go on: done.")
    await second.reads("grace has decided: let it go on.")
    await decide(second.page, "Let it go on")
    await second.reads("Already decided")
    forget(second, "409 (Conflict)")


async def test_whoever_caused_a_hold_sees_it_before_they_try(
    browse: Browse, shop: Shop
) -> None:
    order_id = await shop.confirmed(TEA=1)
    await shop.hold_up(order_id, by="grace")
    hold = await shop.held(order_id, HoldReason.MANUAL)
    grace = await browse("grace")
    page = await grace.go(f"/holds/{hold.id}")
    await grace.reads("You caused this, so a colleague decides.")
    assert await page.get_by_role("button", name="Decide").is_disabled()


async def test_a_hold_is_given_to_a_colleague(browse: Browse, shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=1)
    await shop.hold_up(order_id, by="grace")
    hold = await shop.held(order_id, HoldReason.MANUAL)
    grace = await browse("grace")
    page = await grace.go(f"/holds/{hold.id}")
    await page.get_by_text("To a colleague").click()
    await page.get_by_label("Whose is it?").fill("ada")
    await page.get_by_role("button", name="Assign").click()
    await grace.reads("Assigned to ada.")
    assert (await shop.get(f"/v1/holds/{hold.id}"))["assignee"] == "ada"


async def test_an_address_is_corrected_on_the_page(browse: Browse, shop: Shop) -> None:
    await shop.stock(TEA=1)
    order_id = await shop.place(ship_to=ADDRESS | {"postal_code": "1"}, TEA=1)
    hold = await shop.held(order_id, HoldReason.ADDRESS)
    grace = await browse("grace")
    page = await grace.go(f"/holds/{hold.id}")
    field = page.get_by_label("Postal code")
    assert await field.get_attribute("aria-invalid") == "true"
    await field.fill("10115")
    await page.get_by_role("button", name="Correct it").click()
    await grace.reads("Corrected. It is checked once more right now.")
    await shop.until(order_id, has_no_hold)


@pytest.fixture
async def provider(shop: Shop) -> AsyncIterator[StripePayments]:
    """Somebody at the provider's dashboard."""
    provider = StripePayments("sk_test_core", shop.payments.url)
    yield provider
    await provider.close()
