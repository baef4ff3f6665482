"""Goods that come back: what may, who decides, what becomes of them and the money."""

from datetime import UTC, datetime

import pytest
from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.names import ORDERS, return_workflow_id
from shared.contracts.orders.payloads import ReturnRef
from shared.contracts.orders.states import MoneyStatus, ReturnStatus
from shared.contracts.orders.workflows import Return, Sweep
from shared.database.orders.snapshot import OrderSnapshot
from temporalio.client import WorkflowHandle
from temporalio.testing import ActivityEnvironment
from worker.orders.hold.screening import ReturnLimits
from worker.orders.return_.activities import ReturnActivities
from worker.orders.store import OrderStore

from tests.support.returns import (
    CLERK,
    FINANCE,
    arrived,
    decide,
    give_back,
    paid_back,
    receive,
    refund_waits,
    refunded,
    returned,
    send_back,
)
from tests.support.shop import PRICES, SHIPPING, Refused, Shop, When, has_hold

TEA = PRICES["TEA"]
CLOSED = ReturnStatus.CLOSED


def workflow_of(shop: Shop, return_id: str) -> WorkflowHandle[Return, object]:
    return shop.client.get_workflow_handle_for(
        Return.run, return_workflow_id(return_id)
    )


async def awaited(shop: Shop, order_id: str, return_id: str) -> None:
    await shop.until(order_id, lambda o: o.return_(return_id).due_at is not None)


# ── asked for ───────────────────────────────────────────────────────────────────────


async def test_goods_come_back_and_are_paid_back(shop: Shop) -> None:
    order_id = await arrived(shop, TEA=3)
    asked = await send_back(shop, order_id, {1: 2})
    assert asked["status"] == "approved"
    received = await receive(shop, asked["id"], {1: 2})
    await returned(shop, order_id, asked["id"], CLOSED)
    order = await shop.order(order_id)
    assert order.refund(received["refund_id"]).status is MoneyStatus.SUCCEEDED
    assert (order.line(1).returned, order.line(1).credited) == (2, 2)
    assert await paid_back(shop) == 2 * TEA


async def test_the_customer_gets_a_label_and_three_weeks(shop: Shop) -> None:
    order_id = await arrived(shop, TEA=1)
    asked = await send_back(shop, order_id, {1: 1})
    await awaited(shop, order_id, asked["id"])
    order = await shop.order(order_id)
    labels = [label["reference"] for label in await shop.carrier.books()]
    return_ = order.return_(asked["id"])
    assert asked["id"] in labels
    assert return_.due_at is not None
    assert (return_.due_at - return_.created_at).days == 21


async def test_nothing_comes_back_that_has_not_arrived(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=1)
    await shop.shipped(order_id)
    with pytest.raises(Refused) as refused:
        await send_back(shop, order_id, {1: 1})
    assert refused.value.code == "quantity-exceeded"


async def test_a_unit_comes_back_once(shop: Shop) -> None:
    order_id = await arrived(shop, TEA=2)
    await send_back(shop, order_id, {1: 1})
    with pytest.raises(Refused) as refused:
        await send_back(shop, order_id, {1: 2})
    assert refused.value.code == "quantity-exceeded"
    assert refused.value.problem["returnable"] == [{"line": 1, "quantity": 1}]


async def test_what_is_sold_for_good_does_not_come_back(shop: Shop) -> None:
    await shop.stock(TEA=1, MUG=1)
    await shop.fetch("UPDATE products SET returnable = sku = 'TEA'")
    order_id = await arrived(shop, TEA=1, MUG=1)
    # What becomes of a product changes nothing that was bought.
    await shop.fetch("UPDATE products SET returnable = sku = 'MUG'")
    with pytest.raises(Refused) as refused:
        await send_back(shop, order_id, {1: 1, 2: 1})
    assert refused.value.code == "not-returnable"
    assert refused.value.problem["lines"] == [2]
    await send_back(shop, order_id, {1: 1})


async def test_of_an_older_order_the_product_says_whether_it_comes_back(
    shop: Shop,
) -> None:
    order_id = await arrived(shop, TEA=1)
    await shop.fetch("UPDATE order_lines SET returnable = NULL")
    await shop.fetch("UPDATE products SET returnable = false")
    with pytest.raises(Refused) as refused:
        await send_back(shop, order_id, {1: 1})
    assert refused.value.code == "not-returnable"


