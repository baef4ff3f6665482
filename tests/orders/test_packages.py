"""Parcels as they are packed: several boxes, goods left for later, wrong labels."""

from typing import Any

import pytest
from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.states import OrderStatus, ShipmentStatus
from shared.database.orders.snapshot import OrderSnapshot

from tests.api.shop import eventually
from tests.conftest import Work
from tests.support.shop import (
    ADDRESS,
    PARCEL,
    PRICES,
    Json,
    Refused,
    Shop,
    has_no_hold,
    has_parcel,
    has_status,
)

SMALL = PARCEL | {"weight_g": 150}


async def ready(shop: Shop, **units: Any) -> tuple[str, str]:
    order_id = await shop.confirmed(**units)
    order = await shop.until(order_id, has_parcel(ShipmentStatus.READY))
    return order_id, order.shipments[0].id


async def pack(shop: Shop, shipment_id: str, *lines: Json, **body: object) -> Json:
    body = {"parcel": PARCEL} | body if "parcels" not in body else body
    return await shop.post(
        f"/v1/shipments/{shipment_id}/pack", {"lines": [*lines], **body}
    )


async def relabel(shop: Shop, shipment_id: str, **body: object) -> Json:
    return await shop.post(f"/v1/shipments/{shipment_id}/relabel", body)


async def two_boxes(shop: Shop) -> tuple[str, str, list[str]]:
    """An order, its parcel, and the numbers of the two boxes."""
    order_id, shipment_id = await ready(shop, TEA=2)
    line = {"line": 1, "quantity": 2}
    await pack(shop, shipment_id, line, parcels=[PARCEL, SMALL])
    order = await shop.until(order_id, has_parcel(ShipmentStatus.PACKED))
    numbers = [str(box.tracking) for box in order.shipments[0].packages]
    await shop.ship(shipment_id)
    return order_id, shipment_id, numbers


# ── several boxes ───────────────────────────────────────────────────────────────────


async def test_each_box_has_its_label_and_its_number(shop: Shop) -> None:
    _, shipment_id, numbers = await two_boxes(shop)
    seen = await shop.get(f"/v1/shipments/{shipment_id}")
    assert [box["parcel"]["weight_g"] for box in seen["packages"]] == [900, 150]
    assert [box["tracking"] for box in seen["packages"]] == numbers
    assert len(set(numbers)) == 2
    for box, number in enumerate(numbers, start=1):
        path = f"/v1/shipments/{shipment_id}/label"
        label = await shop.http.get(path, params={"package": box})
        assert number.encode() in label.content
    missing = await shop.http.get(path, params={"package": 3})
    assert missing.status_code == 404


async def test_a_parcel_has_arrived_with_its_last_box(shop: Shop) -> None:
    order_id, _, numbers = await two_boxes(shop)
    await shop.carrier.scan(numbers[1], "delivered")
    order = await shop.until(
        order_id, lambda o: o.shipments[0].packages[1].tracking_status
    )
    assert order.shipments[0].status is ShipmentStatus.SHIPPED
    await shop.carrier.scan(numbers[0], "delivered")
    order = await shop.ended(order_id)
    assert (order.status, order.captured) == (OrderStatus.COMPLETED, order.total)
    assert len(order.payments[0].ledger) == 2  # authorised, and captured once


async def test_a_box_that_is_lost_is_not_the_whole_parcel(shop: Shop) -> None:
    order_id, shipment_id, numbers = await two_boxes(shop)
    await shop.carrier.scan(numbers[0], "delivered")
    await shop.carrier.scan(numbers[1], "lost")
    hold = await shop.held(order_id, HoldReason.DELIVERY)
    assert (hold.detail["cause"], hold.detail["package"]) == ("lost", 2)
    order = await shop.order(order_id)
    assert order.shipment(shipment_id).status is ShipmentStatus.SHIPPED
    await shop.decide(order_id, HoldReason.DELIVERY, "delivered")
    assert (await shop.ended(order_id)).status is OrderStatus.COMPLETED


