"""The warehouse at the console: stock, locations, many parcels, what comes back."""

import pytest
from shared.contracts.orders.states import ShipmentStatus

from tests.console.conftest import Browse
from tests.console.test_pages import accessible, scan
from tests.orders.test_return_previews import in_dinar
from tests.support.returns import send_back
from tests.support.shop import Shop, has_parcel

pytestmark = pytest.mark.slow


async def on_hand(shop: Shop, sku: str) -> dict[str, int]:
    rows = (await shop.get("/v1/stock", sku=sku))["data"]
    return {row["location"]: row["on_hand"] for row in rows}


async def test_stock_is_received_counted_moved_and_corrected(
    browse: Browse, shop: Shop
) -> None:
    await shop.stock(TEA=5)
    await shop.open_location("hamburg")
    ada = await browse("ada")
    page = await ada.go("/stock/TEA")
    for title, fields, told in (
        ("Receive", {"Units": "3", "Delivery note": "note 1"}, "8 free of 8 at berlin"),
        ("Count", {"Counted": "7", "Count sheet": "sheet 1"}, "7 free of 7 at berlin"),
        ("Transfer", {"Units": "2", "With what": "van 3"}, "2 free of 2 at hamburg"),
        ("Correct", {"Difference": "-1", "Reference": "dent"}, "4 free of 4 at berlin"),
    ):
        box = page.locator("details", has=page.get_by_text(title, exact=True))
        if await box.get_attribute("open") is None:
            await box.locator("summary").click()
        for label, value in fields.items():
            await box.get_by_label(label).fill(value)
        await box.get_by_role("button", name=title).click()
        await ada.reads(told)
    assert await on_hand(shop, "TEA") == {"berlin": 4, "hamburg": 2}


async def test_more_than_is_there_is_not_moved(browse: Browse, shop: Shop) -> None:
    await shop.stock(TEA=1)
    await shop.open_location("hamburg")
    wim = await browse("wim")
    page = await wim.go("/stock/TEA")
    box = page.locator("details", has=page.get_by_text("Transfer", exact=True))
    await box.locator("summary").click()
    await box.get_by_label("Units").fill("2")
    await box.get_by_label("With what").fill("van 3")
    await box.get_by_role("button", name="Transfer").click()
    await wim.reads("There is not enough in stock for that.")
    assert await on_hand(shop, "TEA") == {"berlin": 1}


async def test_a_location_is_opened_and_changed(browse: Browse, shop: Shop) -> None:
    ada = await browse("ada")
    page = await ada.go("/locations")
    await page.get_by_role("link", name="New location").click()
    for label, value in (
        *(("Code", "hamburg"), ("Priority", "20"), ("Safety stock", "2")),
        *(("Street", "Quay 1"), ("Postal code", "20457"), ("City", "Hamburg")),
    ):
        await page.get_by_label(label, exact=label == "Code").fill(value)
    names = page.get_by_label("Name", exact=True)
    await names.first.fill("Hamburg, Quay 1")
    await names.last.fill("Example Shop")
    await page.get_by_role("button", name="Keep it").click()
    # An address without a country is none: what was typed is still there.
    await ada.reads("country")
    await page.get_by_label("Country").fill("DE")
    await page.get_by_role("button", name="Keep it").click()
    await ada.reads("hamburg is kept.")
    await page.get_by_role("link", name="hamburg").click()
    await page.get_by_label("Active").uncheck()
    await page.get_by_role("button", name="Keep it").click()
    await ada.reads("Not active")
    kept = await shop.get("/v1/locations/hamburg")
    assert (kept["priority"], kept["safety_stock"], kept["active"]) == (20, 2, False)
    assert kept["address"]["street"] == "Quay 1"
    ada.complaints.clear()  # of the 422 that was provoked


