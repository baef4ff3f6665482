"""Orders that go as they should."""

from shared.contracts.orders.states import OrderStatus, ShipmentStatus

from tests.support.shop import SHIPPING, Shop, has_parcel, has_status


async def test_an_order_goes_from_placement_to_delivery(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=2)
    await shop.delivered(order_id)
    order = await shop.ended(order_id)
    assert order.status is OrderStatus.COMPLETED
    assert order.captured == order.total == 2 * 1290 + SHIPPING
    assert await shop.stock_of("TEA") == (0, 0)
    assert await shop.events(order_id) == [
        "order.placed",
        "stock.reserved",
        "payment.authorized",
        "order.confirmed",
        "shipment.ready",
        "shipment.picked",
        "payment.captured",
        "shipment.packed",
        "shipment.shipped",
        "shipment.delivered",
        "order.completed",
    ]


async def test_the_provider_was_asked_for_each_amount_once(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=2)
    await shop.delivered(order_id)
    order = await shop.ended(order_id)
    (book,) = await shop.payments.books()
    assert book["authorized"] == book["captured"] == order.total
    assert len(book["captures"]) == 1


async def test_the_lines_of_an_order_travel_in_one_parcel(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=3, MUG=2)
    await shop.delivered(order_id)
    order = await shop.ended(order_id)
    assert [line.shipped for line in order.lines] == [3, 2]
    assert len(order.shipments) == 1


async def test_each_location_sends_a_parcel_of_its_own(shop: Shop) -> None:
    await shop.stock(at="berlin", TEA=2)
    await shop.stock(at="munich", TEA=1)
    order_id = await shop.place("pm_card_visa_multicapture", TEA=3)
    await shop.delivered(order_id, at="berlin")
    await shop.delivered(order_id, at="munich")
    order = await shop.ended(order_id)
    (book,) = await shop.payments.books()
    assert order.status is OrderStatus.COMPLETED
    assert [c["amount"] for c in book["captures"]] == [2 * 1290 + SHIPPING, 1290]


async def test_what_a_part_capture_releases_is_authorised_again(shop: Shop) -> None:
    await shop.stock(at="berlin", TEA=2)
    await shop.stock(at="munich", TEA=1)
    order_id = await shop.place("pm_card_visa", TEA=3)
    await shop.delivered(order_id, at="berlin")
    await shop.delivered(order_id, at="munich")
    order = await shop.ended(order_id)
    books = await shop.payments.books()
    assert order.captured == order.total
    assert [book["authorized"] for book in books] == [order.total, 1290]
    assert [book["captured"] for book in books] == [2 * 1290 + SHIPPING, 1290]


async def test_an_order_that_costs_nothing_needs_no_payment(shop: Shop) -> None:
    await shop.stock(GIFT=1)
    order_id = await shop.place(shipping=0, GIFT=1)
    await shop.delivered(order_id)
    order = await shop.ended(order_id)
    assert order.status is OrderStatus.COMPLETED
    assert await shop.payments.books() == []


async def test_what_is_back_ordered_follows_when_it_comes(shop: Shop) -> None:
    await shop.stock(backorder=True, TEA=1)
    order_id = await shop.place(TEA=3)
    await shop.delivered(order_id)
    await shop.stock(TEA=2)
    await shop.delivered(order_id)
    order = await shop.ended(order_id)
    assert order.status is OrderStatus.COMPLETED
    assert [len(s.lines) for s in order.shipments] == [1, 1]


async def test_a_parcel_that_is_not_sent_is_planned_anew(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=1)
    first = await shop.pack(order_id)
    await shop.post(f"/v1/shipments/{first}/cancel", {})
    await shop.delivered(order_id)
    order = await shop.ended(order_id)
    (book,) = await shop.payments.books()
    labels = await shop.carrier.books()
    assert order.shipment(first).status is ShipmentStatus.CANCELLED
    assert len(book["captures"]) == 1
    assert [label["voided"] for label in labels] == [True, False]


async def test_scans_that_come_late_move_nothing_back(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=1)
    parcel = await shop.shipped(order_id)
    await shop.scan(order_id, parcel, "delivered")
    await shop.until(order_id, has_status(OrderStatus.COMPLETED))
    await shop.scan(order_id, parcel, "in_transit")
    order = await shop.order(order_id)
    assert order.shipment(parcel).status is ShipmentStatus.DELIVERED


async def test_a_repeated_command_is_carried_out_once(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=2)
    same = {"Idempotency-Key": "one-wish"}
    first = await shop.cancel(order_id, {1: 1}, **same)
    again = await shop.cancel(order_id, {1: 1}, **same)
    order = await shop.until(order_id, has_parcel(ShipmentStatus.READY))
    assert first["cancelled"] == again["cancelled"]
    assert order.lines[0].cancelled == 1
