"""Customers hear what happens to their order, once, and no order waits for it."""

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP
from devstack.mail import create_app
from devstack.ports import HOST, free_ports
from pydantic import SecretStr, ValidationError
from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.states import OrderStatus
from shared.database.engine import Engine
from shared.platform.links import LinkKeys
from temporalio.testing import ActivityEnvironment
from worker.orders.notifications.mail_limit import MailLimit
from worker.orders.store import OrderStore
from worker.orders.upkeep.retention import RetentionActivities
from worker.runtime import backlog
from worker.runtime.outbox import OutboxRunner
from worker.runtime.registry import Message, Undeliverable

from tests.conftest import MakeWorkerSettings, Work
from tests.support.links import LINK_KEYS
from tests.support.postbox import Postbox, receiving_mail
from tests.support.returns import arrived, send_back
from tests.support.shop import (
    PATIENCE_SECONDS,
    PERSONAL,
    Shop,
    has_hold,
    has_status,
)

PAGE = "https://shop.example.com/orders/{order_id}"

Post = Callable[..., AbstractAsyncContextManager[None]]


@pytest.fixture
def smtp_port() -> int:
    return free_ports().smtp


@pytest.fixture
async def postbox(tmp_path: Path, smtp_port: int) -> AsyncIterator[Postbox]:
    async with receiving_mail(tmp_path / "mail", smtp_port) as postbox:
        yield postbox


@pytest.fixture
def post(work: Work, smtp_port: int) -> Post:
    """A worker that sends mail, if there is a server."""

    def start(**changed: Any) -> AbstractAsyncContextManager[None]:
        values: dict[str, Any] = {
            "smtp_host": HOST,
            "smtp_port": smtp_port,
            "smtp_tls": False,
            "mail_from": "Tea Shop <orders@example.com>",
            "shop_order_url": PAGE,
        }
        return work(**(values | changed))

    return start


async def test_a_customer_hears_of_each_step(
    closed_shop: Shop, post: Post, postbox: Postbox
) -> None:
    shop = closed_shop
    async with post():
        order_id = await shop.confirmed(TEA=2)
        await shop.delivered(order_id)
        order = await shop.ended(order_id)
        mails = await postbox.until(4)
    assert {mail.subject for mail in mails} == {
        f"We have your order {order.number}",
        f"Your order {order.number} is confirmed",
        f"Your order {order.number} is on its way",
        f"Your order {order.number} has arrived",
    }
    assert {tuple(mail.to) for mail in mails} == {(PERSONAL["email"],)}
    (shipped,) = (mail for mail in mails if "on its way" in mail.subject)
    assert str(order.shipments[0].tracking) in shipped.text
    assert "2 × Tea" in shipped.text


async def test_what_is_confirmed_is_what_is_still_wanted(
    closed_shop: Shop, post: Post, postbox: Postbox
) -> None:
    shop = closed_shop
    await shop.stock(TEA=2)
    async with post():
        order_id = await shop.place(TEA=3)
        await shop.held(order_id, HoldReason.STOCK)
        _, missing = await postbox.until(2)
        await shop.decide(order_id, HoldReason.STOCK, "cancel_lines")
        await shop.until(order_id, has_status(OrderStatus.CONFIRMED))
        mails = await postbox.until(4)
    assert "are missing" in missing.subject
    assert "1 × Tea" in missing.text
    (mail,) = (mail for mail in mails if "is confirmed" in mail.subject)
    assert "2 × Tea" in mail.text
    assert "It comes to €30.70" in mail.text


async def test_of_what_is_to_be_paid_still_the_customer_is_asked(
    closed_shop: Shop, post: Post, postbox: Postbox
) -> None:
    """A part is paid and on its way; the card is declined for the rest."""
    shop = closed_shop
    await shop.stock(TEA=1, backorder=True)
    async with post():
        order_id = await shop.place("pm_card_declineOffSession", TEA=3)
        await shop.pack(order_id)
        await shop.until(order_id, has_hold(HoldReason.PAYMENT))
        mails = await postbox.until(3)
    (mail,) = (mail for mail in mails if "The payment" in mail.subject)
    assert "payment of €25.80 for your order" in mail.text


