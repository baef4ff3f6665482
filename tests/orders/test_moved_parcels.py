"""A parcel that is sent from another warehouse than it was planned for."""

import asyncio
from collections.abc import Awaitable

import pytest
from shared.contracts.orders.states import OrderStatus, ShipmentStatus

from tests.orders.test_packages import pack, ready
from tests.orders.test_packing import LABEL
from tests.support.shop import PERSONAL, Json, Refused, Shop, has_parcel

WALT = {"X-Dev-User": "walt"}


async def move(shop: Shop, shipment_id: str, to: str, **headers: str) -> Json:
    body = {"location": to, "note": PERSONAL["note"]}
    return await shop.post(f"/v1/shipments/{shipment_id}/move", body, **headers)


async def refusal(doing: Awaitable[object]) -> Json:
    with pytest.raises(Refused) as refused:
        await doing
    return refused.value.problem | {"code": refused.value.code}


async def test_a_parcel_is_sent_from_another_warehouse(shop: Shop) -> None:
    order_id, first = await ready(shop, TEA=3, MUG=1)
    await pack(
        *(shop, first, {"line": 1, "quantity": 1, "later": 2}),
        {"line": 2, "quantity": 0, "later": 1},
    )
    order = await shop.until(order_id, has_parcel(ShipmentStatus.READY))
    (parcel,) = (s for s in order.shipments if s.status is ShipmentStatus.READY)
    await shop.stock(at="hamburg", TEA=2, MUG=4)

    once = WALT | {"Idempotency-Key": "to-hamburg"}
    answers = [await move(shop, parcel.id, "hamburg", **once) for _ in range(2)]
    assert answers[0] == answers[1]
    assert (answers[0]["id"], answers[0]["location"]) == (parcel.id, "hamburg")

    assert await levels(shop, "TEA") == {"berlin": (3, 1), "hamburg": (2, 2)}
    assert await levels(shop, "MUG") == {"berlin": (1, 0), "hamburg": (4, 1)}
    assert sorted(await movements(shop, order_id)) == [
        ("MUG", "berlin", -1, "move"),
        ("MUG", "hamburg", 1, "move"),
        ("TEA", "berlin", -2, "move"),
        ("TEA", "hamburg", 2, "move"),
    ]
    (event,) = await shop.fetch(MOVED, id=order_id)
    assert (event.actor, event.data) == (
        "walt",
        {
            "shipment_id": parcel.id,
            "from": "berlin",
            "to": "hamburg",
            "lines": [{"line": 1, "quantity": 2}, {"line": 2, "quantity": 1}],
        },
    )
    notes = (await shop.get(f"/v1/orders/{order_id}/notes"))["data"]
    assert [(note["actor"], note["about"]) for note in notes] == [("walt", parcel.id)]

    await shop.shipped(order_id, at="hamburg")
    await shop.ship(first)
    for shipment_id in (first, parcel.id):
        await shop.scan(order_id, shipment_id, "delivered")
    assert (await shop.ended(order_id)).status is OrderStatus.COMPLETED
    assert await levels(shop, "TEA") == {"berlin": (2, 0), "hamburg": (0, 0)}
    assert await levels(shop, "MUG") == {"berlin": (1, 0), "hamburg": (3, 0)}


async def levels(shop: Shop, sku: str) -> dict[str, tuple[int, int]]:
    rows = (await shop.get("/v1/stock", sku=sku))["data"]
    return {row["location"]: (row["on_hand"], row["reserved"]) for row in rows}


async def movements(shop: Shop, order_id: str) -> list[tuple[str, str, int, str]]:
    """What walt has moved for the order."""
    rows = await shop.fetch(
        "SELECT sku, location, reserved, reason FROM stock_movements"
        " WHERE ref = :id AND actor = 'walt' AND on_hand = 0",
        id=order_id,
    )
    return [(row.sku, row.location, row.reserved, row.reason) for row in rows]


MOVED = """
SELECT actor, data FROM events WHERE subject = :id AND type = 'shipment.moved'
"""


async def test_a_parcel_stays_where_it_cannot_leave(shop: Shop) -> None:
    order_id, parcel = await ready(shop, TEA=3, MUG=1)
    await shop.stock(at="hamburg", TEA=1)
    problem = await refusal(move(shop, parcel, "hamburg"))
    assert problem["code"] == "quantity-exceeded"
    assert problem["detail"] == (
        "Too few units are free at hamburg: 1 × MUG, 2 × TEA missing. Receive them"
        " there first, or choose another location."
    )
    assert problem["missing"] == [
        {"sku": "MUG", "quantity": 1},
        {"sku": "TEA", "quantity": 2},
    ]
    await shop.open_location("paris", active=False)
    for place, why in (("atlantis", "unknown"), ("paris", "inactive")):
        refused = await refusal(move(shop, parcel, place))
        assert refused["code"] == f"{why}-location"
        assert refused["locations"] == ["berlin", "hamburg"]
    there = await refusal(move(shop, parcel, "berlin"))
    assert (there["code"], there["detail"]) == (
        "wrong-state",
        "It is at berlin already.",
    )
    order = await shop.order(order_id)
    assert {r.location for r in order.reservations} == {"berlin"}


async def test_a_parcel_is_moved_before_it_is_picked(shop: Shop) -> None:
    order_id, parcel = await ready(shop, TEA=1)
    await shop.stock(at="hamburg", TEA=1)
    said = []
    with shop.carrier.gate(LABEL) as carrier:
        packing = asyncio.create_task(shop.pack(order_id))
        await carrier.reached.wait()
        said.append(await refusal(move(shop, parcel, "hamburg")))
    await packing
    await shop.until(order_id, has_parcel(ShipmentStatus.PACKED))
    said.append(await refusal(move(shop, parcel, "hamburg")))
    await shop.post(f"/v1/shipments/{parcel}/cancel", {})
    said.append(await refusal(move(shop, parcel, "hamburg")))
    order = await shop.until(order_id, has_parcel(ShipmentStatus.READY))
    (again,) = (s.id for s in order.shipments if s.status is ShipmentStatus.READY)
    await move(shop, again, "hamburg")
    await shop.shipped(order_id, at="hamburg")
    said.append(await refusal(move(shop, again, "berlin")))
    assert {problem["code"] for problem in said} == {"wrong-state"}
    assert [problem["detail"] for problem in said] == [
        "It is picked: cancel it, and move the next one.",
        *(f"The shipment is {now}." for now in ("packed", "cancelled", "shipped")),
    ]


async def test_two_parcels_do_not_get_the_same_units(shop: Shop) -> None:
    parcels = [(await ready(shop, TEA=2))[1] for _ in range(2)]
    await shop.stock(at="hamburg", TEA=3)
    moved = await asyncio.gather(
        *(move(shop, parcel, "hamburg") for parcel in parcels), return_exceptions=True
    )
    (refused,) = (answer for answer in moved if isinstance(answer, Refused))
    assert refused.code == "quantity-exceeded"
    assert await levels(shop, "TEA") == {"berlin": (4, 2), "hamburg": (3, 2)}