async def test_after_thirty_days_it_is_too_late(shop: Shop) -> None:
    order_id = await arrived(shop, TEA=1)
    await shop.fetch("UPDATE shipments SET delivered_at = now() - interval '31 days'")
    with pytest.raises(Refused) as refused:
        await send_back(shop, order_id, {1: 1})
    assert refused.value.code == "window-closed"


async def test_each_parcel_has_its_own_thirty_days(shop: Shop) -> None:
    await shop.stock(at="berlin", TEA=2)
    await shop.stock(at="munich", TEA=1)
    order_id = await shop.place(TEA=3)
    for place in ("berlin", "munich"):
        await shop.delivered(order_id, at=place)
    await shop.until(order_id, lambda o: all(s.delivered_at for s in o.shipments))
    await shop.fetch(
        "UPDATE shipments SET delivered_at = now() - interval '31 days'"
        " WHERE location = 'berlin'"
    )
    with pytest.raises(Refused) as refused:
        await send_back(shop, order_id, {1: 2})
    assert refused.value.problem["returnable"] == [{"line": 1, "quantity": 1}]
    assert (await send_back(shop, order_id, {1: 1}))["status"] == "approved"


async def test_customers_see_and_ask_for_their_own_returns_only(shop: Shop) -> None:
    order_id = await arrived(shop, TEA=1)
    scope = {"X-Dev-Scopes": "orders:own"}
    owner = {"X-Dev-User": (await shop.order(order_id)).customer} | scope
    stranger = {"X-Dev-User": "somebody"} | scope
    with pytest.raises(Refused) as refused:
        await send_back(shop, order_id, {1: 1}, **stranger)
    assert refused.value.code == "not-found"
    asked = await send_back(shop, order_id, {1: 1}, **owner)
    for who, seen in ((owner, [asked["id"]]), (stranger, [])):
        listed = await shop.http.get("/v1/returns", headers=who)
        assert [item["id"] for item in listed.json()["data"]] == seen
    await awaited(shop, order_id, asked["id"])
    label = f"/v1/returns/{asked['id']}/label"
    printed = await shop.http.get(label, headers=owner)
    assert printed.content.startswith(b"%PDF-")
    assert (await shop.http.get(label, headers=stranger)).status_code == 404


# ── decided ─────────────────────────────────────────────────────────────────────────


async def costly(shop: Shop) -> tuple[str, str]:
    """A return that somebody has to approve, asked for by a clerk."""
    await shop.stock(GONG=1)
    order_id = await shop.place(GONG=1)
    await shop.decide(order_id, HoldReason.APPROVAL, "approve")
    await shop.delivered(order_id)
    await shop.until(order_id, lambda o: all(s.delivered_at for s in o.shipments))
    asked = await send_back(shop, order_id, {1: 1}, **CLERK)
    assert asked["status"] == "requested"
    assert asked["hold"]["reason"] == "approval"
    return order_id, str(asked["id"])


async def test_a_costly_return_waits_for_somebody_else(shop: Shop) -> None:
    order_id, return_id = await costly(shop)
    path = f"/v1/returns/{return_id}/approve"
    with pytest.raises(Refused) as refused:
        await shop.post(path, {}, **CLERK)
    assert refused.value.code == "four-eyes"
    approved = await shop.post(path, {"note": "Known customer."}, **FINANCE)
    assert (approved["status"], approved["hold"]) == ("approved", None)
    await awaited(shop, order_id, return_id)


async def test_a_return_is_rejected(shop: Shop) -> None:
    _, return_id = await costly(shop)
    rejected = await shop.post(f"/v1/returns/{return_id}/reject", {}, **FINANCE)
    assert rejected["status"] == "rejected"
    await workflow_of(shop, return_id).result()
    with pytest.raises(Refused) as refused:
        await receive(shop, return_id, {1: 1})
    assert refused.value.code == "wrong-state"


async def test_its_hold_is_released_like_any_other(shop: Shop) -> None:
    order_id, return_id = await costly(shop)
    await decide(shop, return_id, "approve")
    await awaited(shop, order_id, return_id)


