"""A customer without an account: from the link in a mail to what they can do by it."""

from typing import Any

import httpx2
import pytest
from playwright.async_api import Page
from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.states import OrderStatus, ShipmentStatus

from tests.console.conftest import DARK
from tests.console.street import Street
from tests.console.test_pages import accessible
from tests.support.links import a_key, link_token
from tests.support.returns import arrived, eur, receive
from tests.support.shop import (
    ADDRESS,
    has_hold,
    has_no_hold,
    has_parcel,
    has_status,
)

ATTACK = "<img src=x onerror=alert(1)>\"'{{7*7}}"


async def test_a_customer_corrects_an_address_by_the_link_of_a_mail(
    street: Street,
) -> None:
    shop = street.shop
    await shop.stock(TEA=1)
    order_id = await shop.place(ship_to=ADDRESS | {"postal_code": "1"}, TEA=1)
    await shop.held(order_id, HoldReason.ADDRESS)
    link = await street.link("The address", mails=2)
    async with street.browser() as page:
        await page.goto(link)
        assert page.url == f"{street.url}/yours/{order_id}"
        await page.get_by_role("link", name="Correct the address").click()
        code = page.get_by_label("Postal code")
        assert await code.get_attribute("aria-invalid") == "true"
        await code.fill("10115")
        await page.get_by_role("button", name="Send it there").click()
        await said(page, "Thank you. We send your order to this address.")
        await shop.until(order_id, has_no_hold)
        # It is sealed, and no script reads it.
        (cookie,) = await page.context.cookies()
        assert link.rpartition("/")[2] not in str(cookie)
        assert cookie["httpOnly"]


async def said(page: Page, text: str) -> None:
    await page.get_by_text(text).first.wait_for()


async def pressed(page: Page, *names: str) -> None:
    """Links and buttons, one after the other."""
    for name in names:
        link = page.get_by_role("link", name=name, exact=True)
        button = page.get_by_role("button", name=name, exact=True)
        await link.or_(button).first.click()


@pytest.mark.slow
async def test_a_declined_card_is_followed_by_another_and_the_bank(
    street: Street,
) -> None:
    shop = street.shop
    await shop.stock(TEA=1)
    order_id = await shop.place("pm_card_chargeDeclined", TEA=1)
    await shop.held(order_id, HoldReason.PAYMENT)
    link = await street.link("The payment", mails=2)
    async with street.browser() as page:
        await page.goto(link)
        await pressed(page, "Pay now", "Choose another card")
        await pressed(page, "pm_card_visa_chargeDeclined", "Pay €17.80 with this card")
        await said(page, "Your bank has declined this payment.")
        await pressed(page, "Choose another card", "pm_card_threeDSecure2Required")
        await pressed(page, "Pay €17.80 with this card")
        bank = page.get_by_role("link", name="Confirm at your bank")
        assert "/authenticate" in str(await bank.get_attribute("href"))
        # Its page is not where the simulator thinks it is, behind a test's host.
        await shop.payments.authenticate(succeed=True)
        await page.goto(f"{street.url}/yours/{order_id}?redirect_status=succeeded")
        await said(page, "Thank you. Your bank has confirmed the payment")
        await shop.until(order_id, has_status(OrderStatus.CONFIRMED))
        await page.goto(f"{street.url}/yours/{order_id}/payment")
        await said(page, "There is nothing to pay right now.")


@pytest.mark.slow
async def test_an_order_is_cancelled_and_then_there_is_nothing_left_to_cancel(
    street: Street,
) -> None:
    shop = street.shop
    order_id = await shop.confirmed(TEA=1)
    link = await street.link("is confirmed", mails=2)
    async with street.browser() as page:
        await page.goto(link)
        await pressed(page, "Cancel the order", "Keep it", "Cancel the order")
        await pressed(page, "Cancel it")
        await said(page, "We cancel what has not been sent.")
        await said(page, "Your order is cancelled.")
        await page.goto(f"{street.url}/yours/{order_id}/cancel")
        await said(page, "There is nothing left to cancel.")
        # Staff see who it was; on their own machine they are whoever they like to be.
        await page.goto(f"{street.url}/orders/{order_id}")
        await said(page, "the customer, by the link in a mail")
    await shop.until(order_id, has_status(OrderStatus.CANCELLED))


@pytest.mark.slow
async def test_what_is_under_way_is_refused_in_words(street: Street) -> None:
    """The forms were opened before the parcel left."""
    shop = street.shop
    order_id = await shop.confirmed(TEA=1)
    link = await street.link("is confirmed", mails=2)
    async with street.browser() as page, street.browser() as other:
        await page.goto(link)
        await other.goto(link)
        await pressed(page, "Cancel the order")
        await pressed(other, "Correct the address")
        await shop.shipped(order_id)
        await pressed(page, "Cancel it")
        await said(page, "Everything has left our warehouse.")
        await other.get_by_role("textbox", name="City").fill("Bonn")
        await pressed(other, "Send it there")
        await said(other, "Your order has changed in the meantime.")
        assert await other.get_by_role("textbox", name="City").input_value() == "Bonn"
        await pressed(other, "Send it there")
        await said(other, "Your parcel is packed already")