async def test_many_parcels_are_packed_with_an_answer_for_each(
    browse: Browse, shop: Shop
) -> None:
    await shop.stock(TEA=3)
    orders = [await shop.place(TEA=1) for _ in range(3)]
    parcels = [
        (await shop.until(order_id, has_parcel(ShipmentStatus.READY))).shipments[0].id
        for order_id in orders
    ]
    wim = await browse("wim", width=1024, height=768)
    page = await wim.go("/bench/many?location=berlin")
    await accessible(page)
    assert await page.get_by_role("button", name="Pack").is_disabled()
    await scan(page, *parcels[:2])
    await wim.reads(f"{parcels[1]} is ticked.")
    await scan(page, "shp_unknown")
    await wim.reads("shp_unknown does not wait here.")
    await page.get_by_role("checkbox", name="Parcel of order 3").check()
    await shop.hold_up(orders[2], by="grace")
    await page.get_by_role("radio", name="S 20×15×10 cm").check()
    await page.get_by_role("button", name="Pack 3").click()
    await wim.reads("2 of 3 packed")
    await accessible(page)
    for order_id in orders[:2]:
        await shop.until(order_id, has_parcel(ShipmentStatus.PACKED))
    packed = await shop.get(f"/v1/shipments/{parcels[0]}")
    assert packed["parcel"]["weight_g"] == 250
    for name in ("2 labels", "Packing slips"):
        link = await page.get_by_role("link", name=name).get_attribute("href")
        paper = await page.context.request.get(f"{wim.url}{link}")
        assert (await paper.body()).startswith(b"%PDF")


async def test_late_parcels_stand_beside_the_queue(browse: Browse, shop: Shop) -> None:
    """One should have left, one should be there; the third is in time."""
    here, under_way, in_time = [await shop.confirmed(TEA=1) for _ in range(3)]
    for order_id in (under_way, in_time):
        await shop.shipped(order_id)
    for order_id, change in (
        (here, "created_at = created_at - interval '25 hours'"),
        (under_way, "eta = current_date - 2"),
        (in_time, "created_at = created_at - interval '25 hours'"),
    ):
        set_change = f"UPDATE shipments SET {change} WHERE order_id = :id"
        await shop.fetch(set_change, id=order_id)
    numbers = [(await shop.order(order_id)).number for order_id in (here, under_way)]
    ada = await browse("ada")
    page = await ada.go("/")
    await page.get_by_role("link", name="2 parcels late").click()
    await page.get_by_role("heading", name="Late parcels").wait_for()
    await accessible(page)
    rows = page.locator("[data-row]")
    assert await rows.count() == 2
    for number, text in zip(numbers, ("planned", "expected on"), strict=True):
        await rows.filter(has_text=f"#{number}").get_by_text(text).wait_for()
    await rows.filter(has_text=f"#{numbers[0]}").get_by_role("link").click()
    await ada.reads("berlin packs it.")


async def test_the_desk_shows_what_is_paid_back_to_the_last_digit(
    browse: Browse, shop: Shop
) -> None:
    """A dinar has three decimals, of which networks take two."""
    order_id = await in_dinar(shop)
    await shop.delivered(order_id)
    await shop.until(order_id, has_parcel(ShipmentStatus.DELIVERED))
    asked = await send_back(shop, order_id, {1: 2})
    ada = await browse("ada")
    page = await ada.go("/returns")
    await scan(page, asked["id"])
    await page.get_by_role("heading", name="Return of").wait_for()
    await accessible(page)
    back = page.get_by_label("Paid back")
    await back.get_by_text("KWD").first.wait_for()
    assert "0.660" in await back.inner_text()
    await page.get_by_label("Accepted units of Oud").select_option("1")
    await back.get_by_text("1 × Oud").wait_for()
    assert "0.330" in await back.inner_text()
    worn = page.get_by_label("Deducted from the price of Oud")
    for typed, told in (
        ("much", "is no amount"),
        ("0.34", "at most KWD"),
        ("0.10", "Deducted, since it is worn"),
    ):
        await worn.fill(typed)
        await back.get_by_text(told).wait_for()
    await accessible(page)
    assert "0.230" in await back.inner_text()
    await page.get_by_role("button", name="Receive").click()
    await ada.reads("Done.")
    order = await shop.until(order_id, lambda order: order.refunded)
    assert (order.refunded, order.deducted) == (230, 100)
    await page.reload()
    await page.get_by_role("cell").get_by_text("0.100").wait_for()