async def test_rejecting_a_return_cancels_nothing_else(shop: Shop) -> None:
    order_id, return_id = await costly(shop)
    before = await shop.order(order_id)
    await decide(shop, return_id, "reject")
    order = await shop.order(order_id)
    assert order.return_(return_id).status is ReturnStatus.REJECTED
    assert (order.lines, order.refunds) == (before.lines, ())


async def test_nobody_decides_in_time_and_it_is_escalated(shop: Shop) -> None:
    order_id, return_id = await costly(shop)
    await shop.fetch("UPDATE holds SET remind_at = now(), due_at = now()")
    await workflow_of(shop, return_id).signal(Return.nudge)
    order = await shop.until(order_id, lambda o: o.holds and o.holds[0].escalated_at)
    assert order.return_(return_id).status is ReturnStatus.REQUESTED


# ── awaited ─────────────────────────────────────────────────────────────────────────


async def test_a_reminder_is_told_once_a_week(shop: Shop) -> None:
    order_id = await arrived(shop, TEA=1)
    asked = await send_back(shop, order_id, {1: 1})
    await awaited(shop, order_id, asked["id"])
    await shop.fetch("UPDATE returns SET remind_at = now()")
    await workflow_of(shop, asked["id"]).signal(Return.nudge)
    await shop.until(order_id, has_future_reminder(asked["id"]))
    await workflow_of(shop, asked["id"]).signal(Return.nudge)
    await receive(shop, asked["id"], {1: 1})
    assert (await shop.events(order_id)).count("return.reminded") == 1


@pytest.mark.parametrize("column", ["remind_at", "due_at"])
async def test_the_servers_clock_may_be_ahead_of_the_workers(
    shop: Shop, column: str
) -> None:
    """Otherwise the workflow, whose moment has come, would ask endlessly."""
    order_id = await arrived(shop, TEA=1)
    asked = await send_back(shop, order_id, {1: 1})
    await awaited(shop, order_id, asked["id"])
    await shop.fetch(f"UPDATE returns SET {column} = now() + interval '20 seconds'")
    activities = ReturnActivities(OrderStore(shop.engine), ReturnLimits())
    step = {
        "remind_at": activities.remind_of_return,
        "due_at": activities.expire_return,
    }[column]
    await ActivityEnvironment().run(
        step, ReturnRef(order_id=order_id, return_id=asked["id"])
    )
    told = {"remind_at": "return.reminded", "due_at": "return.expired"}[column]
    assert (await shop.events(order_id))[-1] == told
    await workflow_of(shop, asked["id"]).signal(Return.nudge)


def has_future_reminder(return_id: str) -> When:
    def when(order: OrderSnapshot) -> bool:
        at = order.return_(return_id).remind_at
        return at is not None and at > datetime.now(UTC)

    return when


async def expired(shop: Shop) -> tuple[str, str]:
    order_id = await arrived(shop, TEA=1)
    asked = await send_back(shop, order_id, {1: 1})
    await awaited(shop, order_id, asked["id"])
    await shop.fetch("UPDATE returns SET due_at = now()")
    handle = workflow_of(shop, asked["id"])
    await handle.signal(Return.nudge)
    await handle.result()
    await returned(shop, order_id, asked["id"], ReturnStatus.EXPIRED)
    return order_id, str(asked["id"])


async def test_goods_that_come_late_are_taken_in_all_the_same(shop: Shop) -> None:
    order_id, return_id = await expired(shop)
    await receive(shop, return_id, {1: 1})
    await returned(shop, order_id, return_id, CLOSED)
    assert await paid_back(shop) == TEA + SHIPPING


async def test_late_goods_are_not_counted_twice(shop: Shop) -> None:
    order_id, return_id = await expired(shop)
    await send_back(shop, order_id, {1: 1})
    with pytest.raises(Refused) as refused:
        await receive(shop, return_id, {1: 1})
    assert refused.value.code == "quantity-exceeded"


# ── received ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("into", "on_hand"), [("restock", 1), ("quarantine", 0), ("discard", 0)]
)
async def test_only_what_is_restocked_can_be_sold_again(
    shop: Shop, into: str, on_hand: int
) -> None:
    order_id = await arrived(shop, TEA=1)
    asked = await send_back(shop, order_id, {1: 1})
    await receive(shop, asked["id"], {1: 1}, into)
    await returned(shop, order_id, asked["id"], CLOSED)
    assert await shop.stock_of("TEA") == (on_hand, 0)