@pytest.mark.slow
async def test_goods_are_sent_back_with_a_label(street: Street) -> None:
    shop = street.shop
    order_id = await arrived(shop, TEA=2, MUG=1)
    link = await street.link("has arrived", mails=4)
    async with street.browser() as page:
        await page.goto(link)
        await said(page, "Your order has arrived.")
        await pressed(page, "Send something back", "Send it back")
        await said(page, "Choose what you send back")
        await page.get_by_label("Tea").fill("1")
        await page.get_by_label("Why?").select_option("damaged")
        await page.get_by_label("Anything that we should know").fill(ATTACK)
        await pressed(page, "Send it back")
        await said(page, "You may send it back.")
        printed = await street.link("Your return", mails=5)
        (back,) = (await shop.order(order_id)).returns
        await shop.until(order_id, lambda o: o.return_(back.id).label_ref)
        label = await page.request.get(f"{printed}?label={back.id}")
        assert label.headers["content-type"] == "application/pdf"
        await page.reload()
        assert await page.get_by_role("link", name="Print the label").count() == 1
        (line,) = back.lines
        assert (line.line, line.qty) == (1, 1)
        # It came back worn: whoever asks why less is paid back reads it.
        await receive(shop, back.id, {1: 1}, deducted={1: eur(250)})
        (paid,) = (m for m in await street.postbox.until(7) if "paid you" in m.subject)
        assert "We keep €2.50 of the price" in paid.text
        await page.reload()
        await said(page, "We keep €2.50 of the price")


@pytest.mark.slow
async def test_a_link_that_is_no_good_says_what_to_do_next(
    street: Street, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    shop, origin = street.shop, {"Origin": street.url}
    one, two = await shop.confirmed(TEA=1), await shop.confirmed(TEA=1)
    good = link_token(one)
    async with httpx2.AsyncClient(
        base_url=street.url, trust_env=False, headers={"Accept-Language": "fr, en"}
    ) as http:
        over = await http.get(f"/o/{link_token(one, until=1)}")
        assert (over.status_code, "gilt nicht mehr" in over.text) == (401, True)
        for bad in (good[:-9], "x", link_token(one, keys=a_key("guessed"))):
            none = await http.get(f"/o/{bad}")
            assert (none.status_code, "ouvrir le lien" in none.text) == (401, True)
        assert (await http.get(f"/yours/{one}")).status_code == 401
        opened = await http.get(f"/o/{good}")
        assert opened.headers["location"] == f"/yours/{one}"
        assert opened.headers["referrer-policy"] == "no-referrer"
        assert (await http.get(f"/yours/{one}")).status_code == 200
        # No other order, no other site's form, nothing of staff's.
        assert (await http.get(f"/yours/{two}")).status_code == 401
        for headers in ({}, {"Origin": "https://evil.example"}):
            forged = await http.post(f"/yours/{one}/cancel", headers=headers)
            assert forged.status_code == 403
        assert (await http.get(f"/orders/{one}")).text.count("Who are you?") <= 1
        # Of what a link does not name, nothing is offered and nothing done.
        await http.get(f"/o/{link_token(two, 'read')}")
        page = (await http.get(f"/yours/{two}")).text
        assert "stornieren" not in page
        assert ADDRESS["street"] not in page
        refused = await http.post(
            f"/yours/{two}/cancel", data={"key": "k" * 9}, headers=origin
        )
        assert refused.status_code == 403
        # Two orders in one browser are kept apart.
        assert (await http.get(f"/yours/{one}")).status_code == 200
        # Whoever guesses is counted by their own address, and not by the console's.
        guesser, neighbour = ({"X-Forwarded-For": f"203.0.113.{n}"} for n in (1, 2))
        guess = f"/o/{link_token(one, keys=a_key('guessed'))}"
        guesses = [await http.get(guess, headers=guesser) for _ in range(10)]
        assert [guesses[0].status_code, guesses[-1].status_code] == [401, 429]
        assert (await http.get(guess, headers=neighbour)).status_code == 401
    assert (await shop.order(two)).status is OrderStatus.CONFIRMED
    ours = [r for r in caplog.records if r.name.startswith(("console", "api"))]
    assert ours
    assert not [record for record in ours if good[-20:] in str(record.__dict__)]


@pytest.mark.slow
@pytest.mark.parametrize(("scheme", "language"), [("light", "de-AT"), (DARK, "fr")])
async def test_every_page_is_for_everybody(
    street: Street, scheme: Any, language: str
) -> None:
    shop = street.shop
    await shop.stock(TEA=4)
    wrong = await shop.place(
        ship_to=ADDRESS | {"postal_code": "1", "name": ATTACK, "street": ATTACK}, TEA=1
    )
    await shop.until(wrong, has_hold(HoldReason.ADDRESS))
    declined = await shop.place("pm_card_chargeDeclined", TEA=1)
    await shop.until(declined, has_hold(HoldReason.PAYMENT))
    here = await arrived(shop, TEA=2)
    await shop.until(here, has_parcel(ShipmentStatus.DELIVERED))
    form = {"lines": [{"line": 1, "quantity": 1, "reason": "other"}]}
    await shop.post(f"/v1/orders/{here}/returns", form)
    async with street.browser(scripts=True, color_scheme=scheme) as page:
        for order, paths in (
            (wrong, ("", "/address", "/cancel")),
            (declined, ("", "/payment", "/payment?payment_method=pm_card_visa")),
            (here, ("", "/return")),
        ):
            await page.goto(f"{street.url}/o/{link_token(order, language=language)}")
            for path in paths:
                await page.goto(f"{street.url}/yours/{order}{path}")
                await accessible(page)
                assert await page.locator("html").get_attribute("lang") == language[:2]
                wide = await page.evaluate("document.documentElement.scrollWidth")
                assert wide <= 320, path
                assert await page.locator("img").count() == 0
        await page.goto(f"{street.url}/o/{link_token(here, until=1)}")
        await accessible(page)
