"""Customers who want nothing but their goods."""

import uuid
from dataclasses import replace

from shared.database.kernel.change import CHANNEL

from tests.faults.people import Town, order_of
from tests.faults.plan import Json, wish

_PLAIN = replace(
    wish(seed=0, number=0),
    lines={"TEA-ASSAM": 1},
    card="pm_card_visa",
    ships_abroad=False,
)


def an_order() -> Json:
    """In stock, with a card that pays, and with nothing that anybody has to decide."""
    return order_of(0, _PLAIN) | {
        "customer_id": f"customer-{uuid.uuid4()}",
        "external_ref": str(uuid.uuid4()),
    }


async def confirmed(town: Town) -> Json:
    """An order whose workflow has begun to wait for its parcel."""
    key = {"Idempotency-Key": str(uuid.uuid4())}
    placed = await town.ask("POST", "/v1/orders", an_order(), **key)
    placed.raise_for_status()
    order_id = placed.json()["id"]
    with town.listener.subscribe(CHANNEL, order_id) as wake:
        while not (order := await look(town, order_id))["shipments"]:
            await wake.wait(2)
    return order


async def look(town: Town, order_id: str) -> Json:
    order: Json = (await town.ask("GET", f"/v1/orders/{order_id}")).json()
    return order


async def until_none_is(town: Town, status: str) -> None:
    path = f"/v1/orders?status={status}&limit=1"
    with town.listener.subscribe(CHANNEL) as wake:
        while (await town.ask("GET", path)).json()["data"]:
            await wake.wait(2)
