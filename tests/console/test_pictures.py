"""The pictures of the documentation, taken of a shop in the middle of its day.

`uv run pytest tests/console/test_pictures.py -m slow -n 0 --pictures` writes them anew.
Those of dark and narrow screens are to be looked at: `--basetemp=look` keeps them.
"""

import io
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.async_api import Page
from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.states import OrderStatus, ShipmentStatus

from tests.console.conftest import DARK, LIGHT, Browse
from tests.console.street import Street
from tests.console.test_pages import scan
from tests.support.links import link_token
from tests.support.returns import send_back
from tests.support.shop import ADDRESS, Shop, has_hold, has_parcel, has_status

PICTURES = Path(__file__).parents[2] / "docs/pictures"
LARGEST_BYTES = 120_000
GOODS = {
    "TEA": ("Assam tea, 250 g", 1290),
    "MUG": ("Mug, blue", 990),
    "GONG": ("Gong, bronze, 60 cm", 60_000),
}
Keep = Callable[[Page, str], Awaitable[None]]


@pytest.fixture
def keep(request: pytest.FixtureRequest, tmp_path: Path) -> Keep:
    folder = PICTURES if request.config.getoption("--pictures") else tmp_path

    async def keep_it(page: Page, name: str) -> None:
        taken = Image.open(io.BytesIO(await page.screenshot()))
        # 256 colours are enough for what is mostly plain.
        small = taken.convert("RGB").quantize(256)
        to = (tmp_path if "-" in name else folder) / f"{name}.png"
        small.save(to, optimize=True)
        assert to.stat().st_size < LARGEST_BYTES

    return keep_it


LOOKS = (
    ("", {"width": 1280, "height": 800, "scheme": LIGHT}),
    ("-dark", {"width": 1280, "height": 800, "scheme": DARK}),
    ("-tablet", {"width": 820, "height": 1180, "scheme": LIGHT}),
    ("-narrow", {"width": 320, "height": 700, "scheme": DARK}),
)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_the_pictures_of_the_documentation(
    browse: Browse, shop: Shop, keep: Keep
) -> None:
    day = await a_day(shop)
    for name, how in LOOKS:
        ada = await browse("ada", **how)
        page = await ada.go("/")
        await page.locator(".tile").first.wait_for()
        await keep(page, f"queue{name}")
        await ada.go(f"/holds/{day.hold}")
        await keep(page, f"hold{name}")
        await ada.go(f"/orders/{day.followed}")
        await keep(page, f"order{name}")
        await ada.go(f"/bench/{day.parcel}")
        await scan(page, "TEA")
        await keep(page, f"bench{name}")
        await ada.go(f"/returns/{day.back}")
        worn = page.get_by_label("Deducted from the price of Mug, blue")
        await worn.fill("2.50")
        await page.get_by_label("Paid back").get_by_text("Deducted").wait_for()
        await worn.blur()
        await keep(page, f"return{name}")


@pytest.mark.slow
async def test_the_picture_of_a_customer_s_page(street: Street, keep: Keep) -> None:
    shop = street.shop
    for sku, (name, price) in GOODS.items():
        await know(shop, sku, name, price)
    await shop.stock(TEA=9, MUG=2)
    to = {"name": "Ada Lindqvist", "street": "Haselnussgasse 44"}
    order_id = await shop.place(ship_to=ADDRESS | to, TEA=2, MUG=1)
    await shop.shipped(order_id)
    wrong = await shop.place(ship_to=ADDRESS | to | {"postal_code": "1"}, TEA=1)
    await shop.until(wrong, has_hold(HoldReason.ADDRESS))
    for name, how in (("", {"width": 640}), ("-dark", {"color_scheme": DARK})):
        async with street.browser(**how) as page:
            await page.goto(f"{street.url}/o/{link_token(order_id, language='en')}")
            await keep(page, f"customer{name}")
            if name:
                await page.goto(f"{street.url}/o/{link_token(wrong)}")
                await keep(page, "customer-wrong")
                await page.goto(f"{street.url}/yours/{wrong}/address")
                await keep(page, "customer-address")


@dataclass
class Day:
    """A parcel to pack, a stock hold, an order that is on its way in part, and a return
    that has come."""

    parcel: str
    hold: str
    followed: str
    back: str


async def a_day(shop: Shop) -> Day:
    for sku, (name, price) in GOODS.items():
        await know(shop, sku, name, price)
    await shop.stock(TEA=60, MUG=20, GONG=8)
    await shop.stock(at="leipzig", MUG=30)
    berlin = ADDRESS | {"name": "Ada Lindqvist", "street": "Haselnussgasse 44"}
    paris = {"name": "Chiara Rossi", "street": "Rue des Tilleuls 3"}
    paris |= {"city": "Lyon", "postal_code": "690", "country": "FR"}

    async def placed(customer: str, reason: HoldReason, **how: Any) -> None:
        how = {"ship_to": berlin} | how
        order_id = await shop.place(customer=customer, **how)
        await shop.until(order_id, has_hold(reason))

    await placed("customer-4711", HoldReason.APPROVAL, GONG=2)
    await placed("customer-1204", HoldReason.APPROVAL, GONG=1, TEA=2)
    await placed("customer-0815", HoldReason.ADDRESS, ship_to=paris, MUG=2)
    declined = "pm_card_chargeDeclined"
    await placed("customer-0042", HoldReason.PAYMENT, card=declined, TEA=3)
    await placed("customer-2350", HoldReason.STOCK, GONG=9)
    order_id = await shop.place(customer="customer-1138", ship_to=berlin, TEA=4)
    await shop.until(order_id, has_status(OrderStatus.CONFIRMED))
    await shop.hold_up(order_id, by="grace")
    waiting = await shop.place(customer="customer-3301", ship_to=berlin, TEA=3, MUG=1)
    order = await shop.until(waiting, has_parcel(ShipmentStatus.READY))
    parcel = order.shipments[0].id
    followed = await shop.place(customer="customer-77", ship_to=berlin, TEA=2, MUG=2)
    await shop.shipped(followed)
    holds = (await shop.get("/v1/holds"))["data"]
    for hold, name in zip(holds, ("alan", "ada"), strict=False):
        body = {"assignee": name}
        await shop.post(f"/v1/holds/{hold['id']}/assign", body)
    sent = await shop.place(customer="customer-5120", ship_to=berlin, TEA=3, MUG=2)
    await shop.delivered(sent)
    await shop.until(sent, has_parcel(ShipmentStatus.DELIVERED))
    back = await send_back(shop, sent, {1: 2, 2: 1})
    hold = next(hold["id"] for hold in holds if hold["reason"] == "address")
    return Day(parcel, hold, followed, back["id"])


async def know(shop: Shop, sku: str, name: str, price: int) -> None:
    body = {"name": name, "price": {"amount": price, "currency": "EUR"}}
    answer = await shop.http.put(f"/v1/products/{sku}", json=body)
    assert answer.is_success
    shop._known.add(sku)
