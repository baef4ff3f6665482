"""What customers were told, as operators see it."""

from shared.database.engine import Engine
from sqlalchemy import text

from tests.api.shop import Shop, as_user, code, done, key


async def test_messages_are_listed_and_sent_once_more(
    shop: Shop, engine: Engine
) -> None:
    await shop.sell()
    order = await shop.order()
    path = f"/v1/orders/{order['id']}/messages"
    (message,) = (await shop.get(path))["data"]
    known = {name: message[name] for name in ("seq", "type", "status", "sent_at")}
    assert known == {
        "seq": 1,
        "type": "order.placed",
        "status": "open",
        "sent_at": None,
    }
    early = await shop.client.post(f"{path}/1/resend", headers=key())
    assert (early.status_code, code(early)) == (409, "wrong-state")
    async with engine.begin() as connection:
        await connection.execute(
            text("UPDATE messages SET status = 'failed', error = 'too late'")
        )
    once = key()
    for _ in range(2):
        resent = done(await shop.client.post(f"{path}/1/resend", headers=once))
        assert (resent["status"], resent["resends"]) == ("open", 1)
    events = await shop.get(f"/v1/orders/{order['id']}/events", after=1)
    assert [(e["type"], e["data"]) for e in events["data"]] == [
        ("message.resent", {"seq": 1})
    ]


async def test_messages_are_no_business_of_others(shop: Shop) -> None:
    await shop.sell()
    order = await shop.order()
    path = f"/v1/orders/{order['id']}/messages"
    none = await shop.client.post(f"{path}/7/resend", headers=key())
    assert (none.status_code, code(none)) == (404, "not-found")
    mine = await shop.client.get(path, headers=as_user("ada", "orders:own"))
    assert mine.status_code == 403
    reader = key() | as_user("sue", "orders:read")
    refused = await shop.client.post(f"{path}/1/resend", headers=reader)
    assert refused.status_code == 403
