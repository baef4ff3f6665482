"""Orders at the console: found, filtered, kept as views, many at once."""

import pytest
from playwright.async_api import expect
from shared.contracts.orders.holds import HoldReason

from tests.console.conftest import Browse
from tests.console.test_pages import accessible, forget
from tests.support.shop import Shop, has_hold

pytestmark = pytest.mark.slow


async def test_several_statuses_at_once_stay_in_the_address_as_a_view(
    browse: Browse, shop: Shop
) -> None:
    await shop.confirmed(TEA=1)
    cancelled = await shop.confirmed(TEA=1)
    await shop.cancel(cancelled)
    await shop.ended(cancelled)
    await shop.stock(MUG=1)
    await shop.place(MUG=3)
    grace = await browse("grace")
    page = await grace.go("/orders")
    await page.get_by_text("Filters").click()
    for status in ("Confirmed", "Cancelled"):
        await page.get_by_role("checkbox", name=status, exact=True).check()
    await page.get_by_role("button", name="Show").click()
    await page.get_by_role("link", name="#2").wait_for()
    rows = page.get_by_role("row").filter(has=page.get_by_role("link"))
    assert await rows.count() == 2
    assert "status=confirmed&status=cancelled" in page.url
    await page.get_by_text("Keep this view").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("What is it called?")).to_be_focused()
    await page.keyboard.type("Over <b>or</b> nearly")
    await accessible(page)
    await page.keyboard.press("Enter")
    view = page.get_by_role("link", name="Over <b>or</b> nearly")
    await view.wait_for()
    await grace.go("/orders")
    await view.click()
    assert "status=confirmed&status=cancelled" in page.url
    await page.get_by_role("button", name="Forget this view").click()
    await expect(view).to_have_count(0)


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


async def test_a_mail_is_corrected_on_the_page(browse: Browse, shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=1)
    grace = await browse("grace")
    page = await grace.go(f"/orders/{order_id}")
    await page.get_by_text("Correct the contact").click()
    await page.get_by_label("Mail", exact=True).fill("right@example.com")
    await page.get_by_role("button", name="Correct it").click()
    await grace.reads("Corrected.")
    await grace.reads("right@example.com")
    contact = await shop.get(f"/v1/orders/{order_id}/contact")
    assert contact["email"] == "right@example.com"


async def test_a_mail_is_corrected_while_the_order_goes_on(
    browse: Browse, shop: Shop
) -> None:
    """Only whoever corrects the same field is told of the other."""
    order_id = await shop.confirmed(TEA=1)
    first, second = await browse("grace"), await browse("ada")
    for seen, label, value in (
        (first, "Mail", "first@example.com"),
        (second, "Phone", "+49 30 2"),
    ):
        page = await seen.go(f"/orders/{order_id}")
        await page.get_by_text("Correct the contact").click()
        await page.get_by_label(label, exact=True).fill(value)
    await second.page.get_by_label("Mail", exact=True).fill("second@example.com")
    shown = (await shop.get(f"/v1/orders/{order_id}"))["version"]
    await shop.hold_up(order_id, by="flo")
    assert (await shop.get(f"/v1/orders/{order_id}"))["version"] > shown
    await first.page.get_by_role("button", name="Correct it").click()
    await first.reads("Corrected.")
    await second.page.get_by_role("button", name="Correct it").click()
    await second.reads("The order has changed")
    contact = await shop.get(f"/v1/orders/{order_id}/contact")
    assert contact["email"] == "first@example.com"


async def test_a_form_outlives_a_lost_connection(browse: Browse, shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=1)
    grace = await browse("grace")
    page = await grace.go(f"/orders/{order_id}")
    await page.get_by_text("Write a note").click()
    await page.get_by_label("Note").first.fill("Typed on a train.")
    await page.context.set_offline(True)
    await page.get_by_role("button", name="Keep it").click()
    await grace.reads("No connection. What you do is kept")
    await page.context.set_offline(False)
    await grace.reads("Your note is kept.")
    notes = (await shop.get(f"/v1/orders/{order_id}/notes"))["data"]
    assert "Typed on a train." in [note["text"] for note in notes]
    forget(grace, "ERR_INTERNET_DISCONNECTED")
    # The stream of events is lost with the connection, and taken up again.
    forget(grace, "[object Event]")


async def test_who_can_do_nothing_about_an_order_is_offered_nothing(
    browse: Browse, shop: Shop
) -> None:
    order = await shop.confirmed(TEA=1)
    for who, offered in (("grace", 2), ("flo", 0)):
        page = await (await browse(who)).go(f"/orders/{order}")
        await page.get_by_role("heading", name="Timeline").wait_for()
        await expect(page.get_by_text("What you can do")).to_have_count(offered)