async def test_the_label_for_the_way_back_is_in_the_mail(
    closed_shop: Shop, post: Post, postbox: Postbox
) -> None:
    shop = closed_shop
    page = "https://shop.example.com/back/{return_id}"
    async with post(shop_return_url=page):
        order_id = await arrived(shop, TEA=1)
        asked = await send_back(shop, order_id, {1: 1})
        mails = await postbox.until(5)
    (told,) = (mail for mail in mails if "Your return" in mail.subject)
    assert f"Print your label: {page.format(return_id=asked['id'])}" in told.text


async def test_a_mail_has_a_link_that_is_good_for_its_order(
    closed_shop: Shop, post: Post, postbox: Postbox
) -> None:
    shop = closed_shop
    page = "https://console.example.com/o/{token}"
    linked = {"shop_order_url": page, "shop_return_url": f"{page}?label={{return_id}}"}
    actions = ("read", "return")
    async with post(order_link_keys=LINK_KEYS, order_link_actions=actions, **linked):
        order_id = await arrived(shop, TEA=1)
        await send_back(shop, order_id, {1: 1})
        mails = await postbox.until(5)
    keys = LinkKeys(LINK_KEYS, None)
    for mail in mails:
        first, *others = re.findall(
            r"https://console.example.com/o/([\w.-]+)", mail.text
        )
        link = keys.open(first)
        assert (link.subject, link.actions) == (order_id, actions)
        assert set(others) <= {first}
        assert 59 < (link.until - time.time()) / 86400 <= 60
    assert sum("?label=ret_" in mail.text for mail in mails) == 1


async def test_of_another_address_the_customer_is_told(
    closed_shop: Shop, post: Post, postbox: Postbox
) -> None:
    """Whoever has the link of a mail may have changed it. Of another telephone nobody
    needs to be told."""
    shop = closed_shop
    async with post():
        order_id = await shop.confirmed(TEA=1)
        path = f"/v1/orders/{order_id}/contact"
        for patch in ({"phone": "+49 30 1234"}, {"ship_to": {"street": "Elsewhere 9"}}):
            any_version = {"If-Match": "*"}
            answer = await shop.http.patch(path, json=patch, headers=any_version)
            assert answer.is_success
        mails = await postbox.until(3)
        await nothing_left_open(shop)
    assert len(postbox.all()) == 3
    (mail,) = (mail for mail in mails if "another address" in mail.subject)
    assert "If it was not you" in mail.text
    assert "Elsewhere" not in mail.text


async def test_a_declined_card_is_told_with_the_way_to_pay(
    closed_shop: Shop, post: Post, postbox: Postbox
) -> None:
    shop = closed_shop
    await shop.stock(TEA=1)
    async with post():
        order_id = await shop.place("pm_card_chargeDeclined")
        await shop.held(order_id, HoldReason.PAYMENT)
        mails = await postbox.until(2)
    (mail,) = (mail for mail in mails if "payment" in mail.subject)
    assert f"Pay now: {PAGE.replace('{order_id}', order_id)}" in mail.text


async def test_staff_hear_of_a_dispute_and_the_customer_does_not(
    closed_shop: Shop, post: Post, postbox: Postbox
) -> None:
    shop = closed_shop
    async with post(staff_mail="finance@shop.example"):
        order_id = await shop.confirmed("pm_card_createDispute", TEA=1)
        await shop.pack(order_id)
        hold = await shop.held(order_id, HoldReason.DISPUTE)
        mails = await postbox.until(3)
        await nothing_left_open(shop)
    (mail,) = (mail for mail in mails if "disputed" in mail.subject)
    assert mail.to == ["finance@shop.example"]
    assert "€17.80" in mail.text
    assert hold.due_at is not None
    assert f"until {hold.due_at:%B} {hold.due_at.day}" in mail.text
    assert f"orders holds list --order {order_id}" in mail.text
    assert PERSONAL["name"] not in str(mail)


