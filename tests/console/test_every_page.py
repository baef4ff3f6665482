"""Every page and every decision: light, dark, and on the narrowest of screens."""

from typing import Any

import pytest
from playwright.async_api import Page
from shared.contracts.orders.states import HoldReason, OrderStatus, ShipmentStatus

from tests.console.conftest import DARK, LIGHT, Browse
from tests.console.test_pages import accessible, forget
from tests.support.shop import (
    ADDRESS,
    Shop,
    has_hold,
    has_no_hold,
    has_parcel,
    has_status,
)

pytestmark = pytest.mark.slow

Paths = list[str]


@pytest.fixture
async def paths(shop: Shop) -> Paths:
    """Every page, of a shop where something waits on each."""
    await shop.stock(TEA=20, MUG=5, GONG=5)
    await shop.stock(at="leipzig", TEA=3)
    held = await shop.place(GONG=2)
    await shop.until(held, has_hold(HoldReason.APPROVAL))
    short = await shop.place(MUG=9)
    await shop.until(short, has_hold(HoldReason.STOCK))
    wrong = await shop.place(ship_to=ADDRESS | {"postal_code": "1"}, TEA=1)
    await shop.until(wrong, has_hold(HoldReason.ADDRESS))
    declined = await shop.place("pm_card_chargeDeclined", TEA=1)
    await shop.until(declined, has_hold(HoldReason.PAYMENT))
    ready = await shop.place(TEA=1)
    parcel = (await shop.until(ready, has_parcel(ShipmentStatus.READY))).shipments[0]
    packed = await shop.place(TEA=1)
    await shop.until(packed, has_status(OrderStatus.CONFIRMED))
    packed_parcel = await shop.pack(packed)
    sent = await shop.place(TEA=2)
    await shop.until(sent, has_status(OrderStatus.CONFIRMED))
    await shop.delivered(sent)
    wanted = {"lines": [{"line": 1, "quantity": 1, "reason": "does-not-fit"}]}
    back = await shop.post(f"/v1/orders/{sent}/returns", wanted)
    await shop.post("/v1/exports", {"kind": "orders"})
    endpoint = {"url": "https://erp.example.com/hook", "owner_email": "a@example.com"}
    made = await shop.post("/v1/webhook-endpoints", endpoint)
    holds = (await shop.get("/v1/holds"))["data"]
    return [
        *("/", "/orders", "/bench", "/returns", "/stock", "/books"),
        *("/exports", "/events", f"/events/{made['id']}", "/sign-in", "/signed-out"),
        *("/orders?status=placed&hold=stock&created_from=2020-01-01", "/no-such-page"),
        *(f"/orders/{order}" for order in (held, packed, sent)),
        *(f"/holds/{hold['id']}" for hold in holds),
        *(f"/bench/{parcel.id}", f"/bench/{packed_parcel}", "/bench?location=berlin"),
        *(f"/returns/{back['id']}", "/stock/TEA"),
    ]


@pytest.mark.timeout(900)
async def test_every_page_is_for_everybody(browse: Browse, paths: Paths) -> None:
    for scheme, width in ((LIGHT, 1280), (DARK, 320)):
        ada = await browse("ada", width=width, scheme=scheme)
        for path in paths:
            page = await ada.go(path)
            await accessible(page)
            wide = await page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, path
        forget(ada, "404 (Not Found)")
        # The stream of an order that has ended does, too; the extension notes that.
        forget(ada, "[object Event]")


async def test_every_decision_leads_to_what_it_says(browse: Browse, shop: Shop) -> None:
    ada = await browse("ada")
    for reason, decision, title, place in (
        (HoldReason.APPROVAL, "reject", "Reject", {"GONG": 2}),
        (HoldReason.STOCK, "ship_partial", "Ship what is there", {"MUG": 3}),
        (HoldReason.STOCK, "cancel_lines", "Cancel what is missing", {"MUG": 3}),
        (HoldReason.PAYMENT, "cancel", "Cancel the order", {"card": "declined"}),
        (HoldReason.ADDRESS, "override", "Ship to it as it is", {"address": "1"}),
        (HoldReason.MANUAL, "release", "Let it go on", {}),
    ):
        order_id = await waiting(shop, reason, place)
        hold = await shop.held(order_id, reason)
        page = await ada.go(f"/holds/{hold.id}")
        await decide(page, title)
        await ada.reads(f"{title}: done.")
        decided = await shop.get(f"/v1/holds/{hold.id}")
        assert (decided["decision"], decided["decided_by"]) == (decision, "ada")


async def waiting(shop: Shop, reason: HoldReason, how: dict[str, Any]) -> str:
    match how:
        case {"card": _}:
            await shop.stock(TEA=1)
            return await shop.place("pm_card_chargeDeclined", TEA=1)
        case {"address": code}:
            await shop.stock(TEA=1)
            return await shop.place(ship_to=ADDRESS | {"postal_code": code}, TEA=1)
        case {"MUG": units}:
            await shop.stock(MUG=1)
            return await shop.place(MUG=units)
        case {"GONG": units}:
            await shop.stock(GONG=units)
            return await shop.place(GONG=units)
    order_id = await shop.confirmed(TEA=1)
    await shop.hold_up(order_id, by="grace")
    return order_id


async def decide(page: Page, title: str) -> None:
    await page.get_by_text(title, exact=True).click()
    await page.get_by_label("Why, for whoever reads this later").fill("Looked at it.")
    await page.get_by_role("button", name="Decide").click()


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


async def test_many_orders_get_one_answer_each(browse: Browse, shop: Shop) -> None:
    one = await shop.confirmed(TEA=1)
    two = await shop.confirmed(TEA=1)
    await shop.hold_up(two, by="somebody")
    grace = await browse("grace")
    page = await grace.go("/orders")
    for box in await page.get_by_role("checkbox", name="Order ").all():
        await box.check()
    await page.get_by_label("Note").fill("The customer called.")
    await page.get_by_role("button", name="Stop", exact=True).click()
    await grace.reads("1 of 2 done")
    await shop.until(one, has_hold(HoldReason.MANUAL))


async def test_an_export_is_made_and_read(browse: Browse, shop: Shop) -> None:
    await shop.confirmed(TEA=1)
    grace = await browse("grace")
    page = await grace.go("/exports")
    await page.get_by_role("button", name="Export").click()
    await page.get_by_role("link", name="Download").wait_for()
    async with page.expect_download() as saved:
        await page.get_by_role("link", name="Download").click()
    text = await (await saved.value).path()
    assert "customer-" in text.read_text()


async def test_an_order_is_found_by_what_people_have_of_it(
    browse: Browse, shop: Shop
) -> None:
    await shop.confirmed(TEA=1)
    grace = await browse("grace")
    page = await grace.go("/orders")
    await page.keyboard.press("/")
    await page.keyboard.type("zebulina")
    await page.keyboard.press("Enter")
    await page.get_by_role("link", name="#1").wait_for()
    assert "zebulina" not in page.url
