"""Customers who want nothing but their goods."""

import time
import uuid

from shared.database.kernel.unit_of_work import CHANNEL
from temporalio.client import Client

from tests.faults.people import Town, order_of
from tests.faults.plan import Json, Wish
from tests.faults.run import SWEEP_AGAIN_SECONDS, sweep
from tests.faults.system import System

PLAIN = Wish(
    number=0,
    lines={"TEA-ASSAM": 1},
    card="pm_card_visa",
    second_card=None,
    ships_abroad=False,
    approved=True,
    cancel_at=None,
    cancel_all=False,
    short_pick=False,
    left_unpacked=False,
    scan=None,
    reship=False,
    sends_back=False,
    goodwill=0,
    moves=False,
)
"""In stock, with a card that pays, and nothing that anybody has to decide."""


def an_order() -> Json:
    """Of somebody new: an address gets no more than some mails an hour."""
    customer = f"customer-{uuid.uuid4()}"
    return order_of(0, PLAIN) | {
        "customer_id": customer,
        "contact": {"name": "Ada Example", "email": f"{customer}@example.com"},
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


async def until_none_is_placed(system: System, town: Town) -> None:
    """Every order is confirmed or cancelled. Those whose start was missed are found by
    the sweep, which is made to come early."""
    client = await Client.connect(system.stack.at.temporal)
    swept = -SWEEP_AGAIN_SECONDS
    with town.listener.subscribe(CHANNEL) as wake:
        while await _any_is_placed(town):
            if time.monotonic() - swept > SWEEP_AGAIN_SECONDS:
                await sweep(system, client)
                swept = time.monotonic()
            await wake.wait(1)


async def _any_is_placed(town: Town) -> bool:
    found = await town.ask("GET", "/v1/orders?status=placed&limit=1")
    return bool(found.json()["data"])