async def test_a_mail_leads_to_the_shop_alone(
    closed_shop: Shop, post: Post, postbox: Postbox
) -> None:
    """Not to the bank that asks back, whose address a customer has a say in, and not
    to what they call themselves."""
    shop = closed_shop
    await shop.stock(TEA=1)
    async with post():
        order_id = await shop.place("pm_card_authenticationRequired")
        await shop.fetch("UPDATE contacts SET name = 'Pay at https://evil.example'")
        order = await shop.until(order_id, has_hold(HoldReason.PAYMENT))
        mails = await postbox.until(2)
    assert order.payments[0].next_action is not None
    for mail in mails:
        links = set(re.findall(r"\w+://[^\s\"<]+", mail.text))
        assert links == {PAGE.replace("{order_id}", order_id)}
        assert "evil" not in str(mail)


async def test_an_address_is_not_flooded_by_whoever_orders_with_it(
    closed_shop: Shop, post: Post, postbox: Postbox
) -> None:
    """`+anything` is the same mailbox."""
    shop = closed_shop
    for email in (*(f"Ada+{n}@Example.com" for n in range(4)), "bob@example.com"):
        order_id = await shop.place(TEA=1)
        await shop.fetch(
            "UPDATE contacts SET email = :email WHERE order_id = :id",
            email=email,
            id=order_id,
        )
    async with post(mails_per_hour=3):
        await due_now(shop)
        await nothing_left_open(shop)
    addressees = [mail.to[0].partition("@")[0] for mail in postbox.all()]
    assert sum(name.startswith("Ada+") for name in addressees) == 3
    assert "bob" in addressees
    failed = await shop.fetch("SELECT error FROM messages WHERE status = 'failed'")
    assert {row.error for row in failed} == {"enough mails to this address"}


async def test_workers_count_together_and_only_what_went_out(engine: Engine) -> None:
    async def send(limit: MailLimit, fails: type[Exception] | None = None) -> bool:
        try:
            async with limit.counting("ada@example.com"):
                if fails is not None:
                    raise fails
        except (Undeliverable, OSError):
            return False
        return True

    here, there = MailLimit(engine, 3), MailLimit(engine, 3)
    assert not any([await send(here, OSError) for _ in range(4)])
    sent = await asyncio.gather(*(send(limit) for limit in [here, there] * 4))
    assert sum(sent) == 3


async def test_other_holds_are_the_shops_own_business(
    closed_shop: Shop, post: Post, postbox: Postbox
) -> None:
    shop = closed_shop
    await shop.stock(GONG=2)
    async with post():
        order_id = await shop.place(GONG=2)
        await shop.decide(order_id, HoldReason.APPROVAL, "approve")
        await shop.until(order_id, has_status(OrderStatus.CONFIRMED))
        mails = await postbox.until(2)
        await nothing_left_open(shop)
    assert len(mails) == len(postbox.all()) == 2


async def test_a_cancellation_is_one_mail_and_its_refund_another(
    closed_shop: Shop, post: Post, postbox: Postbox
) -> None:
    shop = closed_shop
    async with post():
        order_id = await shop.confirmed(TEA=1)
        await shop.pack(order_id)
        await shop.cancel(order_id)
        order = await shop.ended(order_id)
        await postbox.until(4)
        await nothing_left_open(shop)
    subjects = [mail.subject for mail in postbox.all()]
    assert sorted(subjects)[-1] == f"Your order {order.number} is confirmed"
    assert subjects.count(f"Your order {order.number} is cancelled") == 1
    assert subjects.count("We have paid you back") == 1
    assert len(subjects) == 4


async def test_a_mail_sent_twice_is_known_for_the_same(
    closed_shop: Shop, post: Post, postbox: Postbox
) -> None:
    shop = closed_shop
    await shop.stock(TEA=1)
    order_id = await shop.place(TEA=1)
    async with post():
        await shop.until(order_id, has_status(OrderStatus.CONFIRMED))
        await postbox.until(2)
        await nothing_left_open(shop)
    # As after a crash between the mail and the note that it is sent.
    await shop.fetch("UPDATE messages SET status = 'open', sent_at = NULL")
    await due_now(shop)
    async with post():
        mails = await postbox.until(4)
    ids = [mail.message_id for mail in mails]
    assert sorted(ids[:2]) == sorted(ids[2:])
    assert f"<{order_id}.1@example.com>" in ids


