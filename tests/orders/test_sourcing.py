"""Where the goods of an order come from: as few parcels as can be, and of as few the
preferred ones."""

import asyncio
from collections.abc import Mapping
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st
from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.sourcing import Supply, source
from shared.contracts.orders.states import OrderStatus, ShipmentStatus

from tests.support.shop import Shop, has_parcel, has_status

Given = dict[tuple[str, str], int]


def sourced(
    demand: Mapping[str, int], supply: list[Supply], begun: tuple[str, ...] = ()
) -> Given:
    return {
        (found.sku, found.location): found.units
        for found in source(demand, supply, begun)
    }


def shelves(**locations: dict[str, int]) -> list[Supply]:
    return [
        Supply(sku, location, units)
        for location, there in locations.items()
        for sku, units in there.items()
    ]


supplies = st.lists(
    st.builds(
        Supply,
        st.sampled_from("ABCD"),
        st.sampled_from("vwxyz"),
        st.integers(0, 4),
        st.integers(0, 2),
        st.booleans(),
    ),
    max_size=20,
    unique_by=lambda offer: (offer.sku, offer.location),
)


@given(st.dictionaries(st.sampled_from("ABCDE"), st.integers(0, 6)), supplies)
@settings(deadline=None)
def test_all_that_is_there_is_taken_from_as_few_places_as_can_be(
    demand: dict[str, int], supply: list[Supply]
) -> None:
    found = source(demand, supply)
    there = {(offer.sku, offer.location): offer.units for offer in supply}

    def units(sku: str, places: set[str]) -> int:
        return sum(n for (s, place), n in there.items() if s == sku and place in places)

    everywhere = {place for _, place in there}
    wanted = {sku: min(n, units(sku, everywhere)) for sku, n in demand.items()}
    taken: dict[str, int] = dict.fromkeys(wanted, 0)
    for sku, location, n in found:
        assert 0 < n <= there[sku, location]
        taken[sku] += n
    assert taken == wanted
    used = {location for _, location, _ in found}
    for fewer in combinations(everywhere, max(0, len(used) - 1)):
        lacking = [sku for sku, n in wanted.items() if units(sku, {*fewer}) < n]
        assert lacking or not used


def test_of_as_few_places_the_preferred_ones_are_taken() -> None:
    def chosen(**places: tuple[int, bool]) -> set[str]:
        supply = [
            Supply("TEA", code, 5, priority, abroad)
            for code, (priority, abroad) in places.items()
        ]
        return {location for _, location in sourced({"TEA": 2}, supply)}

    assert chosen(rome=(2, False), kiel=(1, True)) == {"kiel"}
    assert chosen(rome=(1, True), ulm=(1, False)) == {"ulm"}
    assert chosen(b=(1, False), a=(1, False)) == {"a"}


def test_a_parcel_that_is_sent_anyway_takes_more() -> None:
    supply = shelves(berlin={"TEA": 9}, kiel={"TEA": 9})
    assert sourced({"TEA": 1}, supply, ("kiel",)) == {("TEA", "kiel"): 1}


def test_an_order_that_takes_more_places_than_are_tried_is_sourced_too() -> None:
    skus = [f"SKU-{n}" for n in range(500)]
    supply = [
        Supply(sku, f"place-{n % 20}", 1)
        for number, sku in enumerate(skus)
        for n in (number, number * 7 + 3)
    ]
    taken = sourced(dict.fromkeys(skus, 1), supply)
    assert sum(taken.values()) == 500


# ── the same of orders ──────────────────────────────────────────────────────────────


async def places(shop: Shop, order_id: str) -> Given:
    order = await shop.order(order_id)
    return {(found.sku, found.location): found.qty for found in order.reservations}


async def test_what_lies_in_one_place_leaves_in_one_parcel(shop: Shop) -> None:
    """Though each of it lies elsewhere in plenty; and what does not is split."""
    await shop.stock(at="berlin", TEA=50, MUG=2)
    await shop.stock(at="kiel", MUG=50, GONG=1)
    await shop.stock(at="leipzig", PIN=9)
    together = await shop.place(TEA=1, MUG=2)
    assert await places(shop, together) == {("TEA", "berlin"): 1, ("MUG", "berlin"): 2}
    split = await shop.place(TEA=1, PIN=1, customer="another")
    order = await shop.until(split, has_status(OrderStatus.CONFIRMED))
    assert {parcel.location for parcel in order.shipments} == {"berlin", "leipzig"}


async def test_the_workflow_sources_the_whole_order_too(shop: Shop) -> None:
    """Of an order that had to wait: what comes in goes with what it has."""
    await shop.stock(at="berlin", TEA=1)
    order_id = await shop.place(TEA=1, MUG=1)
    await shop.decide(order_id, HoldReason.STOCK, "wait")
    await shop.open_location("kiel", priority=1)
    await shop.open_location("ulm", priority=2)
    await asyncio.gather(
        *(shop.stock(at=place, MUG=1) for place in ("kiel", "ulm", "berlin"))
    )
    order = await shop.until(order_id, has_parcel(ShipmentStatus.READY))
    assert order.short == 0


async def test_a_safety_stock_is_left_where_it_is(shop: Shop) -> None:
    """Also by customers who order at the same moment."""
    await shop.open_location("berlin", safety_stock=2)
    await shop.stock(at="berlin", TEA=5)
    orders = await asyncio.gather(
        *(shop.place(TEA=1, customer=f"customer-{n}") for n in range(8))
    )
    for order_id in orders:
        await shop.until(order_id, lambda order: order.allocated)
    assert await shop.stock_of("TEA") == (5, 3)


async def test_no_single_order_takes_a_safety_stock(shop: Shop) -> None:
    await shop.open_location("berlin", safety_stock=2)
    await shop.stock(at="berlin", TEA=5)
    waits = await shop.place(TEA=4)
    await shop.held(waits, HoldReason.STOCK)
    assert await shop.stock_of("TEA") == (5, 3)


async def test_nothing_new_is_sent_from_where_nobody_works(shop: Shop) -> None:
    await shop.stock(at="berlin", TEA=5)
    there = await shop.place(TEA=1)
    await shop.open_location("berlin", active=False)
    waits = await shop.place(TEA=1, customer="another")
    await shop.held(waits, HoldReason.STOCK)
    await shop.shipped(there)
    assert await shop.stock_of("TEA") == (4, 0)
