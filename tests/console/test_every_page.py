"""Every page: light, dark, by keyboard alone, and on the narrowest of screens."""

import pytest
from playwright.async_api import Locator, Page
from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.states import OrderStatus, ShipmentStatus

from tests.console.conftest import DARK, LIGHT, PEOPLE, Browse, Seen
from tests.console.test_pages import accessible, forget
from tests.support.shop import (
    ADDRESS,
    Shop,
    has_hold,
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
    await shop.until(sent, has_parcel(ShipmentStatus.DELIVERED))
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
        *(f"/returns/{back['id']}", "/stock/TEA", "/locations", "/locations/berlin"),
        *("/locations/new", "/bench/many?location=berlin", "/now/late"),
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
            assert await out_of_reach(page) == [], path
        forget(ada, "404 (Not Found)")


@pytest.mark.timeout(300)
async def test_everybody_can_open_what_their_menu_and_its_rows_offer(
    browse: Browse, paths: Paths
) -> None:
    for name in PEOPLE:
        seen = await browse(name)
        page = await seen.go("/")
        menu = page.get_by_role("navigation", name="Pages").get_by_role("link")
        for href in await hrefs(menu):
            await opened(seen, href)
            rows = await hrefs(page.locator("[data-row] .open"))
            for row in rows[:2]:
                await opened(seen, row)


async def opened(seen: Seen, path: str) -> None:
    answer = await seen.page.goto(seen.url + path)
    assert answer is not None
    assert answer.status == 200, path
    await seen.page.locator("main h1").wait_for()


async def hrefs(links: Locator) -> list[str]:
    found: list[str] = await links.evaluate_all(
        "all => all.map((one) => one.getAttribute('href'))"
    )
    return found


async def out_of_reach(page: Page) -> list[str]:
    """What can be used and is not reached by Tab alone."""
    wanted = await page.evaluate(_MARK)
    for _ in range(wanted + 1):
        await page.keyboard.press("Tab")
        await page.evaluate("document.activeElement.dataset.reached = '1'")
    found: list[str] = await page.evaluate(_LEFT)
    return found


# Of radio buttons with one name one is reached, and the arrows lead to the others. A
# date has a stop for each of its parts.
_MARK = """() => {
  const usable = "a[href], button, select, textarea, summary,"
    + " input:not([type=hidden], [type=radio])";
  let n = 0;
  for (const one of document.querySelectorAll(usable)) {
    if (one.matches(":disabled") || !one.checkVisibility()) continue;
    one.dataset.usable = "1";
    n += 1;
  }
  document.activeElement.blur();
  const more = (selector) => document.querySelectorAll(selector).length;
  return n + more("[tabindex='0'], [type=radio]") + 4 * more("[type=date]");
}"""
_LEFT = """() => [...document.querySelectorAll("[data-usable]:not([data-reached])")]
  .map((one) => one.outerHTML.slice(0, 120))"""