async def sent_from_two_places(shop: Shop) -> str:
    await shop.stock(at="berlin", TEA=2)
    await shop.stock(at="munich", TEA=3)
    order_id = await shop.place(TEA=5)
    for place in ("berlin", "munich"):
        await shop.delivered(order_id, at=place)
    await shop.ended(order_id)
    return order_id


async def stock_by_place(shop: Shop) -> dict[str, int]:
    rows = (await shop.get("/v1/stock", sku="TEA"))["data"]
    return {row["location"]: row["on_hand"] for row in rows}


async def test_no_place_gets_back_more_than_it_sent(shop: Shop) -> None:
    order_id = await sent_from_two_places(shop)
    for units in (4, 1):
        asked = await send_back(shop, order_id, {1: units})
        await receive(shop, asked["id"], {1: units})
        place = await stock_by_place(shop)
        assert place["berlin"] <= 2
        assert place["munich"] <= 3
    assert await stock_by_place(shop) == {"berlin": 2, "munich": 3}


async def test_goods_may_come_back_elsewhere(shop: Shop) -> None:
    order_id = await sent_from_two_places(shop)
    asked = await send_back(shop, order_id, {1: 4})
    with pytest.raises(Refused) as nowhere:
        await receive(shop, asked["id"], {1: 4}, at="paris")
    assert nowhere.value.code == "unknown-location"
    await shop.open_location("paris")
    await receive(shop, asked["id"], {1: 4}, at="paris")
    assert await stock_by_place(shop) == {"berlin": 0, "munich": 0, "paris": 4}


async def test_what_is_restocked_serves_an_order_that_waits(shop: Shop) -> None:
    order_id = await arrived(shop, TEA=1)
    waiting = await shop.place(TEA=1)
    await shop.until(waiting, has_hold(HoldReason.STOCK))
    asked = await send_back(shop, order_id, {1: 1})
    await receive(shop, asked["id"], {1: 1})
    await shop.until(waiting, lambda order: order.short == 0)


async def test_only_what_is_accepted_is_paid_back(shop: Shop) -> None:
    order_id = await arrived(shop, TEA=2)
    asked = await send_back(shop, order_id, {1: 2})
    await receive(shop, asked["id"], {1: 1})
    await returned(shop, order_id, asked["id"], CLOSED)
    assert await paid_back(shop) == TEA
    # The other one may still come.
    assert (await send_back(shop, order_id, {1: 1}))["status"] == "approved"


async def test_a_parcel_with_nothing_good_in_it_is_closed_unpaid(shop: Shop) -> None:
    order_id = await arrived(shop, TEA=1)
    asked = await send_back(shop, order_id, {1: 1})
    received = await receive(shop, asked["id"], {1: 0}, "discard")
    await returned(shop, order_id, asked["id"], CLOSED)
    assert received["refund_id"] is None
    assert await paid_back(shop) == 0


async def test_nobody_takes_in_what_they_send_back_themselves(shop: Shop) -> None:
    await shop.stock(TEA=1)
    order_id = await shop.place(customer="walt", TEA=1)
    await shop.delivered(order_id)
    await shop.ended(order_id)
    asked = await send_back(shop, order_id, {1: 1})
    with pytest.raises(Refused) as refused:
        await receive(shop, asked["id"], {1: 1}, by="walt")
    assert refused.value.code == "four-eyes"
    await receive(shop, asked["id"], {1: 1})


async def test_more_than_was_announced_is_refused(shop: Shop) -> None:
    order_id = await arrived(shop, TEA=2)
    asked = await send_back(shop, order_id, {1: 1})
    with pytest.raises(Refused) as refused:
        await receive(shop, asked["id"], {1: 2})
    assert refused.value.code == "quantity-exceeded"


async def test_the_shipping_is_paid_back_with_the_last_of_the_goods(
    shop: Shop,
) -> None:
    order_id = await arrived(shop, TEA=2)
    for paid in (TEA, 2 * TEA + SHIPPING):
        asked = await send_back(shop, order_id, {1: 1})
        await receive(shop, asked["id"], {1: 1})
        await returned(shop, order_id, asked["id"], CLOSED)
        assert await paid_back(shop) == paid


