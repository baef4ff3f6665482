"""Addresses are checked by the rules of their country; people have the last word."""

from collections.abc import Mapping
from contextlib import suppress

import pytest
from shared.contracts.orders.addresses import check_address
from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.states import OrderStatus, ShipmentStatus
from shared.database.orders.snapshot import Hold, OrderSnapshot

from tests.support.shop import (
    ADDRESS,
    UNKNOWN_TO_THE_CARRIER,
    Refused,
    Shop,
    has_parcel,
    has_status,
)

WRONG = ADDRESS | {"postal_code": "1011"}


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({}, ()),
        ({"postal_code": "1011"}, ("postal_code: invalid",)),
        ({"country": "XX"}, ("country: invalid",)),
        ({"country": "US", "postal_code": "10001"}, ("region: required",)),
        ({"country": "US", "postal_code": "10001", "region": "NY"}, ()),
        (
            {"country": "US", "postal_code": "10001", "region": "CA"},
            ("postal_code: invalid",),
        ),
        # There are no postal codes in Panama: whatever is given is right.
        ({"country": "PA", "postal_code": "-"}, ()),
        ({"country": "HK", "region": "Kowloon", "city": "", "postal_code": ""}, ()),
        ({"country": "AE", "region": "Dubai", "postal_code": "00000"}, ()),
        ({"postal_code": "-"}, ("postal_code: required",)),
        ({"postal_code": "00000"}, ("postal_code: required",)),
        ({"country": "US", "city": ""}, ("city: required", "region: required")),
    ],
)
def test_every_country_has_its_own_rules(
    changed: Mapping[str, str], wrong: tuple[str, ...]
) -> None:
    given = {
        "name": "Ada Example",
        "street": "Example Street 1",
        "city": "Berlin",
        "postal_code": "10115",
        "country": "DE",
    }
    assert check_address({**given, **changed}).wrong == wrong


@pytest.mark.parametrize(
    ("country", "postal_code", "written"),
    [
        ("NL", "1012 js", "1012 JS"),
        ("CH", "CH-8001", "8001"),
        ("SE", "SE-114 55", "114 55"),
        ("LV", "1073", "LV-1073"),
        ("PL", "00950", "00-950"),
        ("PT", "2725 079", "2725-079"),
        ("GB", " sw1a  1aa ", "SW1A 1AA"),
        ("DE", "D 10 115", "10115"),
    ],
)
def test_a_postal_code_is_read_as_people_write_it(
    country: str, postal_code: str, written: str
) -> None:
    address = ADDRESS | {"country": country, "postal_code": postal_code}
    checked = check_address(address)
    assert (checked.postal_code, checked.wrong) == (written, ())


@pytest.mark.parametrize(
    ("country", "city", "region", "postal_code"),
    [
        ("BR", "Sao Paulo", "SP", "01310-100"),
        ("BR", "SAO PAULO", "sao paulo", "01310100"),
        ("IN", "Mumbai", "Maharashtra", "400 001"),
        ("US", "New York", "N.Y.", "10001"),
        ("US", "San Jose", "US-CA", "95112"),
        ("CN", "Guangzhou", "Guangdong", "510000"),
        ("CN", "Beijing", "Beijing", "100000"),
        ("IE", "Dublin", "County Dublin", "d02x285"),
        ("JP", "Setagaya", "tokyo", "154 0023"),
    ],
)
def test_names_are_read_as_people_write_them(
    country: str, city: str, region: str, postal_code: str
) -> None:
    address = {"country": country, "city": city, "region": region}
    assert not check_address(ADDRESS | address | {"postal_code": postal_code}).wrong


async def test_a_wrong_address_is_accepted_and_nothing_is_promised(shop: Shop) -> None:
    await shop.stock(TEA=1)
    order_id = await shop.place(ship_to=WRONG)
    hold = await shop.held(order_id, HoldReason.ADDRESS)
    assert hold.detail == {"cause": "check-failed", "fields": ["postal_code: invalid"]}
    order = await shop.order(order_id)
    assert order.status is OrderStatus.PLACED
    assert not order.shipments


