"""Webhooks in: stored once, worked off at least once, with one effect."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest
from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.states import MoneyStatus, OrderStatus
from shared.database.rows import Row
from worker.orders.registration import orders_process
from worker.runtime.backlog import Outcome
from worker.runtime.inbox import InboxRunner
from worker.runtime.registry import InboxEvent

from tests.conftest import MakeWorkerSettings, Work
from tests.support.shop import PATIENCE_SECONDS, Shop, has_status

CONFIRMED = has_status(OrderStatus.CONFIRMED)
FAULTS = ("webhook_thrice", "webhook_reversed", "webhook_late")
FUTILE = "payment_intent.amount_capturable_updated"
HEARD = """
    SELECT attempts, processed_at IS NOT NULL AS worked_off FROM inbox
    WHERE type = :type ORDER BY received_at
"""


@pytest.fixture
async def runner(
    closed_shop: Shop, worker_settings: MakeWorkerSettings
) -> AsyncIterator[InboxRunner]:
    process = orders_process(
        worker_settings(), closed_shop.engine, lambda: closed_shop.client
    )
    yield InboxRunner(
        *(closed_shop.engine, closed_shop.listener),
        *(process.inbox, process.inbox_contexts),
    )
    if process.close is not None:
        await process.close()


async def stored(shop: Shop, event_id: str, type: str, object_id: str) -> None:
    """A webhook as the API stores it, due in the past."""
    await shop.fetch(
        "INSERT INTO inbox (source, event_id, type, payload, due_at)"
        " VALUES ('stripe', :event, :type,"
        " jsonb_build_object('object_id', cast(:object AS text)),"
        " now() - interval '1 second')",
        event=event_id,
        type=type,
        object=object_id,
    )


@pytest.mark.parametrize("kind", FAULTS)
async def test_an_authentication_is_heard_of_whatever_happens_to_the_webhook(
    shop: Shop, kind: str
) -> None:
    await shop.payments.strike(kind, delay_ms=50)
    await shop.stock(TEA=1)
    order_id = await shop.place("pm_card_authenticationRequired", TEA=1)
    await shop.held(order_id, HoldReason.PAYMENT)
    await shop.payments.authenticate(succeed=True)
    await shop.until(order_id, CONFIRMED)
    events = await shop.events(order_id)
    assert events.count("payment.authorized") == 1


@pytest.mark.parametrize("kind", FAULTS)
async def test_a_refund_that_fails_later_is_told_once(shop: Shop, kind: str) -> None:
    await shop.payments.strike(kind, delay_ms=50)
    order_id = await shop.confirmed("pm_card_refundFail", TEA=1)
    await shop.pack(order_id)
    await shop.cancel(order_id)
    await shop.until(order_id, lambda o: o.refunds[0].status is MoneyStatus.SUCCEEDED)
    await shop.payments.advance(7200)
    await shop.held(order_id, HoldReason.REFUND)
    assert (await shop.events(order_id)).count("refund.failed") == 1
    assert len((await shop.payments.books())[0]["refunds"]) == 1


async def test_a_webhook_that_matches_nothing_stays_open_and_is_tried_again(
    closed_shop: Shop, runner: InboxRunner
) -> None:
    shop = closed_shop
    await stored(shop, "evt_unknown", FUTILE, "pi_unknown")
    await runner.work_off_batch()
    (row,) = await shop.fetch("SELECT * FROM inbox WHERE event_id = 'evt_unknown'")
    assert (row.processed_at, row.error) == (None, "unmatched")
    (later,) = await shop.fetch(
        "SELECT due_at > now() AS later FROM inbox WHERE event_id = 'evt_unknown'"
    )
    assert later.later


async def test_a_webhook_that_came_too_early_is_worked_off_later(
    closed_shop: Shop, runner: InboxRunner, work: Work
) -> None:
    shop = closed_shop
    async with work():
        order_id = await shop.confirmed(TEA=1)
    (payment,) = (await shop.order(order_id)).payments
    await shop.fetch("UPDATE payments SET provider_ref = NULL")
    await stored(shop, "evt_early", FUTILE, str(payment.provider_ref))
    await runner.work_off_batch()
    await shop.fetch("UPDATE payments SET provider_ref = :r", r=payment.provider_ref)
    await shop.fetch("UPDATE inbox SET due_at = now()")
    await runner.work_off_batch()
    (row,) = await shop.fetch("SELECT * FROM inbox WHERE event_id = 'evt_early'")
    assert row.processed_at is not None


async def test_what_an_order_has_heard_is_stored_and_worked_off_by_nobody(
    shop: Shop,
) -> None:
    """A capture tells of what is left to capture, and no authorisation is awaited."""
    await shop.pack(await shop.confirmed(TEA=1))
    async with asyncio.timeout(PATIENCE_SECONDS):
        # Nobody is told of it.
        while len(rows := await shop.fetch(HEARD, type=FUTILE)) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert (rows[-1].attempts, rows[-1].worked_off) == (0, True)


async def test_the_pauses_between_tries_grow(
    closed_shop: Shop, runner: InboxRunner
) -> None:
    shop = closed_shop
    await stored(shop, "evt_unknown", FUTILE, "pi_unknown")
    pauses = []
    for _ in range(4):
        await shop.fetch("UPDATE inbox SET due_at = now()")
        await runner.work_off_batch()
        (row,) = await shop.fetch(
            "SELECT extract(epoch FROM due_at - now()) AS s FROM inbox"
            " WHERE event_id = 'evt_unknown'"
        )
        pauses.append(row.s)
    assert all(later > sooner for sooner, later in itertools.pairwise(pauses))


async def test_the_current_state_counts_and_not_what_the_webhook_says(
    closed_shop: Shop, runner: InboxRunner, work: Work
) -> None:
    shop = closed_shop
    async with work():
        order_id = await shop.confirmed(TEA=1)
    (payment,) = (await shop.order(order_id)).payments
    await stored(shop, "evt_lie", "payment_intent.canceled", str(payment.provider_ref))
    await runner.work_off_batch()
    order = await shop.order(order_id)
    assert order.payments[0].held == order.total


async def test_a_refund_that_waits_for_a_person_is_not_asked_for_again(
    closed_shop: Shop, runner: InboxRunner, work: Work
) -> None:
    shop = closed_shop
    async with work():
        order_id = await shop.confirmed("pm_card_refundFail", TEA=1)
        await shop.pack(order_id)
        await shop.cancel(order_id)
        await shop.until(order_id, lambda order: order.payments[0].refunded)
        await shop.payments.advance(7200)
        await shop.held(order_id, HoldReason.REFUND)
    (refund,) = (await shop.payments.books())[0]["refunds"]
    await stored(shop, "evt_again", "refund.updated", refund["id"])
    await runner.work_off_batch()
    assert len((await shop.payments.books())[0]["refunds"]) == 1


async def test_a_row_that_breaks_leaves_the_others_to_their_end(
    closed_shop: Shop,
) -> None:
    """Else they would go on beside the next batch, and after the worker's end."""
    begun, ended = asyncio.Event(), []

    class Runner(InboxRunner):
        async def work_off(self, row: Row) -> Outcome:
            if row.event_id == "breaks":
                await begun.wait()
                raise LookupError
            begun.set()
            await asyncio.sleep(0.01)
            ended.append(row.event_id)
            return await super().work_off(row)

    async def handle(event: InboxEvent) -> bool:
        return True

    for event_id in ("breaks", "works"):
        await stored(closed_shop, event_id, FUTILE, "pi_1")
    runner = Runner(closed_shop.engine, closed_shop.listener, {"stripe": handle})
    with pytest.raises(LookupError):
        await runner.work_off_batch()
    assert ended == ["works"]