async def test_boxes_of_a_cancelled_parcel_give_back_their_labels(shop: Shop) -> None:
    order_id, shipment_id = await ready(shop, TEA=1)
    await pack(shop, shipment_id, {"line": 1, "quantity": 1}, parcels=[PARCEL] * 3)
    await shop.cancel(order_id)
    await shop.ended(order_id)
    assert [label["voided"] for label in await shop.carrier.books()] == [True] * 3


async def test_a_carrier_that_is_away_sells_each_label_once(shop: Shop) -> None:
    order_id, shipment_id = await ready(shop, TEA=1)
    await shop.carrier.strike("error", "/v1/labels", count=2)
    await pack(shop, shipment_id, {"line": 1, "quantity": 1}, parcels=[PARCEL] * 2)
    await shop.until(order_id, has_parcel(ShipmentStatus.PACKED))
    assert len(await shop.carrier.books()) == 2


async def test_measures_are_given_once(shop: Shop) -> None:
    _, shipment_id = await ready(shop, TEA=1)
    line = {"line": 1, "quantity": 1}
    for body in ({"parcel": None}, {"parcel": PARCEL, "parcels": [PARCEL]}):
        with pytest.raises(Refused) as refused:
            await shop.post(
                f"/v1/shipments/{shipment_id}/pack", {"lines": [line], **body}
            )
        assert refused.value.code == "validation"


# ── not packed now, and not found ───────────────────────────────────────────────────


async def test_what_is_packed_later_is_not_missing(shop: Shop) -> None:
    order_id, shipment_id = await ready(shop, TEA=3)
    await pack(shop, shipment_id, {"line": 1, "quantity": 1, "later": 2})
    order = await shop.until(order_id, has_parcel(ShipmentStatus.READY))
    assert not order.holds
    assert await shop.stock_of("TEA") == (3, 3)
    await shop.until(order_id, has_parcel(ShipmentStatus.PACKED))
    await shop.ship(shipment_id)
    await shop.scan(order_id, shipment_id, "delivered")
    await shop.delivered(order_id)
    order = await shop.ended(order_id)
    assert (order.status, order.captured) == (OrderStatus.COMPLETED, order.total)
    assert [s.lines[0].qty for s in order.shipments] == [1, 2]


async def test_more_than_planned_is_no_more_later(shop: Shop) -> None:
    _, shipment_id = await ready(shop, TEA=2)
    with pytest.raises(Refused) as refused:
        await pack(shop, shipment_id, {"line": 1, "quantity": 1, "later": 2})
    assert refused.value.code == "quantity-exceeded"


async def test_a_pick_that_took_effect_is_no_error(shop: Shop) -> None:
    """Short, or empty: somebody decides what becomes of the rest, and it is picked."""
    _, short = await ready(shop, TEA=2)
    answer = await pack(shop, short, {"line": 1, "quantity": 1})
    assert (answer["status"], answer["on_hold"]) == ("ready", ["stock"])
    order_id, empty = await ready(shop, MUG=1)
    answer = await pack(shop, empty, {"line": 1, "quantity": 0})
    assert answer["status"] == "cancelled"
    await shop.held(order_id, HoldReason.STOCK)
    assert await shop.stock_of("MUG") == (0, 0)


# ── a label that was wrong ──────────────────────────────────────────────────────────


async def packed(shop: Shop) -> tuple[str, str, str]:
    """An order, its parcel, and the number of the label that was bought."""
    order_id, shipment_id = await ready(shop, TEA=1)
    answer = await pack(shop, shipment_id, {"line": 1, "quantity": 1})
    return order_id, shipment_id, answer["tracking"]


def all_voided(order: OrderSnapshot) -> bool:
    return all(label.voided for label in order.shipments[0].spoilt_labels)


async def test_a_parcel_that_was_measured_wrongly_is_labelled_anew(shop: Shop) -> None:
    order_id, shipment_id, number = await packed(shop)
    answer = await relabel(shop, shipment_id, parcels=[SMALL])
    order = await shop.until(order_id, has_parcel(ShipmentStatus.PACKED))
    assert order.shipments[0].tracking != number
    assert order.shipments[0].parcel == SMALL
    assert answer["status"] in ("packed", "ready")
    voided = {b["tracking"]: b["voided"] for b in await shop.carrier.books()}
    assert voided == {number: True, order.shipments[0].tracking: False}
    await shop.ship(shipment_id)
    await shop.scan(order_id, shipment_id, "delivered")
    order = await shop.ended(order_id)
    assert (order.status, order.captured) == (OrderStatus.COMPLETED, order.total)