async def test_a_corrected_address_lets_the_order_go_on(shop: Shop) -> None:
    """Nobody has to decide that what was asked for was done."""
    await shop.stock(TEA=1)
    order_id = await shop.place(ship_to=WRONG)
    await shop.held(order_id, HoldReason.ADDRESS)
    await correct(shop, order_id, {"postal_code": "10115"})
    await shop.until(order_id, has_status(OrderStatus.CONFIRMED))
    (hold,) = await shop.fetch(
        "SELECT decision FROM holds WHERE root = :id", id=order_id
    )
    assert hold.decision == "correct"


async def test_an_address_that_nobody_touched_is_not_corrected(shop: Shop) -> None:
    await shop.stock(TEA=1)
    order_id = await shop.place(ship_to=WRONG)
    with pytest.raises(Refused) as refused:
        await shop.decide(order_id, HoldReason.ADDRESS, "correct")
    assert refused.value.code == "decision-not-allowed"
    await shop.held(order_id, HoldReason.ADDRESS)


async def test_a_correction_that_is_wrong_too_is_held_again(shop: Shop) -> None:
    await shop.stock(TEA=1)
    order_id = await shop.place(ship_to=WRONG)
    first = await shop.held(order_id, HoldReason.ADDRESS)
    await correct(shop, order_id, ADDRESS | {"country": "XX"})
    await shop.decide(order_id, HoldReason.ADDRESS, "correct")

    def again(order: OrderSnapshot) -> Hold | None:
        holds = (h for h in order.holds if h.reason is HoldReason.ADDRESS)
        return next((hold for hold in holds if hold.id != first.id), None)

    hold = again(await shop.until(order_id, again))
    assert hold is not None
    assert hold.detail["fields"] == ["country: invalid"]


async def test_a_person_may_know_better_than_the_check(shop: Shop) -> None:
    await shop.stock(TEA=1)
    order_id = await shop.place(ship_to=WRONG)
    await shop.decide(order_id, HoldReason.ADDRESS, "override", by="grace")
    await shop.until(order_id, has_status(OrderStatus.CONFIRMED))
    await shop.pack(order_id)
    await shop.until(order_id, has_parcel(ShipmentStatus.PACKED))
    (who,) = await shop.fetch(
        "SELECT decision, decided_by, released_at FROM holds WHERE root = :id",
        id=order_id,
    )
    assert (who.decision, who.decided_by) == ("override", "grace")
    assert who.released_at is not None


async def test_knowing_better_is_about_one_address(shop: Shop) -> None:
    await shop.stock(TEA=1)
    order_id = await shop.place(ship_to=WRONG)
    await shop.decide(order_id, HoldReason.ADDRESS, "override")
    await shop.until(order_id, has_parcel(ShipmentStatus.READY))
    await correct(shop, order_id, ADDRESS | {"postal_code": "999"})
    with suppress(Refused):  # unless the order has not looked at it yet
        await shop.pack(order_id)
    await shop.held(order_id, HoldReason.ADDRESS)


async def test_an_order_without_a_right_address_can_be_cancelled(shop: Shop) -> None:
    await shop.stock(TEA=1)
    order_id = await shop.place(ship_to=WRONG)
    await shop.decide(order_id, HoldReason.ADDRESS, "cancel")
    order = await shop.ended(order_id)
    assert (order.status, order.reason) == (OrderStatus.CANCELLED, "address-hold")
    assert await shop.stock_of("TEA") == (1, 0)


async def test_a_parcel_goes_on_by_itself_once_its_address_is_corrected(
    shop: Shop,
) -> None:
    await shop.stock(TEA=1)
    order_id = await shop.place(ship_to=UNKNOWN_TO_THE_CARRIER)
    await shop.pack(order_id)
    hold = await shop.held(order_id, HoldReason.ADDRESS)
    assert hold.detail["cause"] == "carrier-refused"
    await correct(shop, order_id, ADDRESS)
    order = await shop.until(order_id, has_parcel(ShipmentStatus.PACKED))
    assert order.captured == order.total


async def correct(shop: Shop, order_id: str, ship_to: Mapping[str, str]) -> None:
    seen = await shop.http.get(f"/v1/orders/{order_id}")
    answer = await shop.http.patch(
        f"/v1/orders/{order_id}/contact",
        json={"ship_to": dict(ship_to)},
        headers={"If-Match": seen.headers["etag"]},
    )
    assert answer.is_success, answer.text
