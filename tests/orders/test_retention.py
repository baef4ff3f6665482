"""What is forgotten, and when; and what is not."""

from datetime import timedelta

import pytest
from shared.contracts.orders.states import OrderStatus
from temporalio.testing import ActivityEnvironment
from worker.orders.store import OrderStore
from worker.orders.upkeep.retention import RetentionActivities

from tests.support.shop import PERSONAL, Shop

KEPT = timedelta(days=730)


@pytest.fixture
def retention(shop: Shop) -> RetentionActivities:
    return RetentionActivities(OrderStore(shop.engine), KEPT)


async def cancelled(shop: Shop) -> str:
    order_id = await shop.confirmed(TEA=1)
    await shop.cancel(order_id)
    assert (await shop.ended(order_id)).status is OrderStatus.CANCELLED
    return order_id


async def days_ago(shop: Shop, order_id: str, days: int) -> None:
    await shop.fetch(
        "UPDATE orders SET updated_at = now() - make_interval(days => :days)"
        " WHERE id = :id",
        days=days,
        id=order_id,
    )


async def count(shop: Shop, table: str) -> int:
    (row,) = await shop.fetch(f"SELECT count(*) AS n FROM {table}")
    return int(row.n)


async def test_answers_are_replayed_for_seven_days(
    shop: Shop, retention: RetentionActivities
) -> None:
    await shop.place(TEA=1)
    before = await count(shop, "idempotency_keys")
    await ActivityEnvironment().run(retention.forget_keys)
    assert await count(shop, "idempotency_keys") == before
    await shop.fetch("UPDATE idempotency_keys SET created_at = now() - interval '8 d'")
    await ActivityEnvironment().run(retention.forget_keys)
    assert await count(shop, "idempotency_keys") == 0


async def test_webhooks_that_were_never_matched_are_not_forgotten(
    shop: Shop, retention: RetentionActivities
) -> None:
    await shop.fetch(
        "INSERT INTO inbox (source, event_id, type, payload, received_at, due_at,"
        " processed_at) VALUES"
        " ('x', 'old', 't', '{}', now() - interval '1 year', now(),"
        "  now() - interval '91 days'),"
        " ('x', 'new', 't', '{}', now() - interval '1 year', now(), now()),"
        " ('x', 'open', 't', '{}', now() - interval '1 year', 'infinity', NULL)"
    )
    done = await ActivityEnvironment().run(retention.forget_webhooks)
    left = await shop.fetch("SELECT event_id FROM inbox WHERE source = 'x'")
    assert done.found == 1
    assert {row.event_id for row in left} == {"new", "open"}


async def test_steps_of_live_orders_are_remembered_however_old(
    shop: Shop, retention: RetentionActivities
) -> None:
    over, live = await cancelled(shop), await shop.confirmed(TEA=1)
    for order_id in (over, live):
        await days_ago(shop, order_id, 91)
    await ActivityEnvironment().run(retention.forget_steps)
    # Of the stock: a delivery note is booked once, however old it is.
    rows = await shop.fetch(
        "SELECT DISTINCT subject FROM applied WHERE subject <> 'stock'"
    )
    assert [row.subject for row in rows] == [live]


async def test_a_contact_is_erased_long_after_the_end(
    shop: Shop, retention: RetentionActivities
) -> None:
    old, lately = await cancelled(shop), await cancelled(shop)
    await days_ago(shop, old, 731)
    await days_ago(shop, lately, 729)
    done = await ActivityEnvironment().run(retention.erase_contacts)
    rows = await shop.fetch("SELECT * FROM contacts ORDER BY erased_at NULLS LAST")
    assert done.found == 1
    assert [row.email for row in rows] == [None, PERSONAL["email"]]
    assert (await shop.events(old))[-1] == "contact.erased"


async def test_what_was_written_about_people_is_erased_with_them(
    shop: Shop, retention: RetentionActivities
) -> None:
    order_id = await cancelled(shop)
    assert await count(shop, "notes") == 1
    await days_ago(shop, order_id, 731)
    await ActivityEnvironment().run(retention.erase_contacts)
    assert await count(shop, "notes") == 0


async def test_a_contact_that_is_still_needed_is_kept(
    shop: Shop, retention: RetentionActivities
) -> None:
    order_id = await cancelled(shop)
    await shop.fetch(
        "INSERT INTO refunds (id, order_id, reason, amount, status, requested_by)"
        " VALUES ('ref_x', :id, 'goodwill', 1, 'pending', 'test')",
        id=order_id,
    )
    await days_ago(shop, order_id, 731)
    done = await ActivityEnvironment().run(retention.erase_contacts)
    assert done.found == 0
    await shop.fetch("DELETE FROM refunds")
