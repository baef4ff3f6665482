"""A shop to look around in (`uv run dev --seed-shop`): 200 products in three locations,
and 500 orders in every state.

All of it goes through the HTTP API, the worker, the simulators and the mail sink, so
that whatever is shown can be worked on. Only the dates of what is over are made up.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from random import Random
from typing import TypeVar

import httpx2

from devstack.auth_headers import AuthHeaders, by_header
from devstack.seed.catalogue import LOCATIONS, PRODUCTS, deliveries
from devstack.seed.courses import PAST, TODAY, Basket, Course
from devstack.seed.customers import a_customer
from devstack.seed.past import date_back
from devstack.seed.shop import STOREKEEPER, WEB, Order, SeedFailed, Shop
from devstack.services import Addresses

ORDERS = 500
_AT_ONCE = 16
_SAY_EVERY = 50

T = TypeVar("T")
Say = Callable[[str], None]
Planned = tuple[str, Course]


async def seed_shop(
    at: Addresses,
    say: Say,
    auth_headers: AuthHeaders = by_header,
    *,
    orders: int = ORDERS,
) -> None:
    """Fill the shop, which may have other orders. Safe to repeat: it goes on where it
    was cut short. With fewer `orders` there is at least one of each course. Raises
    `SeedFailed`."""
    async with httpx2.AsyncClient(base_url=at.api, trust_env=False, timeout=60) as http:
        shop = Shop(http, at.carrier, auth_headers)
        planned = plan(orders)
        if (await shop.get(WEB, "/v1/orders", q=planned[-1][0]))["data"]:
            say("The shop was filled before.")
            return
        try:
            await _fill(shop, planned, say)
        except* httpx2.TransportError as lost:
            raise SeedFailed(
                f"The API did not answer: {lost.exceptions[0]!r}"
            ) from lost
        except* SeedFailed as failed:
            raise SeedFailed(str(failed.exceptions[0])) from failed
    await date_back(at.database, [ref for ref, course in planned if course.past])
    say(f"The shop has {len(PRODUCTS)} products, and {len(planned)} orders to look at.")


def plan(orders: int = ORDERS) -> list[Planned]:
    """Each order's reference and course. What is past comes first; the courses are
    mixed, the same way each time."""
    courses = [*_mixed(PAST, orders), *_mixed(TODAY, orders)]
    return [(f"seed-{n:04}", course) for n, course in enumerate(courses, 1)]


def _mixed(courses: Sequence[Course], orders: int) -> list[Course]:
    all_of_them = [
        course
        for course in courses
        for _ in range(max(1, round(course.of_500 * orders / ORDERS)))
    ]
    return Random(len(all_of_them)).sample(all_of_them, len(all_of_them))


async def _fill(shop: Shop, planned: Sequence[Planned], say: Say) -> None:
    say(f"Filling the shop with {len(PRODUCTS)} products.")
    await _each(
        PRODUCTS,
        lambda p: shop.put(STOREKEEPER, f"/v1/products/{p.sku}", p.body),
    )
    for rank, location in enumerate(LOCATIONS, 1):
        known = {"name": location.title(), "priority": 10 * rank}
        await shop.put(STOREKEEPER, f"/v1/locations/{location}", known)
    for location, units in deliveries().items():
        lines = [{"sku": sku, "quantity": n} for sku, n in units.items()]
        delivery = {"location": location, "lines": lines, "ref": f"seed-{location}"}
        await shop.post(
            STOREKEEPER, "/v1/stock/receipts", delivery | {"again": True}, location
        )
    played = 0

    async def play_one(one: Planned) -> None:
        nonlocal played
        await play(shop, *one)
        played += 1
        if played % _SAY_EVERY == 0:
            say(f"  {played} of {len(planned)} orders")

    await _each(planned, play_one)


async def play(shop: Shop, ref: str, course: Course) -> str:
    """Place one order and take its course; the number at the end of its reference makes
    it what it is. Returns its id."""
    number = int(ref.rpartition("-")[2])
    chance = Random(number)
    # Every fifth order is by a customer who has ordered before.
    of = number - 1 if number % 5 == 0 else number
    customer = a_customer(of, Random(of))
    basket = Basket(
        customer=customer,
        lines=course.goods(chance),
        method=chance.choice(("standard", "standard", "express")),
        card=course.card,
        address=course.address,
    )
    order = Order(shop, ref)
    await order.place(basket.body(ref))
    await course.play(order)
    return order.id


async def _each(items: Iterable[T], do: Callable[[T], Awaitable[object]]) -> None:
    """Run all of them, a few at a time, in their order."""
    waiting = iter(items)

    async def work() -> None:
        for item in waiting:
            await do(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(work())