@pytest.mark.parametrize("when", ["before it leaves", "as it leaves"])
async def test_a_parcel_that_goes_by_hand_gives_its_label_back(
    shop: Shop, when: str
) -> None:
    order_id, shipment_id, number = await packed(shop)
    by_hand = {"carrier": "by bike", "tracking": "BIKE-1"}
    if when == "as it leaves":
        await shop.post(f"/v1/shipments/{shipment_id}/ship", by_hand)
    else:
        await relabel(shop, shipment_id, **by_hand)
        await shop.ship(shipment_id)
    order = await shop.until(order_id, all_voided)
    (parcel,) = order.shipments
    assert (parcel.status, parcel.carrier) == (ShipmentStatus.SHIPPED, "by bike")
    assert (parcel.tracking, parcel.tracked) == ("BIKE-1", False)
    assert parcel.spoilt_labels[0].tracking == number
    await shop.deliver(shipment_id)
    assert (await shop.ended(order_id)).status is OrderStatus.COMPLETED


async def test_scans_of_a_label_that_was_given_up_move_nothing(shop: Shop) -> None:
    order_id, shipment_id, number = await packed(shop)
    await relabel(shop, shipment_id, carrier="by bike")
    await shop.carrier.scan(number, "delivered")
    (heard,) = await eventually(lambda: shop.fetch(HEARD))
    assert heard.error is None
    (parcel,) = (await shop.order(order_id)).shipments
    assert (parcel.status, parcel.tracking_status) == (ShipmentStatus.PACKED, None)


HEARD = """
SELECT error FROM inbox
WHERE source = 'carrier' AND (processed_at IS NOT NULL OR error IS NOT NULL)
"""


async def test_a_typed_number_is_corrected_after_it_has_left(
    closed_shop: Shop, work: Work
) -> None:
    shop = closed_shop
    async with work(carrier="manual"):
        first, second = [(await packed(shop))[1] for _ in range(2)]
        await shop.post(f"/v1/shipments/{first}/ship", {"tracking": "RX-1"})
        await shop.post(f"/v1/shipments/{second}/ship", {"tracking": "RX-3"})
        with pytest.raises(Refused) as refused:
            await relabel(shop, second, tracking="RX-1")
        assert refused.value.code == "duplicate-reference"
        answer = await relabel(shop, second, tracking="RX-2")
        assert (answer["status"], answer["tracking"]) == ("shipped", "RX-2")


async def test_a_label_that_has_left_is_no_longer_corrected(shop: Shop) -> None:
    order_id, shipment_id, _ = await packed(shop)
    await shop.ship(shipment_id)
    for body in ({}, {"tracking": "RX-1"}, {"package": 2, "tracking": "RX-1"}):
        with pytest.raises(Refused) as refused:
            await relabel(shop, shipment_id, **body)
        assert refused.value.code in ("wrong-state", "not-found")
    order = await shop.until(order_id, has_no_hold)
    assert has_status(OrderStatus.CONFIRMED)(order)


# ── over a border ───────────────────────────────────────────────────────────────────


async def test_what_crosses_a_border_is_declared(shop: Shop) -> None:
    await shop.stock(TEA=1)
    order_id = await shop.place(ship_to=BERN, TEA=1)
    await shop.pack(order_id)
    hold = await shop.held(order_id, HoldReason.PROVIDER)
    assert hold.detail["cause"] == "customs_incomplete"
    price = {"amount": PRICES["TEA"], "currency": "EUR"}
    known = {"name": "Tea", "price": price, "hs_code": "090240", "origin": "IN"}
    (await shop.http.put("/v1/products/TEA", json=known)).raise_for_status()
    await shop.decide(order_id, HoldReason.PROVIDER, "retry")
    await shop.until(order_id, has_parcel(ShipmentStatus.PACKED))
    (label,) = await shop.carrier.books()
    assert label["sender"] == "berlin"


BERN = ADDRESS | {"city": "Bern", "postal_code": "3001", "country": "CH"}
