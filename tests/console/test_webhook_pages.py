"""The pages of events, with a deliverer that runs and a receiver that misbehaves."""

from collections.abc import AsyncIterator

import pytest
from api.processes import PROCESSES, hrefs
from temporalio.client import Client

from tests.conftest import OpenShop
from tests.console.conftest import Browse
from tests.support.receivers import Receiver
from tests.support.shop import Shop
from tests.webhooks.conftest import LOOPBACK, delivering

pytestmark = pytest.mark.slow


@pytest.fixture
async def closed_shop(open_shop: OpenShop, temporal: Client) -> AsyncIterator[Shop]:
    """One that may send webhooks to this machine."""
    async with open_shop(temporal, webhook_networks=LOOPBACK) as shop:
        yield shop


async def test_what_was_not_delivered_is_seen_and_sent_again(
    browse: Browse, shop: Shop, database: str
) -> None:
    async with (
        Receiver(lambda _: 410).listening() as receiver,
        delivering(database, hrefs=hrefs(PROCESSES), networks=LOOPBACK),
    ):
        body = {"url": receiver.url, "owner_email": "erp@example.com"}
        made = await shop.post("/v1/webhook-endpoints", body | {"types": ["order.*"]})
        await shop.stock(TEA=1)
        await shop.place(TEA=1)
        await receiver.until(lambda: bool(receiver.heard))
        ada = await browse("ada")
        page = await ada.go("/")
        dead = page.locator(".tile.bad", has_text="webhooks dead or failing")
        await dead.click()
        await page.get_by_role("link", name=receiver.url).click()
        await ada.reads("Failed")
        receiver.behaviour = lambda _: 204
        await page.get_by_role("button", name="Enable").click()
        await ada.reads("Enabled.")
        await receiver.until_accepted(1)
        await ada.go(f"/events/{made['id']}?status=succeeded")
        before = len(receiver.heard)
        await page.get_by_role("button", name="Send again").first.click()
        await ada.reads("It is sent once more.")
        await receiver.until(lambda: len(receiver.heard) > before)
        await page.get_by_role("button", name="Send a test").click()
        await ada.reads("Sent.")
        await receiver.until(
            lambda: any("test" in one.event["type"] for one in receiver.accepted)
        )
