"""A day at the console, in a real browser: one page of each kind."""

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page
from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.states import OrderStatus, ShipmentStatus

from tests.console.conftest import DARK, Browse, Seen
from tests.support.shop import ADDRESS, Shop, has_hold, has_parcel, has_status

AXE = Axe()
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}


async def accessible(page: Page) -> None:
    found = await AXE.run(page, options=RULES)
    assert found.violations_count == 0, found.generate_report()


async def test_a_hold_is_decided_from_the_queue_with_the_keyboard_alone(
    browse: Browse, shop: Shop
) -> None:
    await shop.stock(GONG=2)
    order_id = await shop.place(GONG=2)
    await shop.until(order_id, has_hold(HoldReason.APPROVAL))
    alan = await browse("alan")
    page = await alan.go("/")
    await alan.reads("The total is above the limit.")
    await accessible(page)
    await page.keyboard.press("j")
    await page.keyboard.press("a")
    await page.get_by_role("button", name="You have it").wait_for()
    await page.keyboard.press("Enter")
    await alan.reads("The order goes on: it is confirmed and the warehouse gets it.")
    await accessible(page)
    await page.keyboard.press("1")
    await page.keyboard.press("Tab")
    await page.keyboard.type("A known customer.")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await alan.reads("Approve: done.")
    await shop.until(order_id, has_status(OrderStatus.CONFIRMED))


async def test_a_parcel_is_packed_by_scanning_through_a_lost_connection(
    browse: Browse, shop: Shop
) -> None:
    await shop.stock(TEA=2, MUG=1)
    order_id = await shop.place(TEA=2, MUG=1)
    order = await shop.until(order_id, has_parcel(ShipmentStatus.READY))
    parcel = order.shipments[0].id
    wim = await browse("wim", width=1024, height=768)
    page = await wim.go(f"/bench/{parcel}")
    await accessible(page)
    await scan(page, "TEA", "GIFT", "TEA")
    await page.reload()
    await wim.reads("What was scanned before is still here.")
    await page.context.set_offline(True)
    await scan(page, "MUG", "L", "PACK")
    await wim.reads("No connection. It is kept, and sent once it is back.")
    await page.context.set_offline(False)
    await page.get_by_role("heading", name="Packed", exact=True).wait_for()
    await shop.until(order_id, has_parcel(ShipmentStatus.PACKED))
    packed = await shop.get(f"/v1/shipments/{parcel}")
    assert packed["parcel"]["weight_g"] == 2500
    forget(wim, "ERR_INTERNET_DISCONNECTED")


async def test_an_order_is_followed_as_it_happens(browse: Browse, shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=1)
    grace = await browse("grace", scheme=DARK)
    page = await grace.go(f"/orders/{order_id}")
    await grace.reads("berlin packs it.")
    await accessible(page)
    await shop.pack(order_id)
    await grace.reads("Parcel packed")


async def test_what_customers_write_is_shown_and_never_runs(
    browse: Browse, shop: Shop
) -> None:
    attack = "<img src=x onerror=alert(1)>\"'{{7*7}}"
    await shop.stock(GONG=2)
    order_id = await shop.place(
        GONG=2,
        ship_to=ADDRESS | {"name": attack, "street": attack, "city": attack},
        customer=f"c-{attack}"[:200],
    )
    hold = await shop.held(order_id, HoldReason.APPROVAL)
    grace = await browse("grace")
    for path in ("/", "/orders", f"/orders/{order_id}", f"/holds/{hold.id}"):
        page = await grace.go(path)
        assert await page.locator("img").count() == 0
        assert "49" not in await page.title()
    await grace.reads(attack)


async def scan(page: Page, *codes: str) -> None:
    """As a scanner types it, wherever the focus is."""
    for code in codes:
        await page.keyboard.type(code)
        await page.keyboard.press("Enter")


def forget(seen: Seen, known: str) -> None:
    """What a test has provoked."""
    seen.complaints[:] = [c for c in seen.complaints if known not in c]
