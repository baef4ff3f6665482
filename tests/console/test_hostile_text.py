"""What customers write is shown on every page that shows it, and runs on none."""

from typing import Any

import pytest
from shared.contracts.orders.holds import HoldReason

from tests.console.conftest import Browse, Seen
from tests.support.returns import eur
from tests.support.shop import Json, Shop

pytestmark = pytest.mark.slow

ATTACKS = (
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "'><script src=//evil.example></script>",
    "javascript:alert(1)",
    "{{7*191}}${7*191}<%=7*191%>",
    "</textarea><iframe src=javascript:alert(1)>",
    "<a href='javascript:alert(1)'>x</a>",
)
ATTACK = "".join(ATTACKS)
SHORT = ATTACKS[0] + ATTACKS[1]
DANGEROUS = (
    "img, iframe, object, embed, [onload], [onerror], a[href^='javascript:'],"
    " script:not([src^='/static/'])"
)


async def hostile(shop: Shop) -> Json:
    """Every text that a customer or another system gives is an attack."""
    await shop.stock(GONG=4)
    address = {
        **dict.fromkeys(("name", "company", "street", "street2", "city"), SHORT),
        **{"postal_code": "<b>1</b>", "region": SHORT, "country": "DE"},
    }
    order = {
        "customer_id": f"c-{ATTACKS[0]}",
        "external_ref": f"ref-{ATTACKS[0]}",
        "currency": "EUR",
        "lines": [{"sku": "GONG", "quantity": 2}],
        "shipping": {
            "method": "standard",
            "amount": {"amount": 490, "currency": "EUR"},
        },
        "contact": {"name": SHORT, "email": "x@example.com", "phone": "+49 30 1"},
        "ship_to": address,
        "bill_to": address,
        "payment": {"method": "pm_card_visa"},
    }
    return await shop.post("/v1/orders", order)


async def test_what_anybody_writes_runs_nowhere(browse: Browse, shop: Shop) -> None:
    name = {"name": ATTACK[:200], "price": eur(60_000)}
    order = await hostile(shop)
    await shop.http.put("/v1/products/GONG", json=name)
    order_id = order["id"]
    for text in ATTACKS:
        await shop.post(f"/v1/orders/{order_id}/notes", {"text": text})
    await shop.post(f"/v1/orders/{order_id}/holds", {"note": ATTACK})
    hold = await shop.held(order_id, HoldReason.APPROVAL)
    assignee = {"assignee": ATTACKS[0]}
    await shop.post(f"/v1/holds/{hold.id}/assign", assignee)
    endpoint = {
        "url": "https://erp.example.com/%3Cimg%20src=x%3E",
        "owner_email": "a@example.com",
        "description": ATTACKS[0],
    }
    made = await shop.post("/v1/webhook-endpoints", endpoint)
    ada = await browse("ada")
    dialogs: list[Any] = []
    ada.page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    for path in (
        *("/", "/orders", "/bench", "/bench/many", "/returns", "/stock", "/books"),
        *("/events", f"/events/{made['id']}", "/exports", "/stock/GONG", "/now/late"),
        *(f"/orders/{order_id}", f"/holds/{hold.id}", "/locations"),
        *(f"/orders?customer={ATTACKS[1]}", f"/stock?sku={ATTACKS[0]}"),
    ):
        await harmless(ada, path)
    assert dialogs == []
    ada.complaints[:] = [c for c in ada.complaints if "422" not in c]


async def harmless(seen: Seen, path: str) -> None:
    page = await seen.go(path)
    html = await page.content()
    assert "1337" not in html, path
    assert await page.locator(DANGEROUS).count() == 0, path
