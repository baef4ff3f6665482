"""Signing in at an issuer, staying signed in, and not being any more."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from console.settings import ConsoleSettings
from cryptography.fernet import Fernet
from devstack.issuer.app import Issuer, issuer_app
from devstack.issuer.people import people
from devstack.issuer.signer import Signer
from playwright.async_api import Browser, Page
from shared.contracts.orders.holds import HoldReason
from temporalio.client import Client

from tests.conftest import API, OpenShop, Work
from tests.console.conftest import serving
from tests.support.peers import Host
from tests.support.shop import Shop


@dataclass
class Office:
    """A console behind an issuer."""

    url: str
    issuer: Issuer
    shop: Shop


@pytest.fixture
async def office(
    host: Host,
    tmp_path: Path,
    open_shop: OpenShop,
    work: Work,
    temporal: Client,
    free_port: int,
) -> AsyncIterator[Office]:
    async with (
        at_an_issuer(host, tmp_path) as issuer,
        open_shop(
            temporal,
            oidc_issuer=issuer.signer.issuer,
            oidc_audience="orders",
            api_auth="oidc",
        ) as shop,
    ):
        token = issuer.signer.token("ada", "orders", scope="admin")
        shop.http.headers["Authorization"] = f"Bearer {token}"
        settings = ConsoleSettings(
            console_auth="oidc",
            oidc_issuer=issuer.signer.issuer,
            oidc_client_id="console",
            console_host="127.0.0.1",
            console_port=free_port,
            console_url=f"http://127.0.0.1:{free_port}",
            console_api_url=f"{host.url}/{API}",
            console_session_keys=Fernet.generate_key().decode(),
        )
        async with work(), serving(settings):
            yield Office(settings.console_url, issuer, shop)


@asynccontextmanager
async def at_an_issuer(host: Host, tmp_path: Path) -> AsyncIterator[Issuer]:
    name = f"{tmp_path.name}-issuer"
    signer = Signer(f"{host.url}/{name}/")
    issuer = Issuer(signer, people(), timedelta(hours=1))
    async with host.peer(issuer_app(issuer), name):
        yield issuer


async def signed_in(
    chromium: Browser, office: Office, role: str, at: str = "/", title: str = "Now"
) -> Page:
    page = await (await chromium.new_context()).new_page()
    await page.goto(office.url + at)
    await page.get_by_role("link", name=role, exact=True).click()
    await page.get_by_role("heading", name=title).wait_for()
    return page


async def test_somebody_signs_in_is_renewed_and_signs_out(
    chromium: Browser, office: Office
) -> None:
    office.issuer.lives = timedelta(seconds=20)  # too short to be used
    # A page that asks for nothing more, so that nothing is renewed beside it.
    page = await signed_in(chromium, office, "support", "/orders", "Orders")
    assert "?" not in page.url
    before = office.issuer.refreshing.copy()
    office.issuer.lives = timedelta(hours=1)
    await page.reload()
    await page.get_by_role("heading", name="Orders").wait_for()
    assert office.issuer.refreshing.keys().isdisjoint(before)
    cookies = await page.context.cookies()
    assert all(cookie["httpOnly"] for cookie in cookies)
    await page.locator("details.who summary").click()
    await page.get_by_role("button", name="Sign out").click()
    await page.get_by_role("heading", name="You are signed out").wait_for()
    await page.goto(office.url + "/orders")
    await page.get_by_role("heading", name="Who are you?").wait_for()
    await page.context.close()


@pytest.mark.slow
async def test_a_session_that_ends_takes_nothing_that_was_typed(
    chromium: Browser, office: Office
) -> None:
    await office.shop.stock(GONG=2)
    order_id = await office.shop.place(GONG=2)
    hold = await office.shop.held(order_id, HoldReason.APPROVAL)
    page = await signed_in(chromium, office, "approver")
    await page.goto(f"{office.url}/holds/{hold.id}")
    await page.get_by_label("Why, for whoever reads this later").fill("Half a sentence")
    await page.context.clear_cookies()
    await page.get_by_role("button", name="Take it").click()
    await page.get_by_role("heading", name="Your session has ended").wait_for()
    note = page.get_by_label("Why, for whoever reads this later")
    assert await note.input_value() == "Half a sentence"
    await page.context.close()


async def test_a_form_that_is_sent_after_the_session_has_ended_is_still_there(
    chromium: Browser, office: Office
) -> None:
    await office.shop.stock(GONG=2)
    order_id = await office.shop.place(GONG=2)
    hold = await office.shop.held(order_id, HoldReason.APPROVAL)
    page = await signed_in(chromium, office, "approver")
    await page.goto(f"{office.url}/holds/{hold.id}")
    note = page.get_by_label("Why, for whoever reads this later")
    await note.fill("A whole sentence.")
    await page.get_by_text("Approve", exact=True).click()
    await page.context.clear_cookies()
    await page.get_by_role("button", name="Decide").click()
    await page.get_by_role("heading", name="Your session has ended").wait_for()
    async with page.context.expect_page() as opened:
        await page.get_by_role("link", name="Sign in").click()
    tab = await opened.value
    await tab.get_by_role("link", name="approver", exact=True).click()
    await tab.get_by_role("heading", name="You are signed in again").wait_for()
    await page.get_by_role("button", name="Back").click()
    assert await note.input_value() == "A whole sentence."
    await page.get_by_role("button", name="Decide").click()
    await page.get_by_text("Approve: done.").wait_for()
    await page.context.close()