@pytest.mark.parametrize("last", ["lost", "returned"])
async def test_what_was_lost_and_paid_back_is_not_kept(shop: Shop, last: str) -> None:
    await shop.stock(at="berlin", TEA=1)
    await shop.stock(at="paris", MUG=1)
    order_id = await shop.place(TEA=1, MUG=1)
    await shop.delivered(order_id, at="paris")
    gone = await shop.shipped(order_id, at="berlin")
    await shop.scan(order_id, gone, "lost")
    if last == "returned":
        await shop.decide(order_id, HoldReason.DELIVERY, "refund")
    asked = await send_back(shop, order_id, {2: 1})
    await receive(shop, asked["id"], {2: 1})
    await returned(shop, order_id, asked["id"], CLOSED)
    if last == "lost":
        await shop.decide(order_id, HoldReason.DELIVERY, "refund")
    order = await shop.until(order_id, lambda o: len(o.refunds) == 2)
    assert order.shipping_creditable == 0


async def test_after_goodwill_a_return_pays_back_what_is_left(shop: Shop) -> None:
    order_id = await arrived(shop, TEA=2)
    goodwill = await give_back(shop, order_id, amount=700)
    await refunded(shop, order_id, goodwill["id"], MoneyStatus.SUCCEEDED)
    asked = await send_back(shop, order_id, {1: 2})
    await receive(shop, asked["id"], {1: 2})
    await returned(shop, order_id, asked["id"], CLOSED)
    order = await shop.order(order_id)
    assert await paid_back(shop) == order.captured == 2 * TEA + SHIPPING
    assert (order.goodwill, order.refundable) == (0, 0)


async def test_a_return_is_closed_when_its_refund_is_decided(shop: Shop) -> None:
    order_id = await arrived(shop, TEA=1)
    (book,) = await shop.payments.books()
    # All of it was given back at the provider, and nobody told us.
    answer = await shop.payments.http.post(
        "/v1/refunds",
        data={"payment_intent": book["payment_intent"]},
        headers={"Authorization": "Bearer sk_test_core"},
    )
    answer.raise_for_status()
    asked = await send_back(shop, order_id, {1: 1})
    refund_id = (await receive(shop, asked["id"], {1: 1}))["refund_id"]
    order = await shop.until(order_id, refund_waits(refund_id))
    assert order.return_(asked["id"]).status is ReturnStatus.RECEIVED
    await decide(shop, refund_id, "paid_otherwise")
    await returned(shop, order_id, asked["id"], CLOSED)


# ── a lost workflow ─────────────────────────────────────────────────────────────────


async def test_the_sweep_starts_a_lost_return_again(shop: Shop) -> None:
    order_id = await arrived(shop, TEA=1)
    with shop.carrier.gate("POST /v1/labels") as label:
        asked = await send_back(shop, order_id, {1: 1})
        await label.reached.wait()
        await shop.lose(workflow_of(shop, asked["id"]))
    await shop.fetch("UPDATE returns SET created_at = created_at - interval '1 hour'")
    await shop.client.execute_workflow(Sweep.run, id="sweep", task_queue=ORDERS)
    await awaited(shop, order_id, asked["id"])


async def test_a_parcel_that_arrives_revives_a_lost_return(shop: Shop) -> None:
    order_id = await arrived(shop, TEA=1)
    asked = await send_back(shop, order_id, {1: 1})
    await awaited(shop, order_id, asked["id"])
    await workflow_of(shop, asked["id"]).terminate()
    await receive(shop, asked["id"], {1: 1})
    await returned(shop, order_id, asked["id"], CLOSED)


async def test_nothing_runs_for_a_return_that_was_refused(shop: Shop) -> None:
    order_id = await arrived(shop, TEA=1)
    return_id = f"ret_{'0' * 26}"
    end = await shop.client.execute_workflow(
        Return.run,
        ReturnRef(order_id=order_id, return_id=return_id),
        id=return_workflow_id(return_id),
        task_queue=ORDERS,
    )
    assert end.status is None
