"""Operators see what they decide about: notes, holds and where a parcel goes."""

import logging

import pytest
from shared.database.engine import Engine
from sqlalchemy import text

from tests.api.shop import ADDRESS, Json, Shop, as_user, code, done, key


async def test_notes_tell_who_wrote_what_and_when(shop: Shop, engine: Engine) -> None:
    await shop.sell()
    order = await shop.order()
    path = f"/v1/orders/{order['id']}/notes"
    grace = as_user("grace", "orders:operate")
    kept = await shop.client.post(
        path, json={"text": "Ring twice."}, headers=grace | key()
    )
    assert done(kept) == {"order_id": order["id"], "actor": "grace"}
    (note,) = (await shop.get(path))["data"]
    assert (note["text"], note["actor"]) == ("Ring twice.", "grace")
    assert note["about"] == order["id"]
    events = await shop.get(f"/v1/orders/{order['id']}/events", after=1)
    assert [(e["type"], e["data"]) for e in events["data"]] == [("note.added", {})]
    async with engine.connect() as connection:
        keys = await connection.scalars(text("SELECT body::text FROM idempotency_keys"))
    assert not any("Ring" in body for body in keys)


async def test_notes_are_for_those_who_work_on_the_order(shop: Shop) -> None:
    await shop.sell()
    order = await shop.order()
    path = f"/v1/orders/{order['id']}/notes"
    for scopes, status in (
        ("orders:own", 403),
        ("orders:read", 403),
        ("fulfil", 200),
        ("approvals", 200),
    ):
        answer = await shop.client.get(path, headers=as_user("x", scopes))
        assert answer.status_code == status, scopes


async def a_hold(engine: Engine, order: Json, reason: str, decided: bool) -> str:
    hold_id = f"hld_{reason[0] * 26}" if not decided else f"hld_{'0' * 25}{reason[0]}"
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO holds (id, subject, root, reason, placed_by, due_at,"
                " released_at, decision, decided_by) VALUES (:id, :order, :order,"
                " :reason, 'system', now() + interval '1 h',"
                " CASE WHEN :decided THEN now() END,"
                " CASE WHEN :decided THEN 'approve' END,"
                " CASE WHEN :decided THEN 'grace' END)"
            ),
            {"id": hold_id, "order": order["id"], "reason": reason, "decided": decided},
        )
    return hold_id


async def test_whoever_decides_sees_their_holds_and_no_others(
    shop: Shop, engine: Engine
) -> None:
    await shop.sell()
    order = await shop.order()
    approval = await a_hold(engine, order, "approval", decided=False)
    stock = await a_hold(engine, order, "stock", decided=False)
    past = await a_hold(engine, order, "approval", decided=True)
    approver = as_user("al", "approvals")

    async def listed(**query: str) -> list[str]:
        answer = await shop.client.get("/v1/holds", params=query, headers=approver)
        return [hold["id"] for hold in done(answer)["data"]]

    assert await listed() == [approval]
    assert await listed(state="decided") == [past]
    seen = done(await shop.client.get(f"/v1/holds/{past}", headers=approver))
    assert (seen["decision"], seen["decided_by"]) == ("approve", "grace")
    other = await shop.client.get(f"/v1/holds/{stock}", headers=approver)
    assert (other.status_code, code(other)) == (403, "insufficient-scope")
    assert {h["id"] for h in (await shop.get("/v1/holds"))["data"]} == {approval, stock}


async def test_whoever_packs_sees_where_it_goes(
    stocked: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    contact = {"name": "Ada", "email": "ada@example.com", "phone": "+49 30 1234"}
    order = await stocked.confirmed_order(1, contact=contact)
    assert order["shipping"]["method"] == "standard"
    notes = f"/v1/orders/{order['id']}/notes"
    await stocked.post(notes, {"text": "Ring twice."})
    path = f"/v1/shipments/{(await stocked.shipment(order))['id']}"
    with caplog.at_level(logging.INFO, "api.kernel.personal_data"):
        packer = await stocked.client.get(path, headers=as_user("pat", "fulfil"))
    recipient = done(packer)["recipient"]
    assert recipient["ship_to"]["street"] == ADDRESS["street"]
    assert (recipient["phone"], recipient["notes"]) == ("+49 30 1234", ["Ring twice."])
    assert done(packer)["shipping"] == {"method": "standard"}
    assert "pat" in [record.__dict__.get("actor") for record in caplog.records]
    reader = await stocked.client.get(path, headers=as_user("bi", "orders:read"))
    assert done(reader)["recipient"] is None
