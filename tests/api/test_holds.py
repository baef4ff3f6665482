"""Holds: what waits for a person, who may decide, and what may be decided."""

from datetime import timedelta

import pytest
from shared.database.engine import Engine
from sqlalchemy import text

from tests.api.shop import Json, Shop, as_user, code, done, key

DECIDERS = {
    "approval": "approvals",
    "stock": "orders:operate",
    "payment": "orders:operate",
    "address": "orders:operate",
    "delivery": "orders:operate",
    "refund": "refunds:any",
    "manual": "orders:operate",
    "provider": "orders:operate",
    "dispute": "refunds:any",
    "difference": "refunds:any",
}
OPERATOR = as_user("grace", "orders:operate")


async def held(
    shop: Shop, engine: Engine, reason: str, *, due: timedelta | None = None
) -> Json:
    """An order that a worker has put on hold."""
    await shop.sell()
    order = await shop.order()
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO holds (id, subject, root, reason, placed_by, due_at)"
                " VALUES ('hld_' || substr(:order, 5), :order, :order, :reason,"
                " 'system', now() + cast(:due AS interval))"
            ),
            {"order": order["id"], "reason": reason, "due": due},
        )
    [hold] = (await shop.get("/v1/holds", subject=order["id"]))["data"]
    return dict(hold)


async def test_what_is_due_first_comes_first(shop: Shop, engine: Engine) -> None:
    never = await held(shop, engine, "stock")
    later = await held(shop, engine, "payment", due=timedelta(hours=2))
    sooner = await held(shop, engine, "approval", due=timedelta(hours=1))
    first = await shop.get("/v1/holds", limit=2)
    rest = await shop.get("/v1/holds", limit=2, cursor=first["next_cursor"])
    listed = [hold["id"] for hold in first["data"] + rest["data"]]
    assert listed == [sooner["id"], later["id"], never["id"]]


async def test_holds_are_found_by_reason_assignee_and_due_time(
    shop: Shop, engine: Engine
) -> None:
    late = await held(shop, engine, "approval", due=timedelta(hours=-1))
    await held(shop, engine, "stock", due=timedelta(hours=1))

    async def ids(**params: object) -> list[str]:
        return [hold["id"] for hold in (await shop.get("/v1/holds", **params))["data"]]

    assert await ids(reason="approval") == [late["id"]]
    assert await ids(overdue="true") == [late["id"]]
    assert len(await ids(overdue="false")) == 1
    assert await ids(assignee="grace") == []


async def test_a_hold_says_what_may_be_decided(shop: Shop, engine: Engine) -> None:
    hold = await held(shop, engine, "approval")
    assert hold["decisions"] == ["approve", "reject"]
    order = await shop.get(f"/v1/orders/{hold['order_id']}")
    assert order["holds"] == [{"id": hold["id"], "reason": "approval", "due_at": None}]


async def test_a_hold_tells_who_decides_and_what_silence_means(
    shop: Shop, engine: Engine
) -> None:
    hold = await held(shop, engine, "approval", due=timedelta(hours=1))
    assert (hold["decider"], hold["silence"]) == ("approvals", "reject")
    late = await held(shop, engine, "provider", due=timedelta(hours=1))
    assert (late["decider"], late["silence"]) == ("orders:operate", None)


async def test_a_hold_names_those_who_must_not_decide(
    shop: Shop, engine: Engine
) -> None:
    """As the workflow does when they decide all the same."""
    for reason, hands in (("approval", {"dev"}), ("stock", set())):
        hold = await held(shop, engine, reason)
        order = await shop.get(f"/v1/orders/{hold['order_id']}")
        barred = set((await shop.get(f"/v1/holds/{hold['id']}"))["barred"])
        assert barred == {"system", order["customer_id"]} | hands


async def test_a_hold_is_assigned_and_its_order_tells_of_it(
    shop: Shop, engine: Engine
) -> None:
    hold = await held(shop, engine, "stock")
    path = f"/v1/holds/{hold['id']}/assign"
    assert (await shop.post(path, {"assignee": "grace"}))["assignee"] == "grace"
    events = await shop.get(f"/v1/orders/{hold['order_id']}/events")
    assert events["data"][-1]["type"] == "hold.assigned"
    assert (await shop.post(path, {"assignee": None}))["assignee"] is None


async def test_a_decision_must_be_one_of_the_hold_s(shop: Shop, engine: Engine) -> None:
    hold = await held(shop, engine, "stock")
    # "settled" is what only the system decides.
    for decision in ("approve", "settled", "maybe"):
        answer = await shop.client.post(
            f"/v1/holds/{hold['id']}/release",
            json={"decision": decision, "note": "why not"},
            headers=key(),
        )
        assert (answer.status_code, code(answer)) == (422, "decision-not-allowed")
        assert answer.json()["decisions"] == ["wait", "ship_partial", "cancel_lines"]


async def test_nobody_decides_what_they_caused(live: Shop) -> None:
    await live.sell()
    await live.receive(5)
    order = await live.confirmed_order()
    hold = await live.post(f"/v1/orders/{order['id']}/holds", {"note": "Odd address."})
    assert (hold["reason"], hold["placed_by"]) == ("manual", "dev")
    path = f"/v1/holds/{hold['id']}/release"
    decision = {"decision": "release", "note": "Checked."}
    mine = await live.client.post(path, json=decision, headers=key())
    assert (mine.status_code, code(mine)) == (403, "four-eyes")
    theirs = await live.client.post(path, json=decision, headers=OPERATOR | key())
    released = done(theirs)
    assert (released["decided_by"], released["note"]) == ("grace", "Checked.")
    again = await live.client.post(path, json=decision, headers=OPERATOR | key())
    assert (again.status_code, code(again)) == (409, "already-released")


@pytest.mark.parametrize("reason", DECIDERS)
async def test_each_reason_has_its_deciders(
    shop: Shop, engine: Engine, reason: str
) -> None:
    hold = await held(shop, engine, reason)
    path, body = f"/v1/holds/{hold['id']}/assign", {"assignee": "x"}
    for scope in {*DECIDERS.values()}:
        answer = await shop.client.post(
            path, json=body, headers=as_user("x", scope) | key()
        )
        assert answer.status_code == (200 if scope == DECIDERS[reason] else 403), scope


async def test_a_hold_that_is_not_there_is_not_found(shop: Shop) -> None:
    for hold_id in ("hld_01k00000000000000000000000", "hld_", "%00"):
        answer = await shop.client.post(
            f"/v1/holds/{hold_id}/assign", json={"assignee": "x"}, headers=key()
        )
        assert (answer.status_code, code(answer)) == (404, "not-found")


async def test_a_hold_without_a_worker_may_be_asked_for_again(
    shop: Shop,
) -> None:
    await shop.sell()
    order = await shop.order()
    answer = await shop.client.post(
        f"/v1/orders/{order['id']}/holds", json={"note": "Stop."}, headers=key()
    )
    assert (answer.status_code, code(answer)) == (503, "unavailable")
    assert answer.headers["retry-after"]


@pytest.mark.parametrize(
    "due_at",
    ["9999-12-31T23:59:59-14:00", 1893456000, "soon", "2020-01-01T00:00:00Z"],
)
async def test_a_hold_ends_at_a_time_that_comes(shop: Shop, due_at: object) -> None:
    await shop.sell()
    order = await shop.order()
    answer = await shop.client.post(
        f"/v1/orders/{order['id']}/holds",
        json={"note": "Stop.", "due_at": due_at},
        headers=key(),
    )
    assert (answer.status_code, code(answer)) == (422, "validation")