async def test_an_order_does_not_wait_for_its_mails(
    closed_shop: Shop, post: Post, smtp_port: int, tmp_path: Path
) -> None:
    shop = closed_shop
    async with post():
        order_id = await shop.confirmed(TEA=1)
        await shop.delivered(order_id)
        await shop.ended(order_id)
    left = await shop.fetch("SELECT status FROM messages WHERE status <> 'open'")
    assert left == []
    await due_now(shop)
    async with serving(tmp_path, smtp_port) as postbox, post():
        await postbox.until(4)


async def test_without_a_server_nothing_piles_up(shop: Shop, engine: Engine) -> None:
    await shop.confirmed(TEA=1)
    await OutboxRunner(engine, shop.listener, {"orders": {}}).work_off_batch()
    rows = await shop.fetch("SELECT DISTINCT status FROM messages")
    assert [row.status for row in rows] == ["skipped"]


async def test_news_of_an_event_that_is_gone_fails_alone(
    closed_shop: Shop, engine: Engine
) -> None:
    async def send(message: Message) -> bool:
        return True

    await closed_shop.fetch(
        "INSERT INTO messages (subject, seq, type, due_at)"
        " VALUES ('ord_x', 1, 'order.placed', now())"
    )
    runner = OutboxRunner(
        engine, closed_shop.listener, {"orders": {"order.placed": send}}
    )
    assert await runner.work_off_batch() == 1
    (row,) = await closed_shop.fetch("SELECT status, error FROM messages")
    assert (row.status, row.error) == ("failed", "no event")


async def test_what_was_sent_before_a_worker_stops_is_not_sent_again(
    closed_shop: Shop, engine: Engine
) -> None:
    shop = closed_shop
    first, second = await shop.place(TEA=1), await shop.place(TEA=1)
    waits = asyncio.Event()

    async def send(message: Message) -> bool:
        if message.subject == second:
            waits.set()
            await asyncio.Event().wait()
        return True

    runner = OutboxRunner(engine, shop.listener, {"orders": {"order.placed": send}})
    running = asyncio.create_task(runner.run())
    await waits.wait()
    running.cancel()
    await asyncio.wait([running])
    rows = await shop.fetch("SELECT subject, status FROM messages")
    assert {row.subject: row.status for row in rows} == {
        first: "sent",
        second: "open",
    }


async def test_mails_leave_in_the_order_of_their_events(
    closed_shop: Shop, post: Post, engine: Engine
) -> None:
    shop = closed_shop
    await shop.stock(TEA=1)
    async with post(smtp_host=None, mail_from=None):
        order_id = await shop.place(TEA=1)
        await shop.until(order_id, has_status(OrderStatus.CONFIRMED))
    await shop.fetch("UPDATE messages SET status = 'open', due_at = now()")
    sent: list[str] = []
    broken = True

    async def send(message: Message) -> bool:
        if broken:
            raise ConnectionError
        sent.append(message.type)
        return True

    kinds = ("order.placed", "order.confirmed")
    runner = OutboxRunner(engine, shop.listener, {"orders": dict.fromkeys(kinds, send)})
    assert await runner.work_off_batch() == 1
    broken = False
    assert await runner.work_off_batch() == 0
    await due_now(shop)
    while await runner.work_off_batch():
        pass
    assert sent == list(kinds)


async def test_a_mailbox_that_is_gone_is_not_tried_again(
    closed_shop: Shop, post: Post, smtp_port: int
) -> None:
    shop = closed_shop
    await shop.stock(TEA=1)
    async with refusing(smtp_port, "550 no such mailbox"), post():
        order_id = await shop.place(TEA=1)
        await shop.until(order_id, has_status(OrderStatus.CONFIRMED))
        await nothing_left_open(shop)
    rows = await shop.fetch("SELECT DISTINCT status, error FROM messages")
    assert [(r.status, r.error) for r in rows] == [
        ("failed", "recipient refused: [550]")
    ]


async def test_a_mail_that_did_not_arrive_is_sent_once_more(
    closed_shop: Shop,
    post: Post,
    smtp_port: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shop = closed_shop
    # The worker is told of it, and does not come across it some time later.
    monkeypatch.setattr(backlog, "LOOK_EVERY_SECONDS", 1000)
    async with refusing(smtp_port, "550 no such mailbox"), post():
        order_id = await shop.place(TEA=1)
        # Or the mail about it comes in between.
        await shop.held(order_id, HoldReason.STOCK)
        await nothing_left_open(shop)
    await shop.fetch("UPDATE events SET at = at - interval '4 days'")
    async with serving(tmp_path, smtp_port) as postbox, post():
        path = f"/v1/orders/{order_id}/messages"
        await shop.post(f"{path}/1/resend", {})
        (mail,) = await postbox.until(1)
        await nothing_left_open(shop)
    assert mail.message_id == f"<{order_id}.1.1@example.com>"
    first = (await shop.get(path))["data"][0]
    assert (first["status"], first["resends"], first["error"]) == ("sent", 1, None)


async def test_old_news_is_not_sent(
    closed_shop: Shop, post: Post, postbox: Postbox
) -> None:
    shop = closed_shop
    await shop.place(TEA=1)
    await shop.fetch("UPDATE events SET at = at - interval '4 days'")
    async with post():
        await nothing_left_open(shop)
    rows = await shop.fetch("SELECT status, error FROM messages")
    assert ("failed", "too late") in [(r.status, r.error) for r in rows]


@pytest.mark.usefixtures("postbox")
async def test_what_was_sent_is_forgotten_after_ninety_days(
    closed_shop: Shop, post: Post, engine: Engine
) -> None:
    shop = closed_shop
    order_id = await shop.place(TEA=1)
    async with post():
        await shop.held(order_id, HoldReason.STOCK)
        await nothing_left_open(shop)
    await shop.fetch("UPDATE messages SET created_at = now() - interval '91 d'")
    retention = RetentionActivities(OrderStore(engine), timedelta(days=730))
    await ActivityEnvironment().run(retention.forget_webhooks)
    assert await shop.fetch("SELECT 1 FROM messages") == []


async def test_nobody_is_told_whose_address_was_erased(
    closed_shop: Shop, post: Post, postbox: Postbox
) -> None:
    shop = closed_shop
    await shop.place(TEA=1)
    await shop.fetch("UPDATE contacts SET email = NULL")
    async with post():
        await nothing_left_open(shop)
    assert postbox.all() == []


async def test_no_mail_goes_out_in_the_clear(
    closed_shop: Shop,
    post: Post,
    postbox: Postbox,
    caplog: pytest.LogCaptureFixture,
) -> None:
    shop = closed_shop
    await shop.stock(TEA=1)
    with caplog.at_level(logging.INFO):
        async with post(smtp_tls=True):
            order_id = await shop.place(TEA=1)
            await shop.until(order_id, has_status(OrderStatus.CONFIRMED))
            await tried(shop)
    assert postbox.all() == []
    assert "could not be sent" in caplog.text
    assert PERSONAL["email"] not in caplog.text
    assert PERSONAL["name"].split()[1] not in caplog.text


def test_mail_needs_a_sender(worker_settings: MakeWorkerSettings) -> None:
    with pytest.raises(ValidationError, match="MAIL_FROM"):
        worker_settings(smtp_host=HOST, smtp_password=SecretStr("secret"))


# ── waiting and serving ─────────────────────────────────────────────────────────────


async def nothing_left_open(shop: Shop) -> None:
    await until_no(shop, "status = 'open'")


async def tried(shop: Shop) -> None:
    """The first was; the next of its order wait for it."""
    await until_no(shop, "seq = 1 AND error IS NULL")


async def until_no(shop: Shop, condition: str) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            if not await shop.fetch(f"SELECT 1 FROM messages WHERE {condition}"):
                return
            # Nobody is told that a message was sent.
            await asyncio.sleep(0.05)


async def due_now(shop: Shop) -> None:
    await shop.fetch("UPDATE messages SET due_at = now()")


@asynccontextmanager
async def serving(tmp_path: Path, port: int) -> AsyncIterator[Postbox]:
    postbox = Postbox(tmp_path / "mail")
    app = create_app(postbox, port)
    async with app.router.lifespan_context(app):
        yield postbox


@asynccontextmanager
async def refusing(port: int, answer: str) -> AsyncIterator[None]:
    class Refusing:
        async def handle_RCPT(self, *_: object) -> str:
            return answer

    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(Refusing()), HOST, port)
    yield
    server.close()
